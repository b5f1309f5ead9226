//! Where users' passwords lie: files on one machine with their keyed fingerprints, Secrets Manager on AWS.
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
use crate::engine::ec2::secret::Secrets;
use crate::engine::effects::effect;
use crate::pki::files::{Staged, ensure_private_folder, read_private, remove_private, stage_private};
use crate::pki::fingerprint;
use crate::secret::Secret;
use crate::store::documents::SecretReference;
use crate::store::identity::random_id;
use crate::vault::Vault;

/// 24 random bytes are 32 characters.
const PASSWORD_BYTES: usize = 24;

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

/// Where the passwords of a cluster's users lie.
#[derive(Debug, Clone)]
pub enum SecretsHome {
    /// Files below a directory of this machine.
    Directory(Utf8PathBuf),
    /// Secrets Manager.
    Managed(Secrets),
}

impl SecretsHome {
    /// Prepares a user's new password beside its place. `is_first`: no other one is known to be there.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn stage(
        &self,
        username: &str,
        password: &Secret<String>,
        kms_key: Option<&str>,
        is_first: bool,
    ) -> Result<StagedSecret, AccessError> {
        match self {
            Self::Directory(directory) => stage(directory, username, password, is_first).await,
            Self::Managed(secrets) => {
                let container = effect("make a secret", secrets.ensure(username, kms_key)).await?;
                let token = random_id().map_err(crate::store::DocumentError::from)?;
                Ok(StagedSecret {
                    is_first: is_first && container.is_new,
                    fingerprint: token.clone(),
                    staging: Staging::Managed(Box::new(ManagedSecret {
                        secrets: secrets.clone(),
                        arn: container.arn,
                        username: username.to_owned(),
                        password: password.clone(),
                        token,
                    })),
                })
            }
        }
    }

    /// Removes what an entry refers to, if it was made for this user; a secret that the user brought is let go.
    ///
    /// # Errors
    /// [`AccessError`] if it stays.
    pub async fn discard(&self, reference: &SecretReference, username: &str) -> Result<(), AccessError> {
        match (self, reference) {
            // The state could have been edited: nothing but our own file is ever removed.
            (Self::Directory(directory), SecretReference::File(path)) => {
                let own = secret_file(directory, username);
                if own == *path { remove(&own).await } else { Ok(()) }
            }
            (Self::Managed(secrets), SecretReference::SecretsManager(arn)) => {
                Ok(effect("remove a secret", secrets.discard(arn, username)).await?)
            }
            _ => Ok(()),
        }
    }
}

/// A secret that takes its place once the entry that refers to it is written: two creates of one user must
/// not write over each other's. Dropped before, it is removed; on AWS an empty secret stays, which the next
/// create fills and the cluster's end removes.
#[derive(Debug)]
pub struct StagedSecret {
    staging: Staging,
    fingerprint: String,
    is_first: bool,
}

#[derive(Debug)]
enum Staging {
    File(Staged),
    Managed(Box<ManagedSecret>),
}

/// A value on its way into Secrets Manager.
#[derive(Debug)]
struct ManagedSecret {
    secrets: Secrets,
    arn: String,
    username: String,
    password: Secret<String>,
    token: String,
}

impl StagedSecret {
    /// Where it will lie.
    pub fn reference(&self) -> SecretReference {
        match &self.staging {
            Staging::File(file) => SecretReference::File(file.path().as_str().to_owned()),
            Staging::Managed(managed) => SecretReference::SecretsManager(managed.arn.clone()),
        }
    }

    /// Tells it from others, for the desired document: a keyed fingerprint, or the version's id.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Puts it in place. Answers it if a create that is refused has to take it away again.
    pub(super) async fn place(self) -> Result<Option<PlacedSecret>, AccessError> {
        let placed = match self.staging {
            Staging::File(file) => {
                let path = file.path().to_owned();
                effect("write a secret", async {
                    file.place().map_err(file_error(&path))
                })
                .await?;
                PlacedSecret::File(path)
            }
            Staging::Managed(managed) => {
                let ManagedSecret {
                    secrets,
                    arn,
                    username,
                    password,
                    token,
                } = *managed;
                effect("write a secret", secrets.put(&arn, &username, &password, &token)).await?;
                PlacedSecret::Managed(secrets, arn)
            }
        };
        Ok(self.is_first.then_some(placed))
    }
}

/// A secret that a create has put in place.
#[derive(Debug)]
pub(super) enum PlacedSecret {
    File(Utf8PathBuf),
    Managed(Secrets, String),
}

impl PlacedSecret {
    /// Takes it away again.
    pub(super) async fn take_back(&self) -> Result<(), AccessError> {
        match self {
            Self::File(path) => remove(path).await,
            Self::Managed(secrets, arn) => Ok(secrets.remove(arn).await?),
        }
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
pub async fn stage(
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
    let fingerprint = fingerprint(private_directory, username, password).await?;
    let file = ensure_private_folder(path.parent().unwrap_or(private_directory))
        .and_then(|()| stage_private(&path, &text))
        .map_err(file_error(&path))?;
    Ok(StagedSecret {
        staging: Staging::File(file),
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
/// [`AccessError::Vault`] if the key cannot be read or written.
pub async fn fingerprint(
    private_directory: &Utf8Path,
    username: &str,
    password: &Secret<String>,
) -> Result<String, AccessError> {
    let vault = Vault::directory(private_directory.to_owned());
    let key = vault.ensure_fingerprint_key().await?;
    Ok(fingerprint::of(&key, username, password))
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
mod tests;
