//! Applies topics, users, ACLs and live properties through the node's own broker.
//!
//! The agent in charge is the broker with the lowest id whose status is fresh. That is an optimization,
//! not a lock: every request is safe when two agents send it, or one sends it late. Whatever waits goes
//! in one request per kind.
//!
//! *Guarantees*: a status with `applied` = g is written only after everything up to g was done, and is in
//! force at every broker that lives, or stands in its `failures`. Nothing is deleted but by a tombstone, topics only by id.
//!
//! *Cancellation*: an agent may die between any two requests; the next one looks at Kafka first and
//! carries on.

/// ACLs.
mod acls;
/// Topics, users and ACLs as one.
mod kind;
/// The cluster's live properties.
mod properties;
/// What the kinds have in common.
mod shared;
/// Waiting until a change is in force at every broker.
mod spread;
/// Topics.
mod topics;
/// SCRAM users.
mod users;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::admin::{self, AdminError};
use super::context::{Context, KafkaState};
use super::observer;
use super::problem::with_causes;
use crate::kafka::client::{Admin, Error, KafkaError};
use crate::store::documents::NodePhase;
use crate::store::{Changes, DocumentError, KeyError, Prefix};
use acls::Acls;
use kind::{Link, apply, apply_both};
use properties::Properties;
use spread::Brokers;
use topics::Topics;
use users::Users;

/// How often Kafka is looked at when nothing changes. Older snapshots are "uncertain" to the provider.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(30);
/// The longest a request may take: a broker without an active controller answers late or never.
const PATIENCE: Duration = Duration::from_secs(15);
/// The first pause after a failed attempt; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause after failed attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A document that was read this long ago is read again before it is acted on: the process may have
/// been stopped in between.
const STALE_AFTER: Duration = Duration::from_secs(2);

