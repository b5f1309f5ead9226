//! Packed files of this machine, by a fingerprint of what they were packed from.
//!
//! A file's name ends with its digest, so that a damaged one is found out and packed again. Each appears by one
//! rename: two runs at once may pack the same file, and both are right.

use std::fs::{self, DirBuilder, File};
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;

use aws_lc_rs::digest::{Context, SHA256};
use camino::{Utf8Path, Utf8PathBuf};

use super::{ArtifactError, io_error};
use crate::store::release::Sha256;

/// How much is read at once.
const BLOCK: usize = 128 << 10;

/// `$XDG_CACHE_HOME/terraform-provider-msk`, else below `~/.cache`.
///
/// # Errors
/// [`ArtifactError::NoCache`].
pub fn folder() -> Result<Utf8PathBuf, ArtifactError> {
    let absolute = |name: &str| {
        std::env::var(name)
            .ok()
            .map(Utf8PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    Ok(base.ok_or(ArtifactError::NoCache)?.join("terraform-provider-msk"))
}

/// The digest and the length of a file, read block by block.
pub(super) fn sha256_of(path: &Utf8Path, at_most: u64) -> Result<(Sha256, u64), ArtifactError> {
    let mut file = File::open(path)
        .map_err(io_error("open", path))?
        .take(at_most + 1);
    let mut context = Context::new(&SHA256);
    let (mut block, mut length) = (vec![0; BLOCK], 0_u64);
    loop {
        let read = file.read(&mut block).map_err(io_error("read", path))?;
        if read == 0 {
            break;
        }
        length += u64::try_from(read).unwrap_or(u64::MAX);
        context.update(block.get(..read).unwrap_or_default());
    }
    if length > at_most {
        return Err(io_error("use", path)(std::io::Error::other(format!(
            "it is longer than {at_most} bytes"
        ))));
    }
    Ok((Sha256::finished(context), length))
}

/// Makes the cache's folder, open to its owner alone, if it is not there.
pub(super) fn make_folder(path: &Utf8Path) -> Result<(), ArtifactError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io_error("make the directory", path))
}

/// A packed file by its fingerprint, if there is one and it is whole.
pub(super) fn find(
    folder: &Utf8Path,
    fingerprint: &Sha256,
    at_most: u64,
) -> Result<Option<(Utf8PathBuf, Sha256)>, ArtifactError> {
    let Ok(entries) = folder.read_dir_utf8() else {
        return Ok(None);
    };
    for entry in entries.flatten() {
        let named = entry
            .file_name()
            .strip_prefix(fingerprint.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|digest| Sha256::parse(digest).ok());
        let Some(promised) = named else { continue };
        let path = entry.into_path();
        match sha256_of(&path, at_most) {
            Ok((found, _)) if found == promised => return Ok(Some((path, promised))),
            _ => fs::remove_file(&path).map_err(io_error("remove the damaged", &path))?,
        }
    }
    Ok(None)
}

/// Puts a packed file in its place.
pub(super) fn keep(
    folder: &Utf8Path,
    fingerprint: &Sha256,
    packed: &Utf8Path,
    at_most: u64,
) -> Result<(Utf8PathBuf, Sha256), ArtifactError> {
    let (digest, _) = sha256_of(packed, at_most)?;
    let path = folder.join(format!("{fingerprint}-{digest}"));
    fs::rename(packed, &path).map_err(io_error("create", &path))?;
    Ok((path, digest))
}

/// A folder for one piece of work; it goes with the work.
#[derive(Debug)]
pub(super) struct Scratch(Utf8PathBuf);

impl Scratch {
    /// Makes one in the cache, so that a rename out of it works.
    pub(super) fn new(cache: &Utf8Path) -> Result<Self, ArtifactError> {
        make_folder(cache)?;
        let mut random = [0; 8];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_| io_error("name a folder in", cache)(std::io::Error::other("no randomness")))?;
        let path = cache.join(format!(".making-{}", crate::hex::hex(&random)));
        make_folder(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::debug!(directory = %self.0, %error, "a scratch directory stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_file_is_found_and_a_damaged_one_is_not() {
        let outer = tempfile::tempdir().unwrap();
        let cache = Utf8PathBuf::from_path_buf(outer.path().join("cache")).unwrap();
        let fingerprint = Sha256::of(b"inputs");
        assert_eq!(find(&cache, &fingerprint, 100).unwrap(), None);
        let scratch = Scratch::new(&cache).unwrap();
        let packed = scratch.path().join("packed");
        fs::write(&packed, "content").unwrap();
        let kept = keep(&cache, &fingerprint, &packed, 100).unwrap();
        assert_eq!(kept.1, Sha256::of(b"content"));
        drop(scratch);
        assert_eq!(find(&cache, &fingerprint, 100).unwrap(), Some(kept.clone()));
        assert_eq!(find(&cache, &Sha256::of(b"others"), 100).unwrap(), None);
        fs::write(&kept.0, "conten").unwrap();
        assert_eq!(find(&cache, &fingerprint, 100).unwrap(), None);
        assert!(!kept.0.exists());
        assert_eq!(
            fs::read_dir(&cache).unwrap().count(),
            0,
            "the scratch folder stayed"
        );
    }

    #[test]
    fn a_file_longer_than_allowed_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(outer.path().join("x")).unwrap();
        fs::write(&path, "12345").unwrap();
        assert_eq!(sha256_of(&path, 5).unwrap().1, 5);
        assert!(sha256_of(&path, 4).is_err());
    }
}
