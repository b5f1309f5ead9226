//! The command line of `msk-node`.

/// Starts an agent, in the foreground or detached.
mod run;
/// Starts and stops all agents of a data directory.
mod start_stop;
/// The table of clusters and nodes.
mod status;

use std::io::Write as _;
use std::process::ExitCode;

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand};

use super::home::DataDirectory;
use super::problem::with_causes;

/// The agent beside each Kafka process of terraform-provider-msk.
#[derive(Debug, Parser)]
#[command(name = "msk-node", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the agent of one node.
    Run(Run),
    /// Runs the agent of an EC2 machine.
    Machine(Machine),
    /// Shows every cluster and node of a data directory.
    Status(Status),
    /// Starts every agent of a data directory, for a machine that was rebooted.
    Start(Which),
    /// Stops every Kafka of a data directory cleanly, and its agent.
    Stop(Which),
}

#[derive(Debug, Args)]
struct Run {
    /// The node's directory (holds `node.json`).
    #[arg(value_name = "NODE_DIRECTORY", required_unless_present = "node_directory")]
    directory: Option<Utf8PathBuf>,
    /// The same, by name.
    #[arg(long, value_name = "NODE_DIRECTORY", conflicts_with = "directory")]
    node_directory: Option<Utf8PathBuf>,
    /// Returns as soon as the agent stands on its own feet, in a session of its own.
    #[arg(long)]
    detach: bool,
    /// How `--detach` starts the agent itself.
    #[arg(long, hide = true)]
    detached: bool,
}

/// What user data wrote.
#[derive(Debug, Args)]
struct Machine {
    /// The boot file.
    #[arg(value_name = "BOOT_FILE")]
    boot_file: Utf8PathBuf,
}

#[derive(Debug, Args)]
struct Status {
    #[command(flatten)]
    data: Data,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    data: Data,
    /// Only the cluster of this name.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
}

#[derive(Debug, Args)]
struct Data {
    /// The provider's `data_directory`; left out: the provider's own default.
    #[arg(long, value_name = "DIRECTORY")]
    data_directory: Option<Utf8PathBuf>,
}

impl Data {
    /// The data directory, by the same rule as the provider's.
    fn directory(&self) -> Result<DataDirectory, Failure> {
        let from = |name: &str, below: &str| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
            Some(Utf8PathBuf::from(value).join(below))
        };
        let path = self
            .data_directory
            .clone()
            .or_else(|| from("MSK_LOCAL_DATA_DIRECTORY", ""))
            .or_else(|| from("XDG_DATA_HOME", "terraform-provider-msk"))
            .or_else(|| from("HOME", ".local/share/terraform-provider-msk"))
            .ok_or("no data directory was named and HOME is not set")?;
        let path = path
            .canonicalize_utf8()
            .map_err(|cause| format!("open the data directory `{path}`: {cause}"))?;
        Ok(DataDirectory::new(path))
    }
}

/// Runs the program; what went wrong stands on stderr.
pub fn main() -> ExitCode {
    // Kafka makes its files with the bits that this mask leaves: records are nobody else's business,
    // even where somebody opens the directory above them.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    let done = match CommandLine::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Machine(arguments) => run::machine(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Start(arguments) => start_stop::start(&arguments),
        Command::Stop(arguments) => start_stop::stop(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "msk-node: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// What a command fails with: printed once, with its causes, never matched on.
type Failure = Box<dyn std::error::Error>;

/// Writes a line for people or programs. A reader that went away is no error.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
