//! What topics, ACLs and users share: plan, create, read, update, delete and import of an object that
//! lives in a desired document of its cluster and is made by the agents.
//!
//! A resource says with [`Entity`] what is its own; everything about claims, freshness and Terraform's
//! private state is here.

mod change;
mod engine;
mod list;
mod look;
pub(super) mod names;
mod plan;
pub(super) mod sightings;
#[cfg(test)]
pub(super) mod stand_in;

pub(super) use change::{create, delete, open_for_create, update};
pub(super) use engine::{OpenAccess, is_cluster_protected};
pub(super) use list::{list, listed_cluster_id};
pub(super) use look::{import, read};
pub(super) use plan::{create as plan_create, destroy as plan_destroy, update as plan_update};

use std::time::Duration;

use super::private::{self, ObjectPrivate};
use crate::engine::access::{AccessError, Kind, ObjectPlace};
use crate::kafka::versions::KafkaVersion;
use crate::resource::ProviderData;
use crate::spec::ids::ClusterName;
use crate::store::documents::WrittenConfiguration;
use crate::tfplugin::schema::Schema;
use crate::tfplugin::{Attr, Diagnostics, Object, Private, chain};

/// How long an operation on one small object may take; a create may have to wait for its cluster.
pub(super) const TIMEOUT: Duration = Duration::from_mins(20);

/// One of `msk_topic`, `msk_acl` and `msk_scram_secret`: what the shared operations ask of it.
pub(super) trait Entity: Send + Sync + 'static {
    /// The kind in the engine.
    type Kind: Kind;

    /// The schema, made once per process: plans of thousands of objects ask for it.
    fn form() -> &'static Schema;

    /// Which object the attributes speak of; `None` if that is not known.
    fn place(object: &Object) -> Option<ObjectPlace<Self::Kind>>;

    /// Which object an id of an import speaks of.
    fn parse_id(text: &str) -> Result<ObjectPlace<Self::Kind>, names::IdError>;

    /// The id of an object.
    fn id(place: &ObjectPlace<Self::Kind>) -> String;

    /// Sets the attributes that are seen, and those that only the provider tells.
    fn show(
        state: &mut Object,
        entry: &<Self::Kind as Kind>::Entry,
        seen: Option<&<Self::Kind as Kind>::Seen>,
    );

    /// Whether what is seen under the name is still what the state speaks of; for objects without entry.
    fn is_the_same(_state: &Object, _seen: &<Self::Kind as Kind>::Seen) -> bool {
        true
    }

    /// Whether what is seen under the name lacks what the entry speaks of.
    fn is_gone(_entry: &<Self::Kind as Kind>::Entry, _seen: &<Self::Kind as Kind>::Seen) -> bool {
        false
    }

    /// The configuration of an object that was made elsewhere; `None` if such cannot be imported.
    fn made_elsewhere(place: &ObjectPlace<Self::Kind>, seen: &<Self::Kind as Kind>::Seen) -> Option<Object>;
}

/// The name of the cluster, if it is known and can be one.
pub(super) fn cluster_of(object: &Object) -> Option<ClusterName> {
    match object.str("cluster_id") {
        Attr::Known(text) if names::is_cluster_name(text) => Some(ClusterName::new(text)),
        _ => None,
    }
}

/// The rule of `cluster_id`.
pub(super) fn cluster_id() -> crate::tfplugin::schema::Attribute {
    use crate::tfplugin::schema::{pattern, string};
    string()
        .required()
        .requires_replace()
        .validate(pattern(
            "be the id of a cluster, as in `msk_cluster.<label>.id`: 1 to 64 letters, digits and hyphens",
            names::is_cluster_name,
        ))
        .description("The cluster: `msk_cluster.<label>.id`. A change replaces the object.")
}

/// The configuration as it is kept: what is null is left out.
pub(super) fn written(schema: &Schema, config: &Object) -> WrittenConfiguration {
    let mut written = super::written::encode(schema, config);
    if let Some(attributes) = written.as_object_mut() {
        attributes.retain(|_, value| !value.is_null());
    }
    WrittenConfiguration::from(&written)
}

/// What the walk knows of the version of Kafka.
pub(super) fn kafka_version(
    data: Option<&ProviderData>,
    cluster: Option<&ClusterName>,
) -> Option<KafkaVersion> {
    data?.walk.cluster(cluster?.as_str())?.kafka_version.parse().ok()
}

/// Private state, which everything but a create needs.
fn private_of<T: Entity>(private: &Private, diagnostics: &mut Diagnostics) -> Option<ObjectPrivate> {
    let kept = private::read::<ObjectPrivate>(private, diagnostics);
    if kept.is_none() && !diagnostics.has_errors() {
        diagnostics.general_error(
            "The state does not say which object this is",
            format!(
                "The private part of this object's state is empty. Forget it with `terraform state rm` and import it: \
                 `terraform import {}.<label> '<id>'`.",
                T::Kind::RESOURCE
            ),
        );
    }
    kept
}

/// An error of the engine as a finding.
fn report(error: &AccessError, diagnostics: &mut Diagnostics, what: &str) {
    let summary = match error {
        AccessError::Exists { .. } => "It exists already".to_owned(),
        AccessError::Busy { .. } => "Another run works on it".to_owned(),
        AccessError::Protected { .. } => "It is protected from deletion".to_owned(),
        AccessError::NotOurs { .. } => "It belongs to another create".to_owned(),
        AccessError::NoCluster { .. } | AccessError::OtherCluster { .. } => {
            "There is no such cluster".to_owned()
        }
        AccessError::Cancelled { .. } => "Stopped on request".to_owned(),
        _ => what.to_owned(),
    };
    diagnostics.general_error(summary, super::sentence(&chain(error)));
}
