//! For tests: a store in a temporary directory with one cluster, and a stand-in that plays its agent
//! and its Kafka by writing status documents.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use camino::Utf8PathBuf;
use tokio_util::sync::CancellationToken;

use super::Entity;
use crate::clock::Timestamp;
use crate::process::{boot_id, own_holder};
use crate::resource::ProviderData;
use crate::resource::provider::{LocalSettings, Settings};
use crate::resource::walk::{KnownCluster, Walk};
use crate::spec::ids::{ClaimId, ClusterName, ClusterUid, Generation, KafkaUuid, NodeId};
use crate::store::documents::keys::{self, PerNode, Single};
use crate::store::documents::*;
use crate::store::{Change, Documents, Durability, Store};
use crate::tfplugin::{
    Action, Applied, ClientCapabilities, Context, CreateRequest, DeleteRequest, Deleted, Object, Plan,
    PlanRequest, Private, ReadRequest, Resource, Seen, UpdateRequest, Value,
};

pub(in crate::resource) const CLUSTER: &str = "events";
const NODE: NodeId = NodeId(1);

/// What the stand-in has instead of Kafka.
#[derive(Debug, Default)]
pub(in crate::resource) struct Kafka {
    pub(in crate::resource) topics: TopicsStatus,
    pub(in crate::resource) acls: AclsStatus,
    pub(in crate::resource) users: UsersStatus,
    ids: u32,
    rounds: u64,
}

pub(in crate::resource) struct World {
    directory: tempfile::TempDir,
    pub(in crate::resource) store: Store,
    pub(in crate::resource) uid: ClusterUid,
    pub(in crate::resource) kafka: Arc<Mutex<Kafka>>,
    agent: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.agent.abort();
    }
}

/// One object as a state holds it.
#[derive(Debug, Clone)]
pub(in crate::resource) struct Held {
    pub(in crate::resource) state: Object,
    pub(in crate::resource) private: Private,
}

