//! The engine for one machine: a data directory, real Kafka processes, one agent beside each.

/// The data directory: ours, writable, with room.
pub mod directory;

/// Which ports are free, and which block of them a cluster takes.
pub mod ports;

/// The processes of a cluster's nodes, found by what they run on, and their end.
pub mod processes;

/// The agent's program: installed once per version, started once per node.
pub mod agent;

mod identity;
mod nodes;
mod perform;

use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs as _};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::OnceCell;

use crate::kafka::distribution::{self, Archive, Sources};
use crate::kafka::java::{self, Java};
use crate::node::home::{DataDirectory, HomeError};
use crate::spec::ids::{NodeId, StoreId};
use crate::store::identity::{Home, OpenError};
use crate::store::{DocumentError, KeyError, Store};

/// The settings of `local = { … }` that the engine needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where clusters, the control store and Kafka lie. Absolute.
    pub data_directory: Utf8PathBuf,
    /// Where Kafka's distributions lie, if not in the data directory.
    pub kafka_directory: Option<Utf8PathBuf>,
    /// Where to download Kafka, if not through Maven.
    pub archive: Option<Archive>,
    /// The Maven command.
    pub maven_command: String,
    /// The Java installation, if not `$JAVA_HOME` or the `java` in `PATH`.
    pub java_home: Option<Utf8PathBuf>,
    /// Where blocks of ports begin.
    pub base_port: u16,
    /// The agent's program, if not the one beside the provider.
    pub agent_program: Option<Utf8PathBuf>,
}

impl Settings {
    /// The defaults of `local = {}` for a data directory.
    pub fn new(data_directory: Utf8PathBuf) -> Self {
        Self {
            data_directory,
            kafka_directory: None,
            archive: None,
            maven_command: "mvn".to_owned(),
            java_home: None,
            base_port: 20_000,
            agent_program: None,
        }
    }
}

