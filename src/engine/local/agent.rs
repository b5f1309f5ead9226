//! The agent's program: installed once per version, started once per node.
//!
//! The provider's own directory may vanish with `terraform init -upgrade`; agents live on. So the
//! program is copied into the data directory under its digest, and a running agent keeps its file.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::Duration;

use aws_lc_rs::digest;
use camino::{Utf8Path, Utf8PathBuf};
use tokio::io::AsyncReadExt as _;

use crate::hex::hex;
use crate::node::home::{DataDirectory, NodeDirectory, make_private_directory};

/// The agent detaches as soon as it holds its lock; more than this means that it hangs.
const DETACH_PATIENCE: Duration = Duration::from_secs(15);
/// What is kept of the agent's last words.
const MAX_ERROR_BYTES: u64 = 4096;
/// Another thread that starts a process may for a moment hold the new program open for writing.
const BUSY_RETRIES: u32 = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// What a child needs of our environment; never secrets, never Terraform's own variables.
const PASSED_VARIABLES: [&str; 5] = ["PATH", "HOME", "TMPDIR", "TZ", "LANG"];
/// Test hooks of the agent begin with this.
const HOOK_PREFIX: &str = "MSK_TEST_NODE_";

/// Why the agent could not be installed or started.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The program is not beside the provider.
    #[error("the agent's program `{path}` cannot be read; install the provider again, it ships with it")]
    Missing {
        /// Where it is expected.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// Where the provider itself lies is not known.
    #[error("find the provider's own program")]
    OwnProgram(#[source] io::Error),
    /// The provider lies under a path that is not text.
    #[error("the provider's program lies under a path that is not UTF-8; install it elsewhere")]
    OwnPath,
    /// It cannot be copied.
    #[error("install the agent as `{path}`")]
    Install {
        /// The copy.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// It does not start.
    #[error("start `{path}`; the file system of the data directory must allow programs (no `noexec`)")]
    Start {
        /// The program.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// It ended with an error.
    #[error("the agent of `{directory}` did not start: {text}")]
    Refused {
        /// The node's directory.
        directory: Utf8PathBuf,
        /// What it printed.
        text: String,
    },
    /// It does not detach.
    #[error("the agent of `{directory}` did not detach within {} s", DETACH_PATIENCE.as_secs())]
    Hangs {
        /// The node's directory.
        directory: Utf8PathBuf,
    },
}

/// The agent's program as it ships: beside the provider's own.
///
/// # Errors
/// [`AgentError::OwnProgram`] or [`AgentError::OwnPath`].
pub fn shipped_program() -> Result<Utf8PathBuf, AgentError> {
    let own = std::env::current_exe().map_err(AgentError::OwnProgram)?;
    let own = Utf8PathBuf::from_path_buf(own).map_err(|_| AgentError::OwnPath)?;
    let folder = own.parent().ok_or(AgentError::OwnPath)?;
    // Tests run from `target/debug/deps`, one level below the programs.
    let beside = folder.join("msk-node");
    match folder.parent() {
        Some(above) if folder.ends_with("deps") && !beside.exists() => Ok(above.join("msk-node")),
        _ => Ok(beside),
    }
}

/// Copies the program into the data directory under its digest, once, and answers the copy's path.
///
/// # Errors
/// [`AgentError::Missing`] or [`AgentError::Install`].
pub fn install(data: &DataDirectory, source: &Utf8Path) -> Result<Utf8PathBuf, AgentError> {
    let missing = |cause| AgentError::Missing {
        path: source.to_owned(),
        cause,
    };
    let mut program = Vec::new();
    fs::File::open(source)
        .and_then(|mut file| file.read_to_end(&mut program))
        .map_err(missing)?;
    let digest = digest::digest(&digest::SHA256, &program);
    let name = hex(digest.as_ref().get(..8).unwrap_or_default());
    let folder = data.path().join("bin");
    let target = folder.join(format!("msk-node-{name}"));
    let fail = |cause| AgentError::Install {
        path: target.clone(),
        cause,
    };
    let length = u64::try_from(program.len()).unwrap_or(u64::MAX);
    if fs::metadata(&target).is_ok_and(|there| there.len() == length) {
        return Ok(target);
    }
    make_private_directory(&folder).map_err(fail)?;
    let temporary = folder.join(format!("~{}", std::process::id()));
    let written = write_program(&temporary, &program).and_then(|()| fs::rename(&temporary, &target));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(fail)?;
    Ok(target)
}

fn write_program(path: &Utf8Path, program: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o700)
        .open(path)?;
    file.write_all(program)?;
    file.sync_data()
}

/// Starts the agent of a node and returns when it stands on its own feet. If one runs already, the
/// agent itself sees that and ends without an error.
///
/// # Errors
/// [`AgentError`] with what the agent said.
pub async fn start(program: &Utf8Path, node: &NodeDirectory) -> Result<(), AgentError> {
    let mut command = std::process::Command::new(program);
    command
        .arg("run")
        .arg("--detach")
        .arg(node.path())
        .env_clear()
        .envs(environment())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    let mut child = spawn(&mut command, program).await?;
    let mut words = Vec::new();
    let stderr = child.stderr.take();
    let status = tokio::time::timeout(DETACH_PATIENCE, child.wait())
        .await
        .map_err(|_| AgentError::Hangs {
            directory: node.path().to_owned(),
        })?
        .map_err(|cause| AgentError::Start {
            path: program.to_owned(),
            cause,
        })?;
    if status.success() {
        return Ok(());
    }
    if let Some(stderr) = stderr {
        let reading = stderr.take(MAX_ERROR_BYTES);
        tokio::pin!(reading);
        let _ = tokio::time::timeout(Duration::from_millis(200), reading.read_to_end(&mut words)).await;
    }
    let text = String::from_utf8_lossy(&words).trim().to_owned();
    Err(AgentError::Refused {
        directory: node.path().to_owned(),
        text: if text.is_empty() { status.to_string() } else { text },
    })
}

async fn spawn(
    command: &mut tokio::process::Command,
    program: &Utf8Path,
) -> Result<tokio::process::Child, AgentError> {
    let mut tries = 0;
    loop {
        match command.spawn() {
            Ok(child) => return Ok(child),
            Err(cause) if cause.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_RETRIES => {
                tries += 1;
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            Err(cause) => {
                return Err(AgentError::Start {
                    path: program.to_owned(),
                    cause,
                });
            }
        }
    }
}

fn environment() -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    std::env::vars_os()
        .filter(|(name, _)| {
            name.to_str()
                .is_some_and(|name| PASSED_VARIABLES.contains(&name) || name.starts_with(HOOK_PREFIX))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use camino::Utf8PathBuf;

    use super::{AgentError, install, start};
    use crate::node::home::{DataDirectory, NodeDirectory};

    fn temporary() -> (tempfile::TempDir, Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
        (directory, path)
    }

    #[tokio::test]
    async fn the_program_is_installed_once_and_told_the_nodes_directory() {
        let (_keep, root) = temporary();
        let source = root.join("stand-in");
        fs::write(
            &source,
            "#!/bin/sh\necho \"$@\" > \"$3/told\"; env > \"$3/environment\"\n",
        )
        .unwrap();
        let data = DataDirectory::new(root.join("data dir"));
        let program = install(&data, &source).unwrap();
        assert_eq!(install(&data, &source).unwrap(), program);
        let node = NodeDirectory::new(root.join("node ü"));
        fs::create_dir(node.path()).unwrap();
        start(&program, &node).await.unwrap();
        let told = fs::read_to_string(node.path().join("told")).unwrap();
        assert_eq!(told.trim(), format!("run --detach {}", node.path()));
        let environment = fs::read_to_string(node.path().join("environment")).unwrap();
        assert!(!environment.contains("CARGO"), "{environment}");
        fs::write(&source, "#!/bin/sh\nexit 0\n").unwrap();
        assert_ne!(
            install(&data, &source).unwrap(),
            program,
            "another version stands beside the first"
        );
    }

    #[tokio::test]
    async fn an_agent_that_refuses_is_quoted() {
        let (_keep, root) = temporary();
        let source = root.join("stand-in");
        fs::write(&source, "#!/bin/sh\necho 'the disk is foreign' >&2; exit 3\n").unwrap();
        let data = DataDirectory::new(root.join("data"));
        let program = install(&data, &source).unwrap();
        let error = start(&program, &NodeDirectory::new(root.join("n")))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("the disk is foreign"), "{error}");
        let missing = install(&data, &root.join("nothing")).unwrap_err();
        assert!(matches!(missing, AgentError::Missing { .. }), "{missing}");
    }
}
