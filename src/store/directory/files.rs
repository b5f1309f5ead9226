//! Reading, writing and deleting one document; blocking.
//!
//! A write goes to a temporary file first, which is made durable and then takes the document's name
//! in one step: by `link` if it must not exist yet, by `rename` under the key's lock otherwise.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};

use super::{lock, root};
use crate::clock::Timestamp;
use crate::hex::hex;
use crate::store::backend::{Condition, Deleted, Durability, Stored, Version, Written};
use crate::store::{Error, Key, MAX_DOCUMENT_BYTES, identity};

/// How often a folder is made again that a deletion next door has just removed as empty.
const FOLDER_RACES: u32 = 50;

/// Options for files that only their owner may read, and that are never reached through a link.
pub(super) fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// The SHA-256 of some bytes.
pub(super) fn digest(bytes: &[u8]) -> aws_lc_rs::digest::Digest {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes)
}

/// A document's file, open, with what the system knows of it.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    path: Utf8PathBuf,
    about: fs::Metadata,
}

/// Opens a document; `None` if there is none while the store itself is there.
pub(super) fn open(store_root: &Utf8Path, key: &Key) -> Result<Option<Opened>, Error> {
    let path = store_root.join(key.as_str());
    let failed = |cause| Error::from_io("read", &path, cause);
    let file = match private_options().read(true).open(&path) {
        Ok(file) => file,
        Err(cause) if root::is_absence(&cause) => {
            if key.as_str() != identity::FILE {
                root::ensure_present(store_root)?;
            }
            return Ok(None);
        }
        Err(cause) => return Err(failed(cause)),
    };
    let about = file.metadata().map_err(failed)?;
    if about.is_dir() {
        return Ok(None);
    }
    if about.len() > MAX_DOCUMENT_BYTES {
        return Err(Error::TooLarge {
            location: path.into_string(),
            length: about.len(),
        });
    }
    Ok(Some(Opened { file, path, about }))
}

impl Opened {
    pub(super) fn length(&self) -> u64 {
        self.about.len()
    }

    /// Whether this is the file that had a version, told without reading it: a file is never changed after it
    /// got its name, and no two have one inode and one stamp.
    pub(super) fn is_still(&self, version: &Version) -> bool {
        version
            .0
            .strip_prefix(&file_mark(&self.about))
            .is_some_and(|rest| rest.starts_with('-'))
    }

    /// Reads the whole document. A file is never changed after it got its name, so what the file
    /// handle gives is one version.
    pub(super) fn read(self) -> Result<Stored, Error> {
        let Self { file, path, about } = self;
        let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0));
        file.take(MAX_DOCUMENT_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|cause| Error::from_io("read", &path, cause))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_DOCUMENT_BYTES) {
            return Err(Error::TooLarge {
                location: path.into_string(),
                length: MAX_DOCUMENT_BYTES + 1,
            });
        }
        let written = about
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let millis = written.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        Ok(Stored {
            version: version(&about, &bytes),
            bytes: bytes.into(),
            modified_at: Timestamp::from_millis(millis),
        })
    }
}

/// The version of a file: inode, stamp, length and content. The stamp holds a random part, so two
/// files with one content, one inode and one millisecond still differ.
fn version(about: &fs::Metadata, bytes: &[u8]) -> Version {
    let digest = digest(bytes);
    let content = hex(digest.as_ref().get(..12).unwrap_or_default());
    Version(format!("{}-{content}", file_mark(about)))
}

/// The part of a version that the file alone tells.
fn file_mark(about: &fs::Metadata) -> String {
    format!(
        "{:x}-{:x}.{:x}-{:x}",
        about.ino(),
        about.mtime(),
        about.mtime_nsec(),
        about.len()
    )
}

/// Writes a document under a condition.
pub(super) fn publish(
    store_root: &Utf8Path,
    key: &Key,
    bytes: &[u8],
    condition: &Condition,
    durability: Durability,
) -> Result<Written, Error> {
    let path = store_root.join(key.as_str());
    if key.as_str() != identity::FILE {
        root::ensure_present(store_root)?;
    }
    // Losing is found out before the expensive part, in most cases.
    if !holds(store_root, key, condition)? {
        return Ok(Written::Conflict);
    }
    let temporary = Temporary::write(store_root, &path, bytes, durability)?;
    let version = temporary.version(bytes)?;
    let folder = path.parent().unwrap_or(store_root);
    for _ in 0..FOLDER_RACES {
        let tried = match condition {
            Condition::Absent => fs::hard_link(&temporary.path, &path),
            Condition::Matches(_) | Condition::None => {
                let _held = lock::take(store_root, key)?;
                if !holds(store_root, key, condition)? {
                    return Ok(Written::Conflict);
                }
                fs::rename(&temporary.path, &path)
            }
        };
        match tried {
            Ok(()) => {
                if durability == Durability::Durable {
                    make_durable(folder)?;
                }
                return Ok(Written::Written(version));
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                create_folders(store_root, folder, durability)?;
            }
            Err(cause) => return refused(&path, condition, cause),
        }
    }
    Err(Error::Internal {
        what: "a folder of the store was removed again and again while it was written to",
    })
}

