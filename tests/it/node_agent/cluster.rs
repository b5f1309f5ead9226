//! A cluster as the engine would make it, for tests of the agents alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use msk::engine::authorities::{ensure_authorities, ensure_node_passwords};
use msk::kafka::client::{Admin, ClientConfig, IdentityPem, Tls};
use msk::kafka::format::draw_uuid;
use msk::kafka::versions::KafkaVersion;
use msk::node::home::{self, DataDirectory, HOME_FORMAT, NodeDirectory, NodeHome, PrivatePlace};
use msk::node::lock;
use msk::node::place::StorePlace;
use msk::node::process::find_kafka;
use msk::planner::document::{Drawn, first_document, removal_document};
use msk::secret::Secret;
use msk::spec::cluster::{
    AuthenticationSpec, ClusterSpec, DEFAULT_MAX_MESSAGE_BYTES, EncryptionSpec, LEAF_LIFETIME, LocalSpec,
    SizeSpec, Sources,
};
use msk::spec::ids::{ClusterName, ClusterUid, NodeId};
use msk::store::documents::keys::{self, PerNode, Single};
use msk::store::documents::{ClusterDesired, ClusterIdentity, ListenerName, NodePhase, NodeStatus};
use msk::store::identity::random_id;
use msk::store::{Change, Documents, Home, Store};
use msk::vault::Vault;

use crate::support::terraform::program;

/// Where what is private to a cluster lies.
#[derive(Clone, Copy)]
pub(crate) enum Private {
    /// In a directory that every node reads.
    Directory,
    /// In a directory that only controllers read.
    ControllersOnly,
    /// In the store, as on AWS.
    Store,
}

/// What a test wants of its cluster.
pub(crate) struct Options {
    pub(crate) brokers: usize,
    pub(crate) version: KafkaVersion,
    pub(crate) leaf_lifetime: Duration,
    pub(crate) encryption: EncryptionSpec,
    pub(crate) authentication: AuthenticationSpec,
    pub(crate) dedicated_controllers: bool,
    /// Where what is private to the cluster lies.
    pub(crate) private: Private,
    /// Where the cluster's directory is made; by default with other temporary files.
    pub(crate) below: Option<PathBuf>,
}

impl Options {
    pub(crate) fn brokers(brokers: usize) -> Self {
        Self {
            brokers,
            version: KafkaVersion::DEFAULT,
            leaf_lifetime: LEAF_LIFETIME,
            encryption: EncryptionSpec::default(),
            authentication: AuthenticationSpec {
                scram: true,
                client_ca_pem: Vec::new(),
                unauthenticated: false,
            },
            dedicated_controllers: false,
            private: Private::Directory,
            below: None,
        }
    }
}

/// A running cluster; everything of it ends when it is dropped.
pub(crate) struct Cluster {
    keep: tempfile::TempDir,
    pub(crate) documents: Documents,
    pub(crate) uid: ClusterUid,
    pub(crate) nodes: Vec<NodeDirectory>,
}

