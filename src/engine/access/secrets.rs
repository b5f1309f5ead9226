//! The files that hold passwords on one machine, and their keyed fingerprints.
//!
//! A desired document only refers to the file. The fingerprint lets an agent tell whether what it reads
//! is what was meant; its key lies beside the secrets and in no document.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::error::AccessError;
use crate::engine::effects::effect;
use crate::pki::files::{Staged, ensure_private_folder, read_private, remove_private, stage_private};
use crate::pki::fingerprint;
use crate::secret::Secret;

/// 24 random bytes are 32 characters.
const PASSWORD_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// A secret file's content.
#[derive(Serialize, Deserialize)]
struct Content {
    username: String,
    password: String,
}

impl Drop for Content {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// A secret that takes its place once the entry that refers to it is written: two creates of one user must
/// not write over each other's. Dropped before, it is removed.
#[derive(Debug)]
pub struct StagedSecret {
    file: Staged,
    fingerprint: String,
    is_first: bool,
}

impl StagedSecret {
    /// Where it will lie.
    pub fn path(&self) -> &Utf8Path {
        self.file.path()
    }

    /// Its keyed fingerprint, for the desired document.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Puts it in place. Answers the file if a create that is refused has to take it away again.
    pub(super) async fn place(self) -> Result<Option<Utf8PathBuf>, AccessError> {
        let path = self.path().to_owned();
        effect("write a secret", async {
            self.file.place().map_err(file_error(&path))
        })
        .await?;
        Ok(self.is_first.then_some(path))
    }
}

/// The secret file of a user below a cluster's private directory. The name is encoded, so that no user
/// name leaves the folder.
pub fn secret_file(private_directory: &Utf8Path, username: &str) -> Utf8PathBuf {
    let name: String = username.bytes().fold(String::new(), |name, byte| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-' => name + &char::from(byte).to_string(),
        _ => format!("{name}%{byte:02X}"),
    });
    // Long names in foreign letters would exceed what a file may be called.
    let name = if name.len() > 200 {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, username.as_bytes());
        format!("sha256-{}", URL_SAFE_NO_PAD.encode(digest.as_ref()))
    } else {
        name
    };
    private_directory.join("secrets").join(format!("{name}.json"))
}

/// Draws a password: 32 characters that need no quoting anywhere.
///
/// # Errors
/// [`AccessError::Internal`] without randomness.
pub fn random_password() -> Result<Secret<String>, AccessError> {
    let mut bytes = Zeroizing::new([0_u8; PASSWORD_BYTES]);
    fill(bytes.as_mut())?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

/// Writes a user's secret file, 0600 in a 0700 directory, beside its place. `is_first`: no other one is known
/// to be there.
///
/// # Errors
/// [`AccessError::SecretFile`].
pub fn stage(
    private_directory: &Utf8Path,
    username: &str,
    password: &Secret<String>,
    is_first: bool,
) -> Result<StagedSecret, AccessError> {
    let path = secret_file(private_directory, username);
    let content = Content {
        username: username.to_owned(),
        password: password.expose().clone(),
    };
    let text = serde_json::to_string(&content).map_err(|_| AccessError::Internal {
        what: "a secret that is no JSON",
    })?;
    let text = Secret::new(text);
    let fingerprint = fingerprint(private_directory, username, password)?;
    let file = ensure_private_folder(path.parent().unwrap_or(private_directory))
        .and_then(|()| stage_private(&path, &text))
        .map_err(file_error(&path))?;
    Ok(StagedSecret {
        file,
        fingerprint,
        is_first,
    })
}

/// Reads the password of a user's secret file; `None` if there is no file.
///
/// # Errors
/// [`AccessError::SecretFile`] or [`AccessError::SecretDamaged`].
pub fn read(path: &Utf8Path) -> Result<Option<Secret<String>>, AccessError> {
    let Some(text) = read_private(path).map_err(file_error(path))? else {
        return Ok(None);
    };
    let content: Content = serde_json::from_str(text.expose()).map_err(|_| AccessError::SecretDamaged {
        path: path.to_owned(),
    })?;
    Ok(Some(Secret::new(content.password.clone())))
}

/// Removes a user's secret file; one that is gone is fine.
///
/// # Errors
/// [`AccessError::SecretFile`] if it cannot be removed.
pub async fn remove(path: &Utf8Path) -> Result<(), AccessError> {
    effect("remove a secret", async {
        remove_private(path).map_err(file_error(path))
    })
    .await
}

/// The keyed fingerprint of a secret. The key is made at the first use.
///
/// # Errors
/// [`AccessError::SecretFile`] if the key cannot be read or written.
pub fn fingerprint(
    private_directory: &Utf8Path,
    username: &str,
    password: &Secret<String>,
) -> Result<String, AccessError> {
    let key = fingerprint_key(private_directory)?;
    Ok(fingerprint::of(&key, username, password))
}

fn fingerprint_key(private_directory: &Utf8Path) -> Result<Secret<String>, AccessError> {
    let path = fingerprint::key_file(private_directory);
    if let Some(key) = read_private(&path).map_err(file_error(&path))? {
        return Ok(key);
    }
    let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
    fill(bytes.as_mut())?;
    let key = Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_ref()));
    ensure_private_folder(private_directory).map_err(file_error(private_directory))?;
    // Two first users at once, also of two runs, have one key.
    let staged = stage_private(&path, &key).map_err(file_error(&path))?;
    if staged.place_new().map_err(file_error(&path))? {
        return Ok(key);
    }
    let first = read_private(&path).map_err(file_error(&path))?;
    first.ok_or(AccessError::Internal {
        what: "the key of fingerprints is there and is not",
    })
}