/// Why the engine for one machine could not do something.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The data directory.
    #[error(transparent)]
    Directory(#[from] directory::DirectoryError),
    /// The control store does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Kafka's files.
    #[error(transparent)]
    Distribution(#[from] distribution::Error),
    /// Java.
    #[error(transparent)]
    Java(#[from] java::Error),
    /// Ports.
    #[error(transparent)]
    Ports(#[from] ports::PortsError),
    /// The agent.
    #[error(transparent)]
    Agent(#[from] agent::AgentError),
    /// Processes.
    #[error(transparent)]
    Process(#[from] processes::ProcessError),
    /// A node's directory.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Keys and certificates.
    #[error(transparent)]
    Vault(#[from] crate::vault::VaultError),
    /// Kafka's ids.
    #[error(transparent)]
    Format(#[from] crate::kafka::format::Error),
    /// The control store.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A key could not be named.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// `listen_address` is no address of this machine.
    #[error("`listen_address` is `{address}`: it must be an IP address, or a name of this machine")]
    Address {
        /// As written.
        address: String,
    },
    /// Maven is needed and not there.
    #[error(
        "Kafka {version} is not in `{kafka_directory}`, no `kafka_archive_url` is set, and the Maven command \
         `{command}` is not in PATH; install Maven, or set one of the three"
    )]
    NoMaven {
        /// The version that is wanted.
        version: String,
        /// Where it was looked for.
        kafka_directory: Utf8PathBuf,
        /// The command.
        command: String,
    },
    /// A directory cannot be removed.
    #[error("remove `{path}`")]
    Remove {
        /// The directory.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// A directory cannot be read.
    #[error("read `{path}`")]
    Read {
        /// The directory.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// A step that only an AWS account has.
    #[error("internal: one machine has no network and no volumes; please report this")]
    NotOnOneMachine,
    /// A node that is to start is in no document.
    #[error("internal: node {node} is to start without a place; please report this")]
    NoPlace {
        /// The node.
        node: NodeId,
    },
}

/// The engine for one machine. Opening it touches nothing.
#[derive(Debug)]
pub struct LocalEngine {
    settings: Settings,
    data: DataDirectory,
    program: OnceCell<Utf8PathBuf>,
    java: OnceCell<Java>,
}

impl LocalEngine {
    /// An engine with these settings.
    pub fn new(settings: Settings) -> Self {
        let data = DataDirectory::new(canonical(&settings.data_directory));
        Self {
            settings,
            data,
            program: OnceCell::new(),
            java: OnceCell::new(),
        }
    }

    /// The data directory, without symbolic links.
    pub const fn data(&self) -> &DataDirectory {
        &self.data
    }

    /// Where Kafka's distributions lie.
    pub fn kafka_directory(&self) -> Utf8PathBuf {
        match &self.settings.kafka_directory {
            Some(directory) => directory.clone(),
            None => self.data.kafka(),
        }
    }

    /// Opens the control store for a refresh: nothing is made or changed.
    ///
    /// # Errors
    /// [`LocalError`]: no store there, another store than the expected one, not ours.
    pub async fn open_existing(&self, expected: Option<&StoreId>) -> Result<Store, LocalError> {
        match directory::inspect(&self.data)? {
            directory::StoreState::There => {}
            directory::StoreState::NotYet => {
                return Err(directory::DirectoryError::Absent {
                    path: self.data.path().to_owned(),
                }
                .into());
            }
        }
        Ok(Store::open_existing(&self.home(), expected).await?)
    }

    /// Opens the control store for a create: data directory and store are made if nothing is there.
    ///
    /// # Errors
    /// [`LocalError`]: not ours, not writable, full, or emptied while clusters are still there.
    pub async fn open_or_create(&self) -> Result<Store, LocalError> {
        directory::prepare(&self.data)?;
        Ok(Store::open_or_create(&self.home()).await?)
    }

    fn home(&self) -> Home {
        Home::Directory(self.data.store())
    }

    fn sources(&self) -> Sources {
        Sources {
            kafka_directory: self.kafka_directory(),
            archive: self.settings.archive.clone(),
            maven_command: self.settings.maven_command.clone(),
        }
    }

    /// The Java that runs Kafka; asked once.
    async fn java(&self) -> Result<&Java, LocalError> {
        let find = || async {
            let environment_home = std::env::var("JAVA_HOME").ok().filter(|home| !home.is_empty());
            let search_path = std::env::var_os("PATH");
            Ok::<Java, LocalError>(
                java::find(java::Places {
                    java_home: self.settings.java_home.as_deref(),
                    environment_home: environment_home.as_deref(),
                    search_path: search_path.as_deref(),
                })
                .await?,
            )
        };
        self.java.get_or_try_init(find).await
    }

    /// The agent's program in the data directory; installed unless it is there. The removal of the last
    /// cluster removes it, maybe in the middle of a replacement.
    async fn program(&self) -> Result<&Utf8Path, LocalError> {
        let install = || async {
            let source = match &self.settings.agent_program {
                Some(program) => program.clone(),
                None => agent::shipped_program()?,
            };
            let data = self.data.clone();
            let installed = tokio::task::spawn_blocking(move || agent::install(&data, &source)).await;
            match installed {
                Ok(installed) => Ok::<Utf8PathBuf, LocalError>(installed?),
                Err(error) => Err(agent::AgentError::OwnProgram(std::io::Error::other(error)).into()),
            }
        };
        let program = self.program.get_or_try_init(install).await?;
        if !program.exists() {
            install().await?;
        }
        Ok(program.as_path())
    }
}

/// A path without symbolic links, as far as it exists: command lines of agents name it so.
fn canonical(path: &Utf8Path) -> Utf8PathBuf {
    for ancestor in path.ancestors() {
        if let Ok(found) = ancestor.canonicalize_utf8() {
            let rest = path.strip_prefix(ancestor).unwrap_or(Utf8Path::new(""));
            return if rest.as_str().is_empty() {
                found
            } else {
                found.join(rest)
            };
        }
    }
    path.to_owned()
}

/// The address that `listen_address` means for binding.
fn bind_address(listen_address: &str) -> Result<IpAddr, LocalError> {
    if listen_address == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    if let Ok(address) = listen_address.parse() {
        return Ok(address);
    }
    let mut found = (listen_address, 0).to_socket_addrs().ok().into_iter().flatten();
    found
        .next()
        .map(|address| address.ip())
        .ok_or_else(|| LocalError::Address {
            address: listen_address.to_owned(),
        })
}
