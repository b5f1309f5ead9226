//! What the nodes run: found or packed on this machine, put into the control bucket once, and named in the release.
//!
//! An artefact is known by the digest of its bytes, so nothing is ever changed, and what is there need not be sent
//! again. What has to be packed is kept in the user's cache: a second apply packs nothing.

/// The agent's program.
mod agent;

/// Packed artefacts of this machine.
mod cache;

/// What a library needs of its system.
mod elf;

/// Whether an archive is a Java for the nodes.
mod inspect;

/// Java for the nodes.
mod java;

/// Kafka's jars.
mod kafka;

/// Archives that are the same for the same content.
mod pack;

/// The signed release.
mod release;

/// Sending to the bucket.
mod upload;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::aws::CallError;
use crate::kafka::distribution::{self, Sources};
use crate::kafka::versions::KafkaVersion;
use crate::store::release::{AgentArtifact, Artifact, JavaArtifact, ReleaseError, Sha256};
use crate::store::{Error as StoreError, KeyError, S3Home};

pub use agent::beside as program_beside;
pub use cache::folder as cache_folder;
pub use java::{JavaArchive, JavaPlaces};
pub use release::ensure_release;

/// The glibc of Amazon Linux 2023: what is built for a newer one does not start there.
pub const AMAZON_LINUX_GLIBC: Glibc = Glibc(2, 34);

/// A version of glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(pub u32, pub u32);

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// A processor architecture, named as EC2 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// `x86_64`.
    X86,
    /// `arm64`.
    Arm,
}

impl Architecture {
    /// Both.
    pub const ALL: [Self; 2] = [Self::X86, Self::Arm];

    /// EC2's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }

    /// The name that compilers and kernels use.
    pub const fn machine(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    /// By EC2's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether this machine is Linux of this architecture.
    pub fn is_here(self) -> bool {
        cfg!(target_os = "linux") && std::env::consts::ARCH == self.machine()
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why an artefact could not be made or sent.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// No agent for an architecture.
    #[error(
        "there is no agent for {architecture}: neither `{file}` nor, for this machine's own architecture, `msk-node` lies \
         beside the provider's program in `{folder}`; `scripts/build-agents` of the provider's sources makes it"
    )]
    NoAgent {
        /// The architecture.
        architecture: Architecture,
        /// The file that is looked for.
        file: String,
        /// Where.
        folder: Utf8PathBuf,
    },
    /// A program of another architecture.
    #[error("`{path}` is no program for Linux on {architecture}")]
    OtherArchitecture {
        /// The file.
        path: Utf8PathBuf,
        /// What it must be for.
        architecture: Architecture,
    },
    /// No Java for an architecture.
    #[error(
        "there is no Java for nodes of {architecture}: set `java_archives.{architecture}` of the provider block to the URL or \
         path of a `.tar.gz` with a Java runtime for Linux, with its `sha256` (a Java of this machine is taken only on \
         Linux of the same architecture)"
    )]
    NoJava {
        /// The architecture.
        architecture: Architecture,
    },
    /// Java was looked for and not found.
    #[error("find a Java for nodes of {architecture}, since `java_archives.{architecture}` is not set")]
    FindJava {
        /// The architecture.
        architecture: Architecture,
        /// Why not.
        #[source]
        cause: crate::kafka::java::Error,
    },
    /// A Java that does not start on the nodes.
    #[error(
        "the Java in `{place}` needs glibc {needed} ({file}), and Amazon Linux 2023 has {offered}: it would not start on the \
         nodes. Set `java_archives.{architecture}` to a Java that is built for older systems, such as Amazon Corretto or \
         Eclipse Temurin, or `ami_id` to an image with a newer glibc"
    )]
    TooNew {
        /// The directory or archive.
        place: String,
        /// The library.
        file: String,
        /// What it needs.
        needed: Glibc,
        /// What the nodes have.
        offered: Glibc,
        /// The architecture.
        architecture: Architecture,
    },
    /// A Java that needs libraries which the nodes do not have.
    #[error(
        "the Java in `{place}` needs the library `{library}` ({file}), which is not on Amazon Linux 2023. Set \
         `java_archives.{architecture}` to a Java without further needs, such as Amazon Corretto or Eclipse Temurin"
    )]
    NeedsLibrary {
        /// The directory or archive.
        place: String,
        /// The library that needs it.
        file: String,
        /// What is needed.
        library: String,
        /// The architecture.
        architecture: Architecture,
    },
    /// An archive that is none of Java.
    #[error("`{place}` cannot be used as Java for the nodes: {flaw}")]
    NoJavaArchive {
        /// The directory or archive.
        place: String,
        /// What is wrong.
        flaw: String,
    },
    /// Too old for this Kafka.
    #[error(
        "the Java for nodes of {architecture} ({place}) is {release}, and Kafka {version} needs {minimum} or newer; name a \
         newer one in `java_archives.{architecture}`"
    )]
    OldJava {
        /// The architecture.
        architecture: Architecture,
        /// The directory or archive.
        place: String,
        /// What it is.
        release: String,
        /// The Kafka.
        version: KafkaVersion,
        /// What it needs.
        minimum: u16,
    },
    /// The archive is not the one that was meant.
    #[error(
        "`{place}` has SHA-256 {found}, and `java_archives.{architecture}.sha256` says {wanted}; nothing of it was used"
    )]
    WrongDigest {
        /// The URL or path.
        place: String,
        /// The architecture.
        architecture: Architecture,
        /// As found.
        found: Sha256,
        /// As written.
        wanted: Sha256,
    },
    /// Kafka's files, or a download.
    #[error(transparent)]
    Distribution(#[from] distribution::Error),
    /// The file system refused.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: Utf8PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME`.
    #[error("there is no place for packed files: set `HOME` or `XDG_CACHE_HOME` to an absolute path")]
    NoCache,
    /// S3 did not take it.
    #[error("send `{key}` to the control bucket")]
    Send {
        /// The object.
        key: String,
        /// AWS's words.
        #[source]
        cause: CallError,
    },
    /// S3 does not let us look.
    #[error(
        "no permission for `{key}` of the control bucket: allow `s3:GetObject`, `s3:PutObject` and `s3:ListBucket`, and the \
         use of the bucket's KMS key"
    )]
    Refused {
        /// The object.
        key: String,
    },
    /// The control store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The release.
    #[error("`{location}` cannot be used; restore its former version, which the bucket keeps")]
    Release {
        /// The document.
        location: String,
        /// What is wrong with it.
        #[source]
        cause: ReleaseError,
    },
    /// Others changed it again and again.
    #[error("the release `{location}` is being changed by somebody else; run again when that has ended")]
    Contended {
        /// The document.
        location: String,
    },
    /// A key that cannot be named.
    #[error(transparent)]
    Key(#[from] KeyError),
}