/// Why an attempt to apply ended early. The next one begins with a fresh look at Kafka.
#[derive(Debug, thiserror::Error)]
enum ApplyError {
    /// The own broker cannot be reached.
    #[error("make a connection")]
    Connection(#[from] AdminError),
    /// A request failed as a whole.
    #[error("apply to Kafka")]
    Kafka(#[from] Error),
    /// One object cannot be read. It may be there: nothing is told of it.
    #[error("read from Kafka")]
    Item(#[from] KafkaError),
    /// A document cannot be read or written.
    #[error("use the store")]
    Document(#[from] DocumentError),
    /// The cluster's uid is none of ours.
    #[error("internal: bad key")]
    Key(#[from] KeyError),
    /// Entries could not be applied yet, for reasons that pass.
    #[error("{what}")]
    Pending {
        /// The first of them.
        what: String,
    },
    /// The document is older than it may be when it is acted on.
    #[error("the document was read too long ago")]
    Stale,
}

/// Applies until it is dropped.
pub(crate) async fn run(context: &Context, folder: &Prefix) -> Infallible {
    let mut administrator = Administrator {
        context,
        changes: context.documents.store().changes(folder),
        admin: None,
        brokers: Brokers::default(),
        kinds: None,
        own: Properties::default(),
        pause: FIRST_PAUSE,
    };
    let mut kafka = context.kafka.subscribe();
    let mut peers = context.peers.subscribe();
    let mut certificates = context.certificates.subscribe();
    loop {
        let is_ready = *kafka.borrow_and_update() != KafkaState::Down;
        peers.mark_unchanged();
        let wait = if is_ready {
            administrator.attempt().await
        } else {
            administrator.rest();
            SNAPSHOT_EVERY
        };
        tokio::select! {
            _ = administrator.changes.changed(wait) => {}
            _ = kafka.changed() => {}
            () = in_charge_changes(context, &mut peers) => {}
            _ = certificates.changed() => administrator.disconnect(),
        }
    }
}

/// Whether this broker is the one with the lowest id among those whose agents are alive.
fn is_in_charge(context: &Context) -> bool {
    let own = context.node_id();
    let lower = |peer: &crate::store::documents::NodeStatus| {
        peer.node_id < own
            && peer.view.is_some()
            && matches!(peer.phase, NodePhase::Running | NodePhase::InSync)
            && observer::is_fresh(peer)
    };
    !context.peers.borrow().iter().any(lower)
}

async fn in_charge_changes(
    context: &Context,
    peers: &mut tokio::sync::watch::Receiver<super::context::Peers>,
) {
    let before = is_in_charge(context);
    loop {
        // A peer that falls silent changes nothing in the store: look again when its time is over.
        let _ = tokio::time::timeout(Duration::from_secs(5), peers.changed()).await;
        if is_in_charge(context) != before {
            return;
        }
    }
}

struct Administrator<'a> {
    context: &'a Context,
    changes: Changes,
    admin: Option<Arc<Admin>>,
    brokers: Brokers,
    /// What is known of each kind while this agent is in charge.
    kinds: Option<Kinds>,
    own: Properties,
    pause: Duration,
}

struct Kinds {
    users: Users,
    topics: Topics,
    acls: Acls,
    properties: Properties,
}

impl Administrator<'_> {
    fn disconnect(&mut self) {
        self.admin = None;
        self.brokers.disconnect();
    }

    fn rest(&mut self) {
        self.disconnect();
        self.kinds = None;
        self.own = Properties::default();
    }

    /// Does what is due; answers how long there is nothing to do.
    async fn attempt(&mut self) -> Duration {
        match Box::pin(self.apply()).await {
            Ok(wait) => {
                self.pause = FIRST_PAUSE;
                wait
            }
            Err(ApplyError::Stale) => Duration::ZERO,
            Err(cause) => {
                tracing::info!(cause = %with_causes(&cause), "not everything could be applied; trying again");
                if !matches!(cause, ApplyError::Pending { .. }) {
                    self.disconnect();
                }
                let pause = self.pause;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                pause
            }
        }
    }

    async fn apply(&mut self) -> Result<Duration, ApplyError> {
        let in_charge = is_in_charge(self.context);
        if !in_charge {
            self.kinds = None;
        }
        if self.context.desired().is_none_or(|desired| {
            desired
                .node(self.context.node_id())
                .is_none_or(|node| !node.is_broker)
        }) {
            return Ok(SNAPSHOT_EVERY);
        }
        let admin = match &self.admin {
            Some(admin) => admin,
            None => self
                .admin
                .insert(Arc::new(admin::connect(self.context, PATIENCE)?)),
        };
        self.own.drop_own_overrides(self.context, admin).await?;
        if !in_charge {
            // At rest a connection costs memory on both sides.
            self.disconnect();
            return Ok(SNAPSHOT_EVERY);
        }
        self.brokers.rest();
        let kinds = match &mut self.kinds {
            Some(kinds) => kinds,
            None => self.kinds.insert(Kinds {
                users: Users::load(self.context).await?,
                topics: Topics::load(self.context).await?,
                acls: Acls::load(self.context).await?,
                properties: Properties::load(self.context).await?,
            }),
        };
        kinds.users.look_for_rotations(self.context).await;
        let mut link = Link {
            context: self.context,
            admin,
            brokers: &mut self.brokers,
        };
        // Creation before use: users and topics first, then what is allowed to whom. One kind that waits
        // does not keep the others from going on. Users are waited for by themselves: a broker puts its
        // topics in order before its users, and tells only that it has begun (see `spread`).
        let results = [
            kinds.properties.apply(self.context, admin).await,
            apply(&mut kinds.users, &mut link).await,
            apply_both(&mut kinds.topics, &mut kinds.acls, &mut link).await,
        ];
        let mut next = Instant::now() + SNAPSHOT_EVERY;
        for result in results {
            next = next.min(result?);
        }
        Ok(next.saturating_duration_since(Instant::now()))
    }
}
