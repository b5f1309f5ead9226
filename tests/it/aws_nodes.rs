//! A node on machines of the stand: real user data, the real agent, real Kafka; a lost machine is replaced and serves
//! the same records.
//!
//! Needs root, `MSK_STAND_PYTHON`, Kafka's distribution, a Java with `bin/java`, and the tools of the machines.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use msk::aws::Connection;
use msk::engine::ClusterPlace;
use msk::engine::authorities::ensure_authorities;
use msk::engine::ec2::names::Names;
use msk::engine::ec2::placement::{self, Held};
use msk::engine::ec2::policy::{self, Roles, Scope};
use msk::engine::ec2::template::Launch;
use msk::engine::ec2::user_data::user_data;
use msk::engine::ec2::{group, interface, role, security_group, template, volume};
use msk::kafka::format::draw_uuid;
use msk::kafka::versions::KafkaVersion;
use msk::observed::cloud::VolumeShape;
use msk::planner::document::{Drawn, first_document};
use msk::spec::ids::{ClusterName, ClusterUid, NodeId};
use msk::store::boot::BootFile;
use msk::store::documents::keys::{self, PerNode, Single};
use msk::store::documents::{ClusterDesired, ClusterIdentity, MachineDesired, NodePhase, NodeStatus};
use msk::store::identity::random_id;
use msk::store::release::{self, AgentArtifact, Artifact, JavaArtifact, Release, Sha256, SigningKey};
use msk::store::{Documents, Durability, Home, Patience, Prefix, S3Home, Store};
use msk::vault::Vault;

use crate::support::stand::Stand;

const NODE: NodeId = NodeId(1);
const ARCHITECTURE: &str = "x86_64";

/// An account with one node, whose machine the group makes.
struct World {
    stand: Stand,
    connection: Connection,
    names: Names,
    documents: Documents,
    uid: ClusterUid,
    volume_id: String,
}

