//! The passwords of the reserved node users: made once, 0600, never shown.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use camino::{Utf8Path, Utf8PathBuf};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The line of the properties file that Kafka's file provider reads.
const PREFIX: &str = "password=";
/// 256 bits.
const BYTES: usize = 32;

/// Reads a password, and makes it first if there is none. Two agents at once make one.
///
/// # Errors
/// What the system says.
pub(crate) fn ensure(path: &Utf8Path) -> io::Result<Secret<String>> {
    match read(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            make(path)?;
            read(path)
        }
        other => other,
    }
}

fn read(path: &Utf8Path) -> io::Result<Secret<String>> {
    let mut text = Zeroizing::new(String::new());
    fs::File::open(path)?.take(4096).read_to_string(&mut text)?;
    let password = text
        .trim_end()
        .strip_prefix(PREFIX)
        .filter(|password| !password.is_empty())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no line `password=…` in it"))?;
    Ok(Secret::new(password.to_owned()))
}

fn make(path: &Utf8Path) -> io::Result<()> {
    let mut random = Zeroizing::new([0_u8; BYTES]);
    aws_lc_rs::rand::fill(random.as_mut()).map_err(|_| io::Error::other("the system gives no randomness"))?;
    let text = Zeroizing::new(format!("{PREFIX}{}\n", URL_SAFE_NO_PAD.encode(random.as_ref())));
    let scratch = Utf8PathBuf::from(format!("{path}.{}.new", std::process::id()));
    let _ = fs::remove_file(&scratch);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&scratch)?;
    let made = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        // A link, not a rename: whoever came first has made the password.
        .and_then(|()| fs::hard_link(&scratch, path));
    let _ = fs::remove_file(&scratch);
    match made {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_password_is_made_once_and_is_private() {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().join("node-1.password")).unwrap();
        let first = ensure(&path).unwrap();
        assert!(first.expose().len() >= 43);
        assert_eq!(ensure(&path).unwrap().expose(), first.expose());
        make(&path).unwrap();
        assert_eq!(ensure(&path).unwrap().expose(), first.expose());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(keep.path()).unwrap().count(), 1);
        fs::write(&path, "nonsense").unwrap();
        assert!(ensure(&path).is_err());
    }
}
