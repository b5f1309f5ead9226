//! The cluster's live properties: kept as the dynamic cluster default.
//!
//! A value set for a single broker would win over the default, so each agent takes such overrides of the
//! properties that we keep off its own broker; only that broker itself takes the request.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::ApplyError;
use super::shared::{Published, Snapshot, failure};
use super::spread::catch_up;
use crate::clock::Timestamp;
use crate::kafka::client::{Admin, Apply, ConfigChange, ConfigEdit, ConfigResource, ConfigScope};
use crate::node::context::Context;
use crate::spec::ids::Generation;
use crate::store::documents::PropertiesStatus;
use crate::store::documents::keys::PerNode;

#[derive(Default)]
pub(super) struct Properties {
    status: PropertiesStatus,
    published: Option<Published<PropertiesStatus>>,
    snapshot: Option<Snapshot>,
    /// The generation under which the own broker was last looked at.
    own_looked_at: Option<Generation>,
}

impl Properties {
    pub(super) async fn load(context: &Context) -> Result<Self, ApplyError> {
        Ok(Self {
            published: Some(Published::new(context, PerNode::Properties).await?),
            ..Self::default()
        })
    }

    pub(super) async fn apply(&mut self, context: &Context, admin: &Admin) -> Result<Instant, ApplyError> {
        let snapshot = self.snapshot.get_or_insert_with(Snapshot::none);
        let Some(desired) = context.desired() else {
            return Ok(snapshot.next());
        };
        if desired.generation <= self.status.applied && !snapshot.is_due() {
            return Ok(snapshot.next());
        }
        let observed_at = Timestamp::now();
        catch_up(admin).await?;
        let mut dynamic = read(admin, ConfigResource::ClusterDefault).await?;
        let edits: Vec<(String, ConfigEdit)> = desired
            .cluster
            .live_properties
            .iter()
            .filter(|(name, value)| dynamic.get(*name) != Some(*value))
            .map(|(name, value)| (name.clone(), ConfigEdit::Set(value.clone())))
            .collect();
        // What differs under a generation that was applied is drift: shown, not mended by itself.
        let is_new = desired.generation > self.status.applied;
        if is_new && !edits.is_empty() {
            let change = ConfigChange {
                resource: ConfigResource::ClusterDefault,
                edits,
            };
            let answers = admin.alter_configs(&[change], Apply::Now).await?;
            self.status.failure = answers
                .into_iter()
                .find_map(Result::err)
                .map(|error| failure(&error, desired.generation));
            if self.status.failure.is_none() {
                dynamic.extend(desired.cluster.live_properties.clone());
            }
        } else if is_new {
            self.status.failure = None;
        }
        self.status.applied = desired.generation.max(self.status.applied);
        self.status.dynamic = dynamic;
        self.status.observed_at = observed_at;
        snapshot.taken();
        let next = snapshot.next();
        if let Some(published) = &mut self.published {
            published.publish(context, &self.status).await?;
        }
        Ok(next)
    }

    /// Takes overrides of live properties off the own broker, once per generation.
    pub(super) async fn drop_own_overrides(
        &mut self,
        context: &Context,
        admin: &Admin,
    ) -> Result<(), ApplyError> {
        let Some(desired) = context.desired() else {
            return Ok(());
        };
        if self.own_looked_at == Some(desired.generation) {
            return Ok(());
        }
        let own = ConfigResource::Broker(context.node_id());
        let overrides = read(admin, own.clone()).await?;
        let edits: Vec<_> = overrides
            .into_keys()
            .filter(|name| desired.cluster.live_properties.contains_key(name))
            .map(|name| (name, ConfigEdit::Delete))
            .collect();
        if !edits.is_empty() {
            let change = ConfigChange { resource: own, edits };
            for answer in admin.alter_configs(&[change], Apply::Now).await? {
                if let Err(error) = answer {
                    tracing::warn!(%error, "overrides of this broker could not be taken away");
                }
            }
        }
        self.own_looked_at = Some(desired.generation);
        Ok(())
    }
}

/// What was set for the resource itself, secrets excluded.
async fn read(admin: &Admin, resource: ConfigResource) -> Result<BTreeMap<String, String>, ApplyError> {
    let answers = admin
        .describe_configs(&[resource], ConfigScope::Overrides)
        .await?;
    let entries = answers.into_iter().next().transpose()?.unwrap_or_default();
    Ok(entries
        .into_iter()
        .filter(|entry| !entry.is_sensitive)
        .filter_map(|entry| Some((entry.name, entry.value?)))
        .collect())
}
