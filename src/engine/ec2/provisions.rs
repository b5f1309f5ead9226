//! What nodes boot from and run: artefacts in the control bucket, the signed release, user data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::account::Ec2Engine;
use super::artifacts::{
    self, AMAZON_LINUX_GLIBC, Architecture, Artifacts, Inputs, JavaPlaces, cache_folder, ensure_release,
    program_beside,
};
use super::error::Ec2Error;
use super::user_data::user_data;
use crate::engine::Order;
use crate::engine::run::Progress;
use crate::kafka::distribution::Sources;
use crate::kafka::versions::KafkaVersion;
use crate::spec::ids::NodeId;
use crate::store::boot::{self, BootFile};
use crate::store::documents::{ClusterPlaces, PlacedNode};
use crate::store::release::{AgentArtifact, ReleaseKey};

/// What the user data of a cluster's nodes names.
#[derive(Debug)]
pub(super) struct Provisions {
    agents: BTreeMap<Architecture, AgentArtifact>,
    release_key: ReleaseKey,
}

impl Ec2Engine {
    fn inputs(
        &self,
        architectures: BTreeSet<Architecture>,
        version: KafkaVersion,
        has_own_image: bool,
    ) -> Result<Inputs, Ec2Error> {
        let settings = &self.settings;
        let cache = cache_folder()?;
        Ok(Inputs {
            architectures,
            versions: BTreeSet::from([version]),
            programs: program_beside()?,
            agent_program: None,
            java: settings.java_archives.clone(),
            java_places: JavaPlaces::of_environment(),
            // Of the user's own image nothing is known.
            glibc: (!has_own_image).then_some(AMAZON_LINUX_GLIBC),
            kafka: Sources {
                kafka_directory: settings
                    .kafka_directory
                    .clone()
                    .unwrap_or_else(|| cache.join("kafka")),
                archive: settings.archive.clone(),
                maven_command: settings.maven_command.clone(),
            },
            cache,
        })
    }

    async fn upload(&self, inputs: &Inputs, progress: &Progress) -> Result<Artifacts, Ec2Error> {
        let say = |text: String| progress.say(&text);
        let home = self.s3_home().await?;
        Ok(Box::pin(artifacts::ensure(inputs, &home, &say)).await?)
    }

    /// Puts Kafka into the control bucket. It is the first step, so that a source that fails leaves nothing behind.
    pub(super) async fn upload_kafka(
        &self,
        version: KafkaVersion,
        progress: &Progress,
    ) -> Result<(), Ec2Error> {
        let inputs = self.inputs(BTreeSet::new(), version, false)?;
        self.upload(&inputs, progress).await?;
        Ok(())
    }

    /// Puts everything that the nodes run into the control bucket and signs it; once in a run.
    pub(super) async fn provide(
        &self,
        order: Order<'_>,
        places: &ClusterPlaces,
        progress: &Progress,
    ) -> Result<Arc<Provisions>, Ec2Error> {
        let mut all = self.provisions.lock().await;
        if let Some(known) = all.get(&order.place.uid) {
            return Ok(Arc::clone(known));
        }
        let nodes = places.nodes.values();
        let architectures = nodes.filter_map(|placed| Architecture::parse(&placed.architecture));
        let aws = order.wanted.aws.as_ref();
        let has_own_image = aws.is_some_and(|aws| aws.image_id.is_some());
        let inputs = self.inputs(architectures.collect(), order.wanted.kafka_version, has_own_image)?;
        let made = self.upload(&inputs, progress).await?;
        progress.say("signs what the nodes may run");
        let (release_key, _) = ensure_release(order.store, &order.place.uid, &made).await?;
        let provisions = Arc::new(Provisions {
            agents: made.agents,
            release_key,
        });
        all.insert(order.place.uid.clone(), Arc::clone(&provisions));
        Ok(provisions)
    }

    /// What cloud-init does at the first boot of a node's instance.
    pub(super) async fn user_data(
        &self,
        order: Order<'_>,
        (places, node, placed): (&ClusterPlaces, NodeId, &PlacedNode),
        progress: &Progress,
    ) -> Result<String, Ec2Error> {
        let provisions = self.provide(order, places, progress).await?;
        let agent = Architecture::parse(&placed.architecture)
            .and_then(|architecture| provisions.agents.get(&architecture))
            .ok_or(Ec2Error::Missing { what: "agent" })?;
        let interface = placed
            .interface
            .as_ref()
            .ok_or(Ec2Error::Missing { what: "interface" })?;
        let boot = BootFile {
            format: boot::FORMAT,
            region: places.region.clone(),
            bucket: self.settings.control_bucket.clone(),
            prefix: self.settings.control_prefix.clone(),
            bucket_owner: places.account.clone(),
            store_id: order.store.id().clone(),
            cluster_uid: order.place.uid.clone(),
            cluster_name: order.place.name.clone(),
            node_id: node,
            interface_id: interface.id.clone(),
            volume_id: placed
                .volume_id
                .clone()
                .ok_or(Ec2Error::Missing { what: "volume" })?,
            agent: agent.artifact.clone(),
            release_key: provisions.release_key.clone(),
        };
        user_data(&boot)
    }
}
