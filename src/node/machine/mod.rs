//! The agent on an EC2 machine: `msk-node machine /etc/msk/boot.json`.
//!
//! From user data to the loops that every node has: it makes sure that this is the right machine, takes the node's
//! volume, fetches what the signed release allows, and then does what an agent does on one machine, with the store in
//! a bucket and Kafka as a unit of its own. Until the loops run, the node's status tells what is waited for.

/// What the node executes.
mod artifacts;
/// The volume as a disk.
mod disk;
/// The status before there is a disk.
mod early;
/// When a machine gives up.
mod power;
/// What may be done with a disk.
mod rules;
/// From nothing to a mounted disk.
mod take;
/// Giving way to another agent.
mod update;
/// EC2's part.
mod volume;

use std::convert::Infallible;
use std::fs;
use std::io::Read as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::agent::{self, AgentError};
use super::context::Context;
use super::desired;
use super::home::{HOME_FORMAT, NodeDirectory, NodeHome, PrivatePlace};
use super::kafka;
use super::lock::AgentLock;
use super::own_machine::OwnMachine;
use super::place::{BucketPlace, StorePlace};
use super::problem::{problem, with_causes};
use super::supervisor::Ended;
use super::unit;
use crate::aws::metadata::{self, InstanceIdentity};
use crate::aws::{Connection, ConnectionError, Settings};
use crate::store::boot::{self, BootError, BootFile};
use crate::store::documents::keys::{self, Single};
use crate::store::documents::{ClusterDesired, MachineStatus, ProblemCode};
use crate::store::release::Release;
use crate::store::{Documents, KeyError, OpenError, Store};
use artifacts::{Artifacts, Java};
use early::Reporter;
use update::Tries;

/// Where the agent has its things on the root disk.
const HOME: &str = "/var/lib/msk";
/// Gone with every boot.
const RUN: &str = "/run/msk";
/// What the agent logs; its unit appends to it.
const AGENT_LOG: &str = "/var/log/msk-node.log";
/// The pause before something is tried again that failed.
const PAUSE: Duration = Duration::from_secs(3);
/// How often the release and the size of the disk are looked at.
const LOOK: Duration = Duration::from_secs(15);
/// An agent that has lived so long was no bad one.
const LIVES: Duration = Duration::from_mins(1);

