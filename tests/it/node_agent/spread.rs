//! What counts as applied is in force at every broker: the moment after, clients use it at each of them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use msk::kafka::acl::{AclOperation, AclPatternType, AclPermission, AclResourceType};
use msk::kafka::client::{
    Admin, ClientConfig, Error, ErrorCode, ScramLogin, ScramMechanism, Tls, TopicSelection,
};
use msk::pki::files;
use msk::secret::Secret;
use msk::spec::ids::{Generation, NodeId, TopicName};
use msk::store::documents::keys::{PerNode, Single};
use msk::store::documents::{
    AclDesired, AclKey, AclTombstone, AclsDesired, AclsStatus, ListenerName, NodePhase, TopicsDesired,
    TopicsStatus, UserTombstone, UsersDesired, UsersStatus, WrittenConfiguration,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::SOON;
use super::access::{change, claim, topic, user, wait, write};
use super::cluster::{Cluster, Options};
use crate::security::clients::{ask, step};

const ROUNDS: u64 = 20;

/// A cluster of three with empty documents, and what its clients need to know.
struct Scene {
    cluster: Cluster,
    authority: String,
    /// The SCRAM listeners.
    ports: Vec<u16>,
}

impl Scene {
    async fn create() -> Self {
        let cluster = Cluster::create(&Options::brokers(3)).await;
        cluster.start_agents();
        for node in 1..=3 {
            cluster.wait_for_phase(node, NodePhase::InSync, SOON).await;
        }
        write(&cluster, Single::Users, &UsersDesired::default()).await;
        write(&cluster, Single::Topics, &TopicsDesired::default()).await;
        write(&cluster, Single::Acls, &AclsDesired::default()).await;
        let desired = cluster.desired().await;
        let nodes = desired.nodes.iter();
        Self {
            authority: desired.server_ca_pem.concat(),
            ports: nodes.map(|node| node.ports[&ListenerName::ClientScram]).collect(),
            cluster,
        }
    }

    /// What each broker says to a user who asks for a topic's metadata on a new connection.
    async fn ask_all(&self, name: &str, password: &str, topic: &str) -> Vec<Result<(), String>> {
        let asked = self.ports.iter().map(|port| {
            let mut config = ClientConfig::new("127.0.0.1", *port);
            config.tls = Some(Tls::from_pem(self.authority.as_bytes(), None).unwrap());
            config.login = Some(ScramLogin {
                mechanism: ScramMechanism::Sha512,
                user: name.to_owned(),
                password: Secret::new(password.to_owned()),
            });
            let names = [TopicName::new(topic)];
            tokio::spawn(async move {
                let found = Admin::new(config)
                    .describe_topics(TopicSelection::Names(&names))
                    .await;
                let metadata = found.map_err(|error| match error {
                    Error::Login { reason, .. } => format!("login: {reason}"),
                    other => panic!("{other:?}"),
                })?;
                match &metadata.topics[0].1 {
                    Ok(_) => Ok(()),
                    Err(error) if error.code == ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
                        Err("authorization".to_owned())
                    }
                    Err(other) => Err(other.to_string()),
                }
            })
        });
        let asked: Vec<_> = asked.collect();
        let mut answers = Vec::new();
        for task in asked {
            answers.push(task.await.unwrap());
        }
        answers
    }

    async fn set_password(&self, name: &str, password: &str, generation: Generation) {
        let file = self.cluster.root().join(format!("{name}.json"));
        let text = json!({ "username": name, "password": password }).to_string();
        files::write_private(&file, &Secret::new(text)).unwrap();
        change(&self.cluster, Single::Users, |desired: &mut UsersDesired| {
            let mut entry = user(&file);
            entry.generation = generation;
            desired.keep.insert(name.to_owned(), entry);
        })
        .await;
    }

    async fn allow(&self, name: &str, topic: &str, generation: Generation) {
        change(&self.cluster, Single::Acls, |desired: &mut AclsDesired| {
            let key = key(name, topic);
            let entry = AclDesired {
                claim: claim(),
                generation,
                operations: BTreeSet::from([AclOperation::Write, AclOperation::Read]),
                written: WrittenConfiguration::default(),
                key: key.clone(),
            };
            desired.keep.insert(key.id(), entry);
        })
        .await;
    }

    async fn users_are_applied(&self, generation: Generation) {
        wait::<UsersStatus>(&self.cluster, PerNode::Users, |status| {
            status.applied >= generation
        })
        .await;
    }

    async fn acls_are_applied(&self, generation: Generation) {
        wait::<AclsStatus>(&self.cluster, PerNode::Acls, |status| {
            status.applied >= generation
        })
        .await;
    }

    async fn topics_are_applied(&self, generation: Generation) {
        wait::<TopicsStatus>(&self.cluster, PerNode::Topics, |status| {
            status.applied >= generation
        })
        .await;
    }
}

fn key(name: &str, topic: &str) -> AclKey {
    AclKey {
        principal: format!("User:{name}"),
        host: "*".to_owned(),
        resource_type: AclResourceType::Topic,
        pattern_type: AclPatternType::Literal,
        resource_name: topic.to_owned(),
        permission: AclPermission::Allow,
    }
}

