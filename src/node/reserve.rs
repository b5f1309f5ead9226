//! Room on the disk that the agent keeps for one purpose: to tell that the disk is full.
//!
//! On one machine the control store lies on the same disk as Kafka's data. What fills it leaves nothing for
//! a status of 2 KB either, and people would look at a node that is said to be in sync. Once given up, the
//! reserve comes back when there is no such problem any more.

use camino::{Utf8Path, Utf8PathBuf};

use super::home::write_private;

/// Enough for some statuses: each is written anew before the former one goes.
const BYTES: usize = 64 * 1024;

/// The file that takes up the room.
pub(super) struct Reserve {
    path: Utf8PathBuf,
    is_there: bool,
}

impl Reserve {
    /// Nothing is written yet.
    pub(super) fn at(path: &Utf8Path) -> Self {
        Self {
            path: path.to_owned(),
            is_there: false,
        }
    }

    /// Takes up the room, if that was not done before. A disk that has none is told of elsewhere.
    pub(super) fn keep(&mut self) {
        if !self.is_there {
            let has_it = std::fs::metadata(&self.path).is_ok_and(|about| about.len() == BYTES as u64);
            // Not only zeros: some file systems would keep nothing for them.
            self.is_there = has_it || write_private(&self.path, &vec![0x5a; BYTES]).is_ok();
        }
    }

    /// Gives up the room. Answers whether there was any.
    pub(super) fn give_up(&mut self) -> bool {
        self.is_there = false;
        std::fs::remove_file(&self.path).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_given_up_once_and_taken_again() {
        let keep = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(keep.path().join("reserve")).unwrap();
        let mut reserve = Reserve::at(&path);
        assert!(!reserve.give_up());
        reserve.keep();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), BYTES as u64);
        // Another agent finds what the one before it left.
        let mut next = Reserve::at(&path);
        next.keep();
        assert!(next.give_up());
        assert!(!next.give_up());
        next.keep();
        assert!(path.exists());
    }
}
