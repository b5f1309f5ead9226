//! [`Engine`] for one machine.

use super::{LocalEngine, LocalError, bind_address, directory};
use crate::engine::run::Progress;
use crate::engine::{BoxError, ClusterPlace, Engine, Order, Sight};
use crate::kafka::distribution;
use crate::kafka::versions::KafkaVersion;
use crate::observed::Seen;
use crate::planner::step::{Action, Step};
use crate::process::{boot_id, lives};
use crate::spec::cluster::ClusterSpec;
use crate::spec::ids::NodeId;
use crate::store::Store;
use crate::store::documents::{ClusterDesired, ClusterIdentity, ClusterPlaces, NodeStatus};

impl LocalEngine {
    /// Whether there is a way to this version, without going it.
    fn check_sources(&self, version: KafkaVersion) -> Result<(), LocalError> {
        let kafka_directory = self.kafka_directory();
        if distribution::find(version, &kafka_directory)?.is_some() || self.settings.archive.is_some() {
            return Ok(());
        }
        let command = &self.settings.maven_command;
        if is_in_path(command) {
            return Ok(());
        }
        Err(LocalError::NoMaven {
            version: version.to_string(),
            kafka_directory,
            command: command.clone(),
        })
    }
}

fn is_in_path(command: &str) -> bool {
    if command.contains('/') {
        return std::path::Path::new(command).exists();
    }
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(command).exists()))
}

impl Engine for LocalEngine {
    fn arguments(&self) -> String {
        format!("--data-directory {}", self.data().path())
    }

    async fn check_host(&self, wanted: &ClusterSpec, steps: &[Step]) -> Result<(), BoxError> {
        let needs_room = |action: &Action| matches!(action, Action::ClaimIdentity | Action::StartNode(_));
        if steps.iter().any(|step| needs_room(&step.action)) {
            directory::check_room(&self.data).map_err(LocalError::from)?;
            bind_address(&wanted.local.listen_address)?;
            let java = self.java().await?;
            java.check(wanted.kafka_version).map_err(LocalError::from)?;
        }
        for step in steps {
            if let Action::FetchKafka(version) = &step.action {
                self.check_sources(*version)?;
            }
        }
        Ok(())
    }

    async fn fetch_kafka(
        &self,
        _store: &Store,
        version: KafkaVersion,
        progress: &Progress,
    ) -> Result<(), BoxError> {
        let say = |text: String| progress.say(&text);
        distribution::ensure(version, &self.sources(), &say)
            .await
            .map_err(LocalError::from)?;
        Ok(())
    }

    async fn draw_identity(
        &self,
        store: &Store,
        place: &ClusterPlace,
        wanted: &ClusterSpec,
    ) -> Result<ClusterIdentity, BoxError> {
        Ok(self.draw(store, place, wanted).await?)
    }

    async fn make_places(&self, _order: Order<'_>, _progress: &Progress) -> Result<(), BoxError> {
        Err(LocalError::NotOnOneMachine.into())
    }

    async fn align_network(&self, _order: Order<'_>) -> Result<(), BoxError> {
        Err(LocalError::NotOnOneMachine.into())
    }

    async fn align_objects(&self, _order: Order<'_>, _progress: &Progress) -> Result<(), BoxError> {
        Err(LocalError::NotOnOneMachine.into())
    }

    async fn replace_volume(
        &self,
        _order: Order<'_>,
        _node: NodeId,
        _progress: &Progress,
    ) -> Result<(), BoxError> {
        Err(LocalError::NotOnOneMachine.into())
    }

    async fn change_volume(
        &self,
        _order: Order<'_>,
        _node: NodeId,
        _progress: &Progress,
    ) -> Result<(), BoxError> {
        Err(LocalError::NotOnOneMachine.into())
    }

    async fn observe(
        &self,
        _store: &Store,
        place: &ClusterPlace,
        desired: Option<&ClusterDesired>,
        _places: Option<&ClusterPlaces>,
    ) -> Result<Sight, BoxError> {
        Ok(Sight {
            nodes: self.look_for_nodes(place, desired)?,
            security_group: Seen::Absent,
        })
    }

    fn is_current(&self, status: &NodeStatus) -> bool {
        let incarnation = &status.incarnation;
        incarnation.boot_id == boot_id()
            && lives(&incarnation.agent)
            && incarnation.kafka.as_ref().is_none_or(lives)
    }

    async fn start_node(&self, order: Order<'_>, node: NodeId, _progress: &Progress) -> Result<(), BoxError> {
        Ok(self.start(order.store, order.place, node).await?)
    }

    fn last_words(&self, place: &ClusterPlace, node: NodeId) -> String {
        self.words_of(place, node)
    }

    async fn remove_node(
        &self,
        _store: &Store,
        place: &ClusterPlace,
        node: NodeId,
        _progress: &Progress,
    ) -> Result<(), BoxError> {
        Ok(self.remove_node_place(place, node).await?)
    }

    async fn remove_cluster(&self, store: &Store, place: &ClusterPlace) -> Result<(), BoxError> {
        Ok(self.remove_cluster_place(store, place).await?)
    }

    async fn find_places(&self) -> Result<Vec<ClusterPlace>, BoxError> {
        Ok(self.cluster_places()?)
    }

    async fn leftovers(&self, place: &ClusterPlace) -> Result<Vec<String>, BoxError> {
        Ok(self.what_is_left(place)?)
    }
}
