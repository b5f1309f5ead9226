//! Why an operation on the store failed.

use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::MAX_DOCUMENT_BYTES;

/// Why an operation on the store failed. Each names its file and the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A document is longer than any of ours can be.
    #[error("document `{location}` has {length} bytes, the limit is {MAX_DOCUMENT_BYTES}")]
    TooLarge {
        /// The file or object.
        location: String,
        /// Its length in bytes.
        length: u64,
    },
    /// More documents than the caller can believe.
    #[error("more than {at_most} documents lie in `{location}`; that cannot be right, look into it")]
    TooMany {
        /// The folder.
        location: String,
        /// The caller's limit.
        at_most: usize,
    },
    /// The disk or a quota is full.
    #[error("no space left to write `{path}`; nothing there was changed, free space and run again")]
    NoSpace {
        /// The file.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The file system takes no writes.
    #[error("`{path}` is on a read-only file system; mount it writable or use another data directory")]
    ReadOnly {
        /// The file.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The file may not be touched.
    #[error("no permission for `{path}`; it must belong to the user that runs this program")]
    NoPermission {
        /// The file.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The store's directory, or `store.json` in it, is not there.
    #[error(
        "the control store `{root}` is not there (no `store.json` in it); \
         mount or restore it, or name the right data directory"
    )]
    Gone {
        /// The store's directory.
        root: Utf8PathBuf,
    },
    /// Something else lies where the directory should be.
    #[error("`{path}` is not a directory; name another data directory")]
    NotDirectory {
        /// The path.
        path: Utf8PathBuf,
    },
    /// A directory with other people's files in it.
    #[error(
        "the directory `{root}` is no control store but holds other files (`{found}`); \
         name an empty or new directory"
    )]
    NotOurs {
        /// The directory.
        root: Utf8PathBuf,
        /// One of the files.
        found: String,
    },
    /// The directory belongs to another user.
    #[error(
        "the control store `{root}` belongs to the user with id {owner}, this program runs as {runs_as}; \
         run it as that user or name another data directory"
    )]
    OtherUser {
        /// The directory.
        root: Utf8PathBuf,
        /// The owner's user id.
        owner: u32,
        /// Our user id.
        runs_as: u32,
    },
    /// Others may read or write the directory.
    #[error("the control store `{root}` is open to others (mode {mode:03o}); run `chmod 700 '{root}'`")]
    OpenToOthers {
        /// The directory.
        root: Utf8PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another process holds the lock for longer than any write takes.
    #[error(
        "the lock `{lock}` was held by another process for {} s; a stopped process may hold it: `fuser '{lock}'`",
        waited.as_secs()
    )]
    Busy {
        /// The lock file.
        lock: Utf8PathBuf,
        /// How long we waited.
        waited: Duration,
    },
    /// A key is used as a document and as a folder.
    #[error("`{location}` is a folder of documents and cannot be a document, or the other way round")]
    KeyIsFolder {
        /// The path.
        location: String,
    },
    /// Anything else that the system refused.
    #[error("failed to {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A call of S3 failed.
    #[error(transparent)]
    S3(Box<super::S3Error>),
    /// A failure that a test asked for.
    #[error("injected failure {moment} effect {effect}")]
    Injected {
        /// The number of the effect, from 1.
        effect: u64,
        /// `before`, `after` or `since`.
        moment: &'static str,
    },
    /// The program is ending; the operation may or may not have happened.
    #[error("the program is ending, a store operation was given up")]
    Ending,
    /// A mistake in this program.
    #[error("internal: {what}")]
    Internal {
        /// What cannot be.
        what: &'static str,
    },
}

impl Error {
    /// Whether the caller's role does not allow it.
    pub const fn is_denied(&self) -> bool {
        if let Self::S3(cause) = self {
            return matches!(**cause, super::S3Error::Denied { .. });
        }
        false
    }

    /// Sorts what the system said into the classes that need different answers.
    pub(crate) fn from_io(action: &'static str, path: &Utf8Path, cause: io::Error) -> Self {
        let path = path.to_owned();
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { path, cause },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path, cause },
            io::ErrorKind::PermissionDenied => Self::NoPermission { path, cause },
            _ => Self::Io { action, path, cause },
        }
    }
}
