//! `msk-node run`: the agent in the foreground, or detached from whoever starts it.

use std::ffi::OsString;
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::{Failure, Run};
use crate::node::agent::{self, AgentError};
use crate::node::home::{NodeDirectory, NodeHome};
use crate::node::lock::{self, LockError};
use crate::node::log_file;

/// An agent has its lock within milliseconds; on a machine that is swamped it may take seconds.
const DETACH_PATIENCE: Duration = Duration::from_secs(10);
/// How often the new agent is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// What an agent needs of its starter's environment.
const PASSED_VARIABLES: [&str; 6] = ["PATH", "HOME", "TMPDIR", "TZ", "LANG", "MSK_NODE_LOG"];
/// One heap for all threads, and what a large answer took is given back: glibc would keep 2 MB beside each Kafka for
/// ever. The unit of an instance's agent says the same.
const HEAP: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "16384"),
    ("MALLOC_TRIM_THRESHOLD_", "16384"),
];
/// Test hooks of the agent begin with this.
const HOOK_PREFIX: &str = "MSK_TEST_NODE_";

/// Why an agent could not be detached.
#[derive(Debug, thiserror::Error)]
enum DetachError {
    #[error("the agent ended at once ({status}): {words}")]
    Ended {
        status: std::process::ExitStatus,
        words: String,
    },
    #[error("the agent did not take its lock within {} s; see `{log}`", DETACH_PATIENCE.as_secs())]
    Hangs { log: Utf8PathBuf },
    #[error("start the agent")]
    Start(#[source] io::Error),
}

pub(super) fn run(arguments: &Run) -> Result<(), Failure> {
    let named = arguments.directory.as_ref().or(arguments.node_directory.as_ref());
    let path = named.ok_or("no node directory was named")?.canonicalize_utf8()?;
    let directory = NodeDirectory::new(path);
    if arguments.detach {
        return Ok(detach(&directory)?);
    }
    if arguments.detached {
        // Our own session: no signal of the starter's terminal or group reaches us.
        rustix::process::setsid().map_err(io::Error::from)?;
    }
    log_to_stderr();
    match agent::run(directory) {
        // Two starts at once: one agent runs, which is what both wanted.
        Err(AgentError::Lock(LockError::Held { .. })) if arguments.detached => Ok(()),
        Err(error) => Err(error.into()),
        Ok(ended) => {
            tracing::info!(?ended, "the agent ends");
            Ok(())
        }
    }
}

pub(super) fn machine(arguments: &super::Machine) -> Result<(), Failure> {
    log_to_stderr();
    let ended = crate::node::machine::run(&arguments.boot_file)?;
    tracing::info!(?ended, "the agent ends");
    Ok(())
}

/// Starts an agent in a session of its own; returns when it holds the node's lock. One that runs
/// already is what was wanted.
pub(super) fn detach_if_needed(directory: &NodeDirectory) -> Result<(), Failure> {
    Ok(detach(directory)?)
}

fn detach(directory: &NodeDirectory) -> Result<(), DetachFailure> {
    // Read here, so that the starter gets the error and not a log file.
    NodeHome::load(directory)?;
    if lock::running_agent(directory).is_some() {
        return Ok(());
    }
    directory.make_folders()?;
    let log = directory.agent_log();
    log_file::bound(&log).map_err(DetachError::Start)?;
    let log_from = log_file::length(&log);
    let output = log_file::open(&log).map_err(DetachError::Start)?;
    let errors = output.try_clone().map_err(DetachError::Start)?;
    let program = std::env::current_exe().map_err(DetachError::Start)?;
    let mut child = Command::new(program)
        .args(["run", "--detached"])
        .arg(directory.path())
        .env_clear()
        .envs(environment())
        .envs(HEAP)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(DetachError::Start)?;
    let begun = Instant::now();
    while lock::running_agent(directory).is_none() {
        if let Some(status) = child.try_wait().map_err(DetachError::Start)? {
            // Another start may have been faster.
            if status.success() {
                break;
            }
            let words = log_file::last_lines(&log, log_from, 5).join("; ");
            return Err(DetachError::Ended { status, words }.into());
        }
        if begun.elapsed() > DETACH_PATIENCE {
            return Err(DetachError::Hangs { log }.into());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// The agent lives long after whoever started it: it gets nothing that may be a secret of theirs.
fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os()
        .filter(|(name, _)| {
            name.to_str()
                .is_some_and(|name| PASSED_VARIABLES.contains(&name) || name.starts_with(HOOK_PREFIX))
        })
        .collect()
}

/// What [`detach`] fails with.
#[derive(Debug, thiserror::Error)]
enum DetachFailure {
    #[error(transparent)]
    Detach(#[from] DetachError),
    #[error(transparent)]
    Home(#[from] crate::node::home::HomeError),
}

/// `MSK_NODE_LOG` takes levels by target, such as `info,msk::node=debug`.
fn log_to_stderr() {
    let filter = std::env::var("MSK_NODE_LOG")
        .ok()
        .and_then(|filter| filter.parse::<Targets>().ok())
        .unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(super::super::log_lines::Lines)
        .try_init();
}

#[cfg(test)]
mod tests {
    use super::HEAP;

    #[test]
    fn the_unit_of_an_instances_agent_says_the_same_of_the_heap() {
        let unit = include_str!("../../engine/ec2/templates/msk-node.service");
        for (name, value) in HEAP {
            let line = format!("Environment={name}={value}");
            assert!(unit.lines().any(|other| other == line), "{line}");
        }
    }
}
