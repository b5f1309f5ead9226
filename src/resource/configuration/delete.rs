//! The delete of a configuration that clusters may still use.
//!
//! Terraform deletes a configuration before it moves a cluster from it to another one in the same apply, and
//! the cluster's move is planned in that apply only then. So the destroy plan notes which clusters the same plan
//! moves away, as far as it knows by then.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{failed, private_of};
use crate::engine::configurations::{self, RecordError, Removal, User};
use crate::resource::ProviderData;
use crate::resource::private::{self, ConfigurationPrivate};
use crate::store::Store;
use crate::tfplugin::{Context, Diagnostics, Plan, PlanRequest, Private};

/// Terraform plans other objects at about the same time, on other threads.
const PATIENCE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(50);

/// The plan of a destroy.
pub(super) async fn plan(context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
    if request.private.is_empty() {
        return;
    }
    let Some(mut kept) = private_of(&request.private, &mut plan.diagnostics) else {
        return;
    };
    let name = request
        .prior
        .as_ref()
        .and_then(|prior| prior.string("name").known());
    if let (Some(data), Some(name)) = (context.data(), name) {
        kept.moves = Some(moves(data, &name).await);
    }
    let mut private = Private::default();
    private::write(&mut private, &kept, &mut plan.diagnostics);
    plan.private = private;
}

/// Who uses the configuration, and whether this walk plans that it leaves. Who is not planned in time is left
/// out: with one operation at a time the others may be waiting for this very plan.
async fn moves(data: &ProviderData, name: &str) -> BTreeMap<String, bool> {
    let users = match data.clusters_if_there().await {
        Some(clusters) if !data.is_unknown() => configurations::users(clusters.store(), name).await,
        _ => return BTreeMap::new(),
    };
    let users = users.unwrap_or_default();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let known: BTreeMap<String, bool> = users
            .iter()
            .filter_map(|user| {
                let stays = data.walk.plans_to_use(&user.cluster, name)?;
                Some((user.cluster.clone(), !stays))
            })
            .collect();
        if known.len() == users.len() || tokio::time::Instant::now() >= deadline {
            return known;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Who is in the way of a delete.
enum Usage {
    Nobody,
    /// Only clusters that leave in this apply.
    Leaving(Vec<String>),
    /// A cluster that stays.
    Staying(String),
}

pub(super) async fn delete(
    data: &ProviderData,
    store: &Store,
    name: &str,
    kept: &ConfigurationPrivate,
    diagnostics: &mut Diagnostics,
) {
    let removal = match usage(data, store, name, kept).await {
        Ok(Usage::Nobody) => configurations::remove(store, name, &kept.claim).await,
        Ok(Usage::Leaving(clusters)) => {
            diagnostics.general_warning(
                "The configuration goes with its last user",
                format!(
                    "The configuration `{name}` is still used by {} and goes when the move of this apply is done.",
                    clusters.join(", ")
                ),
            );
            hide(store, name, kept).await
        }
        Ok(Usage::Staying(cluster)) => {
            diagnostics.general_error(
                "A cluster uses the configuration",
                format!(
                    "The cluster `{cluster}` uses the configuration `{name}` and goes on using it after this apply. Give \
                     it another configuration, or take `configuration` out of it, and apply again."
                ),
            );
            return;
        }
        Err(error) => Err(error),
    };
    match removal {
        Ok(Removal::Removed) => {}
        Ok(Removal::NotOurs) => diagnostics.general_warning(
            "The configuration was left as it is",
            format!(
                "The configuration `{name}` belongs to another create by now; this state only forgets it."
            ),
        ),
        Err(error) => failed(&error, "The configuration was not deleted", diagnostics),
    }
}

/// The last user may leave between the look and the mark; then nobody else would remove it.
async fn hide(store: &Store, name: &str, kept: &ConfigurationPrivate) -> Result<Removal, RecordError> {
    let removal = configurations::hide(store, name, &kept.claim).await?;
    configurations::sweep(store, name).await?;
    Ok(removal)
}

async fn usage(
    data: &ProviderData,
    store: &Store,
    name: &str,
    kept: &ConfigurationPrivate,
) -> Result<Usage, RecordError> {
    let users = configurations::users(store, name).await?;
    if users.is_empty() {
        return Ok(Usage::Nobody);
    }
    Ok(match users.iter().find(|user| !leaves(data, name, kept, user)) {
        Some(user) => Usage::Staying(user.cluster.clone()),
        None => Usage::Leaving(users.iter().map(|user| format!("`{}`", user.cluster)).collect()),
    })
}

/// Whether a cluster leaves the configuration in this apply.
fn leaves(data: &ProviderData, name: &str, kept: &ConfigurationPrivate, user: &User) -> bool {
    if let Some(stays) = data.walk.plans_to_use(&user.cluster, name) {
        return !stays;
    }
    match &kept.moves {
        // Half of a replacement: who used it goes on using it.
        None => false,
        // Not seen in time. What refers to a resource that is taken out of a configuration must change with it,
        // so a cluster of this very configuration leaves; one of somebody else does not.
        Some(moves) => moves
            .get(&user.cluster)
            .copied()
            .unwrap_or_else(|| user.caller.as_ref() == Some(&data.caller)),
    }
}
