//! Kafka's files against the real Kafka: what we format, what we start, what we fetch.
//!
//! Needs Java 17 and the jars of all supported versions: see [`distribution`].

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use msk::clock::Timestamp;
use msk::kafka::class_data;
use msk::kafka::distribution::{self, Distribution, Sources};
use msk::kafka::format::{
    Bootstrap, Ensured, Identity, Role, ScramUser, Voter, draw_uuid, ensure_formatted, read_identity,
};
use msk::kafka::java::{self, Java, Places};
use msk::kafka::launch::{self, Heap, Node, Tuning};
use msk::kafka::server_properties;
use msk::kafka::versions::KafkaVersion;
use msk::secret::Secret;
use msk::spec::ids::{KafkaUuid, NodeId};

/// Where the jars of the tests are.
pub(crate) fn kafka_directory() -> Utf8PathBuf {
    std::env::var("MSK_TEST_KAFKA_DIRECTORY").map_or_else(
        |_| Utf8PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/kafka")),
        Utf8PathBuf::from,
    )
}

/// The jars of a version, or a panic that says how to get them.
pub(crate) fn distribution(version: KafkaVersion) -> Distribution {
    let directory = kafka_directory();
    let found = distribution::find(version, &directory).unwrap();
    found.unwrap_or_else(|| {
        panic!(
            "Kafka {version} is not in `{directory}`; get all versions (with Maven) by\n  \
             cargo test --test it -- --ignored kafka_for_the_tests\n\
             or set MSK_TEST_KAFKA_DIRECTORY to a directory that holds kafka_2.13-{version}/libs"
        )
    })
}

/// The Java of this machine, or a panic that says what is missing.
pub(crate) async fn java() -> Java {
    let home = std::env::var("JAVA_HOME").ok();
    let path = std::env::var_os("PATH");
    let places = Places {
        java_home: None,
        environment_home: home.as_deref(),
        search_path: path.as_deref(),
    };
    let java = java::find(places).await.expect("the tests need Java 17 or newer");
    java.check(KafkaVersion::DEFAULT)
        .expect("the tests need Java 17 or newer");
    java
}

fn versions(texts: &[&str]) -> Vec<KafkaVersion> {
    texts
        .iter()
        .map(|text| KafkaVersion::parse(text).unwrap())
        .collect()
}

/// A scratch directory with a blank and letters beyond ASCII in its path.
fn scratch() -> (tempfile::TempDir, Utf8PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(outer.path().join("Knoten 1 ü データ")).unwrap();
    fs::create_dir(&path).unwrap();
    (outer, path)
}

/// Ports that were free a moment ago.
fn free_ports(count: usize) -> Vec<u16> {
    (crate::support::ports::free_block()..).take(count).collect()
}

/// One combined node of a cluster on the loopback interface, in plain text.
struct TestNode {
    identity: Identity,
    home: Utf8PathBuf,
    controller_port: u16,
    broker_port: u16,
}

impl TestNode {
    fn data(&self) -> Utf8PathBuf {
        self.home.join("data")
    }

