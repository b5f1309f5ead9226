//! Which store this is: `store.json`, written once, never changed.
//!
//! Whoever remembers a store's id can tell its own store from another, an emptied or a new one.

use std::sync::Arc;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::backend::{Backend, Condition, Durability, Look, Written};
use super::directory::Directory;
use super::s3::{Bucket, S3Home};
use super::typed::{self, Document, DocumentError, Owner};
use super::{Error, Key, Store};
use crate::clock::Timestamp;
use crate::hex::hex;
use crate::spec::ids::{Generation, StoreId};

/// The key of the identity document.
pub(super) const FILE: &str = "store.json";

/// Where a store lives.
#[derive(Debug, Clone)]
pub enum Home {
    /// A directory of this machine, for this product alone.
    Directory(Utf8PathBuf),
    /// A prefix of a bucket, for this product alone.
    S3(S3Home),
}

impl Home {
    async fn existing_or_new(&self) -> Result<Arc<dyn Backend>, Error> {
        Ok(match self {
            Self::Directory(root) => Arc::new(Directory::existing_or_new(root)?),
            Self::S3(home) => Arc::new(Bucket::existing_or_new(home).await?),
        })
    }

    fn existing(&self) -> Result<Arc<dyn Backend>, Error> {
        Ok(match self {
            Self::Directory(root) => Arc::new(Directory::existing(root)?),
            Self::S3(home) => Arc::new(Bucket::new(home)),
        })
    }

    fn gone(&self) -> Error {
        match self {
            Self::Directory(root) => Error::Gone { root: root.clone() },
            Self::S3(home) => Bucket::new(home).gone(),
        }
    }
}

/// What `store.json` says beside the id in its frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Identity {
    /// When the store was made.
    pub created_at: Timestamp,
}

impl Document for Identity {
    const KIND: &'static str = "store";
    const FORMAT: u32 = 1;
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The home cannot be used.
    #[error(transparent)]
    Store(#[from] Error),
    /// `store.json` cannot be believed.
    #[error(transparent)]
    Identity(#[from] DocumentError),
    /// It is not the store that the caller remembers.
    #[error(
        "`{location}` is another store (id {found}) than the one in use so far (id {expected}); \
         name the former data directory, or restore it"
    )]
    Another {
        /// The identity file.
        location: String,
        /// The id found.
        found: StoreId,
        /// The id that the caller remembers.
        expected: StoreId,
    },
}

impl Store {
    /// Opens a store, and makes it first if nothing is there. Two at once make one.
    ///
    /// # Errors
    /// [`OpenError`]; a directory with other files in it is one.
    pub async fn open_or_create(home: &Home) -> Result<Self, OpenError> {
        let backend = home.existing_or_new().await?;
        let key = key()?;
        if let Some(id) = read_id(backend.as_ref(), &key).await? {
            return Ok(Self { backend, id });
        }
        let id = StoreId::new(random_id()?);
        let location = backend.location(&key);
        let owner = Owner {
            store: id.clone(),
            cluster: None,
        };
        let created_at = backend.now().await?;
        let bytes = typed::encode(&location, &owner, Generation(1), &Identity { created_at })?;
        match backend
            .put(&key, bytes.into(), Condition::Absent, Durability::Durable)
            .await?
        {
            Written::Written(_) => Ok(Self { backend, id }),
            Written::Conflict => match read_id(backend.as_ref(), &key).await? {
                Some(id) => Ok(Self { backend, id }),
                None => Err(Error::Internal {
                    what: "the identity came and went",
                }
                .into()),
            },
        }
    }

    /// Opens a store that must be there, and must be the one that is expected; writes nothing.
    ///
    /// # Errors
    /// [`Error::Gone`] without `store.json`, [`OpenError::Another`] with another id in it.
    pub async fn open_existing(home: &Home, expected: Option<&StoreId>) -> Result<Self, OpenError> {
        let backend = home.existing()?;
        let key = key()?;
        let Some(id) = read_id(backend.as_ref(), &key).await? else {
            return Err(home.gone().into());
        };
        match expected {
            Some(expected) if *expected != id => Err(OpenError::Another {
                location: backend.location(&key),
                found: id,
                expected: expected.clone(),
            }),
            _ => Ok(Self { backend, id }),
        }
    }

    /// A store that is known and cannot be asked now, or need not be: every document that is read shows whether it is
    /// the right one.
    ///
    /// # Errors
    /// [`OpenError`] if its home cannot be used at all.
    pub fn of_known_id(home: &Home, id: &StoreId) -> Result<Self, OpenError> {
        let backend = home.existing()?;
        Ok(Self {
            backend,
            id: id.clone(),
        })
    }

    /// The same store behind another backend.
    pub(super) fn behind(&self, wrap: impl FnOnce(Arc<dyn Backend>) -> Arc<dyn Backend>) -> Self {
        Self {
            backend: wrap(Arc::clone(&self.backend)),
            id: self.id.clone(),
        }
    }
}

/// The key of the identity document.
pub(super) fn key() -> Result<Key, Error> {
    Key::parse(FILE).map_err(|_| Error::Internal {
        what: "the identity has a bad key",
    })
}

async fn read_id(backend: &dyn Backend, key: &Key) -> Result<Option<StoreId>, OpenError> {
    let Look::Changed(stored) = backend.look(key, None).await? else {
        return Ok(None);
    };
    let id = typed::decode_own_id::<Identity>(&backend.location(key), &stored.bytes)?;
    Ok(Some(id))
}

/// Draws an id: 32 lower-case hex digits.
///
/// # Errors
/// [`Error::Internal`] if the system gives no randomness.
pub fn random_id() -> Result<String, Error> {
    Ok(hex(&random_bytes::<16>()?))
}

/// Draws random bytes.
pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Internal {
        what: "the system gives no randomness",
    })?;
    Ok(bytes)
}
