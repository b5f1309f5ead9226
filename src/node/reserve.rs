//! Room on the disk that the agent keeps for one purpose: to tell that the disk is full.
//!
//! On one machine the control store lies on the same disk as Kafka's data. What fills it leaves nothing for
//! a status of 2 KB either, and people would look at a node that is said to be in sync. Once given up, the
//! reserve comes back when there is no such problem any more.

use camino::{Utf8Path, Utf8PathBuf};

use super::home::write_private;

/// Enough for some statuses: each is written anew before the former one goes.
const BYTES: usize = 64 * 1024;
/// On a disk that is one node's alone: enough for Kafka to start and for somebody to delete topics. Statuses go to S3
/// there.
const LARGE: u64 = 100 << 20;

/// The file that takes up the room.
pub(super) struct Reserve {
    path: Utf8PathBuf,
    is_large: bool,
    is_there: bool,
}

impl Reserve {
    /// Nothing is written yet. `is_large`: the disk is the node's own.
    pub(super) fn at(path: &Utf8Path, is_large: bool) -> Self {
        Self {
            path: path.to_owned(),
            is_large,
            is_there: false,
        }
    }

    /// Takes up the room, if that was not done before. A disk that has none is told of elsewhere.
    pub(super) fn keep(&mut self) {
        if !self.is_there {
            let has_it = std::fs::metadata(&self.path).is_ok_and(|about| about.len() == BYTES as u64);
            if self.is_large {
                self.is_there = keep_large(&self.path).unwrap_or(false);
                return;
            }
            // Not only zeros: some file systems would keep nothing for them.
            self.is_there = has_it || write_private(&self.path, &vec![0x5a; BYTES]).is_ok();
        }
    }

    /// Gives up the room for Kafka, where it is kept for that.
    pub(super) fn give_up_for_kafka(&mut self) {
        if self.is_large && self.give_up() {
            tracing::warn!(path = %self.path, "the disk is full; the reserve is given up");
        }
    }

    /// Gives up the room. Answers whether there was any.
    pub(super) fn give_up(&mut self) -> bool {
        self.is_there = false;
        std::fs::remove_file(&self.path).is_ok()
    }
}

/// Takes up the room if there is plenty, so that what was given up in need is not taken at once again.
fn keep_large(path: &Utf8Path) -> std::io::Result<bool> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if std::fs::metadata(path).is_ok_and(|about| about.len() == LARGE) {
        return Ok(true);
    }
    let disk = rustix::fs::statvfs(path.parent().unwrap_or(path).as_std_path())?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < 3 * LARGE {
        return Ok(false);
    }
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, LARGE)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_given_up_once_and_taken_again() {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().join("reserve")).unwrap();
        let mut reserve = Reserve::at(&path, false);
        assert!(!reserve.give_up());
        reserve.keep();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), BYTES as u64);
        // Another agent finds what the one before it left.
        let mut next = Reserve::at(&path, false);
        next.keep();
        assert!(next.give_up());
        assert!(!next.give_up());
        next.keep();
        assert!(path.exists());
    }
    #[test]
    fn on_a_disk_of_its_own_the_room_is_100_mib_and_for_kafka() {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().join("reserve")).unwrap();
        let mut reserve = Reserve::at(&path, true);
        reserve.keep();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), LARGE);
        reserve.give_up_for_kafka();
        assert!(!path.exists());
    }
}
