//! The agent as a whole: takes the node's lock, opens the store, runs its loops until one ends.
//!
//! The loops share one thread. The supervisor owns Kafka's process; the observer reads the cluster's
//! metadata; the administrator applies topics, users, ACLs and live properties. Only the supervisor's
//! end is the agent's end.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use super::apply;
use super::certificates::signer;
use super::context::Context;
use super::disruption;
use super::home::{HomeError, NodeDirectory, NodeHome};
use super::lock::{AgentLock, LockError};
use super::observer;
use super::place::PlaceError;
use super::renewal;
use super::supervisor::{Ended, Supervisor};
use super::training;
use crate::store::documents::keys;
use crate::store::{Documents, KeyError, OpenError, Store};

/// Why an agent could not begin its work.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The node's directory is not usable.
    #[error("read the node's directory")]
    Home(#[from] HomeError),
    /// Another agent runs, or the lock cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There is no way to the control store.
    #[error(transparent)]
    Place(Box<PlaceError>),
    /// The control store is not there, or is another one.
    #[error("open the control store")]
    Store(#[source] Box<OpenError>),
    /// The cluster's uid is none of ours.
    #[error("internal: the cluster's uid cannot be a key")]
    Key(#[from] KeyError),
    /// The system refused something that every agent needs.
    #[error("failed to {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

impl AgentError {
    fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::System { action, cause }
    }
}

/// Runs the agent of a node in the foreground.
///
/// # Errors
/// [`AgentError`] if it could not begin. Whatever goes wrong later stands in the node's status.
pub fn run(directory: NodeDirectory) -> Result<Ended, AgentError> {
    let home = NodeHome::load(&directory)?;
    directory.make_folders()?;
    let _lock = AgentLock::take(&directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(AgentError::system("make the runtime"))?;
    let ended = runtime.block_on(Box::pin(work(home, directory)));
    // A store operation that hangs on a dead file system must not keep the process alive.
    runtime.shutdown_background();
    ended
}

async fn work(home: NodeHome, directory: NodeDirectory) -> Result<Ended, AgentError> {
    let place = home
        .store
        .home()
        .await
        .map_err(|cause| AgentError::Place(Box::new(cause)))?;
    let store = Store::open_existing(&place, Some(&home.store_id))
        .await
        .map_err(|cause| AgentError::Store(Box::new(cause)))?;
    let documents = Documents::of_cluster(&store, &home.cluster_uid);
    tend(&Context::new(home, directory, documents, None)).await
}

/// Looks after a node whose lock is held and whose store is known, until its work ends.
pub(super) async fn tend(context: &Context) -> Result<Ended, AgentError> {
    let terminate = signal(SignalKind::terminate()).map_err(AgentError::system("listen for SIGTERM"))?;
    let wake = signal(SignalKind::hangup()).map_err(AgentError::system("listen for SIGHUP"))?;
    let home = &context.home;
    let desired_folder = keys::desired_folder(&home.cluster_uid)?;
    let status_folder = keys::status_folder(&home.cluster_uid)?;
    tracing::info!(node = %home.node_id, cluster = %home.cluster_name, "the agent begins");
    let supervisor = Supervisor::new(context, &desired_folder)?;
    tokio::select! {
        ended = Box::pin(supervisor.run(terminate, wake)) => Ok(ended),
        never = Box::pin(observer::run(context, &status_folder)) => match never {},
        never = Box::pin(training::run(context)) => match never {},
        never = Box::pin(disruption::run(context)) => match never {},
        never = Box::pin(apply::run(context, &desired_folder)) => match never {},
        never = Box::pin(renewal::run(context)) => match never {},
        never = Box::pin(signer::run(context)) => match never {},
    }
}
