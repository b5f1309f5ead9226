//! One agent per node: a file lock that lives exactly as long as the agent's process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::home::NodeDirectory;
use crate::process;
use crate::store::documents::ProcessIdentity;

/// The lock of a killed agent is free only when the last of its threads is gone, a little after the
/// process itself counts as dead.
const DYING_PATIENCE: Duration = Duration::from_secs(5);
const DYING_PAUSE: Duration = Duration::from_millis(5);

/// Why the lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another agent of this node runs.
    #[error("another agent of this node runs{}", in_words(.holder.as_ref()))]
    Held {
        /// Its process, if it has written it already.
        holder: Option<ProcessIdentity>,
    },
    /// The lock file cannot be opened or locked.
    #[error("lock `{path}`")]
    Access {
        /// The lock file.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

fn in_words(holder: Option<&ProcessIdentity>) -> String {
    holder.map_or_else(String::new, |process| {
        format!(" (process {})", process.process_id)
    })
}

/// The lock of a node, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct AgentLock {
    _file: File,
}

impl AgentLock {
    /// Takes the lock and writes this process into it.
    ///
    /// # Errors
    /// [`LockError::Held`] if another agent has it.
    pub fn take(directory: &NodeDirectory) -> Result<Self, LockError> {
        let path = directory.lock_file();
        let access = |cause| LockError::Access {
            path: path.clone(),
            cause,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(access)?;
        let begun = Instant::now();
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) => {}
                Err(errno) => return Err(access(errno.into())),
            }
            let holder = file.rewind().ok().and_then(|()| read_identity(&mut file));
            if holder.is_some() || begun.elapsed() > DYING_PATIENCE {
                return Err(LockError::Held { holder });
            }
            std::thread::sleep(DYING_PAUSE);
        }
        let record = Record {
            boot_id: process::boot_id().to_owned(),
            process: process::own(),
        };
        let text = serde_json::to_vec(&record).map_err(|cause| access(io::Error::other(cause)))?;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(&text))
            .map_err(access)?;
        Ok(Self { _file: file })
    }
}

/// What stands in the lock file.
#[derive(Serialize, Deserialize)]
struct Record {
    boot_id: String,
    process: ProcessIdentity,
}

/// The agent that runs for this node, if one does. Only reads: trying the lock itself would for a moment
/// keep an agent from taking it.
pub fn running_agent(directory: &NodeDirectory) -> Option<ProcessIdentity> {
    let mut file = File::open(directory.lock_file()).ok()?;
    read_identity(&mut file)
}

fn read_identity(file: &mut File) -> Option<ProcessIdentity> {
    let mut text = Vec::new();
    file.take(4096).read_to_end(&mut text).ok()?;
    let record: Record = serde_json::from_slice(&text).ok()?;
    (record.boot_id == process::boot_id() && process::lives(&record.process)).then_some(record.process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_is_refused_and_told_who_runs_until_the_first_ends() {
        let keep = tempfile::tempdir().unwrap();
        let directory = NodeDirectory::new(Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap());
        directory.make_folders().unwrap();
        assert_eq!(running_agent(&directory), None);
        let lock = AgentLock::take(&directory).unwrap();
        match AgentLock::take(&directory) {
            Err(LockError::Held { holder }) => assert_eq!(holder, Some(process::own())),
            other => panic!("{other:?}"),
        }
        assert_eq!(running_agent(&directory), Some(process::own()));
        drop(lock);
        AgentLock::take(&directory).unwrap();
    }
}
