//! The engine behind the provider block: opened when a resource first needs it, once per process.

use std::sync::Arc;

use super::provider::{LocalSettings, ProviderData, Settings};
use crate::engine::cluster::Clusters;
use crate::engine::local::{self, LocalEngine, LocalError};
use crate::kafka::distribution::Archive;
use crate::spec::cluster::LocalSpec;
use crate::store::Store;
use crate::tfplugin::{Diagnostics, chain};

/// The clusters of this machine.
pub type LocalClusters = Clusters<LocalEngine>;

impl ProviderData {
    /// Whether the provider block is not known yet: then nothing is asked and nothing changed.
    pub fn is_unknown(&self) -> bool {
        matches!(self.settings, Settings::Unknown)
    }

    /// What the provider block says about nodes on one machine.
    pub fn local_spec(&self) -> LocalSpec {
        match &self.settings {
            Settings::Local(settings) => LocalSpec {
                listen_address: settings.listen_address.clone(),
                heap: settings.broker_heap.clone(),
                ..LocalSpec::default()
            },
            #[cfg(feature = "aws")]
            Settings::Aws(_) => LocalSpec::default(),
            Settings::Unknown => LocalSpec::default(),
        }
    }

    /// The control store and its clusters, for everything but a create: nothing is made.
    pub async fn clusters(&self, diagnostics: &mut Diagnostics) -> Option<&LocalClusters> {
        self.open(diagnostics, async |engine| engine.open_existing(None).await)
            .await
    }

    /// The control store and its clusters, for a create: the data directory and the store are made if
    /// nothing is there.
    pub async fn clusters_to_write(&self, diagnostics: &mut Diagnostics) -> Option<&LocalClusters> {
        self.open(diagnostics, async |engine| engine.open_or_create().await)
            .await
    }

    /// The clusters if their store is there and readable; for what may also be unknown.
    pub async fn clusters_if_there(&self) -> Option<&LocalClusters> {
        self.clusters(&mut Diagnostics::new()).await
    }

    async fn open(
        &self,
        diagnostics: &mut Diagnostics,
        open: impl AsyncFnOnce(&LocalEngine) -> Result<Store, LocalError>,
    ) -> Option<&LocalClusters> {
        let Settings::Local(settings) = &self.settings else {
            diagnostics.general_error(
                "The provider is not configured yet",
                "A value in the provider block is known only after apply. Apply first what it comes from, with \
                 `-target`.",
            );
            return None;
        };
        let opened = self.clusters.get_or_try_init(|| async {
            let engine = Arc::new(LocalEngine::new(engine_settings(settings)));
            let store = open(&engine).await?;
            Ok::<_, LocalError>(Clusters::new(engine, store))
        });
        match opened.await {
            Ok(clusters) => Some(clusters),
            Err(error) => {
                diagnostics.general_error(
                    "The control store cannot be opened",
                    super::sentence(&chain(&error)),
                );
                None
            }
        }
    }
}

fn engine_settings(settings: &LocalSettings) -> local::Settings {
    local::Settings {
        data_directory: settings.data_directory.clone(),
        kafka_directory: settings.kafka_directory.clone(),
        archive: settings.archive.as_ref().map(|archive| Archive {
            url: archive.url.clone(),
            sha512: archive.sha512.clone(),
        }),
        maven_command: settings.maven_command.clone(),
        java_home: settings.java_home.clone(),
        base_port: settings.base_port,
        agent_program: None,
    }
}
