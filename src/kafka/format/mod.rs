//! Formatting a data directory for Kafka without a JVM: writes what `kafka-storage format` would write.
//!
//! Whether a directory *may* be formatted is decided by the caller under the first-format claim (design,
//! section 6); this module refuses a directory that holds anything but an interrupted formatting.

/// `meta.properties`: who owns a data directory. Pure.
pub mod meta_properties;

mod batch;
mod checkpoint;
mod scram;
mod uuid;

#[cfg(test)]
mod tests;

pub use scram::ScramUser;
pub use uuid::draw as draw_uuid;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};

use crate::clock::Timestamp;
use crate::kafka::versions::KafkaVersion;
use crate::spec::ids::{KafkaUuid, NodeId};

/// Whose a data directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster_id: KafkaUuid,
    /// The node.
    pub node_id: NodeId,
    /// The directory itself; never used twice.
    pub directory_id: KafkaUuid,
}

/// A controller that votes from the cluster's first moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// The node.
    pub node_id: NodeId,
    /// Its directory.
    pub directory_id: KafkaUuid,
    /// The host of its controller listener, as other controllers reach it.
    pub host: String,
    /// The port of its controller listener.
    pub port: u16,
}

/// How a node comes into its cluster.
#[derive(Debug, Clone)]
pub enum Role {
    /// A broker without a vote, or a controller that joins later: it fetches everything.
    Joiner,
    /// A voter of a new cluster. All voters must be formatted with equal content.
    InitialVoter(Bootstrap),
}

/// What the initial voters of a cluster agree on.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The version whose feature levels the cluster starts with.
    pub version: KafkaVersion,
    /// The name of the controller listener, as in `controller.listener.names`.
    pub listener: String,
    /// The voters, by node id.
    pub voters: Vec<Voter>,
    /// Users who must exist before the first broker can log in.
    pub users: Vec<ScramUser>,
}

/// What formatting did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// The directory was formatted now.
    Created,
    /// It was formatted before, for the same cluster, node and directory id.
    AlreadyRight,
}

/// Why a data directory was not formatted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An id is not a UUID in Kafka's form.
    #[error("`{text}` is not a Kafka id (22 characters of URL-safe base64)")]
    BrokenId {
        /// What it is, cut to 40 characters.
        text: String,
    },
    /// No voter, too many, two with one id, a name or host that is empty or too long.
    #[error("the initial voters are not usable: {rule}")]
    BadVoters {
        /// The rule that is broken.
        rule: &'static str,
    },
    /// A user that Kafka would refuse.
    #[error("the SCRAM user is not usable: {rule}")]
    BadScramUser {
        /// The rule that is broken.
        rule: &'static str,
    },
    /// The system's random generator failed.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The directory is another's.
    #[error(
        "`{directory}` belongs to node {found_node} of cluster {found_cluster} (directory {found_directory}), \
         not to node {wanted_node} of cluster {wanted_cluster} (directory {wanted_directory})",
        found_node = .found.node_id, found_cluster = .found.cluster_id, found_directory = .found.directory_id,
        wanted_node = .wanted.node_id, wanted_cluster = .wanted.cluster_id, wanted_directory = .wanted.directory_id
    )]
    OtherOwner {
        /// The data directory.
        directory: Utf8PathBuf,
        /// Whose it is.
        found: Box<Identity>,
        /// Whose it was meant to be.
        wanted: Box<Identity>,
    },
    /// The directory holds files, but no `meta.properties`: it may be a cluster's data.
    #[error("`{directory}` is not blank: it holds `{entry}` but no meta.properties; it is left as it is")]
    NotBlank {
        /// The data directory.
        directory: Utf8PathBuf,
        /// One thing that is there.
        entry: String,
    },
    /// `meta.properties` is there but cannot be used.
    #[error("`{path}` cannot be used")]
    Meta {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        #[source]
        source: meta_properties::MetaError,
    },
    /// The file system refused.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: Utf8PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Error {
    fn io(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

const META: &str = "meta.properties";
const BOOTSTRAP: &str = "bootstrap.checkpoint";
const METADATA_LOG: &str = "__cluster_metadata-0";
const VOTERS: &str = "00000000000000000000-0000000000.checkpoint";

/// Reads whose a directory is; `None` if it was never formatted to the end.
///
/// # Errors
/// [`Error::Meta`] and [`Error::Io`]. A file beyond 64 KiB is taken as broken.
pub fn read_identity(directory: &Utf8Path) -> Result<Option<Identity>, Error> {
    let path = directory.join(META);
    let text = match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(Error::Io {
                action: "look at",
                path,
                source,
            });
        }
        Ok(found) if found.len() > 64 * 1024 => String::new(),
        Ok(_) => fs::read_to_string(&path).map_err(Error::io("read", &path))?,
    };
    let identity = meta_properties::parse(&text).map_err(|source| Error::Meta { path, source })?;
    Ok(Some(identity))
}

