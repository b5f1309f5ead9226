//! The frame around every document: kind, format, owner, generation.
//!
//! Decoding tells apart what needs different answers: a document that was cut, garbage, written by a
//! newer version, or of another cluster. Every such error names the file, and nothing here writes
//! over what could not be read.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::spec::ids::{ClusterUid, Generation, StoreId};

/// Above this a generation cannot have grown by one with each write; it also stays exact in JSON
/// readers that know only doubles.
const MAX_GENERATION: u64 = 1 << 53;

/// A type that is kept in the store.
///
/// A change that an older version would misread raises `FORMAT`; [`upgrade`](Self::upgrade) then
/// brings the older body to the new form.
pub trait Document: Serialize + DeserializeOwned + Send + Sync {
    /// What the document is, in lower-case words joined by `-`; never changes.
    const KIND: &'static str;
    /// The version of the body's form, from 1.
    const FORMAT: u32;

    /// Brings the body of an older format to the present one, or answers that it cannot.
    fn upgrade(format: u32, body: serde_json::Value) -> Option<serde_json::Value> {
        let _ = (format, body);
        None
    }
}

/// To whom a document belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The store it was written into.
    pub store: StoreId,
    /// The cluster it speaks of; `None` for what belongs to the store itself.
    pub cluster: Option<ClusterUid>,
}

/// A document as it lies in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Envelope<T> {
    /// [`Document::KIND`].
    pub kind: String,
    /// [`Document::FORMAT`].
    pub format: u32,
    /// The store it was written into.
    pub store: StoreId,
    /// The cluster it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterUid>,
    /// Grows by one with each write.
    pub generation: Generation,
    /// The document itself.
    pub body: T,
}

/// Why a document could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The store did not do its part.
    #[error(transparent)]
    Store(super::Error),
    /// A document that must be there is not.
    #[error("document `{location}` is missing; restore it from a copy")]
    Missing {
        /// The file or object.
        location: String,
    },
    /// Others changed the document again and again.
    #[error("document `{location}` was changed by others {races} times while it was to be changed here")]
    Contended {
        /// The file or object.
        location: String,
        /// How many races were lost.
        races: u32,
    },
    /// The text ends in the middle.
    #[error("document `{location}` is cut off in the middle; restore it from a copy, it is not written over")]
    Cut {
        /// The file or object.
        location: String,
    },
    /// No document of ours, or a damaged one.
    #[error("document `{location}` is damaged; restore it from a copy, it is not written over")]
    Garbage {
        /// The file or object.
        location: String,
        /// Where and what.
        #[source]
        cause: serde_json::Error,
    },
    /// The generation is no number that counting could have reached.
    #[error("document `{location}` has the impossible generation {generation}; restore it from a copy")]
    ImpossibleGeneration {
        /// The file or object.
        location: String,
        /// As found.
        generation: Generation,
    },
    /// A newer version of the product wrote it.
    #[error(
        "document `{location}` was written by a newer version (format {found}, this version reads up to {known}); \
         use that version or a later one"
    )]
    Newer {
        /// The file or object.
        location: String,
        /// The format found.
        found: u32,
        /// The newest format this version reads.
        known: u32,
    },
    /// A version so old that nothing here can bring its document up to date wrote it.
    #[error(
        "document `{location}` has format {found}, which this version no longer reads (it reads {known})"
    )]
    TooOld {
        /// The file or object.
        location: String,
        /// The format found.
        found: u32,
        /// The format this version reads.
        known: u32,
    },
    /// Another kind of document lies where this one is expected.
    #[error("document `{location}` is of kind `{found}`, expected `{expected}`")]
    WrongKind {
        /// The file or object.
        location: String,
        /// As found.
        found: String,
        /// [`Document::KIND`].
        expected: &'static str,
    },
    /// The document was copied from another store.
    #[error("document `{location}` belongs to the store {found}, this store is {expected}")]
    ForeignStore {
        /// The file or object.
        location: String,
        /// As found.
        found: StoreId,
        /// This store.
        expected: StoreId,
    },
    /// The document belongs to another cluster.
    #[error("document `{location}` belongs to {found}, expected {expected}")]
    ForeignCluster {
        /// The file or object.
        location: String,
        /// As found, in words.
        found: String,
        /// Whose it should be, in words.
        expected: String,
    },
    /// The document could not be put into text: a mistake in this program.
    #[error("internal: cannot write document `{location}` as JSON")]
    Encode {
        /// The file or object.
        location: String,
        /// What serde says.
        #[source]
        cause: serde_json::Error,
    },
}

