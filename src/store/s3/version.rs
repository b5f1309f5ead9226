//! What tells two writes of one object apart.
//!
//! Each write draws an id and puts it, before those of the writes that it follows, into the object's metadata.
//! With it a writer that got no answer finds out whether its write took place, also when others have written
//! since. Without a KMS key the `ETag` of S3 is a hash of the content, and two writes of the same bytes could
//! not be told apart; so each document ends with its id, written in blanks and tabs, which JSON allows and which
//! are taken off when it is read.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};

use crate::hex::hex;
use crate::store::backend::Version;
use crate::store::{Error, identity};

/// The name of the metadata.
pub(super) const WRITES: &str = "msk-writes";
/// How many writes back a writer finds its own: a retry may come seconds later, while others write on. With their
/// commas these ids take 1,087 of the 2,048 bytes that S3 allows for an object's metadata (S3 user guide, "Working with
/// object metadata").
const REMEMBERED: usize = 64;
/// Bytes of an id.
const ID_BYTES: usize = 8;
/// Blanks and tabs at the end of a document.
const MARK_BYTES: usize = ID_BYTES * 8;

/// The ids of an object's last writes, newest first, as hex digits with `,` between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writes(String);

/// What the ids of an object say about one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trace {
    /// It is the newest.
    Newest,
    /// It took place, others followed.
    Followed,
    /// It did not take place.
    Lost,
    /// Too many or foreign writes followed.
    Unknown,
}

impl Writes {
    /// A new write, with those that it follows, and the mark for its document.
    pub(super) fn after(base: Option<&Version>) -> Result<(Self, [u8; MARK_BYTES]), Error> {
        let random = identity::random_bytes::<ID_BYTES>()?;
        let mut mark = [b' '; MARK_BYTES];
        for (at, sign) in mark.iter_mut().enumerate() {
            let byte = random.get(at / 8).copied().unwrap_or_default();
            if byte & (1 << (at % 8)) != 0 {
                *sign = b'\t';
            }
        }
        let own = hex(&random);
        let base = base.map(parts).map_or("", |(_, writes)| writes);
        let ids = std::iter::once(own.as_str()).chain(ids(base)).take(REMEMBERED);
        Ok((Self(ids.collect::<Vec<_>>().join(",")), mark))
    }

    /// Of a version.
    pub(super) fn of_version(version: &Version) -> Self {
        Self(parts(version).1.to_owned())
    }

    /// Of an object's metadata; empty if somebody else wrote it.
    pub(super) fn of(metadata: Option<&HashMap<String, String>>) -> Self {
        Self(
            metadata
                .and_then(|all| all.get(WRITES))
                .cloned()
                .unwrap_or_default(),
        )
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The version of the object with this `ETag`.
    pub(super) fn version(&self, etag: &str) -> Version {
        Version(format!("{etag}\n{}", self.0))
    }

    /// The version of a write that was written over before its `ETag` was known: equal to no other.
    pub(super) fn unknown_version(&self) -> Version {
        let own = ids(&self.0).next().unwrap_or_default();
        self.version(&format!("\"written-over-{own}\""))
    }

    /// What `self`, found at the object, says about the write `own`, which was to follow `base`.
    pub(super) fn trace(&self, own: &Self, base: Option<&Version>) -> Trace {
        let Some(wanted) = ids(&own.0).next() else {
            return Trace::Unknown;
        };
        match ids(&self.0).position(|id| id == wanted) {
            Some(0) => return Trace::Newest,
            Some(_) => return Trace::Followed,
            None => {}
        }
        let count = ids(&self.0).count();
        let is_whole = match base.map(parts) {
            None => count > 0 && count < REMEMBERED,
            Some((_, writes)) => ids(writes)
                .next()
                .is_some_and(|base| ids(&self.0).any(|id| id == base)),
        };
        if is_whole { Trace::Lost } else { Trace::Unknown }
    }
}

fn ids(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|id| !id.is_empty())
}

fn parts(version: &Version) -> (&str, &str) {
    version.0.split_once('\n').unwrap_or((&version.0, ""))
}

/// The `ETag` in a version.
pub(super) fn etag(version: &Version) -> &str {
    parts(version).0
}

/// A document with its mark.
pub(super) fn marked(bytes: &Bytes, mark: &[u8]) -> Bytes {
    let mut all = BytesMut::with_capacity(bytes.len() + mark.len());
    all.put_slice(bytes);
    all.put_slice(mark);
    all.freeze()
}

/// The document without its mark.
pub(super) fn unmarked(mut bytes: Bytes, writes: &Writes) -> Bytes {
    let length = bytes.len().saturating_sub(MARK_BYTES);
    let is_mark = bytes.len() >= MARK_BYTES
        && bytes
            .get(length..)
            .is_some_and(|end| end.iter().all(|sign| matches!(sign, b' ' | b'\t')));
    if !writes.0.is_empty() && is_mark {
        bytes.truncate(length);
    }
    bytes
}

/// How much longer an object may be than a document.
pub(super) const MARK: u64 = MARK_BYTES as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_found_among_those_that_followed_and_its_loss_is_proven() {
        let (first, mark) = Writes::after(None).unwrap();
        let one = first.version("\"a\"");
        assert_eq!(etag(&one), "\"a\"");
        let (second, _) = Writes::after(Some(&one)).unwrap();
        let (rival, _) = Writes::after(Some(&one)).unwrap();
        assert_eq!(second.trace(&second, Some(&one)), Trace::Newest);
        assert_eq!(second.trace(&first, None), Trace::Followed);
        assert_eq!(rival.trace(&second, Some(&one)), Trace::Lost);
        assert_eq!(rival.trace(&Writes::after(None).unwrap().0, None), Trace::Lost);
        let followed_by = |count: usize| {
            (0..count).fold(second.clone(), |last, _| {
                Writes::after(Some(&last.version("\"x\""))).unwrap().0
            })
        };
        assert_eq!(
            followed_by(REMEMBERED - 1).trace(&second, Some(&one)),
            Trace::Followed
        );
        let last = followed_by(REMEMBERED);
        assert_eq!(last.trace(&second, Some(&one)), Trace::Unknown, "too long ago");
        assert_eq!(Writes(String::new()).trace(&second, Some(&one)), Trace::Unknown);
        assert_eq!(Writes(String::new()).trace(&first, None), Trace::Unknown);
        assert!(WRITES.len() + last.as_str().len() < 2_048, "the bound of S3");
        assert_ne!(second.unknown_version(), rival.unknown_version());
        let bytes = Bytes::from_static(b"x \t");
        assert_eq!(unmarked(marked(&bytes, &mark), &first), bytes);
        assert_eq!(unmarked(Bytes::from_static(b"by hand"), &first), "by hand");
    }
}
