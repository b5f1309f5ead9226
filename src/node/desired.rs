//! Reads `desired/cluster.json` and decides whether to believe it.
//!
//! Neither a missing document nor an older one is ever an order: the agent goes on with the last one
//! it applied, which it keeps beside the data.

use std::fs;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::context::{Context, Desired};
use super::home::NodeDirectory;
use super::home::write_private;
use super::problem::{problem, with_causes};
use crate::spec::ids::Generation;
use crate::store::documents::keys::{self, Single};
use crate::store::documents::{ClusterDesired, Problem, ProblemCode};
use crate::store::{Key, KeyError, Look, Version};

/// The document as it is kept beside the data.
#[derive(Serialize, Deserialize)]
struct Kept {
    generation: Generation,
    cluster: ClusterDesired,
}

/// The document that was obeyed last.
pub(crate) fn kept(directory: &NodeDirectory) -> Option<ClusterDesired> {
    let text = fs::read(directory.applied().join("cluster.json")).ok()?;
    serde_json::from_slice::<Kept>(&text)
        .ok()
        .map(|kept| kept.cluster)
}

/// Follows the desired document of the cluster.
pub(crate) struct DesiredReader {
    key: Key,
    seen: Option<Version>,
    problem: Option<Problem>,
}

impl DesiredReader {
    /// Begins with the document last applied, if there is one.
    pub(crate) fn new(context: &Context) -> Result<Self, KeyError> {
        let key = keys::single(&context.home.cluster_uid, Single::Cluster)?;
        let path = context.directory.applied().join("cluster.json");
        let kept = fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice::<Kept>(&text).ok());
        if let Some(kept) = kept {
            context.desired.send_replace(Some(Arc::new(Desired {
                generation: kept.generation,
                cluster: kept.cluster,
            })));
        }
        Ok(Self {
            key,
            seen: None,
            problem: None,
        })
    }

    /// Looks whether there is a newer document and takes it over. Answers what is wrong with the one in
    /// the store, if anything is.
    pub(crate) async fn refresh(&mut self, context: &Context) -> Option<Problem> {
        // Most looks find nothing new: the version tells, without parsing anything.
        let known = self.seen.as_ref();
        match context.documents.look::<ClusterDesired>(&self.key, known).await {
            Ok(Look::Unchanged) => {}
            Ok(Look::Changed(read)) => {
                self.seen = Some(read.version);
                self.problem = self.take(context, read.generation, read.body);
            }
            Ok(Look::Absent) => {
                self.seen = None;
                self.problem = None;
            }
            Err(cause) => {
                self.seen = None;
                self.problem = Some(problem(ProblemCode::DocumentBroken, with_causes(&cause)));
            }
        }
        self.problem.clone()
    }

    fn take(&self, context: &Context, generation: Generation, cluster: ClusterDesired) -> Option<Problem> {
        let before = context.desired();
        if let Some(before) = &before {
            if generation < before.generation {
                return Some(problem(
                    ProblemCode::StoreRolledBack,
                    format!(
                        "`{}` has generation {generation}, generation {} was applied before; \
                         the store was rolled back, restore the newer one or apply again",
                        context.documents.store().location(&self.key),
                        before.generation
                    ),
                ));
            }
            if generation == before.generation && cluster == before.cluster {
                return None;
            }
        }
        let kept = Kept { generation, cluster };
        let path = context.directory.applied().join("cluster.json");
        let saved = serde_json::to_vec(&kept)
            .map_err(std::io::Error::other)
            .and_then(|text| write_private(&path, &text));
        if let Err(cause) = &saved {
            // Not fatal: the memory of a generation is lost with the agent, nothing else.
            tracing::warn!(%path, %cause, "the applied document could not be kept");
        }
        context.desired.send_replace(Some(Arc::new(Desired {
            generation: kept.generation,
            cluster: kept.cluster,
        })));
        None
    }
}