fn io_error(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> ArtifactError {
    let path = path.to_owned();
    move |cause| ArtifactError::Io { action, path, cause }
}

/// Runs blocking work beside the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArtifactError> + Send + 'static,
) -> Result<T, ArtifactError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ArtifactError::Io {
            action: "work on",
            path: Utf8PathBuf::new(),
            cause: io::Error::other(error),
        }),
    }
}

/// Where everything comes from.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The architectures of the cluster's nodes.
    pub architectures: BTreeSet<Architecture>,
    /// The versions of Kafka that its nodes run, more than one during an upgrade.
    pub versions: BTreeSet<KafkaVersion>,
    /// The folder with the agents' programs; [`program_beside`] is the one of the provider.
    pub programs: Utf8PathBuf,
    /// A program that is taken for this machine's architecture, whatever lies in the folder. For tests.
    pub agent_program: Option<Utf8PathBuf>,
    /// Archives with Java that the user names.
    pub java: BTreeMap<Architecture, JavaArchive>,
    /// Where Java is looked for without one.
    pub java_places: JavaPlaces,
    /// The glibc of the nodes, if it is known: Amazon's image, and not the user's.
    pub glibc: Option<Glibc>,
    /// Where Kafka comes from.
    pub kafka: Sources,
    /// Where packed files are kept; [`cache_folder`] is the user's.
    pub cache: Utf8PathBuf,
}

/// What is in the bucket now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifacts {
    /// The agent, by architecture.
    pub agents: BTreeMap<Architecture, AgentArtifact>,
    /// Java, by architecture.
    pub java: BTreeMap<Architecture, JavaArtifact>,
    /// Kafka, by version.
    pub kafka: BTreeMap<KafkaVersion, Artifact>,
}

/// A file of this machine that is to be in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Local {
    path: Utf8PathBuf,
    /// For people.
    title: String,
    artifact: Artifact,
}

/// Finds or packs everything and puts what is missing into the bucket. `say` gets a sentence for each stage.
///
/// Cancellation: what was sent stays, and counts the next time.
///
/// # Errors
/// [`ArtifactError`].
pub async fn ensure(
    inputs: &Inputs,
    home: &S3Home,
    say: &(dyn Fn(String) + Send + Sync),
) -> Result<Artifacts, ArtifactError> {
    let mut made = Artifacts {
        agents: BTreeMap::new(),
        java: BTreeMap::new(),
        kafka: BTreeMap::new(),
    };
    for architecture in &inputs.architectures {
        let (agent, artifact) = agent::find(inputs, *architecture).await?;
        upload::ensure(home, &agent, say).await?;
        made.agents.insert(*architecture, artifact);
        let (java, artifact) = java::ensure(inputs, *architecture, say).await?;
        upload::ensure(home, &java, say).await?;
        made.java.insert(*architecture, artifact);
    }
    for version in &inputs.versions {
        let kafka = kafka::ensure(inputs, *version, say).await?;
        upload::ensure(home, &kafka, say).await?;
        made.kafka.insert(*version, kafka.artifact);
    }
    Ok(made)
}