    /// Writes `server.properties` and the logging configuration; makes the directories.
    fn prepare(&self, version: KafkaVersion, all: &[Self]) {
        for folder in ["logs", "tmp"] {
            fs::create_dir_all(self.home.join(folder)).unwrap();
        }
        let servers: Vec<String> = all
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.controller_port))
            .collect();
        let factor = all.len().to_string();
        let lines = [
            ("process.roles", "broker,controller".to_owned()),
            ("node.id", self.identity.node_id.to_string()),
            (
                "listeners",
                format!(
                    "CONTROLLER://127.0.0.1:{},BROKER://127.0.0.1:{}",
                    self.controller_port, self.broker_port
                ),
            ),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("inter.broker.listener.name", "BROKER".to_owned()),
            (
                "listener.security.protocol.map",
                "CONTROLLER:PLAINTEXT,BROKER:PLAINTEXT".to_owned(),
            ),
            ("controller.quorum.bootstrap.servers", servers.join(",")),
            ("log.dirs", self.data().into_string()),
            ("offsets.topic.replication.factor", factor),
            ("log.cleaner.dedupe.buffer.size", "4194304".to_owned()),
        ];
        let lines = lines
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        fs::write(
            self.home.join("server.properties"),
            server_properties::render(&lines),
        )
        .unwrap();
        let logging = launch::logging_configuration(version.logging());
        fs::write(self.home.join("logging.properties"), logging).unwrap();
    }

    fn start(&self, distribution: &Distribution, java: &Java) -> Running {
        let (configuration, logging) = (
            self.home.join("server.properties"),
            self.home.join("logging.properties"),
        );
        let (logs, tmp) = (self.home.join("logs"), self.home.join("tmp"));
        let line = launch::command_line(&Node {
            version: distribution.version,
            java,
            jars: &distribution.jars,
            heap: Heap::parse("256m").unwrap(),
            tuning: Tuning::OneMachine,
            configuration: &configuration,
            logging: &logging,
            logs: &logs,
            scratch: &tmp,
            class_data: None,
        });
        let printed = File::create(self.home.join("printed")).unwrap();
        let child = Command::new(line.program)
            .args(line.arguments)
            .env_clear()
            .envs(line.environment)
            .stdin(Stdio::null())
            .stdout(printed.try_clone().unwrap())
            .stderr(printed)
            .spawn()
            .unwrap();
        Running {
            child,
            home: self.home.clone(),
        }
    }
}

/// A started node; ended when dropped.
struct Running {
    child: Child,
    home: Utf8PathBuf,
}

impl Running {
    fn log(&self) -> String {
        let log = fs::read_to_string(self.home.join("logs/server.log")).unwrap_or_default();
        let printed = fs::read_to_string(self.home.join("printed")).unwrap_or_default();
        format!("{log}\n{printed}")
    }

    fn wait_until_it_logs(&mut self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "Kafka ended ({ended:?}):\n{}", self.log());
            assert!(
                begun.elapsed() < Duration::from_mins(2),
                "no `{text}`:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn new_nodes(count: usize, home: &Utf8Path) -> Vec<TestNode> {
    let cluster_id = draw_uuid().unwrap();
    let ports = free_ports(2 * count);
    (1..)
        .zip(ports.chunks(2))
        .map(|(id, ports)| TestNode {
            identity: Identity {
                cluster_id: cluster_id.clone(),
                node_id: NodeId(id),
                directory_id: draw_uuid().unwrap(),
            },
            home: home.join(id.to_string()),
            controller_port: ports[0],
            broker_port: ports[1],
        })
        .collect()
}

fn bootstrap(version: KafkaVersion, nodes: &[TestNode], users: Vec<ScramUser>) -> Role {
    let voters = nodes
        .iter()
        .map(|node| Voter {
            node_id: node.identity.node_id,
            directory_id: node.identity.directory_id.clone(),
            host: "127.0.0.1".to_owned(),
            port: node.controller_port,
        })
        .collect();
    Role::InitialVoter(Bootstrap {
        version,
        listener: "CONTROLLER".to_owned(),
        voters,
        users,
    })
}

/// Starts a cluster from our own formatting and waits until every broker runs.
async fn start_cluster(version: KafkaVersion, count: usize) {
    let (_outer, home) = scratch();
    let (distribution, java) = (distribution(version), java().await);
    let nodes = new_nodes(count, &home);
    let role = bootstrap(version, &nodes, Vec::new());
    let mut running = Vec::new();
    for node in &nodes {
        node.prepare(version, &nodes);
        let done = ensure_formatted(&node.data(), &node.identity, &role, Timestamp::now()).unwrap();
        assert_eq!(done, Ensured::Created);
        running.push(node.start(&distribution, &java));
    }
    for node in &mut running {
        node.wait_until_it_logs("from RECOVERY to RUNNING");
        let log = node.log();
        // A controller that loses an election while others register with it logs their requests as
        // errors; they are sent again to the winner. That is no matter of our files.
        let mut errors = log.lines().filter(|line| {
            line.contains("] ERROR ")
                && !(line.contains("[ControllerApis ") && line.contains("apiKey=CONTROLLER_REGISTRATION"))
        });
        assert_eq!(errors.next(), None, "{log}");
    }
    for node in &nodes {
        // Kafka has taken the directory for the one that we made.
        assert_eq!(
            read_identity(&node.data()).unwrap().as_ref(),
            Some(&node.identity)
        );
        let quorum = fs::read_to_string(node.data().join("__cluster_metadata-0/quorum-state")).unwrap();
        // Version 1 of this file stands for a dynamic quorum.
        assert!(quorum.contains("\"data_version\":1"), "{quorum}");
    }
}

#[tokio::test]
async fn one_node_of_every_version_starts_from_our_files() {
    for version in KafkaVersion::all() {
        start_cluster(version, 1).await;
    }
}

#[tokio::test]
async fn three_nodes_of_the_oldest_and_the_newest_version_start_from_our_files() {
    for version in versions(&["3.9.2", "4.3.1"]) {
        start_cluster(version, 3).await;
    }
}

/// Overwrites what differs between two runs: checksums and times.
fn without_times(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while at < bytes.len() {
        let length = usize::try_from(u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap())).unwrap();
        bytes[at + 17..at + 21].fill(0); // checksum
        bytes[at + 27..at + 43].fill(0); // first and last time
        at += 12 + length;
    }
    // In the value of the first record, the snapshot header: the time of the last record before it.
    bytes[73..81].fill(0);
    bytes
}