impl Cluster {
    pub(crate) async fn create(options: &Options) -> Self {
        let below = options.below.clone().unwrap_or_else(std::env::temp_dir);
        let keep = tempfile::Builder::new()
            .prefix("msk node ü ")
            .tempdir_in(below)
            .unwrap();
        let root = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
        let data = DataDirectory::new(root.join("data"));
        home::make_private_directory(data.path()).unwrap();
        let store = Store::open_or_create(&Home::Directory(data.store()))
            .await
            .unwrap();
        let name = ClusterName::new("events");
        let uid = ClusterUid::new(random_id().unwrap());
        let private = data.private(&name, &uid);
        let vault = match options.private {
            Private::Store => Vault::of_store(&store, &uid),
            Private::Directory | Private::ControllersOnly => Vault::directory(private.clone()),
        };
        let authorities = ensure_authorities(&vault, &name).await.unwrap();
        let zones: Vec<String> = ["a", "b", "c"]
            .iter()
            .take(options.brokers)
            .map(|zone| format!("zone-{zone}"))
            .collect();
        let spec = spec(&name, &zones, options);
        let identity = ClusterIdentity {
            kafka_cluster_id: draw_uuid().unwrap(),
            zones: zones.clone(),
            base_port: Some(crate::support::ports::free_block()),
            voter_directory_ids: spec
                .controller_ids()
                .into_iter()
                .map(|id| (id, draw_uuid().unwrap()))
                .collect(),
            internal_ca_pem: authorities.internal_pem,
            server_ca_pem: authorities.server_pem,
        };
        let desired = first_document(&spec, Drawn::on_one_machine(&identity));
        if matches!(options.private, Private::Store) {
            let brokers = desired.nodes.iter().filter(|node| node.is_broker);
            ensure_node_passwords(&vault, brokers.map(|node| node.id))
                .await
                .unwrap();
        }
        let documents = Documents::of_cluster(&store, &uid);
        let key = keys::single(&uid, Single::Cluster).unwrap();
        documents.create(&key, &desired).await.unwrap();
        let mut nodes = Vec::new();
        for node in &desired.nodes {
            let directory = data.node(&name, &uid, node.id);
            NodeHome {
                format: HOME_FORMAT,
                store: StorePlace::Directory(data.store()),
                store_id: store.id().clone(),
                cluster_uid: uid.clone(),
                cluster_name: name.clone(),
                node_id: node.id,
                private: match options.private {
                    Private::ControllersOnly if !node.is_controller => PrivatePlace::OutOfReach,
                    Private::Directory | Private::ControllersOnly => PrivatePlace::Directory(private.clone()),
                    Private::Store => PrivatePlace::Store,
                },
                kafka_directory: kafka_directory(options.version),
                java: java(),
                java_version: 17,
                cds_directory: None,
            }
            .write(&directory)
            .unwrap();
            nodes.push(directory);
        }
        Self {
            keep,
            documents,
            uid,
            nodes,
        }
    }

    /// Starts the agent of every node, detached; those that run stay.
    pub(crate) fn start_agents(&self) {
        for node in &self.nodes {
            Self::start_agent(node);
        }
    }

