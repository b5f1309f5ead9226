//! The control store: the only thing that provider and nodes share.
//!
//! An S3 prefix on AWS, a directory on one machine. Conditional writes are the only locking: whoever
//! changes a document names the version it has read, and learns whether it was still that one.
//! The interface promises no more than S3 keeps: versions are opaque, lists come in pages, and the
//! only clock that counts is the store's own.

/// Names of documents in the store.
pub mod key;

/// Why an operation on the store failed, and whether to try again.
pub mod error;

/// What a home of the store has to offer.
mod backend;

/// Hints that something was written.
mod changes;

/// The store in a directory of this machine.
mod directory;

/// The store below a prefix of an S3 bucket.
mod s3;

/// Which store this is: `store.json`.
pub mod identity;

/// The frame around every document: kind, format, owner, generation.
pub mod typed;

/// Reading and changing typed documents.
pub mod access;

/// The versioned documents in the store.
pub mod documents;

/// What the nodes of a cluster may execute, signed.
pub mod release;

/// What a machine knows at its first boot.
pub mod boot;

/// Failures on demand, for tests of what must survive them.
pub mod faults;

#[cfg(test)]
mod conformance;

pub use access::{Change, Documents, Put, Versioned};
pub use backend::{Deleted, Durability, Look, Page, Stored, Version, Written};
pub use changes::Changes;
pub use error::Error;
pub use identity::{Home, OpenError};
pub use key::{Key, KeyError, Prefix};
pub use s3::{Patience, S3Error, S3Home};
pub use typed::{Document, DocumentError, Envelope, Owner};

use std::sync::Arc;

use std::time::Duration;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::spec::ids::StoreId;
use backend::{Backend, Condition};

/// The longest document that the store takes or gives.
pub const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

/// How many keys a page of [`Store::list`] holds at most; S3's own limit.
pub const MAX_PAGE: usize = 1_000;

/// A control store that was opened and has shown its id. Cheap to clone.
///
/// *Cancellation*: a write whose future is dropped, and one that answers with an error, may or may
/// not have happened; only reading tells. This is what S3 gives, too.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    id: StoreId,
}

impl Store {
    /// The store's random identity.
    pub const fn id(&self) -> &StoreId {
        &self.id
    }

    /// Where a document lies, for people: a path, or an object's address.
    pub fn location(&self, key: &Key) -> String {
        self.backend.location(key)
    }

    /// Reads a document; `None` if there is none.
    ///
    /// # Errors
    /// [`Error`]; a store that is gone is an error and never "no document".
    pub async fn get(&self, key: &Key) -> Result<Option<Stored>, Error> {
        Ok(match self.backend.look(key, None).await? {
            Look::Changed(stored) => Some(stored),
            Look::Absent | Look::Unchanged => None,
        })
    }

    /// Reads a document unless it still is the version that is known: a question that costs far less than
    /// the document.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub async fn look(&self, key: &Key, known: Option<&Version>) -> Result<Look<Stored>, Error> {
        self.backend.look(key, known).await
    }

    /// Writes a document that does not exist yet.
    ///
    /// # Errors
    /// [`Error`]; losing a race is not one, but [`Written::Conflict`].
    pub async fn put_if_absent(
        &self,
        key: &Key,
        bytes: impl Into<Bytes>,
        durability: Durability,
    ) -> Result<Written, Error> {
        self.put_on(key, bytes.into(), Condition::Absent, durability)
            .await
    }

    /// Replaces a document if it still is the version that was read. A document that is gone is a
    /// conflict, too.
    ///
    /// # Errors
    /// [`Error`]; losing a race is not one, but [`Written::Conflict`].
    pub async fn put_if_match(
        &self,
        key: &Key,
        bytes: impl Into<Bytes>,
        version: &Version,
        durability: Durability,
    ) -> Result<Written, Error> {
        self.put_on(key, bytes.into(), Condition::Matches(version.clone()), durability)
            .await
    }

    /// Writes a document whatever was there before: for status documents, which have one writer.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put(
        &self,
        key: &Key,
        bytes: impl Into<Bytes>,
        durability: Durability,
    ) -> Result<Version, Error> {
        match self
            .put_on(key, bytes.into(), Condition::None, durability)
            .await?
        {
            Written::Written(version) => Ok(version),
            Written::Conflict => Err(Error::Internal {
                what: "an unconditional write met a conflict",
            }),
        }
    }

    /// Deletes a document if it still is the version that was read.
    ///
    /// # Errors
    /// [`Error`]; losing a race is not one, but [`Deleted::Conflict`].
    pub async fn delete_if_match(&self, key: &Key, version: &Version) -> Result<Deleted, Error> {
        self.backend.delete(key, Some(version)).await
    }

    /// Deletes a document if there is one.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete(&self, key: &Key) -> Result<(), Error> {
        self.backend.delete(key, None).await.map(|_| ())
    }

    /// Lists keys below a prefix in the order of their bytes, beginning after `after`.
    ///
    /// What is written or deleted between two pages may or may not be seen.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list(&self, prefix: &Prefix, after: Option<&Key>, page_size: usize) -> Result<Page, Error> {
        self.backend
            .list(prefix, after, page_size.clamp(1, MAX_PAGE))
            .await
    }

    /// Lists all keys below a prefix, page by page.
    ///
    /// # Errors
    /// [`Error`]; more than `at_most` keys are [`Error::TooMany`], so that no foreign pile of files
    /// fills the memory.
    pub async fn list_all(&self, prefix: &Prefix, at_most: usize) -> Result<Vec<Key>, Error> {
        let mut keys = Vec::new();
        loop {
            let page = self.list(prefix, keys.last(), MAX_PAGE).await?;
            keys.extend(page.keys);
            if keys.len() > at_most {
                return Err(Error::TooMany {
                    location: self.backend.folder_location(prefix),
                    at_most,
                });
            }
            if !page.more {
                return Ok(keys);
            }
        }
    }

    /// Removes every document below a prefix, with all the former versions that its home keeps; answers how many
    /// were removed. Run it again after an error: it goes on.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn purge(&self, prefix: &Prefix) -> Result<u64, Error> {
        self.backend.purge(prefix).await
    }

    /// The time by the store's own clock, the one that stamps [`Stored::modified_at`].
    ///
    /// # Errors
    /// [`Error`].
    pub async fn now(&self) -> Result<Timestamp, Error> {
        self.backend.now().await
    }

    /// Begins to watch a folder. Call it before the first read: what is written after the call is hinted at.
    ///
    /// *Assumes* that it is called on a tokio runtime with I/O enabled.
    pub fn changes(&self, prefix: &Prefix) -> Changes {
        self.backend.changes(prefix)
    }

    /// The least time between two looks of who waits for something: none where a hint comes with every write, a while
    /// where each look is a call.
    pub fn pace(&self) -> Duration {
        self.backend.pace()
    }

    async fn put_on(
        &self,
        key: &Key,
        bytes: Bytes,
        condition: Condition,
        durability: Durability,
    ) -> Result<Written, Error> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length > MAX_DOCUMENT_BYTES {
            return Err(Error::TooLarge {
                location: self.location(key),
                length,
            });
        }
        self.backend.put(key, bytes, condition, durability).await
    }
}
