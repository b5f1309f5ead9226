//! `terraform-provider-msk clusters list | discard`: what is on this machine or in the account, and what no state holds.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use super::BoxError;
use super::any::AnyEngine;
use super::cluster::inventory::{Discarded, InventoryLine};
use super::cluster::{ClusterError, Clusters};
use super::ec2::Ec2Engine;
use super::ec2::bucket::Removed;
use super::journal::chain;
use super::local::LocalEngine;
use super::run::Limits;
use super::{ec2, local};
use crate::spec::ids::ClusterName;

/// A discard ends processes and removes files; minutes mean that something hangs.
const LIMIT: Duration = Duration::from_mins(5);
/// Instances end within minutes; one whose host is ill takes a quarter of an hour.
const LIMIT_IN_ACCOUNT: Duration = Duration::from_mins(30);

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
    List(Place),
    /// Removes a cluster that no Terraform state holds, with its data.
    Discard {
        /// The cluster's name.
        name: String,
        /// Also one that a Terraform state holds, because that state is lost.
        #[arg(long)]
        held: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Removes a control bucket that the provider made, once nothing in it is in use.
    RemoveBucket(Account),
}

/// On one machine, unless a bucket is named.
#[derive(Debug, Args)]
struct Place {
    /// The provider's `data_directory`.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "control_bucket")]
    data_directory: Option<Utf8PathBuf>,
    /// The provider's `control_bucket`, for clusters in an AWS account. Credentials are found as the AWS command line
    /// finds them.
    #[arg(long, value_name = "BUCKET")]
    control_bucket: Option<String>,
    #[command(flatten)]
    within: Within,
}

#[derive(Debug, Args)]
struct Account {
    /// The provider's `control_bucket`.
    #[arg(long, value_name = "BUCKET")]
    control_bucket: String,
    #[command(flatten)]
    within: Within,
}

#[derive(Debug, Args)]
struct Within {
    /// The provider's `control_prefix`.
    #[arg(long, value_name = "PREFIX", default_value = "msk/")]
    control_prefix: String,
    /// The Region, if not that of the environment or profile.
    #[arg(long)]
    region: Option<String>,
}

/// Why the command did not do it.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("name the data directory: `--data-directory D`, or the variable `MSK_LOCAL_DATA_DIRECTORY`")]
    NoDirectory,
    #[error("open the control store")]
    Open(#[source] BoxError),
    #[error("remove the control bucket")]
    Bucket(#[from] ec2::Ec2Error),
    #[error("the bucket `{0}` was not made by the provider; it was left as it is")]
    UsersBucket(String),
    #[error("the bucket `{bucket}` is in use: it holds `{key}`; nothing was removed")]
    BucketInUse { bucket: String, key: String },
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("write the answer")]
    Output(#[from] io::Error),
    #[error("there is no cluster `{0}` in this control store")]
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
        Which::List(place) => {
            let lines = open(place).await?.inventory().await?;
            Ok(io::stdout().write_all(table(&lines).as_bytes())?)
        }
        Which::Discard { name, held, place } => {
            let limit = if place.control_bucket.is_some() {
                LIMIT_IN_ACCOUNT
            } else {
                LIMIT
            };
            let clusters = open(place).await?;
            let limits = Limits::starting_now(limit, CancellationToken::new());
            match clusters.discard(&ClusterName::new(&*name), held, &limits).await? {
                Discarded::Removed => Ok(writeln!(io::stdout(), "removed the cluster `{name}`")?),
                Discarded::NothingThere => Err(Failure::NothingThere(name)),
                Discarded::Held(holder) => Err(Failure::Held { name, holder }),
            }
        }
        Which::RemoveBucket(account) => {
            let bucket = account.control_bucket.clone();
            match in_account(account).remove_bucket().await? {
                Removed::Gone => Ok(writeln!(io::stdout(), "the bucket `{bucket}` is gone")?),
                Removed::Users => Err(Failure::UsersBucket(bucket)),
                Removed::InUse(key) => Err(Failure::BucketInUse { bucket, key }),
            }
        }
    }
}

async fn open(place: Place) -> Result<Clusters<AnyEngine>, Failure> {
    let engine = match place.control_bucket {
        Some(control_bucket) => AnyEngine::Ec2(Box::new(in_account(Account {
            control_bucket,
            within: place.within,
        }))),
        None => AnyEngine::Local(Box::new(on_this_machine(place.data_directory)?)),
    };
    let engine = Arc::new(engine);
    let store = engine.open_existing(None).await.map_err(Failure::Open)?;
    Ok(Clusters::new(engine, store))
}

fn on_this_machine(directory: Option<Utf8PathBuf>) -> Result<LocalEngine, Failure> {
    let named = directory.or_else(|| {
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let below = |root: String, rest: &str| Utf8PathBuf::from(root).join(rest);
        environment("MSK_LOCAL_DATA_DIRECTORY")
            .map(Utf8PathBuf::from)
            .or_else(|| environment("XDG_DATA_HOME").map(|root| below(root, "terraform-provider-msk")))
            .or_else(|| environment("HOME").map(|root| below(root, ".local/share/terraform-provider-msk")))
    });
    let directory = named.ok_or(Failure::NoDirectory)?;
    let directory = camino::absolute_utf8(&directory)?;
    Ok(LocalEngine::new(local::Settings::new(directory)))
}

fn in_account(account: Account) -> Ec2Engine {
    let settings = crate::aws::Settings {
        region: account.within.region,
        ..crate::aws::Settings::default()
    };
    Ec2Engine::new(ec2::Settings {
        account: settings,
        control_bucket: account.control_bucket,
        creates_control_bucket: false,
        control_prefix: account.within.control_prefix,
        control_kms_key_id: None,
        default_tags: BTreeMap::new(),
        kafka_directory: None,
        archive: None,
        java_archives: BTreeMap::new(),
        maven_command: String::new(),
    })
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