/// Formats a data directory (made if absent, mode 0700), or finds that this was done before.
///
/// Guarantees: `meta.properties` comes last and whole, so a call that was cut short at any instant leaves
/// a directory that this function formats again and Kafka refuses to start from. Nothing that was there
/// before is changed.
///
/// # Errors
/// [`Error::OtherOwner`] and [`Error::NotBlank`] if the directory is somebody's; the others as they say.
pub fn ensure_formatted(
    directory: &Utf8Path,
    identity: &Identity,
    role: &Role,
    now: Timestamp,
) -> Result<Ensured, Error> {
    uuid::bytes(&identity.directory_id)?;
    if let Some(found) = read_identity(directory)? {
        if found == *identity {
            return Ok(Ensured::AlreadyRight);
        }
        let (found, wanted) = (Box::new(found), Box::new(identity.clone()));
        return Err(Error::OtherOwner {
            directory: directory.to_owned(),
            found,
            wanted,
        });
    }
    make_directory(directory)?;
    refuse_foreign_files(directory)?;
    if let Role::InitialVoter(bootstrap) = role {
        check_voters(bootstrap)?;
        let voters = checkpoint::voters(&bootstrap.listener, &bootstrap.voters, now)?;
        let metadata_log = directory.join(METADATA_LOG);
        make_directory(&metadata_log)?;
        write_whole(&metadata_log, VOTERS, &voters)?;
        write_whole(
            directory,
            BOOTSTRAP,
            &checkpoint::bootstrap(bootstrap.version, &bootstrap.users, now),
        )?;
    }
    write_whole(directory, META, meta_properties::render(identity).as_bytes())?;
    Ok(Ensured::Created)
}

/// More voters than any cluster has, few enough that all of them fit into one small record.
const MOST_VOTERS: usize = 32;

fn check_voters(bootstrap: &Bootstrap) -> Result<(), Error> {
    let bad = |rule| Err(Error::BadVoters { rule });
    let voters = &bootstrap.voters;
    if voters.is_empty() || voters.len() > MOST_VOTERS {
        return bad("there must be 1 to 32");
    }
    if bootstrap.users.len() > 1000 {
        return bad("at most 1000 users can be made at once");
    }
    let is_name = |text: &str| (1..=255).contains(&text.len());
    if !is_name(&bootstrap.listener) || !voters.iter().all(|voter| is_name(&voter.host)) {
        return bad("listener and hosts must have 1 to 255 bytes");
    }
    if voters.iter().any(|voter| voter.port == 0) {
        return bad("a port cannot be 0");
    }
    for (index, voter) in voters.iter().enumerate() {
        let others = voters.iter().skip(index + 1);
        if others
            .into_iter()
            .any(|other| other.node_id == voter.node_id || other.directory_id == voter.directory_id)
        {
            return bad("two have the same node id or directory id");
        }
    }
    Ok(())
}

/// An interrupted formatting of ours and a file system's own folder count as blank, all else does not.
fn refuse_foreign_files(directory: &Utf8Path) -> Result<(), Error> {
    let ours = [BOOTSTRAP, METADATA_LOG, "lost+found"];
    refuse_all_but(directory, &ours)?;
    let metadata_log = directory.join(METADATA_LOG);
    if metadata_log.is_dir() {
        refuse_all_but(&metadata_log, &[VOTERS])
    } else {
        Ok(())
    }
}

fn refuse_all_but(directory: &Utf8Path, ours: &[&str]) -> Result<(), Error> {
    for entry in fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let entry = entry.map_err(Error::io("list", directory))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !ours.contains(&name.as_str()) && !name.ends_with(UNFINISHED) {
            return Err(Error::NotBlank {
                directory: directory.to_owned(),
                entry: name,
            });
        }
    }
    Ok(())
}

fn make_directory(directory: &Utf8Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(Error::io("make the directory", directory))?;
    let Some(parent) = directory.parent() else {
        return Ok(());
    };
    sync_directory(parent)
}

/// The end of the names of files that are being written.
const UNFINISHED: &str = ".msk-unfinished";

/// Writes a file so that it is there whole or not at all, also after a power cut.
fn write_whole(directory: &Utf8Path, name: &str, content: &[u8]) -> Result<(), Error> {
    let target = directory.join(name);
    let scratch = directory.join(format!("{name}{UNFINISHED}"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&scratch)
        .map_err(Error::io("create", &scratch))?;
    file.write_all(content).map_err(Error::io("write", &scratch))?;
    file.sync_all().map_err(Error::io("write", &scratch))?;
    fs::rename(&scratch, &target).map_err(Error::io("create", &target))?;
    sync_directory(directory)
}

fn sync_directory(directory: &Utf8Path) -> Result<(), Error> {
    let directory = if directory.as_str().is_empty() {
        Utf8Path::new(".")
    } else {
        directory
    };
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(Error::io("flush", directory))
}
