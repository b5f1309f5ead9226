//! Reading and changing typed documents, with the retry after a lost race.

use std::sync::Arc;
use std::time::Duration;

use super::typed::{self, Document, DocumentError, Owner};
use super::{Deleted, Durability, Error, Key, Look, Store, Stored, Version, Written, identity};
use crate::clock::Timestamp;
use crate::spec::ids::{ClusterUid, Generation};

/// How often a change is tried anew after losing a race. Each loss means that another writer won; with
/// the growing pauses, this many in a row need seconds of others writing all the time.
const RACES: u32 = 200;
/// The longest pause after a lost race; each is a random part of it.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// A document with what is needed to replace it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The document.
    pub body: T,
    /// Grows by one with each write.
    pub generation: Generation,
    /// What a conditional write has to name.
    pub version: Version,
    /// When it was written, by the store's clock.
    pub modified_at: Timestamp,
}

/// What became of a conditional write of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is in the store, with this generation and version.
    Written(Generation, Version),
    /// Somebody was faster, or the document is gone: read again.
    Conflict,
}

/// What the closure of [`Documents::update`] wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Write the changed document.
    Write,
    /// Leave the store as it is.
    Keep,
}

/// The documents of one owner in one store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Documents {
    store: Store,
    owner: Owner,
}

impl Documents {
    /// The documents that belong to the store itself.
    pub fn of_store(store: &Store) -> Self {
        Self {
            store: store.clone(),
            owner: Owner {
                store: store.id().clone(),
                cluster: None,
            },
        }
    }

    /// The documents of a cluster.
    pub fn of_cluster(store: &Store, cluster: &ClusterUid) -> Self {
        let owner = Owner {
            store: store.id().clone(),
            cluster: Some(cluster.clone()),
        };
        Self {
            store: store.clone(),
            owner,
        }
    }

    /// The store that they lie in.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Reads a document; `None` if there is none.
    ///
    /// # Errors
    /// [`DocumentError`]; what cannot be read is never "none".
    pub async fn read<T: Document>(&self, key: &Key) -> Result<Option<Versioned<T>>, DocumentError> {
        match self.store.get(key).await? {
            Some(stored) => self.decode(key, stored).map(Some),
            None => Ok(None),
        }
    }

    /// Reads a document unless it still is the version that is known.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn look<T: Document>(
        &self,
        key: &Key,
        known: Option<&Version>,
    ) -> Result<Look<Versioned<T>>, DocumentError> {
        Ok(match self.store.look(key, known).await? {
            Look::Changed(stored) => Look::Changed(self.decode(key, stored)?),
            Look::Unchanged => Look::Unchanged,
            Look::Absent => Look::Absent,
        })
    }

    /// Reads a document, or answers with the one in `memory` if it still is the same version.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn remember<T: Document>(
        &self,
        key: &Key,
        memory: Option<Arc<Versioned<T>>>,
    ) -> Result<Option<Arc<Versioned<T>>>, DocumentError> {
        let known = memory.as_ref().map(|read| &read.version);
        Ok(match self.look(key, known).await? {
            Look::Changed(read) => Some(Arc::new(read)),
            Look::Unchanged => memory,
            Look::Absent => None,
        })
    }

    /// Writes a document that does not exist yet, as generation 1.
    ///
    /// # Errors
    /// [`DocumentError`]; losing a race is [`Put::Conflict`].
    pub async fn create<T: Document>(&self, key: &Key, body: &T) -> Result<Put, DocumentError> {
        let generation = Generation(1);
        let bytes = self.encode(key, generation, body)?;
        let written = self.store.put_if_absent(key, bytes, Durability::Durable).await?;
        Ok(put(generation, written))
    }

    /// Replaces the document that was read, with the generation after it.
    ///
    /// # Errors
    /// [`DocumentError`]; losing a race is [`Put::Conflict`].
    pub async fn replace<T: Document>(
        &self,
        key: &Key,
        read: &Versioned<T>,
        body: &T,
    ) -> Result<Put, DocumentError> {
        let generation = read.generation.next();
        let bytes = self.encode(key, generation, body)?;
        let written = self
            .store
            .put_if_match(key, bytes, &read.version, Durability::Durable)
            .await?;
        Ok(put(generation, written))
    }

    /// Reads a document, lets `change` work on it, and writes it; anew if somebody else was faster.
    /// `change` therefore may be called more than once, each time on a fresh document.
    ///
    /// # Errors
    /// [`DocumentError::Missing`] if there is none, [`DocumentError::Contended`] if races were lost
    /// many times in a row.
    pub async fn update<T: Document>(
        &self,
        key: &Key,
        mut change: impl FnMut(&mut T) -> Change,
    ) -> Result<Versioned<T>, DocumentError> {
        for race in 0..RACES {
            let Some(mut read) = self.read::<T>(key).await? else {
                return Err(DocumentError::Missing {
                    location: self.store.location(key),
                });
            };
            if change(&mut read.body) == Change::Keep {
                return Ok(read);
            }
            let generation = read.generation.next();
            let bytes = self.encode(key, generation, &read.body)?;
            match self
                .store
                .put_if_match(key, bytes, &read.version, Durability::Durable)
                .await?
            {
                Written::Written(version) => {
                    return Ok(Versioned {
                        generation,
                        version,
                        ..read
                    });
                }
                Written::Conflict => tokio::time::sleep(pause(race)?).await,
            }
        }
        Err(DocumentError::Contended {
            location: self.store.location(key),
            races: RACES,
        })
    }

    /// Writes a document whatever was there before: for status documents, which have one writer. The
    /// writer counts the generations.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub async fn publish<T: Document>(
        &self,
        key: &Key,
        generation: Generation,
        body: &T,
        durability: Durability,
    ) -> Result<Version, DocumentError> {
        let bytes = self.encode(key, generation, body)?;
        Ok(self.store.put(key, bytes, durability).await?)
    }

    /// Deletes the document that was read.
    ///
    /// # Errors
    /// [`DocumentError`]; losing a race is [`Deleted::Conflict`].
    pub async fn delete<T>(&self, key: &Key, read: &Versioned<T>) -> Result<Deleted, DocumentError> {
        Ok(self.store.delete_if_match(key, &read.version).await?)
    }

    fn decode<T: Document>(&self, key: &Key, stored: Stored) -> Result<Versioned<T>, DocumentError> {
        let envelope = typed::decode(&self.store.location(key), &self.owner, &stored.bytes)?;
        Ok(Versioned {
            body: envelope.body,
            generation: envelope.generation,
            version: stored.version,
            modified_at: stored.modified_at,
        })
    }

    fn encode<T: Document>(
        &self,
        key: &Key,
        generation: Generation,
        body: &T,
    ) -> Result<Vec<u8>, DocumentError> {
        typed::encode(&self.store.location(key), &self.owner, generation, body)
    }
}

/// A random pause, since writers that wait equally long meet again.
fn pause(race: u32) -> Result<Duration, Error> {
    let [random] = identity::random_bytes::<1>()?;
    let longest = LONGEST_PAUSE.min(Duration::from_millis(1) * race);
    Ok(longest * u32::from(random) / 256)
}

fn put(generation: Generation, written: Written) -> Put {
    match written {
        Written::Written(version) => Put::Written(generation, version),
        Written::Conflict => Put::Conflict,
    }
}

impl From<Error> for DocumentError {
    fn from(cause: Error) -> Self {
        Self::Store(cause)
    }
}

#[cfg(test)]
mod tests;
