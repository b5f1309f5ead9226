//! Locks between processes: one of a fixed set of files per key, held for microseconds.
//!
//! The system frees a lock when its holder dies, so a SIGKILL leaves nothing behind. The files are
//! never deleted: a lock on a deleted file protects from nobody.

use std::fs::{File, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8Path;

use super::{files, root};
use crate::store::{Error, Key};

/// Enough that two writers of different documents rarely meet.
const LOCKS: u8 = 32;
/// A holder does one read and one rename. Whoever holds on for this long has been stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// A held lock; freed on drop.
#[derive(Debug)]
pub(super) struct Held {
    _file: File,
}

/// Takes the lock that covers a key.
pub(super) fn take(store_root: &Utf8Path, key: &Key) -> Result<Held, Error> {
    take_within(store_root, key, PATIENCE)
}

fn take_within(store_root: &Utf8Path, key: &Key, patience: Duration) -> Result<Held, Error> {
    let number = files::digest(key.as_str().as_bytes())
        .as_ref()
        .first()
        .map_or(0, |byte| byte % LOCKS);
    let folder = store_root.join(root::LOCKS);
    let path = folder.join(format!("{number:02}"));
    root::ensure_own_folder(store_root, &folder)?;
    let file = files::private_options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|cause| Error::from_io("open the lock", &path, cause))?;
    let began = Instant::now();
    let mut pause = Duration::from_micros(20);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Held { _file: file }),
            Err(TryLockError::WouldBlock) if began.elapsed() < patience => thread::sleep(pause),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Busy {
                    lock: path,
                    waited: began.elapsed(),
                });
            }
            Err(TryLockError::Error(cause)) => return Err(Error::from_io("lock", &path, cause)),
        }
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use camino::Utf8PathBuf;

    use super::{take, take_within};
    use crate::store::{Error, Key};

    #[test]
    fn a_lock_that_is_never_freed_is_told_and_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        let key = Key::parse("a").unwrap();
        let held = take(&root, &key).unwrap();
        let error = take_within(&root, &key, Duration::from_millis(30)).unwrap_err();
        assert!(
            matches!(&error, Error::Busy { lock, .. } if lock.as_str().contains("~locks/")),
            "{error}"
        );
        drop(held);
        take_within(&root, &key, Duration::ZERO).unwrap();
        assert_eq!(
            fs::read_dir(root.join("~locks")).unwrap().count(),
            1,
            "a key has one lock"
        );
    }
}
