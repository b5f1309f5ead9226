//! Kafka's process: how it is found again, watched and signaled.
//!
//! Its command line has to name this node's own `server.properties`, and its start time has to be the
//! recorded one. Signals go through a pidfd, which cannot hit a later process.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use camino::Utf8Path;
use rustix::process::{Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::home::{NodeDirectory, write_private};
use crate::clock::Timestamp;
use crate::process::{boot_id, command_line, list_own, lives};
use crate::spec::ids::Generation;
use crate::store::documents::ProcessIdentity;

/// Kafka's process as the agent started it, kept in `run/kafka.json` so that another agent can adopt it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaRecord {
    /// The machine's boot id at the start.
    pub boot_id: String,
    /// The process.
    pub process: ProcessIdentity,
    /// The generation of the desired document that it was started with.
    pub generation: Generation,
    /// When the certificate ends with which it dials the controllers.
    #[serde(default)]
    pub dials_until: Option<Timestamp>,
}

impl KafkaRecord {
    /// Reads the record; `None` if there is none that can be read (the process is then looked for).
    pub fn read(directory: &NodeDirectory) -> Option<Self> {
        let text = fs::read(directory.kafka_process_file()).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes the record.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, directory: &NodeDirectory) -> io::Result<()> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        write_private(&directory.kafka_process_file(), &text)
    }
}

/// Kafka's living process of a node: the recorded one if it is still the same, else one that is looked
/// for among all processes (an agent may have died between the start and the record).
pub fn find_kafka(directory: &NodeDirectory, properties: &Utf8Path) -> Option<ProcessIdentity> {
    let recorded = KafkaRecord::read(directory)
        .filter(|record| record.boot_id == boot_id())
        .map(|record| record.process)
        .filter(|process| {
            let arguments = command_line(process.process_id).unwrap_or_default();
            runs_with(&arguments, properties) && lives(process)
        });
    recorded.or_else(|| search(properties))
}

fn search(properties: &Utf8Path) -> Option<ProcessIdentity> {
    let own = std::process::id();
    let mut processes = list_own().ok()?.into_iter();
    let found = processes.find(|process| {
        process.identity.process_id != own
            && is_java(&process.arguments)
            && runs_with(&process.arguments, properties)
    });
    found.map(|process| process.identity)
}

/// Whether a command line names this `server.properties`.
fn runs_with(arguments: &[Vec<u8>], properties: &Utf8Path) -> bool {
    arguments
        .iter()
        .skip(1)
        .any(|argument| argument == properties.as_str().as_bytes())
}

/// The first argument is the program as it was started; an editor that has our file open is no JVM.
fn is_java(arguments: &[Vec<u8>]) -> bool {
    let program = arguments.first().map(|bytes| String::from_utf8_lossy(bytes));
    program.is_some_and(|program| {
        let name = program.rsplit('/').next().unwrap_or_default();
        name.contains("java") || name.contains("kafka")
    })
}

/// A process whose end can be awaited and to which signals can be sent without a race.
#[derive(Debug)]
pub struct Watched {
    identity: ProcessIdentity,
    descriptor: AsyncFd<OwnedFd>,
}

impl Watched {
    /// Opens a process for watching. Needs a running tokio runtime.
    ///
    /// # Errors
    /// `NotFound` if exactly this process does not live any more; else what the system says.
    pub fn open(identity: ProcessIdentity) -> io::Result<Self> {
        let pid = i32::try_from(identity.process_id)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or(io::ErrorKind::NotFound)?;
        let descriptor = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        // Checked after the descriptor is open: from here on the id cannot change its owner unseen.
        if !lives(&identity) {
            return Err(io::ErrorKind::NotFound.into());
        }
        #[expect(
            deprecated,
            reason = "the successor is `unsafe`, for types whose descriptor may change; an `OwnedFd` does not"
        )]
        let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
        Ok(Self { identity, descriptor })
    }

    /// Which process this is.
    pub const fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// Waits until the process has ended. Safe to cancel.
    pub async fn ended(&self) {
        if self.descriptor.readable().await.is_err() {
            // The runtime is shutting down; nothing will ever be reported.
            std::future::pending::<()>().await;
        }
    }

    /// Whether the process still lives.
    pub fn is_alive(&self) -> bool {
        lives(&self.identity)
    }

    /// Asks the process to end (SIGTERM). A process that has ended already is no error.
    ///
    /// # Errors
    /// What the system says.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Ends the process at once (SIGKILL). A process that has ended already is no error.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        match rustix::process::pidfd_send_signal(self.descriptor.get_ref(), signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use camino::Utf8PathBuf;

    use super::*;
    use crate::process::identify;

    #[tokio::test]
    async fn the_end_of_a_killed_process_is_seen_even_before_it_is_reaped() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let watched = Watched::open(identify(child.id()).unwrap()).unwrap();
        assert!(watched.is_alive());
        watched.kill().unwrap();
        tokio::time::timeout(Duration::from_secs(10), watched.ended())
            .await
            .unwrap();
        assert!(!watched.is_alive(), "a zombie counts as dead");
        watched.terminate().unwrap();
        child.wait().unwrap();
        assert!(Watched::open(watched.identity().clone()).is_err());
    }

    #[test]
    fn a_kafka_without_a_record_is_found_by_its_command_line() {
        let keep = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
        let directory = NodeDirectory::new(root.join("node"));
        directory.make_folders().unwrap();
        let properties = directory.configuration().join("server.properties");
        assert_eq!(find_kafka(&directory, &properties), None);
        // A shell under the name of Java stands in for the JVM.
        let java = root.join("java");
        std::os::unix::fs::symlink("/bin/sh", &java).unwrap();
        let mut child = Command::new(&java)
            .args(["-c", "read line", properties.as_str()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let expected = identify(child.id());
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        let mut found = None;
        while found.is_none() && std::time::Instant::now() < deadline {
            found = find_kafka(&directory, &properties);
        }
        assert_eq!(found, expected);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(find_kafka(&directory, &properties), None);
    }
}
