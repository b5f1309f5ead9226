//! Where the private things of a cluster lie: authorities' keys, the passwords of the nodes' reserved users, the
//! key of fingerprints.
//!
//! On one machine they are files of mode 0600 in the cluster's private directory. Where the control store is a
//! bucket they are objects below `<uid>/private/`, which the operator writes; a controller's role may read all of
//! them, a broker's what lies below `nodes/<its id>/`. A node that has no way to them asks a controller
//! ([`VaultError::is_closed`] tells).

/// Making what every cluster has, once.
mod make;

pub(crate) use make::password;

use std::fmt;

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use zeroize::Zeroize as _;

use crate::pki::{self, files};
use crate::secret::Secret;
use crate::spec::ids::{ClusterUid, NodeId};
use crate::store::{Durability, Key, KeyError, Store, Written};

/// No private thing of ours is longer.
const MAX_BYTES: usize = 64 << 10;

/// A private thing of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Key and certificate of an authority, as PEM.
    Authority(pki::Role),
    /// The password of a broker's reserved user, for replication with `in_cluster = false`: the line
    /// `password=…` that Kafka's file provider reads.
    NodePassword(NodeId),
    /// The key of fingerprints of users' secrets.
    FingerprintKey,
}

impl Entry {
    /// The file below a cluster's private directory.
    pub fn file(self, private_directory: &Utf8Path) -> Utf8PathBuf {
        match self {
            Self::NodePassword(node) => private_directory.join(format!("node-{node}.password")),
            Self::Authority(_) | Self::FingerprintKey => private_directory.join(self.name()),
        }
    }

    /// The name below `private/` in the store: what one broker may read lies in a folder of its own.
    fn name(self) -> String {
        match self {
            Self::Authority(role) => format!("{}-ca.key.pem", role.as_str()),
            Self::NodePassword(node) => format!("nodes/{node}/password"),
            Self::FingerprintKey => "fingerprint.key".to_owned(),
        }
    }
}

/// Why a private thing could not be read or written. No text shows any of it.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A private file.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// Not text, or longer than any of ours.
    #[error("the private object `{location}` is damaged: {why}")]
    Damaged {
        /// Where it lies.
        location: String,
        /// What is wrong.
        why: &'static str,
    },
    /// This node has no way to what is private.
    #[error("this node has no access to what is private to the cluster")]
    Closed,
    /// It was there and is gone.
    #[error("`{location}` was there a moment ago and is gone; run again")]
    Vanished {
        /// Where it lay.
        location: String,
    },
    /// It cannot be named.
    #[error("internal: a private thing without a name")]
    Key(#[from] KeyError),
    /// An authority.
    #[error(transparent)]
    Pki(#[from] pki::Error),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    NoRandomness,
}

impl VaultError {
    /// Whether this process may not have it: no vault at all, or the role does not allow it.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Closed => true,
            Self::Store(cause) => cause.is_denied(),
            _ => false,
        }
    }
}

/// The private things of one cluster. Cheap to clone.
#[derive(Clone)]
pub struct Vault(Place);

#[derive(Clone)]
enum Place {
    Directory(Utf8PathBuf),
    Store { store: Store, uid: ClusterUid },
    Nowhere,
}

/// The place alone.
impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Directory(path) => write!(f, "Vault({path})"),
            Place::Store { uid, .. } => write!(f, "Vault({uid}/private/ in the store)"),
            Place::Nowhere => write!(f, "Vault(none)"),
        }
    }
}

impl Vault {
    /// A cluster's private directory on one machine.
    pub const fn directory(path: Utf8PathBuf) -> Self {
        Self(Place::Directory(path))
    }

    /// The folder `<uid>/private/` of the control store.
    pub fn of_store(store: &Store, uid: &ClusterUid) -> Self {
        Self(Place::Store {
            store: store.clone(),
            uid: uid.clone(),
        })
    }

    /// No way to anything private.
    pub const fn none() -> Self {
        Self(Place::Nowhere)
    }

    /// The private directory, on one machine.
    pub fn as_directory(&self) -> Option<&Utf8Path> {
        match &self.0 {
            Place::Directory(path) => Some(path),
            Place::Store { .. } | Place::Nowhere => None,
        }
    }