/// Why the agent of a machine could not begin.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The boot file cannot be read.
    #[error("read `{path}`")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// The boot file is not one.
    #[error("read `{path}`")]
    Boot {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong.
        #[source]
        cause: BootError,
    },
    /// The machine is another node's.
    #[error(
        "this machine has the interface {found}, its user data is for {expected}; it is not this node and does nothing"
    )]
    Interface {
        /// The machine's.
        found: String,
        /// User data's.
        expected: String,
    },
    /// There are no clients.
    #[error("reach the account")]
    Connection(#[from] ConnectionError),
    /// The store.
    #[error("open the control store")]
    Store(#[from] OpenError),
    /// A name.
    #[error("internal: a document has no name")]
    Key(#[from] KeyError),
    /// The agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

/// The machine and the ways from it.
struct Machine {
    boot: BootFile,
    boot_file: Utf8PathBuf,
    instance_id: String,
    ec2: aws_sdk_ec2::Client,
    s3: aws_sdk_s3::Client,
    secrets_manager: aws_sdk_secretsmanager::Client,
    documents: Documents,
}

impl Machine {
    fn artifacts(&self) -> Artifacts {
        Artifacts {
            client: self.s3.clone(),
            boot: self.boot.clone(),
            point: point(),
        }
    }
}

/// The mount point of the data volume.
fn point() -> Utf8PathBuf {
    Utf8PathBuf::from(unit::DATA)
}

/// Written by the boot script: the uptime at which it began.
fn began_file() -> Utf8PathBuf {
    Utf8PathBuf::from(RUN).join("began")
}

/// Read by the boot script: there is a volume.
fn attached_mark() -> Utf8PathBuf {
    Utf8PathBuf::from(RUN).join("attached")
}

/// Read by the boot script: Kafka has run on this instance.
fn ran_mark() -> Utf8PathBuf {
    Utf8PathBuf::from(HOME).join("kafka-ran")
}

/// Runs the agent of a machine in the foreground.
///
/// # Errors
/// [`MachineError`] if it could not begin. Whatever can pass by itself is waited for and stands in the node's status.
pub fn run(boot_file: &Utf8Path) -> Result<Ended, MachineError> {
    let boot = read(boot_file)?;
    bound_journal();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| AgentError::System {
            action: "make the runtime",
            cause,
        })?;
    let ended = runtime.block_on(Box::pin(work(boot, boot_file)));
    runtime.shutdown_background();
    ended
}

fn read(path: &Utf8Path) -> Result<BootFile, MachineError> {
    let access = |cause| MachineError::File {
        path: path.to_owned(),
        cause,
    };
    let mut bytes = Vec::new();
    let most = u64::try_from(boot::MAX_BYTES).unwrap_or(u64::MAX);
    fs::File::open(path)
        .map_err(access)?
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(access)?;
    BootFile::read(&bytes).map_err(|cause| MachineError::Boot {
        path: path.to_owned(),
        cause,
    })
}

async fn work(boot: BootFile, boot_file: &Utf8Path) -> Result<Ended, MachineError> {
    let place = BucketPlace {
        region: boot.region.clone(),
        bucket: boot.bucket.clone(),
        prefix: boot.prefix.clone(),
        owner: boot.bucket_owner.clone(),
    };
    let settings = place.settings();
    let own = identify(&settings).await;
    if own.interface_id != boot.interface_id {
        return Err(MachineError::Interface {
            found: own.interface_id,
            expected: boot.interface_id,
        });
    }
    let connection = Connection::of_instance(&settings).await?;
    let store = Store::of_known_id(&place.home(&connection)?, &boot.store_id)?;
    let machine = Machine {
        instance_id: own.instance_id,
        ec2: connection.ec2(),
        s3: connection.s3(),
        secrets_manager: connection.secrets_manager(),
        documents: Documents::of_cluster(&store, &boot.cluster_uid),
        boot,
        boot_file: boot_file.to_owned(),
    };
    let (uid, node) = (&machine.boot.cluster_uid, machine.boot.node_id);
    let mut reporter = Reporter::new(&machine.documents, uid, node, &machine.instance_id)?;
    reporter.say("looks for its volume", None).await;
    let disk = take::take(&machine, &mut reporter).await;
    let directory = NodeDirectory::new(point().join("node"));
    directory.make_folders().map_err(AgentError::from)?;
    let _lock = AgentLock::take(&directory).map_err(AgentError::from)?;
    let java = equip(&machine, &directory, &mut reporter).await;
    let context = context(&machine, place, directory, disk, java);
    tokio::select! {
        ended = Box::pin(agent::tend(&context)) => Ok(ended?),
        never = Box::pin(look_after_size(&machine, &context)) => match never {},
        () = Box::pin(follow_release(&machine, &context)) => Ok(Ended::Asked),
    }
}

/// Who this machine is. Its metadata service is part of it, so it is waited for without end.
async fn identify(settings: &Settings) -> InstanceIdentity {
    loop {
        match metadata::instance(settings).await {
            Ok(own) => return own,
            Err(cause) => {
                tracing::warn!(cause = %with_causes(&cause), "this machine does not know itself yet");
            }
        }
        sleep(PAUSE).await;
    }
}

fn context(
    machine: &Machine,
    place: BucketPlace,
    directory: NodeDirectory,
    disk: MachineStatus,
    java: Java,
) -> Context {
    let boot = &machine.boot;
    let home = NodeHome {
        format: HOME_FORMAT,
        store: StorePlace::Bucket(place),
        store_id: boot.store_id.clone(),
        cluster_uid: boot.cluster_uid.clone(),
        cluster_name: boot.cluster_name.clone(),
        node_id: boot.node_id,
        // The role decides what of it this node may read.
        private: PrivatePlace::Store,
        kafka_directory: machine.artifacts().kafka_directory(),
        java: java.program,
        java_version: java.version,
        cds_directory: None,
    };
    let own = OwnMachine {
        instance_id: machine.instance_id.clone(),
        volume_id: boot.volume_id.clone(),
        agent_log: AGENT_LOG.into(),
        ran_mark: ran_mark(),
        volume: watch::Sender::new(disk),
    };
    let context = Context::new(home, directory, machine.documents.clone(), Some(own));
    context.with_secrets(machine.secrets_manager.clone())
}

/// Gets what the node executes; goes on as another agent if the release names one.
async fn equip(machine: &Machine, directory: &NodeDirectory, reporter: &mut Reporter) -> Java {
    let artifacts = machine.artifacts();
    loop {
        let found = match artifacts.release(machine.documents.store()).await {
            Ok(release) => {
                give_way(machine, &artifacts, &release).await;
                reporter
                    .say("fetches Java and Kafka, unless they are there", None)
                    .await;
                outfit(machine, directory, &artifacts, &release).await
            }
            Err(error) => Err(error),
        };
        match found {
            Ok(Some((java, release))) => {
                if !kafka::runs(directory) {
                    artifacts.tidy(&release);
                }
                return java;
            }
            Ok(None) => reporter.say("waits for the desired document", None).await,
            Err(error) => {
                let found = problem(ProblemCode::Other, with_causes(&error));
                reporter.say("waits for Java and Kafka", Some(found)).await;
            }
        }
        sleep(PAUSE).await;
    }
}

async fn outfit(
    machine: &Machine,
    directory: &NodeDirectory,
    artifacts: &Artifacts,
    release: &Release,
) -> Result<Option<(Java, Release)>, artifacts::ArtifactError> {
    let java = artifacts.java(release).await?;
    let key = keys::single(&machine.boot.cluster_uid, Single::Cluster)?;
    let read = machine.documents.read::<ClusterDesired>(&key).await;
    let version = match read {
        Ok(Some(read)) => Some(read.body.kafka_version),
        // The one that was obeyed last is on the volume.
        Ok(None) | Err(_) => desired::kept(directory).map(|kept| kept.kafka_version),
    };
    let Some(version) = version else { return Ok(None) };
    artifacts.kafka(release, version).await?;
    Ok(Some((java, release.clone())))
}

/// Goes on as the agent that the release names. Returns if that is this one, or there is none to be had.
async fn give_way(machine: &Machine, artifacts: &Artifacts, release: &Release) {
    let Some((program, wanted)) = other_agent(artifacts, release).await else {
        return;
    };
    if Tries::below(Utf8Path::new(RUN), &wanted).may_try() {
        update::become_other(&program, &wanted, &machine.boot_file);
    } else {
        tracing::error!(%wanted, "the agent of the release never lives for long; goes on with the one at hand");
    }
}

async fn other_agent(
    artifacts: &Artifacts,
    release: &Release,
) -> Option<(Utf8PathBuf, crate::store::release::Sha256)> {
    let named = release.agents.get(artifacts::architecture())?;
    if update::own_digest().is_none_or(|own| own == named.artifact.sha256) {
        return None;
    }
    match artifacts.agent(release).await {
        Ok(found) => found,
        Err(cause) => {
            tracing::warn!(cause = %with_causes(&cause), "the agent of the release cannot be had");
            None
        }
    }
}

/// Fetches what a newer release or another version of Kafka needs. Ends when another agent is to take over: systemd
/// starts it, and Kafka goes on meanwhile.
async fn follow_release(machine: &Machine, context: &Context) {
    let artifacts = machine.artifacts();
    let began = Instant::now();
    let own = update::own_digest();
    let mut looked_at = Instant::now();
    let mut desired = context.desired.subscribe();
    loop {
        tokio::select! {
            () = sleep(LOOK) => {}
            _ = desired.changed() => {}
        }
        if let Some(own) = &own
            && began.elapsed() >= LIVES
        {
            Tries::below(Utf8Path::new(RUN), own).forget();
        }
        let Some(version) = context.desired().map(|desired| desired.cluster.kafka_version) else {
            continue;
        };
        let is_missing = !artifacts
            .kafka_directory()
            .join(crate::kafka::distribution::directory_name(version))
            .exists();
        if !is_missing && looked_at.elapsed() < LIVES {
            continue;
        }
        looked_at = Instant::now();
        let Ok(release) = artifacts.release(machine.documents.store()).await else {
            continue;
        };
        let fetched = match artifacts.java(&release).await {
            Ok(_) => artifacts.kafka(&release, version).await,
            Err(cause) => Err(cause),
        };
        if let Err(cause) = fetched {
            tracing::warn!(cause = %with_causes(&cause), "what the release names cannot be had");
        }
        if let Some((_, wanted)) = other_agent(&artifacts, &release).await
            && Tries::below(Utf8Path::new(RUN), &wanted).may_try()
        {
            tracing::info!(%wanted, "ends for another agent");
            return;
        }
    }
}

/// Lets the file system grow with its volume.
async fn look_after_size(machine: &Machine, context: &Context) -> Infallible {
    let device = disk::device(&machine.boot.volume_id);
    let mut known = disk::size(&device).unwrap_or(0);
    loop {
        sleep(LOOK).await;
        let (Ok(size), Some(own)) = (disk::size(&device), &context.machine) else {
            continue;
        };
        if size <= known {
            continue;
        }
        match disk::grow(&point()).await {
            Ok(bytes) => {
                tracing::info!(bytes, "the file system has grown");
                known = size;
                own.volume.send_modify(|volume| volume.file_system_bytes = bytes);
            }
            Err(cause) => tracing::warn!(cause = %with_causes(&cause), "the file system cannot grow"),
        }
    }
}

/// systemd's journal may by itself take a tenth of the disk.
fn bound_journal() {
    let (daemon, path) = (
        Utf8Path::new("/usr/lib/systemd/systemd-journald"),
        Utf8Path::new("/etc/systemd/journald.conf.d/msk.conf"),
    );
    if path.exists() || !daemon.exists() || !Utf8Path::new("/run/systemd/journal/socket").exists() {
        return;
    }
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, "[Journal]\nSystemMaxUse=512M\nRuntimeMaxUse=64M\n"))
        .and_then(|()| unit::systemctl(&["restart", "systemd-journald"]).map(|_| ()));
    if let Err(cause) = written {
        tracing::warn!(%cause, "the journal is not bounded");
    }
}
