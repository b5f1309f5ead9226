//! Kafka's process: started in its own process group with a minimal environment, adopted when an agent
//! comes after another, watched through a pidfd.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};

use super::certificates::{internal_expiry, node_files};
use super::context::{Context, Desired};
use super::home::{NodeDirectory, write_private};
use super::launch;
use super::log_file;
use super::own_machine::OwnMachine;
use super::problem::{code_of, problem, with_causes};
use super::process::{KafkaRecord, Watched, find_kafka};
use super::unit;
use crate::clock::Timestamp;
use crate::kafka::launch::CommandLine;
use crate::kafka::server_properties::render;
use crate::planner::server_properties::server_properties;
use crate::process;
use crate::spec::ids::Generation;
use crate::store::documents::{Problem, ProblemCode, ProcessIdentity};

/// Written by Kafka at the end of a clean stop; without it logs are checked at the next start.
const CLEAN_MARK: &str = ".kafka_cleanshutdown";

/// A Kafka that runs.
pub(crate) struct Kafka {
    /// Its process.
    pub(crate) process: Watched,
    /// The generation of the desired document it was started with.
    pub(crate) generation: Generation,
    /// Whether it has to check its logs first.
    pub(crate) is_recovering: bool,
    /// When the certificate ends with which it dials the controllers: it has read that one at its start
    /// and never reads it again (`KafkaRaftManager` and its channel, Kafka 3.9 to 4.3).
    pub(crate) dials_until: Option<Timestamp>,
    /// Where this life begins in what it prints and in what it logs; of an adopted one it is not known.
    logs_from: (u64, u64),
    /// Only a child can be reaped, and only a child tells how it ended.
    child: Option<Child>,
    /// Whether systemd started it, and tells how it ended.
    is_unit: bool,
}

/// Where `server.properties` lies; also what tells our Kafka from any other process.
pub(crate) fn properties_path(directory: &NodeDirectory) -> Utf8PathBuf {
    directory.configuration().join("server.properties")
}

/// The Kafka of this node that runs already, if one does.
pub(crate) fn adopt(context: &Context) -> Option<Kafka> {
    let identity = find_kafka(&context.directory, &properties_path(&context.directory))?;
    let recorded = KafkaRecord::read(&context.directory).filter(|record| record.process == identity);
    let process = Watched::open(identity).ok()?;
    // Without a record the certificate of today is the best guess.
    let dials_until = recorded
        .as_ref()
        .and_then(|record| record.dials_until)
        .or_else(|| internal_expiry(&context.directory));
    Some(Kafka {
        process,
        generation: recorded.map_or_else(Generation::default, |record| record.generation),
        is_recovering: false,
        dials_until,
        logs_from: logs_end(&context.directory),
        child: None,
        is_unit: context.machine.is_some(),
    })
}

/// Whether a Kafka of this node runs.
pub(crate) fn runs(directory: &NodeDirectory) -> bool {
    find_kafka(directory, &properties_path(directory)).is_some()
}

/// Writes `server.properties` as the document wants it.
///
/// # Errors
/// The problem that keeps Kafka from being started.
pub(crate) fn write_properties(context: &Context, desired: &Desired) -> Result<(), Problem> {
    let path = properties_path(&context.directory);
    let properties = server_properties(&desired.cluster, context.node_id(), &node_files(context))
        .ok_or_else(|| problem(ProblemCode::Other, "the desired document does not have this node"))?;
    write_private(&path, render(&properties).as_bytes())
        .map_err(|cause| problem(code_of(&cause), format!("write `{path}`: {cause}")))
}

