//! The data directory: ours, writable, with room.
//!
//! What lies where in it is said by [`DataDirectory`]; here it is checked before the first effect,
//! so that a wrong path is one clear error and nothing is half done.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};

use crate::node::home::{DataDirectory, make_private_directory};

/// What a cluster's documents, keys and first segments need, with room for Kafka's distribution.
const LEAST_ROOM: u64 = 200 * 1024 * 1024;
/// Written and removed again, to see whether the file system takes data at all.
const PROBE: [u8; 8192] = [0; 8192];
/// `log.dirs` is a list with commas, a class path one with colons, `${file:path:key}` ends at `:` and `}`,
/// and properties and JAAS settings quote with the rest.
const CUTS_PATHS: [char; 5] = [',', ':', '}', '"', '\\'];

/// What may lie in a data directory before the control store does: a user may put Kafka there first.
const EXPECTED: [&str; 6] = ["store", "kafka", "cds", "bin", "clusters", "lost+found"];

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Relative paths mean another place with every working directory.
    #[error("data directory `{path}` is not an absolute path; write it in full")]
    Relative {
        /// As given.
        path: Utf8PathBuf,
    },
    /// Kafka and Java would read it as more than one path.
    #[error(
        "data directory `{path}` holds {character:?}, at which Kafka or Java would cut the path; \
         choose a path without it"
    )]
    Character {
        /// As given.
        path: Utf8PathBuf,
        /// The first such character.
        character: char,
    },
    /// Something else has that name.
    #[error("data directory `{path}` is not a directory; choose another path or move what lies there")]
    NotADirectory {
        /// As given.
        path: Utf8PathBuf,
    },
    /// Another user of the machine owns it.
    #[error("data directory `{path}` belongs to user {owner}, not to user {own}; choose another path")]
    OtherOwner {
        /// As given.
        path: Utf8PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The user id of this process.
        own: u32,
    },
    /// It holds files that this provider does not make.
    #[error(
        "`{path}` holds `{entry}`, which is not of this provider, and no control store; \
         choose an empty or a new directory as data_directory"
    )]
    Foreign {
        /// As given.
        path: Utf8PathBuf,
        /// The first such entry.
        entry: String,
    },
    /// The control store was taken out while clusters are still there.
    #[error(
        "`{path}` has the cluster directory `{cluster}` but no control store (`store/store.json`); \
         put the store back from a copy, or move the cluster directories away if they are not needed"
    )]
    StoreMissing {
        /// As given.
        path: Utf8PathBuf,
        /// One of the clusters.
        cluster: String,
    },
    /// Nothing is there, and this operation only reads.
    #[error(
        "there is no control store in `{path}`; set data_directory to the directory that the clusters \
         were made in, or bring that directory back"
    )]
    Absent {
        /// As given.
        path: Utf8PathBuf,
    },
    /// The file system takes no data.
    #[error("the file system of `{path}` is read-only; choose a data_directory that can be written")]
    ReadOnly {
        /// As given.
        path: Utf8PathBuf,
    },
    /// No permission.
    #[error("no permission to write in `{path}`; change its permissions or choose another data_directory")]
    NotPermitted {
        /// As given.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// Not enough room.
    #[error(
        "the file system of `{path}` is full ({free} bytes free, {needed} needed); \
         make room and apply again"
    )]
    Full {
        /// As given.
        path: Utf8PathBuf,
        /// What is left.
        free: u64,
        /// What is needed.
        needed: u64,
    },
    /// Anything else the system says.
    #[error("access data directory `{path}`")]
    Access {
        /// As given.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

impl DirectoryError {
    fn new(path: &Utf8Path, cause: io::Error) -> Self {
        let path = path.to_owned();
        match cause.kind() {
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { path, cause },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full {
                path,
                free: 0,
                needed: LEAST_ROOM,
            },
            io::ErrorKind::NotADirectory => Self::NotADirectory { path },
            _ => Self::Access { path, cause },
        }
    }
}

/// What there is of a control store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreState {
    /// It is there.
    There,
    /// Nothing is there yet, and nothing that would speak of a lost one.
    NotYet,
}

/// Looks at a data directory without changing anything.
///
/// # Errors
/// [`DirectoryError`] if it is not ours, unreadable, or has clusters without a control store.
pub fn inspect(directory: &DataDirectory) -> Result<StoreState, DirectoryError> {
    let path = directory.path();
    if !path.is_absolute() {
        return Err(DirectoryError::Relative {
            path: path.to_owned(),
        });
    }
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(StoreState::NotYet),
        Err(cause) => return Err(DirectoryError::new(path, cause)),
    };
    if !metadata.is_dir() {
        return Err(DirectoryError::NotADirectory {
            path: path.to_owned(),
        });
    }
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own {
        return Err(DirectoryError::OtherOwner {
            path: path.to_owned(),
            owner: metadata.uid(),
            own,
        });
    }
    if directory.store().join("store.json").exists() {
        return Ok(StoreState::There);
    }
    if let Some(cluster) = first_entry(&path.join("clusters"), |_| true)? {
        return Err(DirectoryError::StoreMissing {
            path: path.to_owned(),
            cluster,
        });
    }
    match first_entry(path, |name| !EXPECTED.contains(&name))? {
        Some(entry) => Err(DirectoryError::Foreign {
            path: path.to_owned(),
            entry,
        }),
        None => Ok(StoreState::NotYet),
    }
}