#[tokio::test]
async fn what_is_applied_is_in_force_at_every_broker() {
    let scene = Scene::create().await;
    let cluster = &scene.cluster;
    // Generations of the three documents, which were written once.
    let (mut users, mut acls) = (1, 1);
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let (name, topic_name) = (format!("user-{round}"), format!("topic-{round}"));
        let begun = Instant::now();
        users += 1;
        scene.set_password(&name, "first", Generation(users)).await;
        change(cluster, Single::Topics, |desired: &mut TopicsDesired| {
            let mut entry = topic(round + 2);
            entry.partitions = 3;
            entry.replication_factor = Some(3);
            desired.keep.insert(TopicName::new(topic_name.clone()), entry);
        })
        .await;
        acls += 1;
        scene.allow(&name, &topic_name, Generation(acls)).await;
        scene.users_are_applied(Generation(users)).await;
        scene.topics_are_applied(Generation(round + 2)).await;
        scene.acls_are_applied(Generation(acls)).await;
        times.push(begun.elapsed().as_millis());
        let answers = scene.ask_all(&name, "first", &topic_name).await;
        assert!(answers.iter().all(Result::is_ok), "round {round}: {answers:?}");
        if round % 10 == 0 {
            foreign_clients_write(&scene, &name, &topic_name);
        }

        // Another password: the former one is of no use anywhere.
        users += 1;
        scene.set_password(&name, "second", Generation(users)).await;
        scene.users_are_applied(Generation(users)).await;
        let answers = scene.ask_all(&name, "second", &topic_name).await;
        assert!(answers.iter().all(Result::is_ok), "round {round}: {answers:?}");
        let answers = scene.ask_all(&name, "first", &topic_name).await;
        assert!(answers.iter().all(is_login), "round {round}: {answers:?}");

        // What is taken away is taken away everywhere.
        acls += 1;
        change(cluster, Single::Acls, |desired: &mut AclsDesired| {
            let key = key(&name, &topic_name);
            let entry = desired.keep.remove(&key.id()).unwrap();
            desired.tombstones = vec![AclTombstone {
                key,
                operations: entry.operations,
                generation: Generation(acls),
            }];
        })
        .await;
        scene.acls_are_applied(Generation(acls)).await;
        let answers = scene.ask_all(&name, "second", &topic_name).await;
        let refused = |answer: &Result<(), String>| *answer == Err("authorization".to_owned());
        assert!(answers.iter().all(refused), "round {round}: {answers:?}");
        users += 1;
        change(cluster, Single::Users, |desired: &mut UsersDesired| {
            let entry = desired.keep.remove(&name).unwrap();
            desired.tombstones = vec![UserTombstone {
                username: name.clone(),
                mechanism: entry.mechanism,
                generation: Generation(users),
            }];
        })
        .await;
        scene.users_are_applied(Generation(users)).await;
        let answers = scene.ask_all(&name, "second", &topic_name).await;
        assert!(answers.iter().all(is_login), "round {round}: {answers:?}");
    }
    times.sort_unstable();
    println!("user, topic and ACL in force at all brokers: {times:?} ms");
    a_silent_broker_is_not_waited_for_long(&scene, Generation(acls)).await;
}

fn is_login(answer: &Result<(), String>) -> bool {
    answer.as_ref().is_err_and(|what| what.starts_with("login"))
}

/// Each of the three partitions is led by another broker.
fn foreign_clients_write(scene: &Scene, name: &str, topic: &str) {
    let authority = scene.cluster.root().join("server-ca.pem");
    std::fs::write(&authority, &scene.authority).unwrap();
    let addresses = scene.ports.iter().map(|port| format!("127.0.0.1:{port}"));
    let config = json!({
        "bootstrap.servers": addresses.collect::<Vec<_>>().join(","),
        "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": name, "sasl.password": "first", "ssl.ca.location": authority,
        // None of it is tried again.
        "retries": 0,
    });
    let steps: Vec<_> = (0..3)
        .map(|partition| {
            step(
                "produce",
                &config,
                json!({ "topic": topic, "partition": partition }),
            )
        })
        .collect();
    for said in ask(&steps) {
        assert_eq!(said.error, None, "{said:?}");
    }
}

async fn a_silent_broker_is_not_waited_for_long(scene: &Scene, acls: Generation) {
    let admin = scene.cluster.admin(1).await;
    let leader = admin.describe_quorum().await.unwrap().leader;
    let silent = if leader == Some(NodeId(2)) { 3 } else { 2 };
    let status = scene.cluster.status(silent).await.unwrap();
    let process = i32::try_from(status.incarnation.kafka.unwrap().process_id).unwrap();
    let pid = Pid::from_raw(process).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let mut times = Vec::new();
    for later in 1..=3 {
        let generation = Generation(acls.0 + later);
        let begun = Instant::now();
        scene
            .allow(&format!("later-{later}"), "topic-0", generation)
            .await;
        scene.acls_are_applied(generation).await;
        times.push(begun.elapsed());
    }
    println!("ACLs with a silent broker: {times:?}");
    assert!(times[0] < Duration::from_secs(8), "{times:?}");
    assert!(
        times[1..].iter().all(|time| *time < Duration::from_secs(2)),
        "{times:?}"
    );
    kill_process(pid, Signal::CONT).unwrap();
}
