//! The processes of a cluster's nodes, found by what they run on, and their end.
//!
//! A process is ours if this user runs it, its program is the agent or Java, and its command line
//! names the node's directory. Recorded process ids are not needed, so nothing is missed after a torn
//! file and no stranger with a reused id is ended.

use std::io;
use std::time::Duration;

use camino::Utf8Path;
use rustix::process::Signal;

use crate::process::{self, Process};
use crate::store::documents::ProcessIdentity;

/// After SIGKILL a process is gone as soon as the kernel has run it once more.
const KILL_PATIENCE: Duration = Duration::from_secs(2);
/// How often processes are looked for again: an agent may have started Kafka between look and kill.
const ROUNDS: usize = 4;

/// What a process of a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `msk-node`.
    Agent,
    /// Kafka (Java).
    Kafka,
}

/// Why processes could not be looked at or ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// `/proc` cannot be listed.
    #[error("list the processes of this machine")]
    List(#[source] io::Error),
    /// The kernel refuses the signal.
    #[error("end process {process_id} of `{directory}`")]
    Signal {
        /// The process.
        process_id: u32,
        /// The node's directory.
        directory: String,
        /// What the kernel says.
        #[source]
        cause: io::Error,
    },
    /// It hangs in the kernel.
    #[error("process {process_id} of `{directory}` does not end; it hangs in the kernel, a reboot ends it")]
    DoesNotEnd {
        /// The process.
        process_id: u32,
        /// The node's directory.
        directory: String,
    },
}

/// What this process is, if its program is one of ours.
pub fn role_of(process: &Process) -> Option<Role> {
    process.program_names().find_map(|name| match name.to_str()? {
        "java" => Some(Role::Kafka),
        "msk-node" => Some(Role::Agent),
        other => other
            .strip_prefix("msk-node-")
            .is_some_and(|digest| !digest.is_empty() && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then_some(Role::Agent),
    })
}

/// The living processes of this list that run on a directory (a node's or a whole cluster's).
pub fn running_on<'a>(
    processes: &'a [Process],
    directory: &Utf8Path,
) -> impl Iterator<Item = (Role, &'a Process)> {
    let directory = directory.as_std_path().to_owned();
    processes.iter().filter_map(move |process| {
        let role = role_of(process)?;
        process.names_path(&directory).then_some((role, process))
    })
}

/// Ends every process that runs on a directory, agents first so that they start nothing anew.
///
/// Killed and not asked: this is only called when what they write is about to be removed.
///
/// # Errors
/// [`ProcessError`] naming the process that stays.
pub async fn end_all(directory: &Utf8Path) -> Result<usize, ProcessError> {
    let mut ended = 0;
    let mut left: Vec<ProcessIdentity> = Vec::new();
    for _ in 0..ROUNDS {
        let processes = process::list_own().map_err(ProcessError::List)?;
        let mut found: Vec<_> = running_on(&processes, directory).collect();
        found.sort_by_key(|(role, _)| *role);
        if found.is_empty() {
            return Ok(ended);
        }
        left = found
            .iter()
            .map(|(_, process)| process.identity.clone())
            .collect();
        for (_, process) in found {
            let process_id = process.identity.process_id;
            tracing::info!(process_id, directory = %directory, "ends a process");
            process::signal(&process.identity, Signal::KILL).map_err(|cause| ProcessError::Signal {
                process_id,
                directory: directory.to_string(),
                cause,
            })?;
            ended += 1;
        }
        left = process::wait_for_end(&left, KILL_PATIENCE).await;
    }
    match left.first() {
        None => Ok(ended),
        Some(process) => Err(ProcessError::DoesNotEnd {
            process_id: process.process_id,
            directory: directory.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::{Role, end_all, role_of, running_on};
    use crate::process::{Process, list_own};
    use crate::store::documents::ProcessIdentity;

    fn process(arguments: &[&str]) -> Process {
        Process {
            identity: ProcessIdentity {
                process_id: 1,
                process_start: 1,
            },
            user_id: 0,
            arguments: arguments.iter().map(|text| text.as_bytes().to_vec()).collect(),
        }
    }

    #[test]
    fn only_java_and_the_agent_are_ours() {
        assert_eq!(role_of(&process(&["/usr/bin/java", "-cp"])), Some(Role::Kafka));
        assert_eq!(
            role_of(&process(&["/d/bin/msk-node-0a1b", "run"])),
            Some(Role::Agent)
        );
        assert_eq!(role_of(&process(&["/bin/sh", "/t/java", "x"])), Some(Role::Kafka));
        for stranger in [
            &["tail", "-f", "/d/java"][..],
            &["less", "/d/msk-node.log"],
            &["msk-node-", "x"],
            &[],
        ] {
            assert_eq!(role_of(&process(stranger)), None, "{stranger:?}");
        }
    }

    #[tokio::test]
    async fn every_process_of_a_directory_is_ended_and_no_other() {
        let keep = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
        // A script named like ours stands in for the program. It waits for input and so has no child, which
        // would bear its arguments for a moment.
        let script = root.join("java");
        std::fs::write(&script, "read line\n").unwrap();
        let start = |node: &str| {
            std::process::Command::new("sh")
                .arg(&script)
                .arg(root.join(node))
                .stdin(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        };
        let (mut first, mut second) = (start("1"), start("2"));
        assert_eq!(end_all(&root.join("1")).await.unwrap(), 1);
        first.wait().unwrap();
        let processes = list_own().unwrap();
        assert_eq!(running_on(&processes, &root.join("2")).count(), 1);
        assert_eq!(end_all(&root.join("2")).await.unwrap(), 1);
        second.wait().unwrap();
    }
}