/// Formats the first of three voters with Kafka's own tool.
fn format_with_the_tool(version: KafkaVersion, nodes: &[TestNode], directory: &Utf8Path, user: &str) {
    let mut java = Command::new("java");
    let jars: Vec<String> = distribution(version)
        .jars
        .into_iter()
        .map(Utf8PathBuf::into_string)
        .collect();
    let voters: Vec<String> = nodes
        .iter()
        .map(|node| {
            let Identity {
                node_id,
                directory_id,
                ..
            } = &node.identity;
            format!("{node_id}@127.0.0.1:{}:{directory_id}", node.controller_port)
        })
        .collect();
    let node = &nodes[0];
    let configuration = node.home.join("server.properties");
    let text = fs::read_to_string(&configuration).unwrap();
    let mut lines = server_properties::parse(&text).unwrap();
    lines.insert("log.dirs".to_owned(), directory.to_string());
    let for_tool = node.home.join("tool.properties");
    fs::write(&for_tool, server_properties::render(&lines)).unwrap();
    let output = java
        .args([
            "-XX:TieredStopAtLevel=1",
            "-cp",
            &jars.join(":"),
            "kafka.tools.StorageTool",
            "format",
        ])
        .args([
            "--config",
            for_tool.as_str(),
            "--cluster-id",
            node.identity.cluster_id.as_str(),
        ])
        .args(["--initial-controllers", &voters.join(","), "--add-scram", user])
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_version_is_formatted_as_its_own_tool_does() {
    for version in KafkaVersion::all() {
        let (_outer, home) = scratch();
        let nodes = new_nodes(3, &home);
        nodes[0].prepare(version, &nodes);
        let password = Secret::new("a long password".to_owned());
        let user = ScramUser::derive("__msk-node", &password, b"some salt", 8192).unwrap();
        let role = bootstrap(version, &nodes, vec![user]);
        ensure_formatted(&nodes[0].data(), &nodes[0].identity, &role, Timestamp::now()).unwrap();

        let by_tool = home.join("by the tool");
        // c29tZSBzYWx0 is "some salt".
        let user =
            "SCRAM-SHA-512=[name=__msk-node,iterations=8192,salt=\"c29tZSBzYWx0\",password=a long password]";
        format_with_the_tool(version, &nodes, &by_tool, user);

        let checkpoints = [
            "bootstrap.checkpoint",
            "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint",
        ];
        for name in checkpoints {
            let ours = without_times(fs::read(nodes[0].data().join(name)).unwrap());
            let theirs = without_times(fs::read(by_tool.join(name)).unwrap());
            assert_eq!(ours, theirs, "{version}: {name}");
        }
        let names = |directory: &Utf8Path| {
            let entries = fs::read_dir(directory).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&nodes[0].data()), names(&by_tool), "{version}");
        // The tool draws a directory id unless the node is a voter, as here.
        assert_eq!(
            read_identity(&by_tool).unwrap().unwrap(),
            nodes[0].identity,
            "{version}"
        );
    }
}

