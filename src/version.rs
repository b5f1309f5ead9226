//! The version of the product.

/// Of this program, as `major.minor.patch`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether this program is newer than the one that left `version` behind. What cannot be read counts as older: every
/// version that wrote one wrote it in this form.
pub fn is_newer_than(version: &str) -> bool {
    parts(VERSION) > parts(version)
}

fn parts(version: &str) -> Option<[u32; 3]> {
    // A pre-release is no newer than the release before it: nothing points at it until it is released.
    let (release, _) = version.split_once('-').unwrap_or((version, ""));
    let mut numbers = release.splitn(3, '.').map(|part| part.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(!is_newer_than(VERSION));
        assert!(is_newer_than("0.0.9"));
        assert!(is_newer_than(""));
        assert!(!is_newer_than("1000.0.0"));
        assert!(parts("0.10.0") > parts("0.9.9"));
        assert_eq!(parts("1.2.3-rc1"), parts("1.2.3"));
    }
}
