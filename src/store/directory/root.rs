//! The store's own directory: is it there, is it ours, may others look into it.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use camino::Utf8Path;

use crate::store::{Error, identity};

/// The folder of files that are being written.
pub(super) const TEMPORARY: &str = "~tmp";
/// The folder of locks.
pub(super) const LOCKS: &str = "~locks";

/// Nobody writes one document for this long; a file that old was left by a process that died.
const LEFTOVER_AGE: Duration = Duration::from_mins(15);

/// Makes the directory, open to its owner alone. An empty one that is there already is closed to
/// others; anything else stays as it is, for [`check`] to judge.
pub(super) fn create(root: &Utf8Path) -> Result<(), Error> {
    make(root)?;
    let is_empty = fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_none());
    let is_open = fs::metadata(root).is_ok_and(|about| about.mode() & 0o077 != 0);
    if is_empty && is_open {
        // If this fails the directory is another user's, which `check` says better.
        let _ = fs::set_permissions(root, fs::Permissions::from_mode(0o700));
    }
    Ok(())
}

fn make(root: &Utf8Path) -> Result<(), Error> {
    let failed = |cause| Error::from_io("create the directory", root, cause);
    let mut new = fs::DirBuilder::new();
    match new.mode(0o700).create(root) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            let parent = root.parent().ok_or_else(|| Error::Gone {
                root: root.to_owned(),
            })?;
            fs::create_dir_all(parent)
                .map_err(|cause| Error::from_io("create the directory", parent, cause))?;
            match new.create(root) {
                Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(failed(cause)),
                _ => Ok(()),
            }
        }
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => Err(Error::NotDirectory {
            path: root.to_owned(),
        }),
        Err(cause) => Err(failed(cause)),
        Ok(()) => Ok(()),
    }
}

/// Checks that the directory is ours, or empty.
pub(super) fn check(root: &Utf8Path) -> Result<(), Error> {
    let about = match fs::metadata(root) {
        Ok(about) => about,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            return Err(Error::Gone {
                root: root.to_owned(),
            });
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => {
            return Err(Error::NotDirectory {
                path: root.to_owned(),
            });
        }
        Err(cause) => return Err(Error::from_io("look at", root, cause)),
    };
    if !about.is_dir() {
        return Err(Error::NotDirectory {
            path: root.to_owned(),
        });
    }
    let runs_as = rustix::process::geteuid().as_raw();
    if about.uid() != runs_as {
        return Err(Error::OtherUser {
            root: root.to_owned(),
            owner: about.uid(),
            runs_as,
        });
    }
    // Before the mode: nobody should be told to close `/etc` to others.
    if !root.join(identity::FILE).exists() {
        refuse_other_files(root)?;
    }
    if about.mode() & 0o077 != 0 {
        return Err(Error::OpenToOthers {
            root: root.to_owned(),
            mode: about.mode() & 0o777,
        });
    }
    Ok(())
}

fn refuse_other_files(root: &Utf8Path) -> Result<(), Error> {
    let failed = |cause| Error::from_io("list", root, cause);
    for entry in fs::read_dir(root).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        // The first two folders may be there: another process is creating this store right now.
        if name != TEMPORARY && name != LOCKS && name != identity::FILE {
            let found = name.to_string_lossy().into_owned();
            return Err(Error::NotOurs {
                root: root.to_owned(),
                found,
            });
        }
    }
    Ok(())
}

/// Checks that the store is still there, so that "no such file" can be believed.
pub(super) fn ensure_present(root: &Utf8Path) -> Result<(), Error> {
    let path = root.join(identity::FILE);
    match fs::symlink_metadata(&path) {
        Ok(_) => Ok(()),
        Err(cause) if is_absence(&cause) => Err(Error::Gone {
            root: root.to_owned(),
        }),
        Err(cause) => Err(Error::from_io("look at", &path, cause)),
    }
}

/// Makes one of the store's own folders. The root itself is never made again: if it is gone, the
/// store is gone.
pub(super) fn ensure_own_folder(root: &Utf8Path, folder: &Utf8Path) -> Result<(), Error> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(cause) if is_absence(&cause) => Err(Error::Gone {
            root: root.to_owned(),
        }),
        // On a read-only file system mkdir may answer EROFS although the folder is there.
        Err(_) if folder.is_dir() => Ok(()),
        Err(cause) => Err(Error::from_io("create the directory", folder, cause)),
        Ok(()) => Ok(()),
    }
}

/// Removes what killed processes left. Best effort: readers may have no right to.
pub(super) fn sweep(root: &Utf8Path) {
    let Ok(entries) = fs::read_dir(root.join(TEMPORARY)) else {
        return;
    };
    let now = SystemTime::now();
    for entry in entries.flatten() {
        let written = entry.metadata().and_then(|about| about.modified());
        let is_old =
            written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > LEFTOVER_AGE));
        if is_old && let Err(cause) = fs::remove_file(entry.path()) {
            tracing::debug!(path = %entry.path().display(), %cause, "left an old temporary file");
        }
    }
}

/// Tells whether the system said that there is no such thing, in one of its two ways.
pub(super) fn is_absence(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
