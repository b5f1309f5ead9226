//! Performs the single steps of a plan for one cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::error::StepError;
use super::observe::{is_fresh, observe_documents, read_status};
use super::record::RecordKeeper;
use crate::clock::Timestamp;
use crate::engine::effects::effect;
use crate::engine::run::{Perform, Progress};
use crate::engine::{ClusterPlace, Engine, Order};
use crate::observed::{ObservedCluster, Seen};
use crate::planner::document::{desired_document, removal_document};
use crate::planner::report::node_name;
use crate::planner::step::{Action, Step};
use crate::spec::cluster::ClusterSpec;
use crate::spec::ids::{Generation, NodeId};
use crate::store::documents::keys::{self, PerNode, Single};
use crate::store::documents::{
    ClusterDesired, ClusterIdentity, NodePhase, NodeStatus, Phase, Problem, PropertiesStatus, Tombstone,
};
use crate::store::{DocumentError, Documents, Put, Store};

/// How long a wait sleeps if nothing hints at a change; freshness also passes without one.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// An agent that has ended is judged only after this: it may be just being replaced.
const AGENT_PATIENCE: Duration = Duration::from_secs(5);
/// Looking for agents goes through all processes of the machine, so not with every hint.
const LOOK_FOR_AGENTS_EVERY: Duration = Duration::from_secs(1);
/// Documents of one cluster; thousands of topics are one document.
const MAX_DOCUMENTS: usize = 20_000;

/// The performer of one operation.
#[derive(Debug)]
pub(super) struct ClusterPerformer<E> {
    pub(super) engine: Arc<E>,
    pub(super) store: Store,
    pub(super) place: ClusterPlace,
    pub(super) record: Arc<RecordKeeper>,
    /// `None` when the cluster goes away.
    pub(super) wanted: Option<ClusterSpec>,
}

impl<E: Engine> Perform for ClusterPerformer<E> {
    type Error = StepError;

    async fn perform(&self, step: &Step, progress: &Progress) -> Result<(), StepError> {
        match &step.action {
            Action::FetchKafka(version) => effect(
                "fetch Kafka",
                self.engine.fetch_kafka(&self.store, *version, progress),
            )
            .await
            .map_err(StepError::Engine),
            Action::ClaimIdentity => self.claim_identity().await,
            Action::MakePlaces => self
                .engine
                .make_places(self.order()?, progress)
                .await
                .map_err(StepError::Engine),
            Action::AlignNetwork => self
                .engine
                .align_network(self.order()?)
                .await
                .map_err(StepError::Engine),
            Action::AlignObjects => self
                .engine
                .align_objects(self.order()?, progress)
                .await
                .map_err(StepError::Engine),
            Action::ChangeVolume(node) => self
                .engine
                .change_volume(self.order()?, *node, progress)
                .await
                .map_err(StepError::Engine),
            Action::ReplaceVolume(node) => self
                .engine
                .replace_volume(self.order()?, *node, progress)
                .await
                .map_err(StepError::Engine),
            Action::WriteDesired => self.write_desired().await,
            Action::StartNode(node) => effect(
                "start a node",
                self.engine.start_node(self.order()?, *node, progress),
            )
            .await
            .map_err(StepError::Engine),
            Action::AwaitNodes(nodes) => self.await_nodes(nodes, progress).await,
            Action::AwaitProperties => self.await_properties(progress).await,
            Action::RecordActive => self.record_active().await,
            Action::WriteRemoval => self.write_removal().await,
            Action::RemoveNode(node) => effect(
                "remove a node",
                self.engine.remove_node(&self.store, &self.place, *node, progress),
            )
            .await
            .map_err(StepError::Engine),
            Action::RemoveCluster => self.remove_cluster().await,
        }
    }
}

impl<E: Engine> ClusterPerformer<E> {
    fn documents(&self) -> Documents {
        Documents::of_cluster(&self.store, &self.place.uid)
    }

    async fn seen(&self) -> Result<ObservedCluster, StepError> {
        let record = self.record.record().await?;
        observe_documents(&self.store, &record).await
    }

    fn wanted(&self) -> Result<&ClusterSpec, StepError> {
        self.wanted.as_ref().ok_or(StepError::Internal {
            what: "a step that makes something in a plan that removes",
        })
    }