/// Starts Kafka and records its process.
///
/// # Errors
/// The problem that keeps it from running.
pub(crate) fn start(context: &Context, desired: &Desired) -> Result<Kafka, Problem> {
    let log = context.directory.kafka_log();
    let access = |cause: io::Error| problem(code_of(&cause), format!("open `{log}`: {cause}"));
    log_file::bound(&log).map_err(access)?;
    let logs_from = logs_end(&context.directory);
    let line = launch::command_line(context, desired)?;
    let is_recovering = needs_recovery(context);
    let dials_until = internal_expiry(&context.directory);
    let (process_id, child) = if let Some(machine) = &context.machine {
        (start_unit(context, machine, &line)?, None)
    } else {
        let child = spawn(context, &log, line)?;
        (child.id(), Some(child))
    };
    let ended_at_once = || problem(ProblemCode::Java, "Java ended as soon as it was started");
    let identity = process::identify(process_id).ok_or_else(ended_at_once)?;
    let record = KafkaRecord {
        boot_id: process::boot_id().to_owned(),
        process: identity.clone(),
        generation: desired.generation,
        dials_until,
    };
    if let Err(cause) = record.write(&context.directory) {
        // A later agent finds the process by its command line.
        tracing::warn!(%cause, "Kafka's process could not be recorded");
    }
    let process = Watched::open(identity).map_err(|cause| problem(ProblemCode::Java, with_causes(&cause)))?;
    Ok(Kafka {
        process,
        generation: desired.generation,
        is_recovering,
        dials_until,
        logs_from,
        child,
        is_unit: context.machine.is_some(),
    })
}

/// Starts Kafka as a child in a process group of its own.
fn spawn(context: &Context, log: &Utf8Path, line: CommandLine) -> Result<Child, Problem> {
    let access = |cause: io::Error| problem(code_of(&cause), format!("open `{log}`: {cause}"));
    let output = log_file::open(log).map_err(access)?;
    let errors = output.try_clone().map_err(access)?;
    let mut command = Command::new(&line.program);
    command
        .args(&line.arguments)
        .env_clear()
        .envs(line.environment)
        .current_dir(context.directory.logs())
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        // Signals to the agent's group do not reach Kafka.
        .process_group(0);
    command.spawn().map_err(|cause| {
        problem(
            ProblemCode::Java,
            format!(
                "start `{}`: {cause}; install Java or name the right java_home",
                context.home.java
            ),
        )
    })
}

fn start_unit(context: &Context, machine: &OwnMachine, line: &CommandLine) -> Result<u32, Problem> {
    // Before the start: from here on this machine may hold records that no other has.
    write_private(&machine.ran_mark, b"")
        .map_err(|cause| problem(code_of(&cause), format!("write `{}`: {cause}", machine.ran_mark)))?;
    unit::start(&context.directory, line)
        .map_err(|cause| problem(ProblemCode::Java, format!("start Kafka's unit: {cause}")))
}

/// Whether logs are there and the last stop was not a clean one.
fn needs_recovery(context: &Context) -> bool {
    let data = context.directory.data();
    let has_logs = fs::read_dir(&data).is_ok_and(|entries| {
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .any(|entry| entry.file_name() != "__cluster_metadata-0")
    });
    has_logs && !data.join(CLEAN_MARK).exists()
}

impl Kafka {
    /// The process.
    pub(crate) const fn identity(&self) -> &ProcessIdentity {
        self.process.identity()
    }

    /// Takes the ended child from the process table and says how it ended, as far as that is known.
    pub(crate) fn reap(&mut self) -> String {
        if self.is_unit {
            return unit::ending();
        }
        let status = self.child.as_mut().and_then(|child| child.wait().ok());
        status.map_or_else(|| "its end was not seen".to_owned(), |status| status.to_string())
    }

    /// The last lines of what this life logged, and of what the JVM printed.
    pub(crate) fn last_lines(&self, context: &Context, count: usize) -> Vec<String> {
        let (printed_from, logged_from) = self.logs_from;
        let directory = &context.directory;
        let mut lines = log_file::last_lines(&directory.server_log(), logged_from, count);
        lines.extend(log_file::last_lines(&directory.kafka_log(), printed_from, count));
        lines
    }
}

fn logs_end(directory: &NodeDirectory) -> (u64, u64) {
    (
        log_file::length(&directory.kafka_log()),
        log_file::length(&directory.server_log()),
    )
}
