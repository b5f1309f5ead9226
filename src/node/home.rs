//! Where things lie on a machine: the data directory, a node's directory, and `node.json` in it.
//!
//! The engine makes a node's directory and writes [`NodeHome`]; the agent reads it and fills the rest.
//! Everything is private: directories 0700, files 0600.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::place::StorePlace;
use crate::spec::ids::{ClusterName, ClusterUid, NodeId, StoreId};
use crate::store::Store;
use crate::vault::Vault;

/// The form of `node.json` that this version writes and reads.
pub const HOME_FORMAT: u32 = 1;

/// `node.json` has a dozen short values; a larger file is not ours.
const MAX_HOME_BYTES: u64 = 64 * 1024;

/// Why a node's directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The file or directory cannot be read or written.
    #[error("access `{path}`")]
    Access {
        /// The file or directory.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// `node.json` is not what the engine wrote.
    #[error("`{path}` is damaged; run `terraform apply` again, it writes the file anew")]
    Damaged {
        /// The file.
        path: Utf8PathBuf,
        /// Where and what.
        #[source]
        cause: serde_json::Error,
    },
    /// `node.json` was written by another version.
    #[error(
        "`{path}` has format {found}, this agent reads {HOME_FORMAT}; use the agent of the provider that wrote it"
    )]
    Format {
        /// The file.
        path: Utf8PathBuf,
        /// As found.
        found: u32,
    },
}

impl HomeError {
    fn access(path: &Utf8Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Access { path, cause }
    }
}

/// What an agent has to know before it can read its documents. Written by the engine as `node.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeHome {
    /// [`HOME_FORMAT`].
    pub format: u32,
    /// Where the control store lies.
    #[serde(flatten)]
    pub store: StorePlace,
    /// The store's identity; another store in that place is not obeyed.
    pub store_id: StoreId,
    /// The cluster's identity.
    pub cluster_uid: ClusterUid,
    /// The cluster's name.
    pub cluster_name: ClusterName,
    /// The node.
    pub node_id: NodeId,
    /// Where the keys of the authorities and the passwords of the reserved users lie.
    #[serde(flatten)]
    pub private: PrivatePlace,
    /// Holds `kafka_2.13-<version>/libs/*.jar`.
    pub kafka_directory: Utf8PathBuf,
    /// The `java` program.
    pub java: Utf8PathBuf,
    /// The major version of that Java, such as 17.
    pub java_version: u16,
    /// Holds class-data archives, one per distribution and Java; used when the right one is there.
    pub cds_directory: Option<Utf8PathBuf>,
}

/// Where what is private to the cluster lies, as a node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrivatePlace {
    /// In a directory of this machine.
    #[serde(rename = "private_directory")]
    Directory(Utf8PathBuf),
    /// In the control store; the node's role decides what it may read there.
    #[serde(rename = "private_in_store")]
    Store,
    /// Out of this node's reach.
    #[serde(rename = "private_out_of_reach")]
    OutOfReach,
}

impl NodeHome {
    /// The way to what is private to the cluster.
    pub fn vault(&self, store: &Store) -> Vault {
        match &self.private {
            PrivatePlace::Directory(path) => Vault::directory(path.clone()),
            PrivatePlace::Store => Vault::of_store(store, &self.cluster_uid),
            PrivatePlace::OutOfReach => Vault::none(),
        }
    }

    /// Reads `node.json`.
    ///
    /// # Errors
    /// [`HomeError`], naming the file.
    pub fn load(directory: &NodeDirectory) -> Result<Self, HomeError> {
        let path = directory.home_file();
        let file = fs::File::open(&path).map_err(HomeError::access(&path))?;
        let mut text = Vec::new();
        file.take(MAX_HOME_BYTES)
            .read_to_end(&mut text)
            .map_err(HomeError::access(&path))?;
        let damaged = |cause| HomeError::Damaged {
            path: path.clone(),
            cause,
        };
        let format: FormatOnly = serde_json::from_slice(&text).map_err(damaged)?;
        if format.format != HOME_FORMAT {
            return Err(HomeError::Format {
                path,
                found: format.format,
            });
        }
        serde_json::from_slice(&text).map_err(damaged)
    }

    /// Makes the node's directory with its folders if they are not there, and writes `node.json`.
    ///
    /// # Errors
    /// [`HomeError::Access`], naming the file or directory.
    pub fn write(&self, directory: &NodeDirectory) -> Result<(), HomeError> {
        directory.make_folders()?;
        let path = directory.home_file();
        let text = serde_json::to_vec_pretty(self).map_err(|cause| HomeError::Damaged {
            path: path.clone(),
            cause,
        })?;
        write_private(&path, &text).map_err(HomeError::access(&path))
    }
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// The directory of one node and the names of what lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeDirectory(Utf8PathBuf);

impl NodeDirectory {
    /// Names the directory; nothing is read or made.
    pub const fn new(path: Utf8PathBuf) -> Self {
        Self(path)
    }

