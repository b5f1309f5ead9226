//! What a home of the store has to offer, and the words in which it answers.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use super::changes::Changes;
use super::{Error, Key, Prefix};
use crate::clock::Timestamp;

/// Names one state of one document. It changes with each write and never comes back, also when the
/// same bytes are written again. Compare it, never read it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(pub(super) String);

/// A document as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// The text.
    pub bytes: Bytes,
    /// What a conditional write has to name.
    pub version: Version,
    /// When it was written, by the store's clock.
    pub modified_at: Timestamp,
}

/// Shows the length alone: what lies in the store may be a key.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("bytes", &self.bytes.len())
            .field("version", &self.version)
            .field("modified_at", &self.modified_at)
            .finish()
    }
}

/// What a look at a document finds that may have been read before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look<T> {
    /// There is no document.
    Absent,
    /// It still is the version that was named.
    Unchanged,
    /// It is another version, or none was named.
    Changed(T),
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is in the store, as this version.
    Written(Version),
    /// Somebody was faster, or the document is gone: read again.
    Conflict,
}

/// What became of a conditional deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It was there and is gone.
    Deleted,
    /// It was not there.
    Absent,
    /// It is another version by now: read again.
    Conflict,
}

/// Whether a write has to outlive a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Answered only when it is on the disk.
    Durable,
    /// Whole or not there, but a loss of power may take it: status documents, written again soon.
    Volatile,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Keys in the order of their bytes.
    pub keys: Vec<Key>,
    /// Whether another page follows; ask for it with the last key as `after`.
    pub more: bool,
}

/// What must hold for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Absent,
    Matches(Version),
    None,
}

/// The answer of a backend, in a box so that backends can stand behind one pointer.
pub(super) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A home of the store.
pub(super) trait Backend: fmt::Debug + Send + Sync {
    fn location(&self, key: &Key) -> String;
    fn folder_location(&self, prefix: &Prefix) -> String;
    fn look<'a>(&'a self, key: &'a Key, known: Option<&'a Version>) -> Answer<'a, Look<Stored>>;
    fn put<'a>(
        &'a self,
        key: &'a Key,
        bytes: Bytes,
        condition: Condition,
        durability: Durability,
    ) -> Answer<'a, Written>;
    fn delete<'a>(&'a self, key: &'a Key, version: Option<&'a Version>) -> Answer<'a, Deleted>;
    fn list<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a Key>, page_size: usize) -> Answer<'a, Page>;
    /// Removes every document below a prefix, with all former versions; answers how many.
    fn purge<'a>(&'a self, prefix: &'a Prefix) -> Answer<'a, u64>;
    fn now(&self) -> Answer<'_, Timestamp>;
    fn changes(&self, prefix: &Prefix) -> Changes;

    /// The least time between two looks of who waits for something.
    fn pace(&self) -> Duration {
        Duration::ZERO
    }
}