    fn order(&self) -> Result<Order<'_>, StepError> {
        Ok(Order {
            store: &self.store,
            place: &self.place,
            wanted: self.wanted()?,
        })
    }

    async fn claim_identity(&self) -> Result<(), StepError> {
        let wanted = self.wanted()?;
        let key = keys::single(&self.place.uid, Single::Identity)?;
        if self.documents().read::<ClusterIdentity>(&key).await?.is_some() {
            return Ok(());
        }
        let drawn = self.engine.draw_identity(&self.store, &self.place, wanted);
        let identity = drawn.await.map_err(StepError::Engine)?;
        let documents = self.documents();
        // A conflict means that this step ran before: what is written stays.
        effect("write the identity", documents.create(&key, &identity)).await?;
        Ok(())
    }

    async fn write_desired(&self) -> Result<(), StepError> {
        let wanted = self.wanted()?;
        let seen = self.seen().await?;
        let document = desired_document(wanted, &seen).ok_or(StepError::Missing { what: "identity" })?;
        self.put_desired(&document).await
    }

    async fn write_removal(&self) -> Result<(), StepError> {
        match self.seen().await?.desired {
            Seen::Known((_, before)) => self.put_desired(&removal_document(&before)).await,
            Seen::Absent | Seen::Uncertain => Ok(()),
        }
    }

    async fn put_desired(&self, document: &ClusterDesired) -> Result<(), StepError> {
        let key = keys::single(&self.place.uid, Single::Cluster)?;
        let documents = self.documents();
        effect("write the desired document", async {
            match documents.read::<ClusterDesired>(&key).await? {
                Some(read) if read.body == *document => Ok(()),
                Some(read) => match documents.replace(&key, &read, document).await? {
                    Put::Written(..) => Ok(()),
                    Put::Conflict => Err(StepError::TakenOver),
                },
                None => match documents.create(&key, document).await? {
                    Put::Written(..) => Ok(()),
                    Put::Conflict => Err(StepError::TakenOver),
                },
            }
        })
        .await
    }

    async fn record_active(&self) -> Result<(), StepError> {
        let now = self.store.now().await.map_err(DocumentError::from)?;
        self.record
            .change("record ACTIVE", |record| {
                record.first_active_at.get_or_insert(now);
                if record.phase == Phase::Making {
                    record.phase = Phase::Made;
                }
            })
            .await?;
        Ok(())
    }

    async fn await_nodes(&self, nodes: &[NodeId], progress: &Progress) -> Result<(), StepError> {
        let mut changes = self.store.changes(&keys::status_folder(&self.place.uid)?);
        let mut waiting = nodes.to_vec();
        let mut gone_since: BTreeMap<NodeId, Instant> = BTreeMap::new();
        let mut looked = Instant::now();
        loop {
            let mut texts = Vec::new();
            let mut still = Vec::new();
            for node in waiting {
                if let Some(text) = self.look_at(node).await? {
                    texts.push(format!("{}: {text}", node_name(node)));
                    still.push(node);
                }
            }
            if still.is_empty() {
                return Ok(());
            }
            if looked.elapsed() >= LOOK_FOR_AGENTS_EVERY.max(self.store.pace() * 3) {
                looked = Instant::now();
                self.judge_agents(&still, &mut gone_since).await?;
            }
            progress.say(&texts.join("; "));
            waiting = still;
            changes.changed(self.store.pace().max(LOOK_EVERY)).await;
        }
    }

    /// `None` when the node is in sync, else what it is waiting for.
    async fn look_at(&self, node: NodeId) -> Result<Option<String>, StepError> {
        let read = read_status::<NodeStatus>(&self.store, &self.place.uid, node, PerNode::Node).await?;
        let Some(read) = read else {
            return Ok(Some("has not reported yet".to_owned()));
        };
        let now = self.store.now().await.map_err(DocumentError::from)?;
        if !is_fresh(self.engine.as_ref(), &read.body, read.modified_at, now) {
            return Ok(Some("its last report is old".to_owned()));
        }
        match read.body.phase {
            NodePhase::InSync => Ok(None),
            NodePhase::Failed => Err(StepError::NodeFailed {
                node,
                problem: read
                    .body
                    .problem
                    .map_or_else(|| "its agent does not say why".to_owned(), |problem| problem.text),
            }),
            phase => Ok(Some(waiting_text(phase, read.body.progress, read.body.problem))),
        }
    }

    /// A node whose agent has ended will never be in sync.
    async fn judge_agents(
        &self,
        waiting: &[NodeId],
        gone_since: &mut BTreeMap<NodeId, Instant>,
    ) -> Result<(), StepError> {
        let seen = self.seen().await?;
        let desired = seen.desired.known().map(|(_, desired)| desired);
        let sight = self
            .engine
            .observe(&self.store, &self.place, desired, seen.places.known())
            .await
            .map_err(StepError::Engine)?;
        for node in waiting {
            let has_agent = sight
                .nodes
                .get(node)
                .is_some_and(|place| place.agent != Seen::Absent);
            if has_agent {
                gone_since.remove(node);
                continue;
            }
            let since = *gone_since.entry(*node).or_insert_with(Instant::now);
            if since.elapsed() >= AGENT_PATIENCE {
                return Err(StepError::AgentEnded {
                    node: *node,
                    words: self.engine.last_words(&self.place, *node),
                });
            }
        }
        Ok(())
    }

    async fn await_properties(&self, progress: &Progress) -> Result<(), StepError> {
        let mut changes = self.store.changes(&keys::status_folder(&self.place.uid)?);
        loop {
            let Seen::Known((generation, desired)) = self.seen().await?.desired else {
                return Err(StepError::Missing {
                    what: "desired document",
                });
            };
            let mut is_done = false;
            for node in desired.nodes.iter().filter(|node| node.is_broker) {
                let read = read_status::<PropertiesStatus>(
                    &self.store,
                    &self.place.uid,
                    node.id,
                    PerNode::Properties,
                )
                .await?;
                let Some(read) = read else { continue };
                is_done = is_done || properties_are_done(&read.body, generation, &desired)?;
            }
            if is_done {
                return Ok(());
            }
            progress.say("waits until the brokers have taken the properties");
            changes.changed(self.store.pace().max(LOOK_EVERY)).await;
        }
    }

    async fn remove_cluster(&self) -> Result<(), StepError> {
        let place = &self.place;
        effect(
            "remove places and claims",
            self.engine.remove_cluster(&self.store, place),
        )
        .await
        .map_err(StepError::Engine)?;
        let tombstone = Tombstone {
            name: place.name.clone(),
            uid: place.uid.clone(),
            deleted_at: Timestamp::now(),
        };
        let of_store = Documents::of_store(&self.store);
        let key = keys::tombstone(&place.uid)?;
        effect("write the tombstone", of_store.create(&key, &tombstone)).await?;
        effect("remove the documents", self.remove_documents()).await?;
        self.record.delete().await
    }

    async fn remove_documents(&self) -> Result<(), StepError> {
        let folder = keys::cluster_folder(&self.place.uid)?;
        let listed = self.store.list_all(&folder, MAX_DOCUMENTS).await?;
        for key in listed {
            self.store.delete(&key).await?;
        }
        Ok(())
    }
}

/// What a node is doing; a problem that its agent works on comes first, since people may have to mend it.
fn waiting_text(phase: NodePhase, progress: String, problem: Option<Problem>) -> String {
    let progress = if progress.is_empty() {
        format!("{phase:?}").to_lowercase()
    } else {
        progress
    };
    problem.map_or_else(
        || progress.clone(),
        |problem| {
            // The rest, Kafka's last words, is for the error, if it comes to one.
            let first = problem.text.lines().next().unwrap_or_default();
            format!("{first}; {progress}")
        },
    )
}

fn properties_are_done(
    status: &PropertiesStatus,
    generation: Generation,
    desired: &ClusterDesired,
) -> Result<bool, StepError> {
    if status.applied < generation {
        return Ok(false);
    }
    if let Some(failure) = &status.failure
        && failure.generation >= generation
    {
        return Err(StepError::Properties {
            code: failure.code.clone(),
            message: failure.message.clone(),
        });
    }
    let differs =
        |(name, value): (&String, &String)| status.dynamic.get(name).is_some_and(|seen| seen != value);
    Ok(!desired.live_properties.iter().any(differs))
}