    /// The directory itself.
    pub fn path(&self) -> &Utf8Path {
        &self.0
    }

    /// [`NodeHome`].
    pub fn home_file(&self) -> Utf8PathBuf {
        self.0.join("node.json")
    }

    /// Kafka's log directory: records and metadata.
    pub fn data(&self) -> Utf8PathBuf {
        self.0.join("data")
    }

    /// Keys and certificates of this node.
    pub fn tls(&self) -> Utf8PathBuf {
        self.0.join("tls")
    }

    /// `server.properties` and the logging configuration.
    pub fn configuration(&self) -> Utf8PathBuf {
        self.0.join("config")
    }

    /// Logs of Kafka and of the agent.
    pub fn logs(&self) -> Utf8PathBuf {
        self.0.join("logs")
    }

    /// What Kafka's process prints.
    pub fn kafka_log(&self) -> Utf8PathBuf {
        self.logs().join("kafka.log")
    }

    /// What Kafka logs; Kafka itself keeps it small.
    pub fn server_log(&self) -> Utf8PathBuf {
        self.logs().join("server.log")
    }

    /// Where Kafka unpacks its compression libraries.
    pub fn scratch(&self) -> Utf8PathBuf {
        self.0.join("tmp")
    }

    /// What the agent logs.
    pub fn agent_log(&self) -> Utf8PathBuf {
        self.logs().join("agent.log")
    }

    /// The lock and the process identities.
    pub fn run(&self) -> Utf8PathBuf {
        self.0.join("run")
    }

    /// Held locked by the agent for its whole life; holds its process identity as JSON.
    pub fn lock_file(&self) -> Utf8PathBuf {
        self.run().join("agent.lock")
    }

    /// The identity of Kafka's process as JSON.
    pub fn kafka_process_file(&self) -> Utf8PathBuf {
        self.run().join("kafka.json")
    }

    /// Room on the disk that is kept for telling that it is full.
    pub fn reserve(&self) -> Utf8PathBuf {
        self.run().join("reserve")
    }

    /// While this file is there, a person wants Kafka stopped (`msk-node stop`).
    pub fn stop_request(&self) -> Utf8PathBuf {
        self.run().join("stop")
    }

    /// The documents last applied.
    pub fn applied(&self) -> Utf8PathBuf {
        self.0.join("applied")
    }

    /// Makes the directory and its folders, 0700 each; what is there stays.
    ///
    /// # Errors
    /// [`HomeError::Access`], naming the directory.
    pub fn make_folders(&self) -> Result<(), HomeError> {
        for path in [
            self.0.clone(),
            self.data(),
            self.tls(),
            self.configuration(),
            self.logs(),
            self.run(),
            self.applied(),
        ] {
            make_private_directory(&path).map_err(HomeError::access(&path))?;
        }
        Ok(())
    }
}

/// The provider's `data_directory` on one machine and what lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDirectory(Utf8PathBuf);

impl DataDirectory {
    /// Names the directory; nothing is read or made.
    pub const fn new(path: Utf8PathBuf) -> Self {
        Self(path)
    }

    /// The directory itself.
    pub fn path(&self) -> &Utf8Path {
        &self.0
    }

    /// The control store.
    pub fn store(&self) -> Utf8PathBuf {
        self.0.join("store")
    }

    /// Kafka's distributions, unless the user names another directory.
    pub fn kafka(&self) -> Utf8PathBuf {
        self.0.join("kafka")
    }

    /// Class-data archives.
    pub fn cds(&self) -> Utf8PathBuf {
        self.0.join("cds")
    }

    /// The directory of one cluster: `clusters/<name>-<uid>`.
    pub fn cluster(&self, name: &ClusterName, uid: &ClusterUid) -> Utf8PathBuf {
        self.0.join("clusters").join(format!("{name}-{uid}"))
    }

    /// The private directory of one cluster: keys of the authorities, passwords.
    pub fn private(&self, name: &ClusterName, uid: &ClusterUid) -> Utf8PathBuf {
        self.cluster(name, uid).join("private")
    }

    /// The directory of one node.
    pub fn node(&self, name: &ClusterName, uid: &ClusterUid, node: NodeId) -> NodeDirectory {
        NodeDirectory(self.cluster(name, uid).join("nodes").join(node.to_string()))
    }

