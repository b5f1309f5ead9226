//! What the data sources read: everything of one kind on a cluster.

use std::sync::Arc;

use super::{cluster_id, cluster_of};
use crate::engine::access::{AccessError, Kind, Snapshot};
use crate::resource::{ProviderData, configured, sentence};
use crate::spec::ids::ClusterName;
use crate::tfplugin::schema::Attribute;
use crate::tfplugin::{AttributePath, Context, Diagnostics, Object, chain};

/// `cluster_id` of a data source, where nothing is replaced.
pub(in crate::resource) fn listed_cluster_id() -> Attribute {
    let mut attribute = cluster_id().description("The cluster: `msk_cluster.<label>.id`.");
    attribute.replace = false;
    attribute
}

/// The newest word of the agents, which must be young enough to be believed.
pub(in crate::resource) async fn list<K: Kind>(
    context: &Context<ProviderData>,
    config: &Object,
    diagnostics: &mut Diagnostics,
) -> Option<(ClusterName, Arc<Snapshot<K>>)> {
    let data = configured(context, diagnostics)?;
    let access = data.access(diagnostics).await?;
    let cluster = cluster_of(config)?;
    match access.list::<K>(&cluster).await {
        Ok((_, snapshot)) if snapshot.is_believed() => Some((cluster, snapshot)),
        Ok((_, snapshot)) => {
            let word = snapshot.age.map_or_else(
                || "no agent has said anything yet".to_owned(),
                |age| format!("the agents' last word is {} s old", age.as_secs()),
            );
            diagnostics.general_error(
                "The cluster cannot be looked at now",
                format!(
                    "On the cluster `{cluster}` {word}, which is no ground for a list. Apply to mend the cluster; \
                     `msk-node status` shows its nodes."
                ),
            );
            None
        }
        Err(error) => {
            failure(&error, diagnostics);
            None
        }
    }
}

fn failure(error: &AccessError, diagnostics: &mut Diagnostics) {
    let text = sentence(&chain(error));
    match error {
        AccessError::NoCluster { .. } => diagnostics.error(
            &AttributePath::of("cluster_id"),
            "There is no such cluster",
            format!("{text} If the same configuration makes the cluster in another way, add `depends_on`."),
        ),
        _ => diagnostics.general_error("The cluster's objects cannot be read", text),
    }
}
