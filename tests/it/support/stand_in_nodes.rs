//! Status documents of nodes that do not exist: each instance that holds its node's interface is told to be in sync.
//!
//! For tests of what the provider does in an account, on a stand without machines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use aws_sdk_ec2::types::AttachmentStatus;
use msk::aws::Connection;
use msk::aws::settings::Settings;
use msk::clock::Timestamp;
use msk::spec::ids::{ClusterName, ClusterUid, Generation, NodeId};
use msk::store::documents::keys::{self, PerNode, Single};
use msk::store::documents::{
    ClusterDesired, ClusterPlaces, ClusterRecord, Incarnation, MachineStatus, NodePhase, NodeStatus,
    PeerView, ProcessIdentity, RunTarget, UserDesired, UserObserved, UsersDesired, UsersStatus,
};
use msk::store::{Documents, Durability, Home, Patience, Prefix, S3Home, Store};

use super::stand::Stand;

/// Writes for every cluster of a name until it is dropped.
pub(crate) struct StandInNodes {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StandInNodes {
    /// Begins.
    pub(crate) fn of(stand: &Stand, cluster: &str) -> Self {
        Self::with(stand.settings(), stand, cluster)
    }

    /// Begins as somebody else than the operator, whose policies a test narrows.
    pub(crate) fn with(settings: Settings, stand: &Stand, cluster: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let bucket = stand.variable("TF_VAR_control_bucket").to_owned();
        let name = ClusterName::new(cluster);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let connection = Connection::open(&settings).await.unwrap();
                let mut told = Told::new();
                while !stopped.load(Ordering::Relaxed) {
                    // What is missing is not there yet, or gone: the next round sees.
                    let _ = round(&connection, &bucket, &name, &mut told).await;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            });
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for StandInNodes {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What was told last, by key.
type Told = BTreeMap<String, Last>;

#[derive(Default)]
struct Last {
    generation: Generation,
    status: Option<NodeStatus>,
    users: Option<UsersStatus>,
}

async fn round(connection: &Connection, bucket: &str, name: &ClusterName, told: &mut Told) -> Option<()> {
    let account = connection.identity().await.ok()??.account.clone();
    let home = Home::S3(S3Home {
        client: connection.s3(),
        bucket: bucket.to_owned(),
        prefix: Prefix::parse("msk/").ok()?,
        owner: Some(account),
        kms_key: None,
        patience: Patience::default(),
    });
    let store = Store::open_existing(&home, None).await.ok()?;
    let of_store = Documents::of_store(&store);
    let record = of_store
        .read::<ClusterRecord>(&keys::cluster_record(name).ok()?)
        .await
        .ok()??;
    let uid = record.body.uid;
    let documents = Documents::of_cluster(&store, &uid);
    let places = documents
        .read::<ClusterPlaces>(&keys::single(&uid, Single::Places).ok()?)
        .await
        .ok()??;
    let desired = documents
        .read::<ClusterDesired>(&keys::single(&uid, Single::Cluster).ok()?)
        .await
        .ok()??;
    let holders = holders(connection, &places.body).await?;
    let now = store.now().await.ok()?;
    for node in &desired.body.nodes {
        let (Some(instance), Some(placed)) = (holders.get(&node.id), places.body.nodes.get(&node.id)) else {
            continue;
        };
        let process = ProcessIdentity {
            process_id: 1,
            process_start: 1,
        };
        let is_stopped = node.run == RunTarget::Stopped;
        let brokers: Vec<NodeId> = desired
            .body
            .nodes
            .iter()
            .map(|node| node.id)
            .filter(|id| id.0 < 10_000)
            .collect();
        let voters: Vec<NodeId> = desired
            .body
            .nodes
            .iter()
            .map(|node| node.id)
            .filter(|id| id.0 > 10_000)
            .collect();
        let status = NodeStatus {
            node_id: node.id,
            incarnation: Incarnation {
                boot_id: "stand-in".to_owned(),
                instance_id: instance.clone(),
                agent: process.clone(),
                kafka: (!is_stopped).then_some(process),
            },
            written_at: now,
            heartbeat_seconds: 60,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            phase: if is_stopped {
                NodePhase::Stopped
            } else {
                NodePhase::InSync
            },
            progress: String::new(),
            problem: None,
            applied: desired.generation,
            certificates_expire_at: None,
            dials_until: None,
            asks_for_certificates: false,
            view: (node.id.0 < 10_000).then(|| PeerView {
                observed_at: now,
                live_brokers: brokers.clone(),
                out_of_sync: BTreeMap::new(),
                would_fall_below: BTreeMap::new(),
                under_min_isr: 0,
                offline: 0,
                quorum_leader: voters.first().copied(),
                voters: voters.clone(),
                caught_up_voters: voters.clone(),
            }),
            unexpected_exits: 0,
            machine: placed.volume_id.clone().map(|volume_id| MachineStatus {
                volume_id,
                file_system_id: "stand-in".to_owned(),
                file_system_bytes: 16 << 40,
            }),
        };
        let key = keys::per_node(&uid, node.id, PerNode::Node).ok()?;
        let told = told.entry(key.as_str().to_owned()).or_default();
        let is_same = told.status.as_ref().is_some_and(|before| {
            before.applied == status.applied
                && before.incarnation == status.incarnation
                && before.phase == status.phase
                && now < before.written_at.after(Duration::from_secs(20))
        });
        if !is_same {
            told.generation = told.generation.next();
            documents
                .publish(&key, told.generation, &status, Durability::Volatile)
                .await
                .ok()?;
            told.status = Some(status);
        }
    }
    let first = desired.body.nodes.iter().map(|node| node.id).min()?;
    users(&documents, &uid, first, told, now).await
}

/// The first broker is in charge: Kafka has every user that is wanted, and no other.
async fn users(
    documents: &Documents,
    uid: &ClusterUid,
    node: NodeId,
    told: &mut Told,
    now: Timestamp,
) -> Option<()> {
    let wanted = documents
        .read::<UsersDesired>(&keys::single(uid, Single::Users).ok()?)
        .await
        .ok()??;
    let seen = |user: &UserDesired| UserObserved {
        mechanisms: [(user.mechanism.clone(), user.iterations)].into(),
        applied_generation: Some(user.generation),
        applied_version: None,
    };
    let status = UsersStatus {
        observed_at: now,
        applied: wanted.generation,
        users: wanted
            .body
            .keep
            .iter()
            .map(|(name, user)| (name.clone(), seen(user)))
            .collect(),
        failures: BTreeMap::new(),
    };
    let key = keys::per_node(uid, node, PerNode::Users).ok()?;
    let told = told.entry(key.as_str().to_owned()).or_default();
    let is_same = told.users.as_ref().is_some_and(|before| {
        before.applied == status.applied && now < before.observed_at.after(Duration::from_secs(20))
    });
    if !is_same {
        told.generation = told.generation.next();
        documents
            .publish(&key, told.generation, &status, Durability::Volatile)
            .await
            .ok()?;
        told.users = Some(status);
    }
    Some(())
}

/// The instances that hold the nodes' interfaces.
async fn holders(connection: &Connection, places: &ClusterPlaces) -> Option<BTreeMap<NodeId, String>> {
    let ids: Vec<String> = places
        .nodes
        .values()
        .filter_map(|placed| placed.interface.as_ref().map(|interface| interface.id.clone()))
        .collect();
    if ids.is_empty() {
        return None;
    }
    let mut attached = BTreeMap::new();
    let mut pages = connection
        .ec2()
        .describe_network_interfaces()
        .set_network_interface_ids(Some(ids))
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        for interface in page.ok()?.network_interfaces() {
            let attachment = interface.attachment();
            let instance = attachment
                .filter(|attachment| attachment.status() == Some(&AttachmentStatus::Attached))
                .and_then(|attachment| attachment.instance_id());
            if let (Some(id), Some(instance)) = (interface.network_interface_id(), instance) {
                attached.insert(id.to_owned(), instance.to_owned());
            }
        }
    }
    let of = |(node, placed): (&NodeId, &msk::store::documents::PlacedNode)| {
        let instance = attached.get(&placed.interface.as_ref()?.id)?;
        Some((*node, instance.clone()))
    };
    Some(places.nodes.iter().filter_map(of).collect())
}
