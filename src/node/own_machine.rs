//! What an agent knows of a machine that is its node's alone; `None` of it where nodes share one.

use camino::Utf8PathBuf;
use tokio::sync::watch;

use crate::store::documents::MachineStatus;

/// The machine of a node on AWS.
#[derive(Debug)]
pub(crate) struct OwnMachine {
    /// The instance.
    pub(crate) instance_id: String,
    /// The volume with the node's data: the disk of the format claim.
    pub(crate) volume_id: String,
    /// What the agent logs, on the root disk.
    pub(crate) agent_log: Utf8PathBuf,
    /// Its presence says that Kafka has run on this instance; on the root disk, so that the next one begins anew.
    pub(crate) ran_mark: Utf8PathBuf,
    /// What was found of the volume; written by who looks after its size.
    pub(crate) volume: watch::Sender<MachineStatus>,
}
