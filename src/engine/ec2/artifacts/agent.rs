//! The agent's program for each architecture: it lies beside the provider's, as the release archive has it.

use camino::{Utf8Path, Utf8PathBuf};

use super::cache::sha256_of;
use super::{Architecture, ArtifactError, Inputs, Local, blocking, elf, io_error};
use crate::store::release::{AgentArtifact, Artifact};

/// Ours has 15 MB; a debug build has more.
const LARGEST: u64 = 1 << 30;

/// The folder of the provider's program.
///
/// # Errors
/// [`ArtifactError::Io`] if the system does not tell it.
pub fn beside() -> Result<Utf8PathBuf, ArtifactError> {
    let own = std::env::current_exe().map_err(io_error("find", Utf8Path::new("/proc/self/exe")))?;
    let folder = own.parent().unwrap_or(&own).to_owned();
    Utf8PathBuf::from_path_buf(folder).map_err(|path| ArtifactError::Io {
        action: "name",
        path: path.to_string_lossy().into_owned().into(),
        cause: std::io::Error::other("the path is not UTF-8"),
    })
}

/// The program and what the release says of it.
pub(super) async fn find(
    inputs: &Inputs,
    architecture: Architecture,
) -> Result<(Local, AgentArtifact), ArtifactError> {
    let path = locate(inputs, architecture)?;
    blocking(move || {
        elf::check_machine(&path, architecture)?;
        let (sha256, _) = sha256_of(&path, LARGEST)?;
        let artifact = Artifact::new(&format!("msk-node-{architecture}"), sha256)?;
        let local = Local {
            path,
            title: format!("the agent for {architecture}"),
            artifact: artifact.clone(),
        };
        let version = crate::version::VERSION.to_owned();
        Ok((local, AgentArtifact { version, artifact }))
    })
    .await
}

fn locate(inputs: &Inputs, architecture: Architecture) -> Result<Utf8PathBuf, ArtifactError> {
    if let Some(program) = &inputs.agent_program
        && architecture.is_here()
    {
        return Ok(program.clone());
    }
    let file = format!("msk-node-{}", architecture.machine());
    let mut candidates = vec![inputs.programs.join(&file)];
    if architecture.is_here() {
        candidates.push(inputs.programs.join("msk-node"));
    }
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| ArtifactError::NoAgent {
            architecture,
            file,
            folder: inputs.programs.clone(),
        })
}
