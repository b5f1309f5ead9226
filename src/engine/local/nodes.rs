//! Finds, starts and removes the nodes of a cluster on one machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::processes::{self, ProcessError, Role, running_on};
use super::{LocalEngine, LocalError, agent, ports};
use crate::engine::{ClusterPlace, NodePlace};
use crate::node::home::{HOME_FORMAT, NodeDirectory, NodeHome, PrivatePlace};
use crate::node::place::StorePlace;
use crate::observed::Seen;
use crate::process::{self, Process};
use crate::spec::ids::{ClusterName, ClusterUid, NodeId};
use crate::store::Store;
use crate::store::documents::ClusterDesired;

/// What is shown of an agent's log when it has ended.
const LAST_LINES: usize = 5;
const MAX_LAST_WORDS: u64 = 4096;
/// A process that was just killed may still be writing its last file.
const REMOVE_TRIES: u32 = 5;
const REMOVE_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

impl LocalEngine {
    fn node(&self, place: &ClusterPlace, node: NodeId) -> NodeDirectory {
        self.data.node(&place.name, &place.uid, node)
    }

    pub(super) fn look_for_nodes(
        &self,
        place: &ClusterPlace,
        desired: Option<&ClusterDesired>,
    ) -> Result<BTreeMap<NodeId, NodePlace>, LocalError> {
        let cluster = self.data.cluster(&place.name, &place.uid);
        let mut ids: BTreeSet<NodeId> = names(&cluster.join("nodes"))?
            .iter()
            .filter_map(|name| name.parse().ok().map(NodeId))
            .collect();
        ids.extend(
            desired
                .into_iter()
                .flat_map(|desired| desired.nodes.iter().map(|node| node.id)),
        );
        let listed = process::list_own().map_err(ProcessError::List)?;
        Ok(ids
            .into_iter()
            .map(|id| (id, look_at(&self.node(place, id), &listed)))
            .collect())
    }

    pub(super) async fn start(
        &self,
        store: &Store,
        place: &ClusterPlace,
        node: NodeId,
    ) -> Result<(), LocalError> {
        let java = self.java().await?;
        let directory = self.node(place, node);
        let home = NodeHome {
            format: HOME_FORMAT,
            store: StorePlace::Directory(self.data.store()),
            store_id: store.id().clone(),
            cluster_uid: place.uid.clone(),
            cluster_name: place.name.clone(),
            node_id: node,
            private: PrivatePlace::Directory(self.data.private(&place.name, &place.uid)),
            kafka_directory: self.kafka_directory(),
            java: java.program.clone(),
            java_version: java.release,
            cds_directory: Some(self.data.cds()),
        };
        home.write(&directory)?;
        // From here on the node's directory keeps the program from being removed as unused. A destroy
        // that had looked before may still take it away under our hands, once.
        match agent::start(self.program().await?, &directory).await {
            Err(agent::AgentError::Start { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {
                Ok(agent::start(self.program().await?, &directory).await?)
            }
            started => Ok(started?),
        }
    }

    pub(super) fn words_of(&self, place: &ClusterPlace, node: NodeId) -> String {
        let log = self.node(place, node).agent_log();
        let words = read_end(&log).unwrap_or_default();
        let lines: Vec<&str> = words.lines().rev().take(LAST_LINES).collect();
        if lines.is_empty() {
            return format!("none (see `{log}`)");
        }
        let lines: Vec<&str> = lines.into_iter().rev().collect();
        format!("{} (more in `{log}`)", lines.join(" / "))
    }

    pub(super) async fn remove_node_place(
        &self,
        place: &ClusterPlace,
        node: NodeId,
    ) -> Result<(), LocalError> {
        let directory = self.node(place, node);
        processes::end_all(directory.path()).await?;
        remove(directory.path()).await
    }

    pub(super) async fn remove_cluster_place(
        &self,
        store: &Store,
        place: &ClusterPlace,
    ) -> Result<(), LocalError> {
        let cluster = self.data.cluster(&place.name, &place.uid);
        processes::end_all(&cluster).await?;
        remove(&cluster).await?;
        ports::release(store, place).await?;
        if names(&self.data.path().join("clusters"))?.is_empty() {
            remove(&self.data.path().join("bin")).await?;
        }
        Ok(())
    }

    pub(super) fn what_is_left(&self, place: &ClusterPlace) -> Result<Vec<String>, LocalError> {
        let cluster = self.data.cluster(&place.name, &place.uid);
        let mut left = Vec::new();
        if cluster.exists() {
            left.push(format!("the directory `{cluster}`"));
        }
        let listed = process::list_own().map_err(ProcessError::List)?;
        for (role, process) in running_on(&listed, &cluster) {
            let what = match role {
                Role::Agent => "agent",
                Role::Kafka => "Kafka",
            };
            left.push(format!("process {} ({what})", process.identity.process_id));
        }
        Ok(left)
    }

    pub(super) fn cluster_places(&self) -> Result<Vec<ClusterPlace>, LocalError> {
        let found = names(&self.data.path().join("clusters"))?;
        Ok(found
            .iter()
            .filter_map(|name| {
                let (name, uid) = name.rsplit_once('-')?;
                let is_uid = uid.len() == 32 && uid.bytes().all(|byte| byte.is_ascii_hexdigit());
                is_uid.then(|| ClusterPlace {
                    name: ClusterName::new(name),
                    uid: ClusterUid::new(uid),
                })
            })
            .collect())
    }
}

fn look_at(directory: &NodeDirectory, listed: &[Process]) -> NodePlace {
    let mut place = NodePlace {
        disk: match fs::metadata(directory.data()) {
            Ok(metadata) if metadata.is_dir() => Seen::Known(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Seen::Absent,
            Ok(_) | Err(_) => Seen::Uncertain,
        },
        ..NodePlace::ABSENT
    };
    for (role, _) in running_on(listed, directory.path()) {
        match role {
            Role::Agent => place.agent = Seen::Known(()),
            Role::Kafka => place.kafka = Seen::Known(()),
        }
    }
    place
}

fn names(directory: &Utf8Path) -> Result<Vec<String>, LocalError> {
    let fail = |cause| LocalError::Read {
        path: directory.to_owned(),
        cause,
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(fail(cause)),
    };
    let mut found = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.map_err(fail)?.file_name().into_string() {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

async fn remove(path: &Utf8Path) -> Result<(), LocalError> {
    let mut tries = 0;
    loop {
        match remove_once(path.to_owned()).await {
            Ok(()) => return Ok(()),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) if cause.kind() == io::ErrorKind::DirectoryNotEmpty && tries < REMOVE_TRIES => {
                tries += 1;
                tokio::time::sleep(REMOVE_PAUSE).await;
            }
            Err(cause) => {
                return Err(LocalError::Remove {
                    path: path.to_owned(),
                    cause,
                });
            }
        }
    }
}

async fn remove_once(path: Utf8PathBuf) -> io::Result<()> {
    tokio::task::spawn_blocking(move || fs::remove_dir_all(path))
        .await
        .map_err(io::Error::other)?
}

fn read_end(path: &Utf8Path) -> io::Result<String> {
    use std::io::{Read as _, Seek as _};
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(io::SeekFrom::Start(length.saturating_sub(MAX_LAST_WORDS)))?;
    let mut bytes = Vec::new();
    file.take(MAX_LAST_WORDS).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
