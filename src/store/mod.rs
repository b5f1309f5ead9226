//! The control store: the only thing that provider and nodes share.
//!
//! An S3 prefix on AWS, a directory on one machine. Conditional writes are the only locking.

/// The versioned documents in the store.
pub mod documents;