    /// Starts the agent of one node, detached.
    pub(crate) fn start_agent(node: &NodeDirectory) {
        let output = Command::new(program("msk-node"))
            .args(["run", "--detach"])
            .arg(node.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }

    /// A connection to the AGENT listener of a broker, with the certificates that lie there now.
    pub(crate) async fn admin(&self, node: u32) -> Admin {
        let key = keys::single(&self.uid, Single::Cluster).unwrap();
        let desired = self
            .documents
            .read::<ClusterDesired>(&key)
            .await
            .unwrap()
            .unwrap();
        let port = desired.body.node(NodeId(node)).unwrap().ports[&ListenerName::Agent];
        let tls = self.nodes[usize::try_from(node).unwrap() - 1].tls();
        let keystore = Secret::new(fs::read(tls.join("internal.pem")).unwrap());
        let identity = IdentityPem {
            certificate_chain: keystore.expose(),
            key: &keystore,
        };
        let mut config = ClientConfig::new("127.0.0.1", port);
        let authorities = fs::read(tls.join("internal-ca.pem")).unwrap();
        config.tls = Some(Tls::from_pem(&authorities, Some(identity)).unwrap());
        Admin::new(config)
    }

    /// A private directory of the test.
    pub(crate) fn root(&self) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.keep.path().to_owned()).unwrap()
    }

    /// `msk-node start`, `stop` or `status` for the whole data directory; what it printed.
    pub(crate) fn command(&self, command: &str) -> String {
        let output = Command::new(program("msk-node"))
            .args([command, "--data-directory"])
            .arg(self.root().join("data"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) async fn status(&self, node: u32) -> Option<NodeStatus> {
        let key = keys::per_node(&self.uid, NodeId(node), PerNode::Node).unwrap();
        let read = self.documents.read::<NodeStatus>(&key).await.unwrap();
        read.map(|read| read.body)
    }

    pub(crate) async fn wait_for_phase(&self, node: u32, phase: NodePhase, patience: Duration) -> NodeStatus {
        self.wait_for(node, patience, |status| status.phase == phase)
            .await
    }

    pub(crate) async fn wait_for(
        &self,
        node: u32,
        patience: Duration,
        is_right: impl Fn(&NodeStatus) -> bool,
    ) -> NodeStatus {
        let begun = Instant::now();
        loop {
            let status = self.status(node).await;
            if let Some(status) = status.as_ref().filter(|status| is_right(status)) {
                return status.clone();
            }
            assert!(
                begun.elapsed() < patience,
                "node {node} did not get there: {status:#?}\nagent: {}\nkafka: {}",
                self.end_of(node, "agent.log"),
                self.end_of(node, "kafka.log"),
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The nodes' ids, in the order of their directories.
    pub(crate) fn ids(&self) -> Vec<u32> {
        let ids = self
            .nodes
            .iter()
            .map(|node| NodeHome::load(node).unwrap().node_id.0);
        ids.collect()
    }

    fn end_of(&self, node: u32, log: &str) -> String {
        let id = self.ids().iter().position(|id| *id == node).unwrap();
        let directory = &self.nodes[id];
        let text = fs::read_to_string(directory.logs().join(log)).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    pub(crate) async fn desired(&self) -> ClusterDesired {
        let key = keys::single(&self.uid, Single::Cluster).unwrap();
        self.documents.read(&key).await.unwrap().unwrap().body
    }

    pub(crate) async fn remove(&self) {
        self.change(|desired| *desired = removal_document(desired)).await;
    }

    pub(crate) async fn change(&self, change: impl Fn(&mut ClusterDesired)) {
        let key = keys::single(&self.uid, Single::Cluster).unwrap();
        self.documents
            .update::<ClusterDesired>(&key, |desired| {
                change(desired);
                Change::Write
            })
            .await
            .unwrap();
    }

    pub(crate) async fn wait_until_nothing_runs(&self, patience: Duration) {
        let begun = Instant::now();
        while self.nodes.iter().any(|node| !processes(node).is_empty()) {
            assert!(begun.elapsed() < patience, "something still runs");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// SIGKILL, and waits for the end: a signal is not the death yet.
    pub(crate) fn kill(process_id: u32) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(process_id).unwrap()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        let begun = Instant::now();
        while msk::process::identify(process_id).is_some() && begun.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for _ in 0..2 {
            for node in &self.nodes {
                for process in processes(node) {
                    Self::kill(process);
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The agent's and Kafka's processes of a node.
fn processes(node: &NodeDirectory) -> Vec<u32> {
    let kafka = find_kafka(node, &node.configuration().join("server.properties"));
    lock::running_agent(node)
        .into_iter()
        .chain(kafka)
        .map(|process| process.process_id)
        .collect()
}

fn spec(name: &ClusterName, zones: &[String], options: &Options) -> ClusterSpec {
    ClusterSpec {
        name: name.clone(),
        kafka_version: options.version,
        zones: zones.iter().cloned().collect(),
        brokers_per_zone: 1,
        encryption: options.encryption,
        authentication: options.authentication.clone(),
        configuration: None,
        max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES,
        dedicated_controllers: options.dedicated_controllers,
        controller_zones: BTreeSet::new(),
        client_sources: Sources::default(),
        monitoring_sources: Sources::default(),
        security_group_ids: BTreeSet::new(),
        size: SizeSpec::default(),
        deletion_protection: false,
        tags: BTreeMap::new(),
        local: LocalSpec {
            leaf_lifetime: options.leaf_lifetime,
            ..LocalSpec::default()
        },
        aws: None,
    }
}

fn java() -> Utf8PathBuf {
    let path = std::env::var("PATH").unwrap();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("java"))
        .find(|java| java.is_file());
    Utf8PathBuf::from_path_buf(found.expect("java 17 has to be on the PATH")).unwrap()
}

fn kafka_directory(version: KafkaVersion) -> Utf8PathBuf {
    let named = std::env::var_os("MSK_TEST_KAFKA_DIRECTORY").map(PathBuf::from);
    let path = named.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/kafka"));
    let path = Utf8PathBuf::from_path_buf(path).unwrap();
    let libs = path.join(format!("kafka_2.13-{version}/libs"));
    assert!(
        libs.is_dir(),
        "`{libs}` is not there; set MSK_TEST_KAFKA_DIRECTORY"
    );
    path
}
