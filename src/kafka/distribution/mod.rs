//! Where Kafka's jars come from: a directory that has them, else an archive that the user names, else
//! Maven with the user's own settings. In this order, and never silently from one to the next.
//!
//! What Maven brings is checked file by file against a lock that ships with this program. Whatever is
//! fetched appears in its place by one rename, so a fetch that was cut short leaves nothing that counts.

mod archive;
mod fetch;
mod lock;
mod maven;
mod tool;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::kafka::versions::{KafkaVersion, LoggingBinding};

/// Kafka's files on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The version.
    pub version: KafkaVersion,
    /// `…/kafka_2.13-<version>`.
    pub directory: Utf8PathBuf,
    /// Every jar, absolute and sorted: the class path.
    pub jars: Vec<Utf8PathBuf>,
}

/// Where Kafka may come from: the provider's settings.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Holds, or gets, `kafka_2.13-<version>/libs/*.jar`. Absolute.
    pub kafka_directory: Utf8PathBuf,
    /// An archive to download, if the user names one.
    pub archive: Option<Archive>,
    /// Maven, a name in PATH or a path.
    pub maven_command: String,
}

/// An archive as the Apache project publishes it, wherever the user keeps it.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Its URL, with `{version}` and `{scala}` in it.
    pub url: String,
    /// The SHA-512 of the archive of each version, in hex.
    pub sha512: BTreeMap<String, String>,
}

/// Why Kafka's files are not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A directory has the right name, but is not a distribution.
    #[error("`{directory}` is not an unpacked Kafka {version}: {flaw}")]
    NotADistribution {
        /// The directory.
        directory: Utf8PathBuf,
        /// The version that its name promises.
        version: KafkaVersion,
        /// What is wrong with it.
        flaw: String,
    },
    /// Java parts its class path at colons.
    #[error("the path `{path}` has a `:` in it, which Java cannot use; choose another `kafka_directory`")]
    Colon {
        /// The directory.
        path: Utf8PathBuf,
    },
    /// A path is relative.
    #[error("`kafka_directory` must be an absolute path, but is `{path}`")]
    Relative {
        /// The directory.
        path: Utf8PathBuf,
    },
    /// The archive has no digest to check it by.
    #[error(
        "`kafka_archive_url` is set, but `kafka_archive_sha512` has no usable SHA-512 for {version}: {flaw}"
    )]
    NoDigest {
        /// The version.
        version: KafkaVersion,
        /// What is wrong.
        flaw: &'static str,
    },
    /// The download is not what the digest promises. It was thrown away.
    #[error(
        "the archive from {url} has SHA-512 {found}, but `kafka_archive_sha512` says {wanted}; nothing of it was used"
    )]
    WrongArchive {
        /// The URL, without what may be secret in it.
        url: String,
        /// As configured.
        wanted: String,
        /// As downloaded.
        found: String,
    },
    /// A program that is needed is not installed.
    #[error("cannot find the program `{program}`: {way_out}")]
    NoProgram {
        /// The program.
        program: String,
        /// What to do.
        way_out: &'static str,
    },
    /// A program does not start, for another reason than that it is not there.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("`{program}` failed {task} ({status}){last_words}")]
    Failed {
        /// The program.
        program: String,
        /// What it was to do.
        task: String,
        /// Its exit status.
        status: String,
        /// The last lines that it printed, or nothing.
        last_words: String,
    },
    /// A jar of the lock is not there.
    #[error("`{path}` is missing; remove the folder above it and apply again, and it is fetched anew")]
    MissingFile {
        /// The jar.
        path: Utf8PathBuf,
    },
    /// A file is there that the lock does not name.
    #[error(
        "`{path}` is not part of this version of Kafka; a repository of your Maven settings changes what it needs"
    )]
    ForeignFile {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A jar is not the one that the lock names.
    #[error(
        "`{path}` has {found}, but must have {wanted}: the file was changed, or your Maven repository or mirror \
         serves another one; remove it there (also below `~/.m2/repository`) and apply again"
    )]
    WrongFile {
        /// The jar.
        path: Utf8PathBuf,
        /// As locked.
        wanted: String,
        /// As found.
        found: String,
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

/// The Scala that Kafka's jars are built with, part of their names.
const SCALA: &str = "2.13";

/// The name of a version's directory below `kafka_directory`.
pub fn directory_name(version: KafkaVersion) -> String {
    format!("kafka_{SCALA}-{version}")
}

/// In a directory that was fetched with Maven and checked: it is checked again before each use.
const CHECKED_MARK: &str = ".checked-by-msk";

/// Gives a version's files, fetching them if they are not there. `report` gets a sentence per stage.
///
/// Two processes may do this at once: one fetches, the other waits for it.
///
/// Cancellation: dropping the future ends the program that was started; a scratch directory may stay,
/// which the next fetch removes.
///
/// # Errors
/// [`Error`]; nothing is in place then that was not before.
pub async fn ensure(
    version: KafkaVersion,
    sources: &Sources,
    report: &(dyn Fn(String) + Send + Sync),
) -> Result<Distribution, Error> {
    if let Some(found) = find_checked(version, &sources.kafka_directory).await? {
        return Ok(found);
    }
    let workshop = fetch::Workshop::enter(version, &sources.kafka_directory, report).await?;
    // Another process may have fetched it while this one waited.
    if let Some(found) = find_checked(version, &sources.kafka_directory).await? {
        return Ok(found);
    }
    let unpacked = match &sources.archive {
        Some(archive) => archive::fetch(version, archive, &workshop, report).await?,
        None => maven::fetch(version, &sources.maven_command, &workshop, report).await?,
    };
    workshop.put_in_place(&unpacked)?;
    find_checked(version, &sources.kafka_directory)
        .await?
        .ok_or_else(|| Error::NotADistribution {
            directory: sources.kafka_directory.join(directory_name(version)),
            version,
            flaw: "it was removed at once by somebody else".to_owned(),
        })
}

/// Downloads a file with curl; `shown` in errors and texts is without what may be secret in a URL.
///
/// # Errors
/// [`Error`].
pub(crate) async fn download(url: &str, to: &Utf8Path, folder: &Utf8Path) -> Result<(), Error> {
    archive::download(url, to, folder).await
}

/// A URL without user, password, query and fragment.
pub(crate) fn shown(url: &str) -> String {
    archive::without_secrets(url)
}

/// Runs a program to its end, in a folder.
///
/// # Errors
/// [`Error`]: not there, or not successful, with its last words.
pub(crate) async fn run(
    program: &str,
    arguments: Vec<String>,
    folder: &Utf8Path,
    task: &str,
    way_out: &'static str,
) -> Result<(), Error> {
    let run = tool::Run {
        program,
        arguments,
        directory: folder,
        input: String::new(),
        task: task.to_owned(),
        way_out,
    };
    run.to_end().await
}

/// Finds a version that is already unpacked. Does not read the jars: for callers that start nodes.
///
/// # Errors
/// [`Error::NotADistribution`] if the directory is there but not usable; [`Error::Colon`], [`Error::Io`].
pub fn find(version: KafkaVersion, kafka_directory: &Utf8Path) -> Result<Option<Distribution>, Error> {
    if !kafka_directory.is_absolute() {
        return Err(Error::Relative {
            path: kafka_directory.to_owned(),
        });
    }
    let directory = kafka_directory.join(directory_name(version));
    if directory.as_str().contains(':') {
        return Err(Error::Colon { path: directory });
    }
    let libs = directory.join("libs");
    let entries = match fs::read_dir(&libs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !directory.exists() => return Ok(None),
        Err(source) => {
            return Err(Error::Io {
                action: "list",
                path: libs,
                source,
            });
        }
    };
    let mut jars = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", &libs))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if Utf8Path::new(&name).extension() == Some("jar") {
            jars.push(libs.join(name));
        }
    }
    jars.sort();
    if let Some(flaw) = flaw(version, &jars) {
        return Err(Error::NotADistribution {
            directory,
            version,
            flaw,
        });
    }
    Ok(Some(Distribution {
        version,
        directory,
        jars,
    }))
}

