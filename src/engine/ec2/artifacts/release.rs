//! The release of a cluster: what is in the bucket, signed with the key that only the operator can read.

use super::{ArtifactError, Artifacts};
use crate::secret::Secret;
use crate::spec::ids::ClusterUid;
use crate::store::release::{
    FORMAT, Release, ReleaseError, ReleaseKey, SigningKey, release_key, signing_key,
};
use crate::store::{Durability, Store, Written};

/// Races that are lost before it is given up.
const RACES: u32 = 8;

/// Makes the cluster's key if there is none, and writes the release if it is another one than before, with the next
/// serial. Answers the public half of the key, for user data, and the serial in force.
///
/// # Errors
/// [`ArtifactError`]; a release that is not signed with this key was put there by somebody else, and is not replaced.
pub async fn ensure_release(
    store: &Store,
    uid: &ClusterUid,
    made: &Artifacts,
) -> Result<(ReleaseKey, u64), ArtifactError> {
    let key = ensure_key(store, uid).await?;
    let at = release_key(uid)?;
    let location = store.location(&at);
    let wrong = |cause| ArtifactError::Release {
        location: location.clone(),
        cause,
    };
    let public = key.public().map_err(wrong)?;
    for _ in 0..RACES {
        let before = store.get(&at).await?;
        let mut wanted = made.release(1);
        let written = match before {
            None => {
                // Higher than that of one which somebody deleted: nodes refuse a lower one.
                wanted.serial = store.now().await?.as_millis() / 1_000;
                let file = wanted.sign(&key).map_err(wrong)?;
                store.put_if_absent(&at, file, Durability::Durable).await?
            }
            Some(before) => {
                let present = public.open(&before.bytes).map_err(wrong)?;
                if present.allows_the_same(&wanted) {
                    return Ok((public, present.serial));
                }
                wanted.serial = present.serial + 1;
                let file = wanted.sign(&key).map_err(wrong)?;
                store
                    .put_if_match(&at, file, &before.version, Durability::Durable)
                    .await?
            }
        };
        if matches!(written, Written::Written(_)) {
            return Ok((public, wanted.serial));
        }
    }
    Err(ArtifactError::Contended { location })
}

/// The cluster's key: of several runs at once one makes it, and all have that one.
async fn ensure_key(store: &Store, uid: &ClusterUid) -> Result<SigningKey, ArtifactError> {
    let at = signing_key(uid)?;
    let location = store.location(&at);
    let wrong = |cause| ArtifactError::Release {
        location: location.clone(),
        cause,
    };
    for _ in 0..RACES {
        if let Some(found) = store.get(&at).await? {
            let text = String::from_utf8(found.bytes.to_vec()).map_err(|_| {
                wrong(ReleaseError::NoKey {
                    what: "the private key",
                    why: "it is no text",
                })
            })?;
            return SigningKey::from_pem(Secret::new(text)).map_err(wrong);
        }
        let made = SigningKey::generate().map_err(wrong)?;
        let bytes = made.pem().expose().clone().into_bytes();
        if matches!(
            store.put_if_absent(&at, bytes, Durability::Durable).await?,
            Written::Written(_)
        ) {
            return Ok(made);
        }
    }
    Err(ArtifactError::Contended { location })
}

impl Artifacts {
    /// As the release says it.
    pub fn release(&self, serial: u64) -> Release {
        Release {
            format: FORMAT,
            serial,
            agents: self
                .agents
                .iter()
                .map(|(architecture, agent)| (architecture.name().to_owned(), agent.clone()))
                .collect(),
            java: self
                .java
                .iter()
                .map(|(architecture, java)| (architecture.name().to_owned(), java.clone()))
                .collect(),
            kafka: self
                .kafka
                .iter()
                .map(|(version, artifact)| (version.to_string(), artifact.clone()))
                .collect(),
        }
    }
}