    /// Where something lies, for people.
    pub fn location(&self, entry: Entry) -> String {
        match &self.0 {
            Place::Directory(path) => entry.file(path).into_string(),
            Place::Store { store, uid } => key(uid, entry).map_or_else(
                |_| format!("private/{}", entry.name()),
                |key| store.location(&key),
            ),
            Place::Nowhere => format!("private/{}", entry.name()),
        }
    }

    /// Reads something; `None` if it is not there.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn read(&self, entry: Entry) -> Result<Option<Secret<String>>, VaultError> {
        match &self.0 {
            Place::Directory(path) => Ok(files::read_private(&entry.file(path))?),
            Place::Store { store, uid } => {
                let key = key(uid, entry)?;
                let stored = store.get(&key).await?;
                let text = stored.map(|stored| text(stored.bytes));
                text.transpose().map_err(|why| VaultError::Damaged {
                    location: store.location(&key),
                    why,
                })
            }
            Place::Nowhere => Err(VaultError::Closed),
        }
    }

    /// Writes something that is not there yet; answers whether it was so. Of any number of processes that do it at
    /// once, one does.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn create(&self, entry: Entry, text: &Secret<String>) -> Result<bool, VaultError> {
        match &self.0 {
            Place::Directory(path) => {
                files::ensure_private_folder(path)?;
                Ok(files::stage_private(&entry.file(path), text)?.place_new()?)
            }
            Place::Store { store, uid } => {
                let bytes = Bytes::from_owner(Owned(text.clone()));
                let written = store
                    .put_if_absent(&key(uid, entry)?, bytes, Durability::Durable)
                    .await?;
                Ok(matches!(written, Written::Written(_)))
            }
            Place::Nowhere => Err(VaultError::Closed),
        }
    }

    /// Writes something, whatever was there.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn replace(&self, entry: Entry, text: &Secret<String>) -> Result<(), VaultError> {
        match &self.0 {
            Place::Directory(path) => {
                files::ensure_private_folder(path)?;
                Ok(files::stage_private(&entry.file(path), text)?.place()?)
            }
            Place::Store { store, uid } => {
                let bytes = Bytes::from_owner(Owned(text.clone()));
                store.put(&key(uid, entry)?, bytes, Durability::Durable).await?;
                Ok(())
            }
            Place::Nowhere => Err(VaultError::Closed),
        }
    }

    /// Removes something; what is gone is fine.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn remove(&self, entry: Entry) -> Result<(), VaultError> {
        match &self.0 {
            Place::Directory(path) => Ok(files::remove_private(&entry.file(path))?),
            Place::Store { store, uid } => Ok(store.delete(&key(uid, entry)?).await?),
            Place::Nowhere => Err(VaultError::Closed),
        }
    }

    /// Reads something, and makes it first if it is not there. Two at once have the same.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn ensure(
        &self,
        entry: Entry,
        make: impl FnOnce() -> Result<Secret<String>, VaultError>,
    ) -> Result<Secret<String>, VaultError> {
        if let Some(text) = self.read(entry).await? {
            return Ok(text);
        }
        let text = make()?;
        if self.create(entry, &text).await? {
            return Ok(text);
        }
        let first = self.read(entry).await?;
        first.ok_or_else(|| VaultError::Vanished {
            location: self.location(entry),
        })
    }
}

fn key(uid: &ClusterUid, entry: Entry) -> Result<Key, KeyError> {
    Key::parse(format!("{uid}/private/{}", entry.name()))
}

/// A secret on its way into the store, cleared once nobody needs it.
struct Owned(Secret<String>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

/// Takes what was read into custody; the buffer in which it came is cleared.
fn text(bytes: Bytes) -> Result<Secret<String>, &'static str> {
    let taken = if bytes.len() > MAX_BYTES {
        Err("it is too long")
    } else {
        let text = std::str::from_utf8(&bytes).map(|text| Secret::new(text.to_owned()));
        text.map_err(|_| "it is not text")
    };
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.as_mut().zeroize();
    }
    taken
}

#[cfg(test)]
mod tests;
