//! The agent gives way to the one that the release names: the same process goes on as another program.
//!
//! Kafka has a unit of its own and notices nothing. An agent that dies at once again and again is not tried for ever:
//! the machine then goes on with the one it was born with.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::artifacts::digest_of;
use crate::node::home::write_private;
use crate::store::release::Sha256;

/// How often a program is tried that never lives for long.
const TRIES: u32 = 5;

/// The agent's own digest.
pub(super) fn own_digest() -> Option<Sha256> {
    digest_of(Utf8Path::new("/proc/self/exe")).ok()
}

/// Where it is counted how often an agent was tried in this boot.
#[derive(Debug, Clone)]
pub(super) struct Tries(Utf8PathBuf);

impl Tries {
    pub(super) fn below(run: &Utf8Path, digest: &Sha256) -> Self {
        Self(run.join(format!("tried-{digest}")))
    }

    /// Counts one more; `false` if there were too many.
    pub(super) fn may_try(&self) -> bool {
        let tried: u32 = fs::read_to_string(&self.0)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0);
        tried < TRIES && write_private(&self.0, (tried + 1).to_string().as_bytes()).is_ok()
    }

    /// It lives.
    pub(super) fn forget(&self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Goes on as another program. Returns only if that cannot be.
pub(super) fn become_other(program: &Utf8Path, wanted: &Sha256, boot_file: &Utf8Path) {
    match digest_of(program) {
        Ok(found) if found == *wanted => {}
        Ok(_) | Err(_) => {
            tracing::error!(%program, "the agent on the volume is damaged; it is fetched again");
            if let Some(folder) = program.parent() {
                let _ = fs::remove_dir_all(folder);
            }
            return;
        }
    }
    tracing::info!(%program, "goes on as the agent that the release names");
    let cause = Command::new(program).arg("machine").arg(boot_file).exec();
    tracing::error!(%program, %cause, "the agent cannot be started");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_never_lives_is_tried_five_times() {
        let keep = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
        let tries = Tries::below(&root, &Sha256::of(b"a"));
        assert_eq!((0..9).filter(|_| tries.may_try()).count(), 5);
        tries.forget();
        assert!(tries.may_try());
    }
}
