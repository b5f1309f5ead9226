//! The engine behind the provider block: opened when a resource first needs it, once per process.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::provider::AwsSettings;
use super::provider::{LocalSettings, ProviderData, Settings};
use crate::engine::BoxError;
use crate::engine::any::AnyEngine;
use crate::engine::cluster::Clusters;
use crate::engine::ec2::{self, Ec2Engine};
use crate::engine::local::{self, LocalEngine};
use crate::kafka::distribution::Archive;
use crate::spec::cluster::LocalSpec;
use crate::store::Store;
use crate::tfplugin::{Diagnostics, chain};

/// The clusters of the control store that the provider block names.
pub type OpenClusters = Clusters<AnyEngine>;

impl ProviderData {
    /// Whether the provider block is not known yet: then nothing is asked and nothing changed.
    pub fn is_unknown(&self) -> bool {
        matches!(self.settings, Settings::Unknown)
    }

    /// Whether the provider block names an AWS account.
    pub const fn is_aws(&self) -> bool {
        match &self.settings {
            Settings::Aws(_) => true,
            Settings::Local(_) | Settings::Unknown => false,
        }
    }

    /// What the provider block says about nodes on one machine.
    pub fn local_spec(&self) -> LocalSpec {
        match &self.settings {
            Settings::Local(settings) => LocalSpec {
                listen_address: settings.listen_address.clone(),
                heap: settings.broker_heap.clone(),
                ..LocalSpec::default()
            },
            Settings::Aws(_) | Settings::Unknown => LocalSpec::default(),
        }
    }

    /// The tags that the provider block gives everything.
    pub fn default_tags(&self) -> BTreeMap<String, String> {
        match &self.settings {
            Settings::Aws(settings) => settings.default_tags.clone(),
            Settings::Local(_) | Settings::Unknown => BTreeMap::new(),
        }
    }

    /// The engine that the provider block names; `None` while it is not known. Asking for it contacts nobody.
    pub fn engine(&self) -> Option<&Arc<AnyEngine>> {
        self.engine
            .get_or_init(|| engine(&self.settings).map(Arc::new))
            .as_ref()
    }

    /// The control store and its clusters, for everything but a create: nothing is made.
    pub async fn clusters(&self, diagnostics: &mut Diagnostics) -> Option<&OpenClusters> {
        self.open(diagnostics, async |engine| engine.open_existing(None).await)
            .await
    }

    /// The control store and its clusters, for a create: what holds it and the store are made if nothing is there.
    pub async fn clusters_to_write(&self, diagnostics: &mut Diagnostics) -> Option<&OpenClusters> {
        self.open(diagnostics, async |engine| engine.open_or_create().await)
            .await
    }

    /// The clusters if their store is there and readable; for what may also be unknown.
    pub async fn clusters_if_there(&self) -> Option<&OpenClusters> {
        self.clusters(&mut Diagnostics::new()).await
    }

    async fn open(
        &self,
        diagnostics: &mut Diagnostics,
        open: impl AsyncFnOnce(&AnyEngine) -> Result<Store, BoxError>,
    ) -> Option<&OpenClusters> {
        let Some(engine) = self.engine() else {
            diagnostics.general_error(
                "The provider is not configured yet",
                "A value in the provider block is known only after apply. Apply first what it comes from, with \
                 `-target`.",
            );
            return None;
        };
        let opened = self.clusters.get_or_try_init(|| async {
            let store = open(engine).await?;
            Ok::<_, BoxError>(Clusters::new(Arc::clone(engine), store))
        });
        match opened.await {
            Ok(clusters) => Some(clusters),
            Err(error) => {
                diagnostics.general_error(
                    "The control store cannot be opened",
                    super::sentence(&chain(error.as_ref())),
                );
                None
            }
        }
    }
}

fn engine(settings: &Settings) -> Option<AnyEngine> {
    match settings {
        Settings::Local(settings) => Some(AnyEngine::Local(Box::new(LocalEngine::new(engine_settings(
            settings,
        ))))),
        Settings::Aws(settings) => Some(AnyEngine::Ec2(Box::new(Ec2Engine::new(account_settings(
            settings,
        ))))),
        Settings::Unknown => None,
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

fn account_settings(settings: &AwsSettings) -> ec2::Settings {
    ec2::Settings {
        account: settings.account.clone(),
        control_bucket: settings.control_bucket.clone(),
        creates_control_bucket: settings.creates_control_bucket,
        control_prefix: settings.control_prefix.clone(),
        control_kms_key_id: settings.control_kms_key_id.clone(),
        default_tags: settings.default_tags.clone(),
        kafka_directory: settings.kafka_directory.clone(),
        archive: settings.archive.as_ref().map(|archive| Archive {
            url: archive.url.clone(),
            sha512: archive.sha512.clone(),
        }),
        java_archives: settings.java_archives.clone(),
        maven_command: settings.maven_command.clone(),
    }
}
