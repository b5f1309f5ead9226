//! The node's status before there is a disk: what the agent waits for.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::node::problem::with_causes;
use crate::node::status::{self, HEARTBEAT};
use crate::spec::ids::{ClusterUid, Generation, NodeId};
use crate::store::documents::keys::{self, PerNode};
use crate::store::documents::{NodeStatus, Problem};
use crate::store::{Documents, Durability, Key, KeyError};

/// Writes the status of a node that is not ready for its loops.
pub(super) struct Reporter {
    documents: Documents,
    key: Key,
    generation: Option<Generation>,
    written_at: Option<Instant>,
    /// What the former life of the node said, as far as it could be read.
    pub(super) before: Option<NodeStatus>,
    now: NodeStatus,
}

impl Reporter {
    pub(super) fn new(
        documents: &Documents,
        uid: &ClusterUid,
        node: NodeId,
        instance_id: &str,
    ) -> Result<Self, KeyError> {
        Ok(Self {
            documents: documents.clone(),
            key: keys::per_node(uid, node, PerNode::Node)?,
            generation: None,
            written_at: None,
            before: None,
            now: status::begin(node, instance_id.to_owned()),
        })
    }

    /// Tells what is waited for, if it is new or was told long ago. A store that is away hears it later.
    pub(super) async fn say(&mut self, progress: impl Into<String>, problem: Option<Problem>) {
        let progress = progress.into();
        let is_new = self.now.progress != progress || self.now.problem != problem;
        if is_new {
            let trouble = problem.as_ref().map_or("", |problem| problem.text.as_str());
            tracing::info!(trouble, "{progress}");
        }
        let pause = HEARTBEAT.saturating_sub(Duration::from_millis(500));
        if !is_new && self.written_at.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        self.now.progress = progress;
        self.now.problem = problem;
        if let Err(cause) = self.write().await {
            tracing::warn!("the status cannot be written: {cause}");
        }
    }

    async fn write(&mut self) -> Result<(), String> {
        let in_words = |cause: crate::store::DocumentError| with_causes(&cause);
        let generation = match self.generation {
            Some(generation) => generation.next(),
            // Read first: a document of another store there must not be written over.
            None => match self.documents.read::<NodeStatus>(&self.key).await {
                Ok(Some(read)) => {
                    self.before = Some(read.body);
                    read.generation.next()
                }
                Ok(None) => Generation(1),
                Err(cause) => return Err(in_words(cause)),
            },
        };
        let now = self.documents.store().now().await;
        self.now.written_at = now.unwrap_or_else(|_| Timestamp::now());
        self.documents
            .publish(&self.key, generation, &self.now, Durability::Volatile)
            .await
            .map_err(in_words)?;
        self.generation = Some(generation);
        self.written_at = Some(Instant::now());
        Ok(())
    }
}