/// Makes the data directory if it is not there, 0700, and checks that it is ours and takes data.
///
/// # Errors
/// [`DirectoryError`] with the way out.
pub fn prepare(directory: &DataDirectory) -> Result<StoreState, DirectoryError> {
    let state = inspect(directory)?;
    let path = directory.path();
    let cuts = |character: &char| CUTS_PATHS.contains(character) || character.is_control();
    if let Some(character) = path.as_str().chars().find(cuts) {
        return Err(DirectoryError::Character {
            path: path.to_owned(),
            character,
        });
    }
    let fail = |cause| DirectoryError::new(path, cause);
    make_private_directory(path).map_err(fail)?;
    let mut permissions = fs::metadata(path).map_err(fail)?.permissions();
    if permissions.mode() & 0o777 != 0o700 {
        permissions.set_mode(0o700);
        fs::set_permissions(path, permissions).map_err(fail)?;
    }
    let probe = path.join(format!(
        ".probe-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let written =
        fs::File::create(&probe).and_then(|mut file| file.write_all(&PROBE).and_then(|()| file.sync_data()));
    let _ = fs::remove_file(&probe);
    written.map_err(fail)?;
    Ok(state)
}

/// Checks that a cluster's first files fit.
///
/// # Errors
/// [`DirectoryError::Full`] with the figures.
pub fn check_room(directory: &DataDirectory) -> Result<(), DirectoryError> {
    let path = directory.path();
    let figures =
        rustix::fs::statvfs(path.as_std_path()).map_err(|cause| DirectoryError::new(path, cause.into()))?;
    let free = figures.f_bavail.saturating_mul(figures.f_frsize);
    if free < LEAST_ROOM {
        return Err(DirectoryError::Full {
            path: path.to_owned(),
            free,
            needed: LEAST_ROOM,
        });
    }
    Ok(())
}

fn first_entry(path: &Utf8Path, wanted: impl Fn(&str) -> bool) -> Result<Option<String>, DirectoryError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(DirectoryError::new(path, cause)),
    };
    for entry in entries {
        let entry = entry.map_err(|cause| DirectoryError::new(path, cause))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(".probe-") && wanted(&name) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use camino::Utf8PathBuf;

    use super::{DirectoryError, StoreState, check_room, inspect, prepare};
    use crate::node::home::DataDirectory;

    fn temporary() -> (tempfile::TempDir, Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
        (directory, path)
    }

    #[test]
    fn a_new_directory_with_blanks_and_foreign_letters_is_made_private() {
        let (_keep, root) = temporary();
        let data = DataDirectory::new(root.join("mein Verzeichnis ü/data"));
        assert_eq!(inspect(&data).unwrap(), StoreState::NotYet);
        assert!(!data.path().exists(), "looking makes nothing");
        assert_eq!(prepare(&data).unwrap(), StoreState::NotYet);
        assert_eq!(
            fs::metadata(data.path()).unwrap().permissions().mode() & 0o777,
            0o700
        );
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0, "the probe is gone");
        check_room(&data).unwrap();
    }

    #[test]
    fn a_path_that_kafka_would_cut_is_refused_before_anything_is_made() {
        let (_guard, path) = temporary();
        for name in ["a,b", "a:b", "a}b", "a\"b", "a\\b", "a\nb"] {
            let directory = DataDirectory::new(path.join(name));
            let error = prepare(&directory).unwrap_err();
            assert!(matches!(error, DirectoryError::Character { .. }), "{error}");
            assert!(!directory.path().exists());
        }
    }

    #[test]
    fn a_directory_with_other_files_is_not_taken() {
        let (_keep, root) = temporary();
        fs::write(root.join("thesis.tex"), "").unwrap();
        let error = prepare(&DataDirectory::new(root)).unwrap_err();
        assert!(
            matches!(&error, DirectoryError::Foreign { entry, .. } if entry == "thesis.tex"),
            "{error}"
        );
    }

    #[test]
    fn a_directory_that_holds_only_kafka_is_taken() {
        let (_keep, root) = temporary();
        fs::create_dir(root.join("kafka")).unwrap();
        assert_eq!(prepare(&DataDirectory::new(root)).unwrap(), StoreState::NotYet);
    }

    #[test]
    fn clusters_without_a_store_are_an_error_and_no_new_store() {
        let (_keep, root) = temporary();
        fs::create_dir_all(root.join("clusters/events-1")).unwrap();
        let error = prepare(&DataDirectory::new(root)).unwrap_err();
        assert!(matches!(error, DirectoryError::StoreMissing { .. }), "{error}");
    }

    #[test]
    fn a_file_and_a_relative_path_are_refused() {
        let (_keep, root) = temporary();
        fs::write(root.join("file"), "").unwrap();
        let file = DataDirectory::new(root.join("file"));
        assert!(matches!(
            prepare(&file),
            Err(DirectoryError::NotADirectory { .. })
        ));
        let below = DataDirectory::new(root.join("file/below"));
        assert!(matches!(
            prepare(&below),
            Err(DirectoryError::NotADirectory { .. })
        ));
        let relative = DataDirectory::new("data".into());
        assert!(matches!(prepare(&relative), Err(DirectoryError::Relative { .. })));
    }
}
