//! Names of documents in the store.
//!
//! A [`Key`] is what both homes of the store can hold: a path below a directory and an S3 object key.
//! The characters are few on purpose: everything else (`~`, blanks, control characters) is free for
//! the backends' own files, so a key can never name one of those.

use std::fmt;

use serde::{Deserialize, Serialize};

/// S3 allows 1,024 bytes; the user's own prefix in the bucket needs room beside ours.
const MAX_KEY_BYTES: usize = 800;
/// What Linux file systems take for one name. A topic name (249) with `.json` fits.
const MAX_SEGMENT_BYTES: usize = 255;

/// Why a text is no [`Key`] and no [`Prefix`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing between two slashes, or nothing at all.
    #[error("store key `{text}` has an empty segment")]
    EmptySegment {
        /// The text as given.
        text: String,
    },
    /// A character that keys do not have.
    #[error("store key `{text}` holds {character:?}; letters, digits, `.`, `_`, `-` and `/` are allowed")]
    BadCharacter {
        /// The text as given.
        text: String,
        /// The first such character.
        character: char,
    },
    /// A segment that a file system reads as "here" or "above".
    #[error("store key `{text}` holds the segment `{segment}`")]
    DotSegment {
        /// The text as given.
        text: String,
        /// `.` or `..`.
        segment: String,
    },
    /// Longer than the file system or S3 takes.
    #[error(
        "store key of {length} bytes is too long: {MAX_KEY_BYTES} in all, {MAX_SEGMENT_BYTES} per segment"
    )]
    TooLong {
        /// The length of what is too long.
        length: usize,
    },
    /// A prefix that does not end at a folder's border.
    #[error("store prefix `{text}` does not end with `/`")]
    PrefixWithoutSlash {
        /// The text as given.
        text: String,
    },
}

/// The name of one document: segments of `[0-9A-Za-z._-]+` joined by `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// Checks a text and makes a key of it.
    ///
    /// # Errors
    /// [`KeyError`] with the first rule that is broken.
    pub fn parse(text: impl Into<String>) -> Result<Self, KeyError> {
        let text = text.into();
        check_segments(&text)?;
        Ok(Self(text))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

/// A folder of the store: empty (the whole store) or a key with a `/` at its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

impl Prefix {
    /// The whole store.
    pub const fn all() -> Self {
        Self(String::new())
    }

    /// Checks a text and makes a prefix of it.
    ///
    /// # Errors
    /// [`KeyError`] with the first rule that is broken.
    pub fn parse(text: impl Into<String>) -> Result<Self, KeyError> {
        let text = text.into();
        if text.is_empty() {
            return Ok(Self::all());
        }
        let Some(folder) = text.strip_suffix('/') else {
            return Err(KeyError::PrefixWithoutSlash { text });
        };
        check_segments(folder)?;
        Ok(Self(text))
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether a key lies below this prefix.
    pub fn holds(&self, key: &Key) -> bool {
        key.as_str().starts_with(&self.0)
    }

    /// Makes the key of a document right below or deeper below this prefix.
    ///
    /// # Errors
    /// [`KeyError`] with the first rule that is broken.
    pub fn key(&self, rest: &str) -> Result<Key, KeyError> {
        Key::parse(format!("{}{rest}", self.0))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_segments(text: &str) -> Result<(), KeyError> {
    if text.len() > MAX_KEY_BYTES {
        return Err(KeyError::TooLong { length: text.len() });
    }
    for segment in text.split('/') {
        if segment.is_empty() {
            return Err(KeyError::EmptySegment {
                text: text.to_owned(),
            });
        }
        if segment.len() > MAX_SEGMENT_BYTES {
            return Err(KeyError::TooLong {
                length: segment.len(),
            });
        }
        if segment == "." || segment == ".." {
            return Err(KeyError::DotSegment {
                text: text.to_owned(),
                segment: segment.to_owned(),
            });
        }
        let bad = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if let Some(character) = segment.chars().find(bad) {
            return Err(KeyError::BadCharacter {
                text: text.to_owned(),
                character,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Key, KeyError, Prefix};

    #[test]
    fn keys_of_documents_and_topics_are_taken() {
        for text in [
            "store.json",
            "clusters/0a/nodes/1.json",
            "t/a..b.json",
            "t/.hidden",
            "x",
        ] {
            assert_eq!(Key::parse(text).unwrap().as_str(), text);
        }
        assert!(Key::parse(format!("t/{}.json", "a".repeat(249))).is_ok());
    }

    #[test]
    fn a_key_cannot_leave_the_store_or_name_a_file_of_the_backend() {
        for text in [
            "", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a/~lock", "a b", "ä", "a\0b", "a\\b",
        ] {
            assert!(Key::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(
            Key::parse("a".repeat(256)),
            Err(KeyError::TooLong { length: 256 })
        );
        assert!(Key::parse("a/".repeat(500)).is_err());
    }

    #[test]
    fn a_prefix_ends_at_a_folder() {
        assert!(Prefix::parse("").is_ok());
        assert!(Prefix::parse("/").is_err());
        assert!(Prefix::parse("a").is_err());
        let prefix = Prefix::parse("a/b/").unwrap();
        assert!(prefix.holds(&Key::parse("a/b/c").unwrap()));
        assert!(!prefix.holds(&Key::parse("a/bc").unwrap()));
        assert_eq!(prefix.key("c/d").unwrap().as_str(), "a/b/c/d");
        assert!(prefix.key("../d").is_err());
    }
}