impl World {
    async fn new() -> Self {
        let stand = Stand::with_machines();
        let connection = Connection::open(&stand.settings()).await.unwrap();
        let account = connection.identity().await.unwrap().unwrap().account.clone();
        let bucket = stand.variable("TF_VAR_control_bucket").to_owned();
        let home = Home::S3(S3Home {
            client: connection.s3(),
            bucket: bucket.clone(),
            prefix: Prefix::parse("msk/").unwrap(),
            owner: Some(account.clone()),
            kms_key: None,
            patience: Patience::default(),
        });
        let store = Store::open_or_create(&home).await.unwrap();
        let name = ClusterName::new("events");
        let uid = ClusterUid::new(random_id().unwrap());
        let place = ClusterPlace {
            name: name.clone(),
            uid: uid.clone(),
        };
        let no_tags = BTreeMap::new();
        let names = Names::new(&place, store.id(), &no_tags);
        let ec2 = connection.ec2();

        let subnet = stand.subnets()[0].clone();
        let seen = ec2.describe_subnets().subnet_ids(&subnet).send().await.unwrap();
        let seen = &seen.subnets()[0];
        let (vpc, zone) = (seen.vpc_id().unwrap(), seen.availability_zone().unwrap());
        let security = security_group::ensure(&ec2, &names, vpc, &no_tags).await.unwrap();
        let own = interface::create(
            &ec2,
            &names,
            &interface::Wanted {
                node: NODE,
                subnet_id: &subnet,
                address: None,
                groups: std::slice::from_ref(&security),
                tags: &no_tags,
                life: 0,
            },
        )
        .await
        .unwrap();
        let shape = VolumeShape {
            size: 2,
            kind: "gp3".to_owned(),
            iops: Some(3_000),
            throughput: Some(125),
        };
        let disk = volume::create(
            &ec2,
            &names,
            &volume::Wanted {
                node: NODE,
                zone,
                shape: &shape,
                key: None,
                snapshot_id: None,
                tags: &no_tags,
                life: 0,
            },
        )
        .await
        .unwrap();

        // The document, as the planner makes it, for one combined node at the interface's address.
        let vault = Vault::of_store(&store, &uid);
        let authorities = ensure_authorities(&vault, &name).await.unwrap();
        let mut spec = crate::local_cluster::wanted("events", &["zone-a"]);
        spec.brokers_per_zone = 1;
        spec.dedicated_controllers = false;
        let identity = ClusterIdentity {
            kafka_cluster_id: draw_uuid().unwrap(),
            zones: vec!["zone-a".to_owned()],
            base_port: Some(9_000),
            voter_directory_ids: spec
                .controller_ids()
                .into_iter()
                .map(|id| (id, draw_uuid().unwrap()))
                .collect(),
            internal_ca_pem: authorities.internal_pem,
            server_ca_pem: authorities.server_pem,
        };
        let mut desired = first_document(&spec, Drawn::on_one_machine(&identity));
        for node in &mut desired.nodes {
            node.bind_address.clone_from(&own.private_address);
            node.advertised_host.clone_from(&own.private_address);
            node.certificate_names = vec![own.private_address.clone()];
            node.machine = Some(MachineDesired {
                interface_id: own.id.clone(),
                volume_id: disk.id.clone(),
            });
        }
        for voter in &mut desired.initial_voters {
            voter.host.clone_from(&own.private_address);
        }
        let documents = Documents::of_cluster(&store, &uid);
        let key = keys::single(&uid, Single::Cluster).unwrap();
        documents.create::<ClusterDesired>(&key, &desired).await.unwrap();

        let artifacts = Shelf::new(&connection, &bucket).fill(desired.kafka_version).await;
        let signing = SigningKey::generate().unwrap();
        let agent = artifacts.agents[ARCHITECTURE].artifact.clone();
        let file = artifacts.sign(&signing).unwrap();
        let key = release::release_key(&uid).unwrap();
        store.put(&key, file, Durability::Durable).await.unwrap();

        let boot = BootFile {
            format: msk::store::boot::FORMAT,
            region: connection.region().to_owned(),
            bucket: bucket.clone(),
            prefix: "msk/".to_owned(),
            bucket_owner: account.clone(),
            store_id: store.id().clone(),
            cluster_uid: uid.clone(),
            cluster_name: name.clone(),
            node_id: NODE,
            interface_id: own.id.clone(),
            volume_id: disk.id.clone(),
            agent,
            release_key: signing.public().unwrap(),
        };
        let scope = Scope {
            partition: "aws".to_owned(),
            region: connection.region().to_owned(),
            account,
            bucket: bucket.clone(),
            prefix: "msk/".to_owned(),
            store_key_arn: None,
            volume_key_arn: disk.key_arn.clone(),
            uid: uid.clone(),
            name,
        };
        let roles = Roles {
            is_broker: true,
            is_controller: true,
        };
        let profile = role::ensure(
            &connection.iam(),
            &names,
            &role::Wanted {
                node: NODE,
                trust: &policy::trust("aws"),
                policy: &policy::node(&scope, NODE, roles),
                permissions_boundary: None,
                tags: &no_tags,
            },
        )
        .await
        .unwrap();
        let images = ec2
            .describe_images()
            .owners("amazon")
            .filters(
                aws_sdk_ec2::types::Filter::builder()
                    .name("name")
                    .values("al2023-ami-2023*-x86_64")
                    .build(),
            )
            .send()
            .await
            .unwrap();
        let image = &images.images()[0];
        let launch = Launch {
            image_id: image.image_id().unwrap().to_owned(),
            instance_type: "m5.large".to_owned(),
            interface_id: own.id.clone(),
            instance_profile: profile,
            root_device: image.root_device_name().unwrap().to_owned(),
            root_size: 16,
            user_data: user_data(&boot).unwrap(),
            tags: names.tags(Some(NODE), &no_tags),
        };
        let made = template::ensure(&ec2, &names, NODE, &launch).await.unwrap();
        // Auto Scaling hears of a new template a little later than EC2.
        let held = Held {
            node: NODE,
            interface_id: Some(&launch.interface_id),
        };
        let wanted = placement::Wanted {
            held,
            zone,
            template_id: &made.id,
            tags: &no_tags,
        };
        let begun = Instant::now();
        while let Err(error) = group::ensure(&connection.auto_scaling(), &names, &wanted).await {
            assert!(begun.elapsed() < Duration::from_mins(1), "{error}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Self {
            stand,
            volume_id: disk.id,
            connection,
            names,
            documents,
            uid,
        }
    }

    async fn status(&self) -> Option<NodeStatus> {
        let key = keys::per_node(&self.uid, NODE, PerNode::Node).unwrap();
        let read = self.documents.read::<NodeStatus>(&key).await.unwrap();
        read.map(|read| read.body)
    }

    async fn wait_for(&self, what: &str, is_right: impl Fn(&NodeStatus) -> bool) -> NodeStatus {
        let begun = Instant::now();
        loop {
            let status = self.status().await;
            if let Some(status) = status.as_ref().filter(|status| is_right(status)) {
                println!("{what}: after {:.1} s", begun.elapsed().as_secs_f32());
                return status.clone();
            }
            let instance = self.instance(None).await.unwrap_or_default();
            assert!(
                begun.elapsed() < Duration::from_secs(150),
                "waited in vain until {what}: {status:#?}\n{}\n{}",
                Self::agent_log(&instance),
                self.stand.log(&instance, "systemd"),
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn agent_log(instance: &str) -> String {
        Self::shell(
            instance,
            "tail -n 60 /var/log/msk-node.log; tail -n 20 /var/lib/msk/data/node/logs/*.log",
        )
    }

    /// What a shell in an instance prints.
    fn shell(instance: &str, script: &str) -> String {
        let output = Stand::inside(instance, &["sh", "-c", script]);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        out + &err
    }

    /// The machine in service, other than `before`.
    async fn instance(&self, before: Option<&str>) -> Option<String> {
        let scaling = self.connection.auto_scaling();
        let groups = group::look(&scaling, &self.names, &[NODE]).await.unwrap();
        let machines = groups.get(&NODE).map(|group| group.machines.clone());
        machines
            .unwrap_or_default()
            .into_iter()
            .map(|machine| machine.id)
            .find(|id| Some(id.as_str()) != before)
    }

    /// Runs a client in the network of an instance, with the node's own certificate; answers what it printed.
    fn client(instance: &str, script: &str) -> String {
        let keep = tempfile::tempdir().unwrap();
        for name in ["internal.pem", "internal-ca.pem"] {
            let text = Self::shell(instance, &format!("cat /var/lib/msk/data/node/tls/{name}"));
            std::fs::write(keep.path().join(name), text).unwrap();
        }
        let properties = "/var/lib/msk/data/node/config/server.properties";
        let listeners = Self::shell(instance, &format!("grep ^advertised.listeners= {properties}"));
        let address = listeners
            .split([',', '=', '\n'])
            .find_map(|listener| listener.strip_prefix("REPLICATION://"))
            .unwrap_or_else(|| panic!("no listener in {listeners}"));
        let python = std::env::var("MSK_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let output = Command::new("nsenter")
            .arg(format!("--net={}", Stand::network_of(instance)))
            .args([&python, "-c", &format!("{CLIENT}{script}"), address])
            .current_dir(keep.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

const CLIENT: &str = r#"
import sys
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
common = {
    "bootstrap.servers": sys.argv[1], "security.protocol": "ssl", "ssl.ca.location": "internal-ca.pem",
    "ssl.certificate.location": "internal.pem", "ssl.key.location": "internal.pem",
    "ssl.endpoint.identification.algorithm": "none",
}
"#;

const WRITE: &str = r#"
for attempt in range(5):
    admin = AdminClient(common)
    try:
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(30)
        break
    except KafkaException as error:
        # The library gives up the handle of the first connection when it learns the broker's id.
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            break
        assert error.args[0].code() == KafkaError._DESTROY and attempt < 4, error
producer = Producer({**common, "acks": "all"})
for record in ("one", "two", "three"):
    producer.produce("kept", record)
assert producer.flush(30) == 0
"#;

const READ: &str = r#"
consumer = Consumer({**common, "group.id": "reader", "enable.auto.commit": False})
consumer.assign([TopicPartition("kept", 0, 0)])
found = []
while len(found) < 3:
    record = consumer.poll(30)
    assert record is not None and record.error() is None, record and record.error()
    found.append(record.value().decode())
print(" ".join(found))
"#;

/// Puts what nodes execute into the bucket.
struct Shelf<'a> {
    client: aws_sdk_s3::Client,
    bucket: &'a str,
    keep: tempfile::TempDir,
}

impl<'a> Shelf<'a> {
    fn new(connection: &Connection, bucket: &'a str) -> Self {
        Self {
            client: connection.s3(),
            bucket,
            keep: tempfile::tempdir().unwrap(),
        }
    }

    async fn fill(&self, version: KafkaVersion) -> Release {
        let root = Utf8PathBuf::from_path_buf(self.keep.path().to_owned()).unwrap();
        let program = root.join("msk-node");
        must(Command::new("strip").args(["-o", program.as_str(), env!("CARGO_BIN_EXE_msk-node")]));
        let kafka = root.join(format!("kafka_2.13-{version}.tar.gz"));
        let distributions = std::env::var("MSK_TEST_KAFKA_DIRECTORY")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/target/kafka").to_owned());
        pack(
            &kafka,
            Utf8Path::new(&distributions),
            &format!("kafka_2.13-{version}"),
        );
        let java = root.join(format!("java-17-{ARCHITECTURE}.tar.gz"));
        let program_of_java = std::fs::canonicalize(which("java")).unwrap();
        let home = Utf8PathBuf::from_path_buf(program_of_java).unwrap();
        let home = home.parent().and_then(Utf8Path::parent).unwrap().to_owned();
        let small = root.join("jre");
        must(Command::new(home.join("bin/jlink")).args([
            "--add-modules",
            "java.se,jdk.unsupported,jdk.crypto.ec,jdk.management,jdk.zipfs,jdk.security.auth",
            "--strip-debug",
            "--no-man-pages",
            "--no-header-files",
            "--output",
            small.as_str(),
        ]));
        pack(&java, &root, "jre");
        Release {
            format: release::FORMAT,
            serial: 1,
            agents: BTreeMap::from([(
                ARCHITECTURE.to_owned(),
                AgentArtifact {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    artifact: self.put(&program).await,
                },
            )]),
            java: BTreeMap::from([(
                ARCHITECTURE.to_owned(),
                JavaArtifact {
                    release: "17.0.15".to_owned(),
                    artifact: self.put(&java).await,
                },
            )]),
            kafka: BTreeMap::from([(version.to_string(), self.put(&kafka).await)]),
        }
    }

    async fn put(&self, path: &Utf8Path) -> Artifact {
        let bytes = std::fs::read(path).unwrap();
        let artifact = Artifact::new(path.file_name().unwrap(), Sha256::of(&bytes)).unwrap();
        println!("{}: {} MB", path.file_name().unwrap(), bytes.len() >> 20);
        self.client
            .put_object()
            .bucket(self.bucket)
            .key(format!("msk/{}", artifact.key))
            .body(bytes.into())
            .send()
            .await
            .unwrap();
        artifact
    }
}

fn which(program: &str) -> std::path::PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("`{program}` is not installed"))
}

fn pack(archive: &Utf8Path, folder: &Utf8Path, name: &str) {
    must(Command::new("tar").args([
        "-c",
        "-I",
        "gzip -1",
        "-f",
        archive.as_str(),
        "-C",
        folder.as_str(),
        name,
    ]));
}

#[track_caller]
fn must(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root and a stand with machines of its own"]
async fn a_node_boots_from_user_data_and_a_lost_machine_is_replaced_with_its_records() {
    let world = Box::pin(World::new()).await;
    let status = world
        .wait_for("the first machine is in sync", |status| {
            status.phase == NodePhase::InSync
        })
        .await;
    let first = status.incarnation.instance_id.clone();
    let disk = status.machine.clone().unwrap();
    assert_eq!(disk.volume_id, world.volume_id);
    assert_eq!(disk.file_system_bytes, 2 << 30);
    let agent = status.incarnation.agent.process_id;
    let memory = World::shell(&first, &format!("grep VmRSS /proc/{agent}/status"));
    println!("agent: {memory}");
    World::client(&first, WRITE);

    // The agent is killed; Kafka's process stays.
    let kafka = status.incarnation.kafka.clone().unwrap();
    World::shell(&first, &format!("kill -9 {agent}"));
    let status = world
        .wait_for("another agent has adopted Kafka", |status| {
            status.incarnation.agent.process_id != agent && status.phase == NodePhase::InSync
        })
        .await;
    assert_eq!(status.incarnation.kafka, Some(kafka));

    world
        .connection
        .ec2()
        .terminate_instances()
        .instance_ids(&first)
        .send()
        .await
        .unwrap();
    let status = world
        .wait_for("the next machine is in sync", |status| {
            status.incarnation.instance_id != first && status.phase == NodePhase::InSync
        })
        .await;
    let second = status.incarnation.instance_id.clone();
    assert_eq!(status.machine.unwrap().file_system_id, disk.file_system_id);
    assert_eq!(World::client(&second, READ).trim(), "one two three");

    // S3 is away while both agent and Kafka begin anew.
    let blackhole = "address=${AWS_ENDPOINT_URL_S3#http://}; ip route add blackhole ${address%%:*}";
    World::shell(&second, blackhole);
    let before = status.incarnation.kafka.unwrap().process_id;
    let agent = status.incarnation.agent.process_id;
    World::shell(&second, &format!("kill -9 {agent} {before}"));
    let begun = Instant::now();
    loop {
        let seen = World::shell(&second, "pgrep -f kafka.Kafka; systemctl is-active msk-kafka");
        let other = seen
            .lines()
            .find(|line| line.parse::<u32>().is_ok_and(|pid| pid != before));
        if other.is_some() && seen.contains("\nactive") {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_mins(2),
            "no Kafka without S3: {seen}\n{}",
            World::agent_log(&second)
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    println!(
        "Kafka was started without S3 after {:.1} s",
        begun.elapsed().as_secs_f32()
    );
    World::shell(&second, &blackhole.replace(" add ", " del "));
    world
        .wait_for("S3 is back", |status| {
            status.phase == NodePhase::InSync && status.incarnation.agent.process_id != agent
        })
        .await;
    assert_eq!(World::client(&second, READ).trim(), "one two three");
    world.stand.must_be_content();
}