fn fill(bytes: &mut [u8]) -> Result<(), AccessError> {
    rand::fill(bytes).map_err(|_| AccessError::Internal {
        what: "the system gives no randomness",
    })
}

fn file_error(path: &Utf8Path) -> impl Fn(crate::pki::files::Error) -> AccessError + use<> {
    let path = path.to_owned();
    move |cause| AccessError::SecretFile {
        path: path.clone(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use camino::Utf8PathBuf;

    use super::{fingerprint, random_password, read, remove, secret_file, stage};
    use crate::secret::Secret;

    fn temporary() -> (tempfile::TempDir, Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
        (directory, path)
    }

    #[tokio::test]
    async fn a_secret_is_private_reads_back_and_its_fingerprint_follows_the_password() {
        let (_keep, root) = temporary();
        let private = root.join("private");
        let password = random_password().unwrap();
        assert_eq!(password.expose().len(), 32);
        let staged = stage(&private, "app", &password, true).unwrap();
        let (path, print) = (staged.path().to_owned(), staged.fingerprint().to_owned());
        assert!(read(&path).unwrap().is_none());
        assert_eq!(staged.place().await.unwrap(), Some(path.clone()));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().unwrap().expose(), password.expose());
        assert_eq!(fingerprint(&private, "app", &password).unwrap(), print);
        let other = Secret::new("other".to_owned());
        assert_ne!(fingerprint(&private, "app", &other).unwrap(), print);
        assert!(!print.contains(password.expose()));
    }

    #[tokio::test]
    async fn a_secret_that_was_not_placed_leaves_the_one_that_is_there_and_no_file() {
        let (_keep, root) = temporary();
        let private = root.join("private");
        let [first, second] = ["first", "second"].map(|text| Secret::new(text.to_owned()));
        let staged = [&first, &second].map(|password| stage(&private, "app", password, true).unwrap());
        let path = staged[0].path().to_owned();
        let [winner, loser] = staged;
        winner.place().await.unwrap();
        drop(loser);
        assert_eq!(read(&path).unwrap().unwrap().expose(), "first");
        // What a killed run has left goes with the user.
        std::mem::forget(stage(&private, "app", &second, false).unwrap());
        let files = || std::fs::read_dir(private.join("secrets")).unwrap().count();
        assert_eq!(files(), 2);
        remove(&path).await.unwrap();
        assert_eq!(files(), 0);
    }

    #[test]
    fn first_users_at_once_have_one_key() {
        let (_keep, root) = temporary();
        let private = root.join("private");
        let password = Secret::new("p".to_owned());
        let prints: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| fingerprint(&private, "app", &password).unwrap()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(prints.len(), 1);
        assert_eq!(std::fs::read_dir(&private).unwrap().count(), 1);
    }

    #[test]
    fn no_user_name_leaves_the_folder_or_meets_another() {
        let root = Utf8PathBuf::from("/p");
        let names = [
            "app",
            "../app",
            "a/b",
            "a%2Fb",
            "ä",
            ".",
            &"x".repeat(128),
            &"ü".repeat(128),
        ];
        let files: std::collections::BTreeSet<_> =
            names.iter().map(|name| secret_file(&root, name)).collect();
        assert_eq!(files.len(), names.len());
        for file in files {
            assert_eq!(file.parent().unwrap(), "/p/secrets");
            assert!(file.file_name().unwrap().len() < 255);
        }
    }
}
