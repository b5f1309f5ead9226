//! Class-data archives: what a JVM has loaded, kept as a file that the next one maps into memory.
//!
//! Measured with 4.3.1 and JDK 17: an archive takes a fifth off a node's processor time until it runs.
//! It costs some eight seconds of one core to make, once per distribution and Java. So [`ensure`] is for
//! after a cluster is up, at the lowest priority, and never in the way of one: a node that starts without
//! an archive, or with one that does not fit, only starts slower.
//!
//! All Javas from 13 on are trained in the same way (`-XX:ArchiveClassesAtExit`). Java 19 could make the
//! file at the end of any node (`-XX:+AutoCreateSharedArchive`), but that would make every stop slower,
//! and nodes that stop together would write one file at once.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Stdio;
use std::time::Duration;

use aws_lc_rs::digest;
use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::clock::Timestamp;
use crate::hex::hex;
use crate::kafka::distribution::Distribution;
use crate::kafka::format::{self, Bootstrap, Identity, Role, Voter, draw_uuid, ensure_formatted};
use crate::kafka::java::Java;
use crate::kafka::launch::{self, Heap, Node, Tuning};
use crate::kafka::server_properties;
use crate::pki::{self, Authority, LeafProfile, NodeKey};
use crate::secret::Secret;
use crate::spec::ids::{ClusterName, NodeId};

/// What [`ensure`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ensured {
    /// The archive was made now.
    Created(Utf8PathBuf),
    /// It was there.
    AlreadyRight(Utf8PathBuf),
    /// Another process is making it.
    InTheMaking,
    /// This Java cannot make one.
    NotOffered,
}

/// Why there is no archive. Never a reason to stop anything.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    /// The node that is trained with could not be formatted.
    #[error("cannot format the training node")]
    Format(#[from] format::Error),
    /// It could not get a certificate.
    #[error("cannot make a certificate for the training node")]
    Certificate(#[from] pki::Error),
    /// It did not do what a node does.
    #[error("the training node {what}")]
    Training {
        /// What it did instead.
        what: &'static str,
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

/// The path that the archive of a distribution and a Java has, whether or not it is there.
///
/// The name stands for what the JVM will compare: path, size and time of Java itself and of every jar.
/// Should it hit an archive that does not fit all the same, the JVM passes that over.
///
/// # Errors
/// [`Error::Io`] if a jar cannot be looked at.
pub fn path(directory: &Utf8Path, distribution: &Distribution, java: &Java) -> Result<Utf8PathBuf, Error> {
    let mut context = digest::Context::new(&digest::SHA256);
    // Java itself by its real place: what is in PATH is often a link to a link.
    let program = java
        .program
        .canonicalize_utf8()
        .map_err(Error::io("look at", &java.program))?;
    for file in std::iter::once(&program).chain(&distribution.jars) {
        let metadata = fs::metadata(file).map_err(Error::io("look at", file))?;
        let modified = metadata.modified().map_err(Error::io("look at", file))?;
        context.update(format!("{file} {} {modified:?}\n", metadata.len()).as_bytes());
    }
    let digest = context.finish();
    let short = hex(digest.as_ref().get(..6).unwrap_or_default());
    Ok(directory.join(format!(
        "kafka-{}-java-{}-{short}.jsa",
        distribution.version, java.release
    )))
}

/// The archive to start a node with, if there is one.
pub fn find(directory: &Utf8Path, distribution: &Distribution, java: &Java) -> Option<Utf8PathBuf> {
    path(directory, distribution, java)
        .ok()
        .filter(|path| path.is_file())
}

/// Makes the archive if it is not there: starts one throwaway node on the loopback interface, in a scratch
/// directory, at the lowest priority, and stops it when it runs.
///
/// Cancellation: dropping the future ends the node; the scratch directory may stay, which the next call
/// removes.
///
/// # Errors
/// [`Error`]: to be logged, no more.
pub async fn ensure(
    directory: &Utf8Path,
    distribution: &Distribution,
    java: &Java,
) -> Result<Ensured, Error> {
    let target = path(directory, distribution, java)?;
    if java.release < 13 {
        return Ok(Ensured::NotOffered);
    }
    if target.is_file() {
        return Ok(Ensured::AlreadyRight(target));
    }
    make_directory(directory)?;
    let lock_path = target.with_extension("lock");
    let lock = open_lock(&lock_path)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Ensured::InTheMaking),
        Err(errno) => return Err(Error::io("lock", &lock_path)(errno.into())),
    }
    if target.is_file() {
        return Ok(Ensured::AlreadyRight(target));
    }
    let scratch = target.with_extension("training");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(Error::io("remove", &scratch))?;
    }
    make_directory(&scratch)?;
    let made = train(&scratch, distribution, java).await;
    let moved = made.and_then(|made| fs::rename(&made, &target).map_err(Error::io("create", &target)));
    if let Err(error) = fs::remove_dir_all(&scratch) {
        tracing::debug!(directory = %scratch, %error, "a scratch directory stays");
    }
    drop(lock);
    moved.map(|()| Ensured::Created(target))
}