#[tokio::test]
async fn an_archive_of_class_data_is_made_once_and_used() {
    let version = KafkaVersion::DEFAULT;
    let (_outer, home) = scratch();
    let (distribution, java) = (distribution(version), java().await);
    let directory = home.join("class data");
    assert_eq!(class_data::find(&directory, &distribution, &java), None);
    let (one, other) = tokio::join!(
        class_data::ensure(&directory, &distribution, &java),
        class_data::ensure(&directory, &distribution, &java)
    );
    let class_data::Ensured::Created(archive) = one.unwrap() else {
        panic!("not made")
    };
    assert_eq!(other.unwrap(), class_data::Ensured::InTheMaking);
    assert_eq!(
        class_data::find(&directory, &distribution, &java).as_ref(),
        Some(&archive)
    );
    let again = class_data::ensure(&directory, &distribution, &java)
        .await
        .unwrap();
    assert_eq!(again, class_data::Ensured::AlreadyRight(archive.clone()));
    // Nothing of the training node stays.
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);

    // `-Xshare:on` refuses to start if the archive does not fit; Kafka's class comes out of it.
    let jars: Vec<&str> = distribution.jars.iter().map(|jar| jar.as_str()).collect();
    let output = Command::new(&java.program)
        .args([
            "-Xshare:on",
            "-XX:+UseSerialGC",
            "-Xlog:class+load",
            &format!("-XX:SharedArchiveFile={archive}"),
        ])
        .args(["-cp", &jars.join(":"), "kafka.Kafka"])
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let line = printed
        .lines()
        .find(|line| line.contains(" kafka.Kafka$ source:"));
    assert!(
        line.is_some_and(|line| line.contains("shared objects file (top)")),
        "{line:?}"
    );
}

#[test]
fn the_tools_own_ids_are_of_the_form_that_we_draw() {
    let id: KafkaUuid = draw_uuid().unwrap();
    assert_eq!(id.as_str().len(), 22);
}

/// Needs Maven and a network (or its local repository).
#[tokio::test]
#[ignore = "fetches some 250 MB for the other tests; named by their message"]
async fn kafka_for_the_tests_is_fetched_with_maven() {
    let sources = Sources {
        kafka_directory: kafka_directory(),
        archive: None,
        maven_command: "mvn".to_owned(),
    };
    for version in KafkaVersion::all() {
        let report = |stage: String| println!("{stage}");
        distribution::ensure(version, &sources, &report).await.unwrap();
    }
}

/// Needs Maven and a network (or its local repository).
#[tokio::test]
async fn maven_fetches_a_whole_kafka_once_although_two_ask_for_it() {
    let (_outer, home) = scratch();
    let sources = Sources {
        kafka_directory: home.join("kafka"),
        archive: None,
        maven_command: "mvn".to_owned(),
    };
    let version = KafkaVersion::parse("3.9.2").unwrap();
    let fetch = || distribution::ensure(version, &sources, &|_| {});
    let (one, other) = tokio::join!(fetch(), fetch());
    let one = one.unwrap();
    assert_eq!(one, other.unwrap());

    // A jar that is changed later is found before it is used.
    let jar = one
        .jars
        .iter()
        .find(|jar| jar.as_str().contains("zstd-jni"))
        .unwrap();
    let mut bytes = fs::read(jar).unwrap();
    bytes[1000] ^= 1;
    fs::write(jar, bytes).unwrap();
    let text = fetch().await.unwrap_err().to_string();
    assert!(text.contains(jar.as_str()), "{text}");
}
