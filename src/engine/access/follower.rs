//! What the agents say of topics, ACLs or users: one task reads it, any number of callers wait on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::REMEMBER;
use super::error::AccessError;
use super::kind::Kind;
use crate::clock::Timestamp;
use crate::engine::Engine;
use crate::engine::cluster::observe::{is_fresh, read_status, reporting_nodes};
use crate::spec::ids::{ClusterUid, Generation, NodeId};
use crate::store::documents::keys::{self, PerNode};
use crate::store::documents::{NodePhase, NodeStatus};
use crate::store::{DocumentError, Documents, Look, Store, Version};

/// How long the reader sleeps if nothing hints at a change.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Agents confirm their snapshot every 30 s; with the time that takes, older is uncertain.
const BELIEVED: Duration = Duration::from_secs(45);

/// The newest word of the agents.
#[derive(Debug)]
pub struct Snapshot<K: Kind> {
    /// The status document; empty if no agent has written one yet.
    pub status: Arc<K::Status>,
    /// How old it is, by the store's clock; `None` if there is none.
    pub age: Option<Duration>,
    /// Whether a broker is there that can serve.
    pub can_serve: bool,
}

impl<K: Kind> Snapshot<K> {
    /// Whether the snapshot is young enough to be believed.
    pub fn is_believed(&self) -> bool {
        self.age.is_some_and(|age| age <= BELIEVED)
    }

    /// Whether everything up to a generation was applied or has failed.
    pub fn has_applied(&self, generation: Generation) -> bool {
        K::applied(&self.status) >= generation
    }
}

/// Reads the status documents of one kind on one cluster.
#[derive(Debug)]
pub(super) struct Follower<K: Kind> {
    store: Store,
    uid: ClusterUid,
    latest: watch::Sender<Option<Arc<Snapshot<K>>>>,
    /// Whether the reading task runs; held while it decides to end.
    is_running: Mutex<bool>,
    memory: tokio::sync::Mutex<Memory<K>>,
}

#[derive(Debug)]
struct Memory<K: Kind> {
    read: BTreeMap<NodeId, (Version, Arc<K::Status>)>,
    looked: Option<(Instant, Arc<Snapshot<K>>)>,
}

impl<K: Kind> Follower<K> {
    pub(super) fn new(store: &Store, uid: &ClusterUid) -> Self {
        Self {
            store: store.clone(),
            uid: uid.clone(),
            latest: watch::Sender::new(None),
            is_running: Mutex::new(false),
            memory: tokio::sync::Mutex::new(Memory {
                read: BTreeMap::new(),
                looked: None,
            }),
        }
    }

    /// The newest snapshot, at most half a second old.
    pub(super) async fn look<E: Engine>(&self, engine: &E) -> Result<Arc<Snapshot<K>>, AccessError> {
        let mut memory = self.memory.lock().await;
        if let Some((at, snapshot)) = &memory.looked
            && at.elapsed() < REMEMBER
        {
            return Ok(Arc::clone(snapshot));
        }
        self.read(engine, &mut memory).await
    }

    async fn read<E: Engine>(
        &self,
        engine: &E,
        memory: &mut Memory<K>,
    ) -> Result<Arc<Snapshot<K>>, AccessError> {
        let now = self.store.now().await.map_err(DocumentError::from)?;
        let documents = Documents::of_cluster(&self.store, &self.uid);
        let mut can_serve = false;
        for node in reporting_nodes(&self.store, &self.uid).await? {
            can_serve = can_serve || self.serves(engine, node, now).await?;
            let key = keys::per_node(&self.uid, node, K::STATUS)?;
            let known = memory.read.get(&node).map(|(version, _)| version);
            match documents.look::<K::Status>(&key, known).await {
                Ok(Look::Changed(read)) => {
                    memory.read.insert(node, (read.version, Arc::new(read.body)));
                }
                Ok(Look::Unchanged) => {}
                Ok(Look::Absent) => {
                    memory.read.remove(&node);
                }
                Err(error @ DocumentError::Store(_)) => return Err(error.into()),
                Err(error) => tracing::warn!(%error, "a status is not believed"),
            }
        }
        let newest = memory
            .read
            .values()
            .max_by_key(|(_, status)| (K::applied(status), K::observed_at(status)));
        let snapshot = Arc::new(match newest {
            Some((_, status)) => Snapshot {
                status: Arc::clone(status),
                age: Some(now.since(K::observed_at(status))),
                can_serve,
            },
            None => Snapshot {
                status: Arc::default(),
                age: None,
                can_serve,
            },
        });
        memory.looked = Some((Instant::now(), Arc::clone(&snapshot)));
        Ok(snapshot)
    }

    async fn serves<E: Engine>(&self, engine: &E, node: NodeId, now: Timestamp) -> Result<bool, AccessError> {
        let read = read_status::<NodeStatus>(&self.store, &self.uid, node, PerNode::Node).await?;
        Ok(read.is_some_and(|read| {
            let serves = matches!(
                read.body.phase,
                NodePhase::Running | NodePhase::InSync | NodePhase::Starting | NodePhase::Recovering
            );
            serves && is_fresh(engine, &read.body, read.modified_at, now)
        }))
    }

    /// Begins to follow; the answer changes whenever the agents say something new.
    pub(super) fn follow<E: Engine>(
        self: &Arc<Self>,
        engine: &Arc<E>,
    ) -> watch::Receiver<Option<Arc<Snapshot<K>>>> {
        let mut is_running = self.is_running.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.latest.subscribe();
        if !*is_running {
            *is_running = true;
            let (follower, engine) = (Arc::clone(self), Arc::clone(engine));
            tokio::spawn(async move { follower.run(engine.as_ref()).await });
        }
        receiver
    }

    async fn run<E: Engine>(&self, engine: &E) {
        let mut changes = keys::status_folder(&self.uid)
            .ok()
            .map(|folder| self.store.changes(&folder));
        loop {
            let read = {
                let mut memory = self.memory.lock().await;
                self.read(engine, &mut memory).await
            };
            match read {
                Ok(snapshot) => {
                    self.latest.send_replace(Some(snapshot));
                }
                Err(error) => tracing::warn!(%error, "the agents' word cannot be read"),
            }
            match &mut changes {
                Some(changes) => {
                    changes.changed(LOOK_EVERY.max(self.store.pace())).await;
                }
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
            let mut is_running = self.is_running.lock().unwrap_or_else(PoisonError::into_inner);
            if self.latest.receiver_count() == 0 {
                *is_running = false;
                return;
            }
        }
    }
}
