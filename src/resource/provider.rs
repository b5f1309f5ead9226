//! The provider block: which engine, with which settings.
//!
//! `configure` is cheap and contacts nothing; the engine opens when a resource first needs it.

mod aws;
mod schema;
mod settings;

use std::sync::{Arc, OnceLock};

pub use aws::settings::{AwsSettings, IgnoredTags};
pub use settings::{ArchiveSettings, LocalSettings};

use tokio::sync::OnceCell;

use super::access::OpenAccess;
use super::access::sightings::Sightings;
use super::engine::OpenClusters;
use super::walk::Walk;
use super::{acl, caller, cluster, configuration, data, scram_secret, topic};
use crate::engine::any::AnyEngine;
use crate::store::documents::Caller;
use crate::tfplugin::schema::Schema;
use crate::tfplugin::{ConfigureRequest, Diagnostics, Object, Provider, Registry, chain};

/// The provider `msk`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Msk;

/// Which engine the provider block names.
#[derive(Debug, Clone)]
pub enum Settings {
    /// Clusters on this machine.
    Local(LocalSettings),
    /// Clusters in an AWS account.
    Aws(Box<AwsSettings>),
    /// Some value is known only after apply: nothing can be asked yet.
    Unknown,
}

/// What resources get of the configured provider.
#[derive(Debug)]
pub struct ProviderData {
    /// The engine that the provider block names.
    pub settings: Settings,
    /// Who calls.
    pub caller: Caller,
    /// What was planned and read in this walk.
    pub walk: Walk,
    /// What the addresses of this walk create, keep and destroy.
    pub(super) sightings: Sightings,
    pub(super) engine: OnceLock<Option<Arc<AnyEngine>>>,
    pub(super) clusters: OnceCell<OpenClusters>,
    pub(super) access: OnceCell<OpenAccess>,
}

impl Provider for Msk {
    type Data = ProviderData;

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        settings::check_one_engine(config, diagnostics);
    }

    async fn configure(
        &self,
        request: ConfigureRequest,
        diagnostics: &mut Diagnostics,
    ) -> Option<Arc<ProviderData>> {
        settings::check_one_engine(&request.config, diagnostics);
        if diagnostics.has_errors() {
            return None;
        }
        let settings = settings::read(&request.config, diagnostics)?;
        if matches!(settings, Settings::Unknown) {
            diagnostics.general_warning(
                "Provider settings are not known yet",
                "A value in the provider block is known only after apply. Until then no cluster is looked at: the \
                 plan uses the state as it is. Apply first what the value comes from, with `-target`, or write the \
                 value down, to see drift and damage in the plan.",
            );
        }
        match caller::current() {
            Ok(caller) => Some(Arc::new(ProviderData {
                settings,
                caller,
                walk: Walk::default(),
                engine: OnceLock::new(),
                clusters: OnceCell::new(),
                sightings: Sightings::default(),
                access: OnceCell::new(),
            })),
            Err(error) => {
                diagnostics.general_error(
                    "The working directory cannot be read",
                    format!("{}. Run Terraform in a directory that exists.", chain(&error)),
                );
                None
            }
        }
    }

    fn register(&self, registry: &mut Registry<ProviderData>) {
        registry.resource(cluster::Cluster);
        registry.resource(configuration::Configuration);
        registry.resource(scram_secret::ScramSecret);
        registry.resource(topic::Topic);
        registry.resource(acl::Acl);
        registry.data_source(data::cluster::ClusterData);
        registry.data_source(data::configuration::ConfigurationData);
        registry.data_source(data::kafka_versions::KafkaVersions);
        registry.data_source(data::topics::Topics);
        registry.data_source(data::acls::Acls);
    }
}

#[cfg(test)]
mod tests {
    use super::Msk;
    use crate::tfplugin::schema::check_schema;
    use crate::tfplugin::{Provider as _, Registry};

    #[test]
    fn every_schema_is_sound() {
        assert_eq!(check_schema(&Msk.schema()), [""; 0]);
        let registry = Registry::of(&Msk);
        for (name, schema) in registry
            .resource_schemas()
            .into_iter()
            .chain(registry.data_source_schemas())
        {
            assert_eq!(check_schema(&schema), [""; 0], "{name}");
        }
    }
}