fn open_lock(path: &Utf8Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(Error::io("create", path))
}

fn make_directory(path: &Utf8Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(path)
        .map_err(Error::io("make the directory", path))
}

/// Longer than any start or stop takes, also at the lowest priority beside a busy cluster.
const PATIENCE: Duration = Duration::from_mins(3);

/// Runs a node once and returns the archive that it left.
async fn train(scratch: &Utf8Path, distribution: &Distribution, java: &Java) -> Result<Utf8PathBuf, Error> {
    prepare(scratch, distribution)?;
    let archive = scratch.join("kafka.jsa");
    let mut node = start(scratch, distribution, java, &archive)?;
    // Taken, since waiting for the node would close it.
    let mut leash = node.stdin.take();
    let run = async {
        let log = scratch.join("server.log");
        // The last line of a start, in every version.
        while !fs::read_to_string(&log)
            .unwrap_or_default()
            .contains("Kafka Server started")
        {
            if node
                .try_wait()
                .map_err(Error::io("wait for the node in", scratch))?
                .is_some()
            {
                return Err(Error::Training {
                    what: "ended before it ran",
                });
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        terminate(&node);
        node.wait()
            .await
            .map_err(Error::io("wait for the node in", scratch))?;
        if let Some(leash) = &mut leash {
            // Nobody reads any more if the node took the shell down with it.
            let _ = leash.write_all(b"\n").await;
        }
        Ok(())
    };
    match tokio::time::timeout(PATIENCE, run).await {
        Ok(result) => result?,
        Err(_) => {
            return Err(Error::Training {
                what: "did not start and stop in three minutes",
            });
        }
    }
    if !archive.is_file() {
        return Err(Error::Training {
            what: "left no archive",
        });
    }
    Ok(archive)
}

fn terminate(node: &Child) {
    let pid = node
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // If it is gone already, waiting for it tells.
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Formats a combined node with TLS on both listeners, so that TLS gets into the archive, and SCRAM.
fn prepare(scratch: &Utf8Path, distribution: &Distribution) -> Result<(), Error> {
    let free_port = || -> io::Result<u16> { Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()) };
    let port = || free_port().map_err(Error::io("find a free port for", scratch));
    let (controller, broker, client) = (port()?, port()?, port()?);
    let identity = Identity {
        cluster_id: draw_uuid()?,
        node_id: NodeId(1),
        directory_id: draw_uuid()?,
    };
    let voter = Voter {
        node_id: identity.node_id,
        directory_id: identity.directory_id.clone(),
        host: "localhost".to_owned(),
        port: controller,
    };
    let role = Role::InitialVoter(Bootstrap {
        version: distribution.version,
        listener: "CONTROLLER".to_owned(),
        voters: vec![voter],
        users: Vec::new(),
    });
    let now = Timestamp::now();
    ensure_formatted(&scratch.join("data"), &identity, &role, now)?;

    let authority = Authority::create(pki::Role::Internal, &ClusterName::new("training"), now)?;
    let key = NodeKey::generate()?;
    let loopback = "127.0.0.1".parse().into_iter().collect();
    let day = Duration::from_hours(24);
    let profile = LeafProfile::node(identity.node_id, vec!["localhost".to_owned()], loopback, day);
    let chain = authority.sign(&key.public()?, &profile, now)?;
    write(&scratch.join("key.pem"), key.with_chain(&chain.to_pem()).expose())?;
    write(&scratch.join("ca.pem"), authority.certificate_pem())?;

    let lines = server_properties(scratch, controller, broker, client);
    write(
        &scratch.join("server.properties"),
        &server_properties::render(&lines),
    )?;
    let logging = launch::logging_configuration(distribution.version.logging());
    write(&scratch.join("logging.properties"), logging)?;
    make_directory(&scratch.join("tmp"))
}

fn server_properties(
    scratch: &Utf8Path,
    controller: u16,
    broker: u16,
    client: u16,
) -> BTreeMap<String, String> {
    let listeners = format!(
        "CONTROLLER://localhost:{controller},BROKER://localhost:{broker},CLIENT://localhost:{client}"
    );
    let file = |name: &str| scratch.join(name).into_string();
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    let lines = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", "1".to_owned()),
        ("listeners", listeners),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("inter.broker.listener.name", "BROKER".to_owned()),
        (
            "listener.security.protocol.map",
            "CONTROLLER:SSL,BROKER:SSL,CLIENT:SASL_SSL".to_owned(),
        ),
        (
            "controller.quorum.bootstrap.servers",
            format!("localhost:{controller}"),
        ),
        ("log.dirs", file("data")),
        ("ssl.keystore.type", "PEM".to_owned()),
        ("ssl.keystore.location", file("key.pem")),
        ("ssl.truststore.type", "PEM".to_owned()),
        ("ssl.truststore.location", file("ca.pem")),
        ("ssl.client.auth", "required".to_owned()),
        (
            "listener.name.client.sasl.enabled.mechanisms",
            "SCRAM-SHA-512".to_owned(),
        ),
        (
            "listener.name.client.scram-sha-512.sasl.jaas.config",
            scram.to_owned(),
        ),
        (
            "authorizer.class.name",
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
        ),
        ("super.users", "User:CN=__msk-node-1".to_owned()),
        ("log.cleaner.dedupe.buffer.size", "4194304".to_owned()),
    ];
    lines
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Writes a private file of the throwaway node.
fn write(path: &Utf8Path, text: &str) -> Result<(), Error> {
    pki::files::write_private(path, &Secret::new(text.to_owned()))
        .map_err(|error| Error::io("write", path)(io::Error::other(error)))
}

/// Ties the node to this process: if this one dies, also by SIGKILL, the pipe behind standard input ends,
/// and so does the node. A line through the pipe takes the leash off.
const LEASH: &str = r#"exec 3<&0; { read -r _ <&3 || kill -KILL $$; } & exec "$@" </dev/null 3<&-"#;

/// Starts the node at the lowest priority. The program `nice` does that: a priority given later would not
/// reach the threads that the JVM has started by then.
fn start(
    scratch: &Utf8Path,
    distribution: &Distribution,
    java: &Java,
    archive: &Utf8Path,
) -> Result<Child, Error> {
    let (configuration, logging, tmp) = (
        scratch.join("server.properties"),
        scratch.join("logging.properties"),
        scratch.join("tmp"),
    );
    let line = launch::command_line(&Node {
        version: distribution.version,
        java,
        jars: &distribution.jars,
        heap: Heap::TRAINING,
        tuning: Tuning::OneMachine,
        configuration: &configuration,
        logging: &logging,
        logs: scratch,
        scratch: &tmp,
        class_data: None,
    });
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", LEASH, "sh", "nice", "-n", "19", line.program.as_str()])
        .arg(format!("-XX:ArchiveClassesAtExit={archive}"))
        .args(line.arguments)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .envs(line.environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command.spawn().map_err(Error::io("start a node in", scratch))
}