/// What a set of jars lacks.
fn flaw(version: KafkaVersion, jars: &[Utf8PathBuf]) -> Option<String> {
    let names = || jars.iter().filter_map(|jar| jar.file_name());
    for wanted in [
        format!("kafka_{SCALA}-{version}.jar"),
        format!("kafka-clients-{version}.jar"),
    ] {
        if !names().any(|name| name == wanted) {
            return Some(format!("`libs/{wanted}` is missing"));
        }
    }
    let bindings: &[&str] = match version.logging() {
        LoggingBinding::Reload4j => &["slf4j-reload4j-"],
        LoggingBinding::Log4j2 => &["log4j-slf4j-impl-"],
    };
    if !names().any(|name| bindings.iter().any(|binding| name.starts_with(binding))) {
        return Some(format!(
            "`libs` holds no logging binding (`{}*.jar`)",
            bindings.join("*.jar`, `")
        ));
    }
    None
}

/// As [`find`]; and what was fetched with Maven is checked against its lock.
async fn find_checked(
    version: KafkaVersion,
    kafka_directory: &Utf8Path,
) -> Result<Option<Distribution>, Error> {
    let kafka_directory = kafka_directory.to_owned();
    let task = tokio::task::spawn_blocking(move || {
        let directory = kafka_directory.join(directory_name(version));
        if directory.join(CHECKED_MARK).exists() {
            lock::Lock::of(version).check(&directory.join("libs"))?;
        }
        find(version, &kafka_directory)
    });
    match task.await {
        Ok(found) => found,
        Err(error) => Err(Error::Io {
            action: "check",
            path: Utf8PathBuf::new(),
            source: io::Error::other(error),
        }),
    }
}
