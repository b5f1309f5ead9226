//! Private state: bytes that Terraform keeps beside a resource and shows to nobody.
//!
//! What is not returned is erased, so the SDK echoes it in every answer. Keep it small, and keep
//! secrets out: it lies in the state file. The content is one JSON document with a version.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

/// A resource's private state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Private(Vec<u8>);

/// Why private state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not the JSON document that this provider writes.
    #[error("private state is not readable")]
    Malformed(#[source] serde_json::Error),
    /// Written by a newer provider.
    #[error("private state has version {found}, newer than {known}, the newest that this provider knows")]
    Newer {
        /// The version found.
        found: u32,
        /// The newest version known.
        known: u32,
    },
    /// The document has no JSON form.
    #[error("private state cannot be written")]
    Unwritable(#[source] serde_json::Error),
}

#[derive(Deserialize)]
struct Versioned<T> {
    version: u32,
    data: Option<T>,
}

#[derive(Serialize)]
struct Written<'a, T> {
    version: u32,
    data: &'a T,
}

impl Private {
    /// Private state from its stored bytes.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// True if nothing was stored.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the document; `None` if nothing was stored. An older version than `newest` is read
    /// with the same type: add fields with `#[serde(default)]`.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Newer`].
    pub fn read<T: DeserializeOwned>(&self, newest: u32) -> Result<Option<T>, Error> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let head: Versioned<IgnoredAny> = serde_json::from_slice(&self.0).map_err(Error::Malformed)?;
        if head.version > newest {
            return Err(Error::Newer {
                found: head.version,
                known: newest,
            });
        }
        let document: Versioned<T> = serde_json::from_slice(&self.0).map_err(Error::Malformed)?;
        Ok(document.data)
    }

    /// Replaces the document.
    ///
    /// # Errors
    /// [`Error::Unwritable`] if the type has no JSON form.
    pub fn write<T: Serialize>(&mut self, version: u32, data: &T) -> Result<(), Error> {
        self.0 = serde_json::to_vec(&Written { version, data }).map_err(Error::Unwritable)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Private};

    #[test]
    fn a_document_comes_back_and_a_newer_one_is_refused() {
        let mut private = Private::default();
        assert_eq!(private.read::<Vec<u32>>(1).unwrap(), None);
        private.write(2, &vec![1, 2]).unwrap();
        assert_eq!(private.read::<Vec<u32>>(2).unwrap(), Some(vec![1, 2]));
        assert!(matches!(
            private.read::<Vec<u32>>(1),
            Err(Error::Newer { found: 2, known: 1 })
        ));
        let broken = Private::from_bytes(b"{".to_vec());
        assert!(matches!(broken.read::<Vec<u32>>(1), Err(Error::Malformed(_))));
    }
}
