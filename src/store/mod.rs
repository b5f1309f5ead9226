//! The control store: the only thing that provider and nodes share.
//!
//! An S3 prefix on AWS, a directory on one machine. Conditional writes are the only locking.

/// Names of documents in the store.
pub mod key;

/// The frame around every document: kind, format, owner, generation.
pub mod typed;

/// The versioned documents in the store.
pub mod documents;

pub use key::{Key, KeyError, Prefix};
pub use typed::{Document, DocumentError, Envelope, Owner};