/// What is read first; the body is skipped, since its form depends on the format.
#[derive(Deserialize)]
struct Head {
    kind: String,
    format: u32,
    store: StoreId,
    #[serde(default)]
    cluster: Option<ClusterUid>,
    generation: Generation,
    #[serde(rename = "body")]
    _body: IgnoredAny,
}

/// A longer document is written in one line: nobody reads it as it lies there, and the indents are half of it.
const LONGEST_INDENTED_BYTES: usize = 64 << 10;

/// Puts a document into its frame, as text: indented for people unless it is long, one newline at the end.
///
/// # Errors
/// [`DocumentError::Encode`] if the type cannot be written as JSON.
pub fn encode<T: Document>(
    location: &str,
    owner: &Owner,
    generation: Generation,
    body: &T,
) -> Result<Vec<u8>, DocumentError> {
    let envelope = Envelope {
        kind: T::KIND.to_owned(),
        format: T::FORMAT,
        store: owner.store.clone(),
        cluster: owner.cluster.clone(),
        generation,
        body,
    };
    let failed = |cause| DocumentError::Encode {
        location: location.to_owned(),
        cause,
    };
    let mut bytes = serde_json::to_vec(&envelope).map_err(failed)?;
    if bytes.len() <= LONGEST_INDENTED_BYTES {
        bytes = serde_json::to_vec_pretty(&envelope).map_err(failed)?;
    }
    bytes.push(b'\n');
    Ok(bytes)
}

/// Takes a document out of its frame, after checking that it is what the caller expects.
///
/// # Errors
/// Every [`DocumentError`] but `Encode`; `location` is the file that it names.
pub fn decode<T: Document>(
    location: &str,
    owner: &Owner,
    bytes: &[u8],
) -> Result<Envelope<T>, DocumentError> {
    let head: Head = parse(location, bytes)?;
    check_head::<T>(location, owner, &head)?;
    if head.format == T::FORMAT {
        return parse(location, bytes);
    }
    let old: Envelope<serde_json::Value> = parse(location, bytes)?;
    let too_old = || DocumentError::TooOld {
        location: location.to_owned(),
        found: head.format,
        known: T::FORMAT,
    };
    let body = T::upgrade(head.format, old.body).ok_or_else(too_old)?;
    let body = serde_json::from_value(body).map_err(|cause| broken(location, cause))?;
    Ok(Envelope {
        kind: old.kind,
        format: T::FORMAT,
        store: old.store,
        cluster: old.cluster,
        generation: old.generation,
        body,
    })
}

/// Reads the id of the store from the store's own document, the one whose owner is not known before.
pub(super) fn decode_own_id<T: Document>(location: &str, bytes: &[u8]) -> Result<StoreId, DocumentError> {
    let head: Head = parse(location, bytes)?;
    let owner = Owner {
        store: head.store.clone(),
        cluster: None,
    };
    decode::<T>(location, &owner, bytes).map(|envelope| envelope.store)
}

fn check_head<T: Document>(location: &str, owner: &Owner, head: &Head) -> Result<(), DocumentError> {
    let location = || location.to_owned();
    if head.kind != T::KIND {
        return Err(DocumentError::WrongKind {
            location: location(),
            found: head.kind.chars().take(64).collect(),
            expected: T::KIND,
        });
    }
    if head.store != owner.store {
        return Err(DocumentError::ForeignStore {
            location: location(),
            found: head.store.clone(),
            expected: owner.store.clone(),
        });
    }
    if head.cluster != owner.cluster {
        return Err(DocumentError::ForeignCluster {
            location: location(),
            found: in_words(head.cluster.as_ref()),
            expected: in_words(owner.cluster.as_ref()),
        });
    }
    if head.format > T::FORMAT {
        return Err(DocumentError::Newer {
            location: location(),
            found: head.format,
            known: T::FORMAT,
        });
    }
    if head.generation.0 > MAX_GENERATION {
        return Err(DocumentError::ImpossibleGeneration {
            location: location(),
            generation: head.generation,
        });
    }
    Ok(())
}

fn in_words(cluster: Option<&ClusterUid>) -> String {
    cluster.map_or_else(
        || "the store itself".to_owned(),
        |uid| format!("the cluster {uid}"),
    )
}

fn parse<T: DeserializeOwned>(location: &str, bytes: &[u8]) -> Result<T, DocumentError> {
    serde_json::from_slice(bytes).map_err(|cause| broken(location, cause))
}

fn broken(location: &str, cause: serde_json::Error) -> DocumentError {
    let location = location.to_owned();
    if cause.is_eof() {
        DocumentError::Cut { location }
    } else {
        DocumentError::Garbage { location, cause }
    }
}

#[cfg(test)]
mod tests;
