//! What a program or library for Linux needs of its system: its processor, its libraries, their versions.
//!
//! Reads section headers as the System V ABI and the Linux Standard Base (symbol versioning) describe them. What is not
//! as described has no needs; only the machine must be there.

use std::fs::File;
use std::io::Read as _;

use camino::Utf8Path;

use super::{Architecture, ArtifactError, Glibc, io_error};

const DYNAMIC: u32 = 6;
const NEEDED_VERSIONS: u32 = 0x6fff_fffe;
const NEEDED: u64 = 1;
const MAX_ENTRIES: usize = 4_096;
const MAX_NAME: usize = 256;

/// What a library needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Names of libraries.
    pub(super) libraries: Vec<String>,
    /// Versions of symbols, such as `GLIBC_2.34`.
    pub(super) versions: Vec<String>,
}

impl Needs {
    /// The newest glibc among them.
    pub(super) fn glibc(&self) -> Option<Glibc> {
        let version = |name: &String| {
            let (major, minor) = name.strip_prefix("GLIBC_")?.split_once('.')?;
            // `2.2.5` is older than anything that matters.
            let minor = minor.split('.').next()?;
            Some(Glibc(major.parse().ok()?, minor.parse().ok()?))
        };
        self.versions.iter().filter_map(version).max()
    }

    /// The newest `GLIBCXX_3.4.N`.
    pub(super) fn libstdcxx(&self) -> Option<u32> {
        let version = |name: &String| name.strip_prefix("GLIBCXX_3.4.")?.parse().ok();
        self.versions.iter().filter_map(version).max()
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(
        bytes.get(at..at.checked_add(2)?)?.try_into().ok()?,
    ))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(
        bytes.get(at..at.checked_add(8)?)?.try_into().ok()?,
    ))
}

fn index(number: u64) -> Option<usize> {
    usize::try_from(number).ok()
}

/// The architecture of a 64-bit program or library for Linux, by its first bytes.
pub(super) fn architecture(head: &[u8]) -> Option<Architecture> {
    // Class 2: 64 bits; data 1: little-endian.
    if head.get(..4)? != b"\x7fELF" || head.get(4..6)? != [2, 1] {
        return None;
    }
    match u16_at(head, 18)? {
        62 => Some(Architecture::X86),
        183 => Some(Architecture::Arm),
        _ => None,
    }
}

/// Refuses a program for another machine, or none.
pub(super) fn check_machine(path: &Utf8Path, wanted: Architecture) -> Result<(), ArtifactError> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(64).read_to_end(&mut head))
        .map_err(io_error("read", path))?;
    if architecture(&head) == Some(wanted) {
        return Ok(());
    }
    Err(ArtifactError::OtherArchitecture {
        path: path.to_owned(),
        architecture: wanted,
    })
}

struct Section<'a> {
    kind: u32,
    content: &'a [u8],
    link: usize,
    count: usize,
}

fn section(bytes: &[u8], number: usize) -> Option<Section<'_>> {
    let (table, size) = (index(u64_at(bytes, 40)?)?, usize::from(u16_at(bytes, 58)?));
    if number >= usize::from(u16_at(bytes, 60)?) {
        return None;
    }
    let at = table.checked_add(size.checked_mul(number)?)?;
    let header = bytes.get(at..at.checked_add(64)?)?;
    let (from, length) = (index(u64_at(header, 24)?)?, index(u64_at(header, 32)?)?);
    Some(Section {
        kind: u32_at(header, 4)?,
        content: bytes.get(from..from.checked_add(length)?)?,
        link: index(u64::from(u32_at(header, 40)?))?,
        count: index(u64::from(u32_at(header, 44)?))?,
    })
}

fn text(strings: &[u8], at: u64) -> Option<String> {
    let rest = strings.get(index(at)?..)?;
    let end = rest.iter().take(MAX_NAME).position(|byte| *byte == 0)?;
    String::from_utf8(rest.get(..end)?.to_vec()).ok()
}

/// What a library needs. Of one without section headers nothing is known.
pub(super) fn needs(bytes: &[u8]) -> Needs {
    let mut found = Needs::default();
    if architecture(bytes).is_none() {
        return found;
    }
    let count = u16_at(bytes, 60).map_or(0, usize::from);
    for section_number in 0..count {
        let Some(this) = section(bytes, section_number) else {
            continue;
        };
        let Some(strings) = section(bytes, this.link).map(|names| names.content) else {
            continue;
        };
        match this.kind {
            DYNAMIC => {
                let entries = this.content.chunks_exact(16).take(MAX_ENTRIES);
                let named = entries
                    .filter(|entry| u64_at(entry, 0) == Some(NEEDED))
                    .filter_map(|entry| text(strings, u64_at(entry, 8)?));
                found.libraries.extend(named);
            }
            NEEDED_VERSIONS => {
                let _ = versions(&this, strings, &mut found.versions);
            }
            _ => {}
        }
    }
    found
}

/// The chains of `Verneed` and `Vernaux`; ends early at what cannot be.
fn versions(of: &Section<'_>, strings: &[u8], found: &mut Vec<String>) -> Option<()> {
    let mut at = 0_usize;
    for _ in 0..of.count.min(MAX_ENTRIES) {
        let count = u16_at(of.content, at.checked_add(2)?)?;
        let mut name_at = at.checked_add(index(u64::from(u32_at(of.content, at.checked_add(8)?)?))?)?;
        for _ in 0..count {
            if found.len() >= MAX_ENTRIES {
                return None;
            }
            let name = u32_at(of.content, name_at.checked_add(8)?)?;
            found.extend(text(strings, u64::from(name)));
            let next = u32_at(of.content, name_at.checked_add(12)?)?;
            if next == 0 {
                break;
            }
            name_at = name_at.checked_add(index(u64::from(next))?)?;
        }
        let next = u32_at(of.content, at.checked_add(12)?)?;
        if next == 0 {
            break;
        }
        at = at.checked_add(index(u64::from(next))?)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn own_program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_needs_of_this_very_program_are_read() {
        let bytes = own_program();
        assert_eq!(
            architecture(&bytes).map(Architecture::machine),
            Some(std::env::consts::ARCH)
        );
        let needs = needs(&bytes);
        assert!(
            needs.libraries.contains(&"libc.so.6".to_owned()),
            "{:?}",
            needs.libraries
        );
        assert!(needs.glibc().is_some_and(|glibc| glibc >= Glibc(2, 17)));
    }

    #[test]
    fn the_newest_version_counts_by_number_and_not_by_letters() {
        let needs = Needs {
            libraries: Vec::new(),
            versions: [
                "GLIBC_2.9",
                "GLIBC_2.34",
                "GLIBC_2.2.5",
                "GLIBCXX_3.4.30",
                "GLIBC_PRIVATE",
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        assert_eq!(needs.glibc(), Some(Glibc(2, 34)));
        assert_eq!(needs.libstdcxx(), Some(30));
        assert_eq!(Needs::default().glibc(), None);
    }

    proptest! {
        #[test]
        fn a_damaged_library_is_read_without_panic(
            changes in prop::collection::vec((0_usize..4_096, any::<u8>()), 0..64),
            length in 0_usize..20_000,
        ) {
            let mut bytes = own_program();
            bytes.truncate(length.max(64));
            for (at, with) in changes {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = with;
                }
            }
            let _ = needs(&bytes);
        }
    }
}
