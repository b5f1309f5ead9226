//! Processes of this machine, told apart by process id *and* start time.
//!
//! A process id is used again sooner or later, so nothing here signals or believes in a bare id: the
//! start time of `/proc/<pid>/stat` has to agree, and Kafka's command line has to name this node's own
//! `server.properties`. Signals go through a pidfd, which cannot hit a later process.

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
use crate::spec::ids::Generation;
use crate::store::documents::ProcessIdentity;

/// The longest file below `/proc` that is read; command lines of Kafka have some 10 KB.
const MAX_PROC_BYTES: usize = 1024 * 1024;

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

/// The boot id of the machine; empty where the system has none.
pub fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// The identity of the living process with this id; `None` if there is none or it is a zombie.
pub fn identify(process_id: u32) -> Option<ProcessIdentity> {
    let stat = fs::read_to_string(format!("/proc/{process_id}/stat")).ok()?;
    let (state, process_start) = parse_stat(&stat)?;
    (!matches!(state, 'Z' | 'X' | 'x')).then_some(ProcessIdentity {
        process_id,
        process_start,
    })
}

/// The identity of this process.
pub fn own() -> ProcessIdentity {
    let process_id = std::process::id();
    identify(process_id).unwrap_or(ProcessIdentity {
        process_id,
        process_start: 0,
    })
}

/// Whether exactly this process lives.
pub fn is_alive(process: &ProcessIdentity) -> bool {
    identify(process.process_id).as_ref() == Some(process)
}

/// State and start time (fields 3 and 22). The second field, the program's name, may hold anything, so
/// counting begins after its last parenthesis.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some((state, start))
}

/// The arguments of a process; empty if it is gone or belongs to another user.
pub fn command_line(process_id: u32) -> Vec<Vec<u8>> {
    let mut bytes = fs::read(format!("/proc/{process_id}/cmdline")).unwrap_or_default();
    bytes.truncate(MAX_PROC_BYTES);
    bytes
        .split(|byte| *byte == 0)
        .filter(|argument| !argument.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

/// Whether the process is a JVM that was started with this `server.properties`.
fn runs_with(process_id: u32, properties: &Utf8Path) -> bool {
    let arguments = command_line(process_id);
    arguments.len() > 1
        && arguments
            .iter()
            .skip(1)
            .any(|argument| argument == properties.as_str().as_bytes())
}

/// Kafka's living process of a node: the recorded one if it is still the same, else one that is looked
/// for among all processes (an agent may have died between the start and the record).
pub fn find_kafka(directory: &NodeDirectory, properties: &Utf8Path) -> Option<ProcessIdentity> {
    let recorded = KafkaRecord::read(directory)
        .filter(|record| record.boot_id == boot_id())
        .map(|record| record.process)
        .filter(|process| is_alive(process) && runs_with(process.process_id, properties));
    recorded.or_else(|| search(properties))
}

fn search(properties: &Utf8Path) -> Option<ProcessIdentity> {
    let own = std::process::id();
    fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|process_id| *process_id != own && is_java(*process_id))
        .filter(|process_id| runs_with(*process_id, properties))
        .find_map(identify)
}

fn is_java(process_id: u32) -> bool {
    // The first argument is the program as it was started; an editor that has our file open is no JVM.
    let arguments = command_line(process_id);
    let program = arguments
        .first()
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
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
        if !is_alive(&identity) {
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
        is_alive(&self.identity)
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

    #[test]
    fn the_start_time_is_found_behind_any_program_name() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(parse_stat(&format!("7 (a b) c) {tail}")), Some(('S', 4711)));
        assert_eq!(parse_stat("7 (cut"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn this_process_lives_and_a_later_one_with_its_id_is_another() {
        let own = own();
        assert!(is_alive(&own));
        let later = ProcessIdentity {
            process_start: own.process_start + 1,
            ..own
        };
        assert!(!is_alive(&later));
    }

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
