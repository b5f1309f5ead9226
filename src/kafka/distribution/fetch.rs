//! The place where a distribution is put together: a scratch directory under a lock, and the one rename.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use super::{Error, directory_name};
use crate::kafka::versions::KafkaVersion;

/// Scratch directories of a version begin with this; they lie beside the target, so that a rename works.
fn scratch_prefix(version: KafkaVersion) -> String {
    format!(".fetching-{version}-")
}

/// How often a waiting process looks whether the other has finished.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The right to fetch one version into one directory, and the scratch directory for it.
#[derive(Debug)]
pub(super) struct Workshop {
    target: Utf8PathBuf,
    scratch: Utf8PathBuf,
    /// Locked as long as it is open. The file stays: removing it would let two processes hold "the" lock.
    _lock: File,
}

impl Workshop {
    /// Waits for the lock of this version, removes what cut-short fetches left, makes a scratch directory.
    pub(super) async fn enter(
        version: KafkaVersion,
        kafka_directory: &Utf8Path,
        report: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Self, Error> {
        make_directory(kafka_directory)?;
        let lock_path = kafka_directory.join(format!(".fetching-{version}.lock"));
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(Error::io("create", &lock_path))?;
        let mut told = false;
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    if !told {
                        report(format!("another process fetches Kafka {version}; waiting for it"));
                        told = true;
                    }
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Error::io("lock", &lock_path)(errno.into())),
            }
        }
        remove_leftovers(version, kafka_directory)?;
        // Under the lock, the process id is enough to tell scratch directories apart.
        let scratch = kafka_directory.join(format!("{}{}", scratch_prefix(version), std::process::id()));
        make_directory(&scratch)?;
        Ok(Self {
            target: kafka_directory.join(directory_name(version)),
            scratch,
            _lock: lock,
        })
    }

    /// The scratch directory.
    pub(super) fn scratch(&self) -> &Utf8Path {
        &self.scratch
    }

    /// Moves a finished distribution to where it belongs.
    pub(super) fn put_in_place(&self, unpacked: &Utf8Path) -> Result<(), Error> {
        fs::rename(unpacked, &self.target).map_err(Error::io("create", &self.target))?;
        let parent = self.target.parent().unwrap_or(&self.target);
        File::open(parent)
            .and_then(|opened| opened.sync_all())
            .map_err(Error::io("flush", parent))
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.scratch) {
            tracing::debug!(directory = %self.scratch, %error, "a scratch directory stays");
        }
    }
}

fn make_directory(path: &Utf8Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Error::io("make the directory", path))
}

fn remove_leftovers(version: KafkaVersion, kafka_directory: &Utf8Path) -> Result<(), Error> {
    let prefix = scratch_prefix(version);
    for entry in fs::read_dir(kafka_directory).map_err(Error::io("list", kafka_directory))? {
        let entry = entry.map_err(Error::io("list", kafka_directory))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with(&prefix) {
            let path = kafka_directory.join(name);
            fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}