impl World {
    pub(in crate::resource) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(directory.path().join("data")).unwrap();
        let engine = crate::engine::local::LocalEngine::new(crate::engine::local::Settings::new(root));
        let engine = crate::engine::any::AnyEngine::Local(Box::new(engine));
        let store = engine.open_or_create().await.unwrap();
        let uid = ClusterUid::new("0123456789abcdef0123456789abcdef");
        let record = ClusterRecord {
            name: ClusterName::new(CLUSTER),
            uid: uid.clone(),
            claim: Claim {
                id: ClaimId::new("c1"),
                caller: caller(),
                holder: None,
            },
            phase: Phase::Held,
            first_active_at: Some(Timestamp::now()),
            deletion_protection: false,
            deleting: false,
            written: serde_json::Value::Null,
            configuration: None,
        };
        let key = keys::cluster_record(&record.name).unwrap();
        Documents::of_store(&store).create(&key, &record).await.unwrap();
        let kafka = Arc::new(Mutex::new(Kafka::default()));
        let agent = Agent {
            store: store.clone(),
            uid: uid.clone(),
            kafka: Arc::clone(&kafka),
        };
        agent.round(Generation(1)).await;
        let agent = tokio::spawn(async move {
            let mut generation = Generation(1);
            loop {
                generation = generation.next();
                agent.round(generation).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self {
            directory,
            store,
            uid,
            kafka,
            agent,
        }
    }

    /// A new process of the provider.
    pub(in crate::resource) fn process(&self) -> Context<ProviderData> {
        let root = Utf8PathBuf::from_path_buf(self.directory.path().join("data")).unwrap();
        let data = ProviderData {
            engine: std::sync::OnceLock::new(),
            settings: Settings::Local(LocalSettings {
                data_directory: root,
                kafka_directory: None,
                archive: None,
                maven_command: "mvn".to_owned(),
                java_home: None,
                listen_address: "127.0.0.1".to_owned(),
                base_port: 20_000,
                broker_heap: "512m".to_owned(),
            }),
            caller: caller(),
            walk: Walk::default(),
            sightings: super::sightings::Sightings::default(),
            clusters: tokio::sync::OnceCell::new(),
            access: tokio::sync::OnceCell::new(),
        };
        let known = KnownCluster {
            kafka_version: "4.3.1".to_owned(),
            brokers: 3,
            deletion_protection: false,
        };
        data.walk.remember_cluster(CLUSTER, known);
        Context::new(
            Some(Arc::new(data)),
            CancellationToken::new(),
            ClientCapabilities {
                write_only_attributes: true,
            },
        )
    }

    /// Changes what Kafka has, as somebody outside of Terraform does, and waits until the agent has said so.
    pub(in crate::resource) async fn outside(&self, change: impl FnOnce(&mut Kafka)) {
        let before = {
            let mut kafka = self.kafka.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut kafka);
            kafka.rounds
        };
        // A round that had begun before says the old; the one after the next is sure to be written.
        let rounds = || self.kafka.lock().unwrap_or_else(PoisonError::into_inner).rounds;
        while rounds() < before + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops the agent: what it said last grows old.
    pub(in crate::resource) fn stop_agent(&self) {
        self.agent.abort();
    }

    pub(in crate::resource) async fn protect_cluster(&self, is_protected: bool) {
        let key = keys::cluster_record(&ClusterName::new(CLUSTER)).unwrap();
        Documents::of_store(&self.store)
            .update::<ClusterRecord>(&key, |record| {
                record.deletion_protection = is_protected;
                Change::Write
            })
            .await
            .unwrap();
    }
}

fn caller() -> Caller {
    Caller {
        working_directory: "/work".into(),
        workspace: "default".into(),
    }
}

struct Agent {
    store: Store,
    uid: ClusterUid,
    kafka: Arc<Mutex<Kafka>>,
}

impl Agent {
    async fn round(&self, generation: Generation) {
        let documents = Documents::of_cluster(&self.store, &self.uid);
        let topics = documents
            .read::<TopicsDesired>(&keys::single(&self.uid, Single::Topics).unwrap())
            .await
            .unwrap();
        let acls = documents
            .read::<AclsDesired>(&keys::single(&self.uid, Single::Acls).unwrap())
            .await
            .unwrap();
        let users = documents
            .read::<UsersDesired>(&keys::single(&self.uid, Single::Users).unwrap())
            .await
            .unwrap();
        let (topics, acls, users) = {
            let mut kafka = self.kafka.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(read) = topics {
                kafka.apply_topics(&read.body, read.generation);
            }
            if let Some(read) = acls {
                kafka.apply_acls(&read.body, read.generation);
            }
            if let Some(read) = users {
                kafka.apply_users(&read.body, read.generation);
            }
            kafka.rounds += 1;
            let now = Timestamp::now();
            (
                kafka.topics.observed_at,
                kafka.acls.observed_at,
                kafka.users.observed_at,
            ) = (now, now, now);
            (kafka.topics.clone(), kafka.acls.clone(), kafka.users.clone())
        };
        let holder = own_holder(Timestamp::now()).unwrap();
        let status = NodeStatus {
            node_id: NODE,
            incarnation: Incarnation {
                boot_id: boot_id().into(),
                instance_id: String::new(),
                agent: ProcessIdentity {
                    process_id: holder.process_id,
                    process_start: holder.process_start,
                },
                kafka: None,
            },
            written_at: Timestamp::now(),
            heartbeat_seconds: 2,
            agent_version: String::new(),
            phase: NodePhase::InSync,
            progress: String::new(),
            problem: None,
            applied: Generation(1),
            dials_until: None,
            asks_for_certificates: false,
            certificates_expire_at: None,
            view: None,
            unexpected_exits: 0,
            machine: None,
        };
        self.publish(PerNode::Node, generation, &status).await;
        self.publish(PerNode::Topics, generation, &topics).await;
        self.publish(PerNode::Acls, generation, &acls).await;
        self.publish(PerNode::Users, generation, &users).await;
    }

    async fn publish<T: crate::store::Document>(&self, which: PerNode, generation: Generation, body: &T) {
        let key = keys::per_node(&self.uid, NODE, which).unwrap();
        let documents = Documents::of_cluster(&self.store, &self.uid);
        documents
            .publish(&key, generation, body, Durability::Volatile)
            .await
            .unwrap();
    }
}

impl Kafka {
    fn apply_topics(&mut self, desired: &TopicsDesired, generation: Generation) {
        for gone in &desired.tombstones {
            self.topics
                .topics
                .retain(|_, topic| topic.topic_id != gone.topic_id);
        }
        let applied = self.topics.applied;
        for (name, wanted) in desired
            .keep
            .iter()
            .filter(|(_, wanted)| wanted.generation > applied)
        {
            self.ids += 1;
            let made = TopicObserved {
                topic_id: KafkaUuid::new(format!("topic-id-{:013}", self.ids)),
                partitions: wanted.partitions,
                replication_factor: wanted.replication_factor.unwrap_or(3),
                config: wanted.config.clone(),
                is_reassigning: false,
            };
            let topic = self.topics.topics.entry(name.clone()).or_insert(made);
            topic.partitions = topic.partitions.max(wanted.partitions);
            topic.replication_factor = wanted.replication_factor.unwrap_or(topic.replication_factor);
            topic.config.extend(wanted.config.clone());
            topic.config.retain(|name, _| !wanted.config_reset.contains(name));
        }
        self.topics.applied = generation;
    }

    fn apply_acls(&mut self, desired: &AclsDesired, generation: Generation) {
        let applied = self.acls.applied;
        for gone in desired.tombstones.iter().filter(|gone| gone.generation > applied) {
            if let Some(seen) = self.acls.acls.get_mut(&gone.key.id()) {
                seen.operations
                    .retain(|operation| !gone.operations.contains(operation));
            }
        }
        for (id, wanted) in desired
            .keep
            .iter()
            .filter(|(_, wanted)| wanted.generation > applied)
        {
            let none = || AclObserved {
                key: wanted.key.clone(),
                operations: std::collections::BTreeSet::new(),
            };
            let seen = self.acls.acls.entry(id.clone()).or_insert_with(none);
            seen.operations.extend(wanted.operations.iter().copied());
        }
        self.acls.acls.retain(|_, seen| !seen.operations.is_empty());
        self.acls.applied = generation;
    }

    fn apply_users(&mut self, desired: &UsersDesired, generation: Generation) {
        let applied = self.users.applied;
        for gone in desired.tombstones.iter().filter(|gone| gone.generation > applied) {
            self.users.users.remove(&gone.username);
        }
        for (name, wanted) in desired
            .keep
            .iter()
            .filter(|(_, wanted)| wanted.generation > applied)
        {
            let seen = UserObserved {
                mechanisms: [(wanted.mechanism.clone(), wanted.iterations)].into(),
                applied_generation: Some(wanted.generation),
                applied_version: None,
            };
            self.users.users.insert(name.clone(), seen);
        }
        self.users.applied = generation;
    }
}

/// A complete configuration: what is not written is null.
pub(in crate::resource) fn config<T: Entity>(written: &[(&str, Value)]) -> Object {
    let mut config: Object = T::form()
        .attributes()
        .map(|(name, _)| (name, Value::Null))
        .collect();
    for (name, value) in written {
        config.set(*name, value.clone());
    }
    config
}

/// Plans as the SDK does: defaults, prior values where nothing is written, unknown where there are none.
pub(in crate::resource) async fn plan<T: Entity + Resource<ProviderData>>(
    resource: &T,
    context: &Context<ProviderData>,
    config: Option<&Object>,
    held: Option<&Held>,
) -> Plan {
    let request = PlanRequest {
        config: config.cloned(),
        prior: held.map(|held| held.state.clone()),
        private: held.map(|held| held.private.clone()).unwrap_or_default(),
    };
    let mut plan = Plan {
        planned: config.map(|config| proposed::<T>(config, held)),
        private: request.private.clone(),
        requires_replace: Vec::new(),
        diagnostics: crate::tfplugin::Diagnostics::new(),
    };
    if request.action() != Action::Destroy || held.is_some() {
        resource.plan(context, &request, &mut plan).await;
    }
    plan
}

fn proposed<T: Entity>(config: &Object, held: Option<&Held>) -> Object {
    let mut planned = T::form().with_defaults(config);
    for (name, attribute) in T::form().attributes() {
        if attribute.is_write_only() {
            planned.set(name, Value::Null);
        } else if attribute.is_computed() && planned.get(name).is_null() {
            let prior = held.and_then(|held| held.state.try_get(name)).cloned();
            planned.set(name, prior.unwrap_or_else(Value::unknown));
        }
    }
    planned
}

/// Plans and creates, in a process of its own.
pub(in crate::resource) async fn create<T: Entity + Resource<ProviderData>>(
    resource: &T,
    world: &World,
    config: &Object,
) -> Applied {
    let context = world.process();
    let planned = plan(resource, &context, Some(config), None).await;
    assert!(!planned.diagnostics.has_errors(), "{:?}", planned.diagnostics);
    let request = CreateRequest {
        config: config.clone(),
        planned: planned.planned.unwrap(),
        private: planned.private,
    };
    resource.create(&context, request).await
}

/// What a create without findings left.
#[track_caller]
pub(in crate::resource) fn made(applied: Applied) -> Held {
    assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
    let state = applied.state.unwrap();
    assert!(state.is_wholly_known(), "{state:?}");
    Held {
        state,
        private: applied.private,
    }
}

/// Refreshes, in a process of its own.
pub(in crate::resource) async fn read<T: Resource<ProviderData>>(
    resource: &T,
    world: &World,
    held: &Held,
) -> Seen {
    read_in(resource, &world.process(), held).await
}

pub(in crate::resource) async fn read_in<T: Resource<ProviderData>>(
    resource: &T,
    context: &Context<ProviderData>,
    held: &Held,
) -> Seen {
    let request = ReadRequest {
        state: held.state.clone(),
        private: held.private.clone(),
    };
    resource.read(context, request).await
}

/// What a refresh left of an object that is there.
#[track_caller]
pub(in crate::resource) fn seen(seen: Seen) -> Held {
    assert!(seen.diagnostics.is_empty(), "{:?}", seen.diagnostics);
    Held {
        state: seen.state.unwrap(),
        private: seen.private,
    }
}

/// Plans and updates.
pub(in crate::resource) async fn update<T: Entity + Resource<ProviderData>>(
    resource: &T,
    world: &World,
    config: &Object,
    held: &Held,
) -> Applied {
    let context = world.process();
    let planned = plan(resource, &context, Some(config), Some(held)).await;
    assert!(!planned.diagnostics.has_errors(), "{:?}", planned.diagnostics);
    let request = UpdateRequest {
        config: config.clone(),
        prior: held.state.clone(),
        planned: planned.planned.unwrap(),
        private: planned.private,
    };
    resource.update(&context, request).await
}

/// Plans a destroy and deletes.
pub(in crate::resource) async fn destroy<T: Entity + Resource<ProviderData>>(
    resource: &T,
    world: &World,
    held: &Held,
) -> Deleted {
    let context = world.process();
    let planned = plan(resource, &context, None, Some(held)).await;
    let request = DeleteRequest {
        prior: held.state.clone(),
        private: planned.private,
    };
    resource.delete(&context, request).await
}

/// The titles of findings.
pub(in crate::resource) fn titles(found: &crate::tfplugin::Diagnostics) -> Vec<String> {
    found.iter().map(|finding| finding.summary.clone()).collect()
}