/// What it means that the last step of a write was refused.
fn refused(path: &Utf8Path, condition: &Condition, cause: io::Error) -> Result<Written, Error> {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, IsADirectory, NotADirectory};
    let is_folder = matches!(cause.kind(), IsADirectory | NotADirectory | DirectoryNotEmpty)
        || (cause.kind() == AlreadyExists && path.is_dir());
    match cause.kind() {
        _ if is_folder => Err(Error::KeyIsFolder {
            location: path.to_string(),
        }),
        AlreadyExists if *condition == Condition::Absent => Ok(Written::Conflict),
        _ => Err(Error::from_io("write", path, cause)),
    }
}

fn holds(store_root: &Utf8Path, key: &Key, condition: &Condition) -> Result<bool, Error> {
    match condition {
        Condition::None => Ok(true),
        Condition::Absent => Ok(open(store_root, key)?.is_none()),
        Condition::Matches(version) => match open(store_root, key)? {
            None => Ok(false),
            Some(opened) => Ok(opened.read()?.version == *version),
        },
    }
}

/// Deletes a document, and the folders that it leaves empty.
pub(super) fn remove(store_root: &Utf8Path, key: &Key, version: Option<&Version>) -> Result<Deleted, Error> {
    let path = store_root.join(key.as_str());
    {
        let _held = lock::take(store_root, key)?;
        let Some(opened) = open(store_root, key)? else {
            return Ok(Deleted::Absent);
        };
        if let Some(version) = version
            && opened.read()?.version != *version
        {
            return Ok(Deleted::Conflict);
        }
        fs::remove_file(&path).map_err(|cause| Error::from_io("delete", &path, cause))?;
    }
    let mut folder = path.parent();
    if let Some(folder) = folder {
        make_durable(folder)?;
    }
    while let Some(empty) = folder
        && empty != store_root
        && fs::remove_dir(empty).is_ok()
    {
        folder = empty.parent();
    }
    Ok(Deleted::Deleted)
}

/// Makes a folder and those above it, up to the root, which must be there.
fn create_folders(store_root: &Utf8Path, folder: &Utf8Path, durability: Durability) -> Result<(), Error> {
    root::ensure_present(store_root)?;
    let below = folder.strip_prefix(store_root).unwrap_or(folder);
    let mut path = store_root.to_owned();
    for segment in below.components() {
        let parent = path.clone();
        path.push(segment.as_str());
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) if durability == Durability::Durable => make_durable(&parent)?,
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            // Removed as empty in this very moment, or a document has the folder's name.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) if matches!(cause.kind(), io::ErrorKind::AlreadyExists) => {
                return if fs::symlink_metadata(&path).is_ok_and(|about| !about.is_dir()) {
                    Err(Error::KeyIsFolder {
                        location: path.into_string(),
                    })
                } else {
                    Ok(())
                };
            }
            Err(cause) => return Err(Error::from_io("create the directory", &path, cause)),
        }
    }
    Ok(())
}

/// Brings a folder's names onto the disk. A folder that is gone by now needs nothing.
fn make_durable(folder: &Utf8Path) -> Result<(), Error> {
    match File::open(folder).and_then(|file| file.sync_all()) {
        Err(cause) if root::is_absence(&cause) => Ok(()),
        // Some file systems have no fsync for directories; their renames are as durable as they get.
        Err(cause) if cause.kind() == io::ErrorKind::InvalidInput => Ok(()),
        Err(cause) => Err(Error::from_io("make durable", folder, cause)),
        Ok(()) => Ok(()),
    }
}

/// A file that has no document's name yet; removed on drop.
struct Temporary {
    path: Utf8PathBuf,
    file: File,
}

impl Temporary {
    fn write(
        store_root: &Utf8Path,
        target: &Utf8Path,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<Self, Error> {
        let folder = store_root.join(root::TEMPORARY);
        root::ensure_own_folder(store_root, &folder)?;
        let random = identity::random_bytes::<12>()?;
        let path = folder.join(format!("{}-{}", std::process::id(), hex(&random)));
        // Errors name the document: it is what the user knows.
        let failed = |cause| Error::from_io("write", target, cause);
        let file = private_options()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed)?;
        let mut this = Self { path, file };
        this.file.write_all(bytes).map_err(failed)?;
        this.file.set_modified(stamp(&random)).map_err(failed)?;
        if durability == Durability::Durable {
            this.file.sync_all().map_err(failed)?;
        }
        Ok(this)
    }

    fn version(&self, bytes: &[u8]) -> Result<Version, Error> {
        let about = self
            .file
            .metadata()
            .map_err(|cause| Error::from_io("look at", &self.path, cause))?;
        Ok(version(&about, bytes))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing left by this name.
        let _ = fs::remove_file(&self.path);
    }
}

/// The time to stamp a file with: the clock's milliseconds, and below them a random part that makes
/// versions differ. Set by us, since the system's own stamps stand still for up to 10 ms.
fn stamp(random: &[u8]) -> SystemTime {
    let noise = random
        .iter()
        .fold(0u64, |sum, byte| (sum * 256 + u64::from(*byte)) % 1_000_000);
    let millis = Duration::from_millis(Timestamp::now().as_millis());
    UNIX_EPOCH + millis + Duration::from_nanos(noise)
}
