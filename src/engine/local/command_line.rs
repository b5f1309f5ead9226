//! `terraform-provider-msk clusters list | discard`: what is on this machine, and what no state holds.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use super::{LocalEngine, LocalError, Settings};
use crate::engine::cluster::inventory::{Discarded, InventoryLine};
use crate::engine::cluster::{ClusterError, Clusters};
use crate::engine::journal::chain;
use crate::engine::run::Limits;
use crate::spec::ids::ClusterName;

/// A discard ends processes and removes files; minutes mean that something hangs.
const LIMIT: Duration = Duration::from_mins(5);

/// What stands between the program's name and the end of the line.
#[derive(Debug, Parser)]
#[command(name = "terraform-provider-msk", bin_name = "terraform-provider-msk", about = None)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Looks at clusters without Terraform.
    #[command(subcommand)]
    Clusters(Which),
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Lists every cluster, and what is left of others.
    List(Data),
    /// Removes a cluster that no Terraform state holds, with its data.
    Discard {
        /// The cluster's name.
        name: String,
        /// Also one that a Terraform state holds, because that state is lost.
        #[arg(long)]
        held: bool,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Debug, Args)]
struct Data {
    /// The provider's `data_directory`.
    #[arg(long, value_name = "DIRECTORY")]
    data_directory: Option<Utf8PathBuf>,
}

/// Why the command did not do it.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("name the data directory: `--data-directory D`, or the variable `MSK_LOCAL_DATA_DIRECTORY`")]
    NoDirectory,
    #[error(transparent)]
    Local(#[from] LocalError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("write the answer")]
    Output(#[from] io::Error),
    #[error("there is no cluster `{0}` in this data directory")]
    NothingThere(String),
    #[error(
        "the cluster `{name}` is held by a Terraform state, made from {holder}: run `terraform destroy` there. If that \
         state is lost, add `--held`"
    )]
    Held { name: String, holder: String },
}

/// Runs `clusters …` with the arguments that follow the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let program = std::iter::once(OsString::from("terraform-provider-msk"));
    let line = match Line::try_parse_from(program.chain(arguments)) {
        Ok(line) => line,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(line)),
        Err(error) => Err(Failure::Output(error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing more can be done if stderr is closed.
            let _ = writeln!(io::stderr(), "error: {}", chain(&failure));
            ExitCode::FAILURE
        }
    }
}

async fn run(line: Line) -> Result<(), Failure> {
    let Command::Clusters(which) = line.command;
    match which {
        Which::List(data) => {
            let lines = open(data).await?.inventory().await?;
            Ok(io::stdout().write_all(table(&lines).as_bytes())?)
        }
        Which::Discard { name, held, data } => {
            let clusters = open(data).await?;
            let limits = Limits::starting_now(LIMIT, CancellationToken::new());
            match clusters.discard(&ClusterName::new(&*name), held, &limits).await? {
                Discarded::Removed => Ok(writeln!(io::stdout(), "removed the cluster `{name}`")?),
                Discarded::NothingThere => Err(Failure::NothingThere(name)),
                Discarded::Held(holder) => Err(Failure::Held { name, holder }),
            }
        }
    }
}

async fn open(data: Data) -> Result<Clusters<LocalEngine>, Failure> {
    let named = data.data_directory.or_else(|| {
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let below = |root: String, rest: &str| Utf8PathBuf::from(root).join(rest);
        environment("MSK_LOCAL_DATA_DIRECTORY")
            .map(Utf8PathBuf::from)
            .or_else(|| environment("XDG_DATA_HOME").map(|root| below(root, "terraform-provider-msk")))
            .or_else(|| environment("HOME").map(|root| below(root, ".local/share/terraform-provider-msk")))
    });
    let directory = named.ok_or(Failure::NoDirectory)?;
    let directory = camino::absolute_utf8(&directory)?;
    let engine = Arc::new(LocalEngine::new(Settings::new(directory)));
    let store = engine.open_existing(None).await?;
    Ok(Clusters::new(engine, store))
}

fn table(lines: &[InventoryLine]) -> String {
    if lines.is_empty() {
        return "no clusters\n".to_owned();
    }
    let mut text = format!(
        "{:<24} {:<34} {:<16} {:<8} MADE FROM\n",
        "NAME", "UID", "STANDING", "AGENTS"
    );
    for line in lines {
        let agents = format!("{}/{}", line.agents.0, line.agents.1);
        let row = format!(
            "{:<24} {:<34} {:<16} {agents:<8} {}\n",
            line.name.as_str(),
            line.uid.as_str(),
            line.standing,
            line.made_by
        );
        text.push_str(&row);
    }
    text
}
