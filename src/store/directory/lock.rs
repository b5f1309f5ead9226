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
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => thread::sleep(pause),
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
