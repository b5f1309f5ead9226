//! The delete of a configuration that clusters may still use.
//!
//! Terraform may delete a configuration before it moves a cluster to another one in the same apply. So
//! a cluster that this process has planned away from it does not count; one that stays is an error.

use std::time::Duration;

use super::failed;
use crate::engine::configurations::{self, RecordError, Removal};
use crate::resource::ProviderData;
use crate::resource::private::ConfigurationPrivate;
use crate::store::Store;
use crate::tfplugin::Diagnostics;

/// Terraform plans a cluster's move at about the same time as this delete, on another thread.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

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
    let removal = match usage(data, store, name).await {
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

async fn usage(data: &ProviderData, store: &Store, name: &str) -> Result<Usage, RecordError> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let users = configurations::users(store, name).await?;
        if users.is_empty() {
            return Ok(Usage::Nobody);
        }
        let leaves = |cluster: &str| {
            let planned = data.walk.planned_configuration(cluster);
            planned.is_some_and(|planned| planned.is_none_or(|(id, _)| id != name))
        };
        let staying = users.iter().find(|user| !leaves(&user.cluster));
        match staying {
            None => {
                return Ok(Usage::Leaving(
                    users
                        .into_iter()
                        .map(|user| format!("`{}`", user.cluster))
                        .collect(),
                ));
            }
            Some(user) if tokio::time::Instant::now() >= deadline => {
                return Ok(Usage::Staying(user.cluster.clone()));
            }
            Some(_) => tokio::time::sleep(POLL).await,
        }
    }
}