    /// Every directory that holds a `node.json`, ordered by cluster and node id.
    ///
    /// # Errors
    /// [`HomeError::Access`] if a directory cannot be listed; a missing one is empty.
    pub fn find_nodes(&self) -> Result<Vec<NodeDirectory>, HomeError> {
        let mut found = Vec::new();
        for cluster in folders(&self.0.join("clusters"))? {
            let mut nodes: Vec<_> = folders(&cluster.join("nodes"))?
                .into_iter()
                .map(NodeDirectory)
                .filter(|node| node.home_file().exists())
                .collect();
            nodes.sort_by_key(|node| {
                let name = node.path().file_name().unwrap_or_default();
                name.parse::<u32>().unwrap_or(u32::MAX)
            });
            found.extend(nodes);
        }
        Ok(found)
    }
}

/// The folders right below `path`, sorted; none if it is not there.
fn folders(path: &Utf8Path) -> Result<Vec<Utf8PathBuf>, HomeError> {
    let entries = match path.read_dir_utf8() {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(HomeError::access(path)(cause)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(HomeError::access(path))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.into_path());
        }
    }
    found.sort();
    Ok(found)
}

/// Makes a directory and its parents, 0700 where made; one that is there stays as it is.
///
/// # Errors
/// What the system says.
pub fn make_private_directory(path: &Utf8Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file of mode 0600 so that a reader sees the old or the new content, never a part.
///
/// # Errors
/// What the system says; the old content is then still there.
pub fn write_private(path: &Utf8Path, content: &[u8]) -> io::Result<()> {
    let temporary = Utf8PathBuf::from(format!("{path}.{}.new", std::process::id()));
    let written = write_and_sync(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Whatever could not be completed must not fill a full disk further.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_and_sync(path: &Utf8Path, content: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn home() -> NodeHome {
        NodeHome {
            format: HOME_FORMAT,
            store: StorePlace::Directory("/d/store".into()),
            store_id: StoreId::new("0".repeat(32)),
            cluster_uid: ClusterUid::new("1".repeat(32)),
            cluster_name: ClusterName::new("events"),
            node_id: NodeId(2),
            private: PrivatePlace::Directory("/d/private".into()),
            kafka_directory: "/d/kafka".into(),
            java: "/usr/bin/java".into(),
            java_version: 17,
            cds_directory: None,
        }
    }

    fn temporary() -> (tempfile::TempDir, Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
        (directory, path)
    }

    #[test]
    fn a_home_with_blanks_and_foreign_letters_reads_back_and_is_private() {
        let (_keep, root) = temporary();
        let data = DataDirectory::new(root.join("mit Blank und ü"));
        let home = home();
        let node = data.node(&home.cluster_name, &home.cluster_uid, home.node_id);
        home.write(&node).unwrap();
        home.write(&node).unwrap();
        assert_eq!(NodeHome::load(&node).unwrap(), home);
        let mode = |path: &Utf8Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&node.home_file()), 0o600);
        assert_eq!(mode(&node.data()), 0o700);
        assert_eq!(mode(data.path()), 0o700);
    }

    #[test]
    fn every_private_place_reads_back_and_a_directory_stands_where_it_always_did() {
        for private in [
            PrivatePlace::Directory("/d/private".into()),
            PrivatePlace::Store,
            PrivatePlace::OutOfReach,
        ] {
            let home = NodeHome { private, ..home() };
            let value = serde_json::to_value(&home).unwrap();
            assert_eq!(serde_json::from_value::<NodeHome>(value).unwrap(), home);
        }
        assert_eq!(
            serde_json::to_value(home()).unwrap()["private_directory"],
            "/d/private"
        );
    }

    #[test]
    fn nodes_are_found_in_the_order_of_their_ids() {
        let (_keep, root) = temporary();
        let data = DataDirectory::new(root);
        assert!(data.find_nodes().unwrap().is_empty());
        let home = home();
        for id in [10, 9, 1] {
            let node = data.node(&home.cluster_name, &home.cluster_uid, NodeId(id));
            home.write(&node).unwrap();
        }
        let found = data.find_nodes().unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|node| node.path().file_name().unwrap())
            .collect();
        assert_eq!(names, ["1", "9", "10"]);
    }

    #[test]
    fn a_damaged_or_newer_home_is_an_error_that_names_the_file() {
        let (_keep, root) = temporary();
        let node = NodeDirectory::new(root);
        home().write(&node).unwrap();
        fs::write(node.home_file(), "{").unwrap();
        let error = NodeHome::load(&node).unwrap_err().to_string();
        assert!(error.contains("node.json` is damaged"), "{error}");
        fs::write(node.home_file(), r#"{"format": 9}"#).unwrap();
        assert!(matches!(
            NodeHome::load(&node),
            Err(HomeError::Format { found: 9, .. })
        ));
    }
}
