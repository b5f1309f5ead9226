//! What the nodes of a cluster may execute: `public/boot.json`, signed.
//!
//! The document names agent, Java and Kafka by their digests. A node knows the public half of the key from its user
//! data and believes nothing else: whoever can write into the bucket cannot make a node run a program. *The form is
//! frozen for ever*, since a node born years ago must still read what a provider writes today: members may be added,
//! and are passed over by those who do not know them; none is renamed, dropped or given another meaning.
//!
//! Nothing here reads or writes the store; the private half of the key is the operator's alone.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

use super::key::{Key, KeyError, Prefix};
use crate::hex::hex;
use crate::secret::Secret;
use crate::spec::ids::ClusterUid;

#[cfg(test)]
mod tests;

/// The only form there is.
pub const FORMAT: u32 = 1;

/// The longest file that is read. Sixteen versions of Kafka take 4 KB.
pub const MAX_BYTES: usize = 64 << 10;

/// A private key is a tenth of this.
const MAX_KEY_BYTES: usize = 4 << 10;
/// Architectures and versions of Kafka, each.
const MAX_ENTRIES: usize = 64;
/// Above this a serial cannot have grown by one with each change.
const MAX_SERIAL: u64 = 1 << 53;

/// Why a release could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// Longer than any of ours.
    #[error("the release has {length} bytes; {MAX_BYTES} are the most that is read")]
    TooLong {
        /// Bytes.
        length: usize,
    },
    /// Not what was written: cut off, or something else.
    #[error("the release is damaged: {what}")]
    Damaged {
        /// The part.
        what: &'static str,
        /// Where and why, if a parser knows.
        #[source]
        cause: Option<serde_json::Error>,
    },
    /// Another key signed it, or somebody changed it.
    #[error("the release is not signed with the key that this node was made with; it was not used")]
    NotSigned,
    /// A form that there is not.
    #[error("the release has format {found}; this version reads {FORMAT} only")]
    OtherFormat {
        /// As found.
        found: u32,
    },
    /// An older one was put back.
    #[error("the release has serial {found}, and {seen} was seen before; it was not used")]
    Older {
        /// As found.
        found: u64,
        /// The highest that was seen.
        seen: u64,
    },
    /// No digest.
    #[error("`{text}` is no SHA-256 digest: 64 lower-case hex digits")]
    NoDigest {
        /// As given, its beginning.
        text: String,
    },
    /// No key of ours.
    #[error("{what} is no ed25519 key: {why}")]
    NoKey {
        /// Which half.
        what: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// Impossible.
    #[error("internal: cannot {action}; please report this")]
    Internal {
        /// What failed.
        action: &'static str,
    },
}

/// The SHA-256 digest of a file, as 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(String);

impl Sha256 {
    /// Checks a text.
    ///
    /// # Errors
    /// [`ReleaseError::NoDigest`].
    pub fn parse(text: impl Into<String>) -> Result<Self, ReleaseError> {
        let text = text.into();
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 64 && text.bytes().all(is_digit) {
            return Ok(Self(text));
        }
        Err(ReleaseError::NoDigest {
            text: text.chars().take(80).collect(),
        })
    }

    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex(digest(&SHA256, bytes).as_ref()))
    }

    /// What a running computation came to.
    pub fn finished(context: aws_lc_rs::digest::Context) -> Self {
        Self(hex(context.finish().as_ref()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Sha256 {
    type Error = ReleaseError;

    fn try_from(text: String) -> Result<Self, ReleaseError> {
        Self::parse(text)
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.0
    }
}

/// A file in the store that is never changed, since its digest is part of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its key below the store's prefix: `artifacts/<sha256>/<name>`.
    pub key: Key,
    /// What its bytes must come to, whatever the key says.
    pub sha256: Sha256,
}

impl Artifact {
    /// A file by its name and digest.
    ///
    /// # Errors
    /// If the name holds what a key cannot.
    pub fn new(name: &str, sha256: Sha256) -> Result<Self, KeyError> {
        let key = Key::parse(format!("artifacts/{sha256}/{name}"))?;
        Ok(Self { key, sha256 })
    }
}

/// The agent for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentArtifact {
    /// The version of the product.
    pub version: String,
    /// The program.
    #[serde(flatten)]
    pub artifact: Artifact,
}

/// Java for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JavaArtifact {
    /// The release as Java tells it: `17.0.15`.
    pub release: String,
    /// A `.tar.gz` with one top folder that has `bin/java`.
    #[serde(flatten)]
    pub artifact: Artifact,
}

/// What the nodes of one cluster may execute. Architectures are named as EC2 does: `x86_64`, `arm64`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// [`FORMAT`].
    pub format: u32,
    /// Grows by one with each change; a node refuses a lower one than it has seen.
    pub serial: u64,
    /// The agent, by architecture.
    pub agents: BTreeMap<String, AgentArtifact>,
    /// Java, by architecture.
    pub java: BTreeMap<String, JavaArtifact>,
    /// Kafka, by version: a `.tar.gz` with `kafka_2.13-<version>/libs/*.jar`.
    pub kafka: BTreeMap<String, Artifact>,
}

/// The file: the payload's exact bytes and the signature over them, in base64.
#[derive(Serialize, Deserialize)]
struct Signed {
    payload: String,
    signature: String,
}

impl Release {
    /// Writes the file.
    ///
    /// # Errors
    /// [`ReleaseError::TooLong`], [`ReleaseError::Internal`].
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, ReleaseError> {
        let internal = |action| move |_| ReleaseError::Internal { action };
        let payload = serde_json::to_vec(self).map_err(internal("write the release"))?;
        let signed = Signed {
            signature: STANDARD.encode(key.pair()?.sign(&payload).as_ref()),
            payload: STANDARD.encode(&payload),
        };
        let mut file = serde_json::to_vec(&signed).map_err(internal("write the signed release"))?;
        file.push(b'\n');
        if file.len() > MAX_BYTES {
            return Err(ReleaseError::TooLong { length: file.len() });
        }
        Ok(file)
    }

    /// Refuses one that is older than the newest that was seen; the same one again is right.
    ///
    /// # Errors
    /// [`ReleaseError::Older`].
    pub const fn must_follow(&self, seen: u64) -> Result<(), ReleaseError> {
        if self.serial < seen {
            return Err(ReleaseError::Older {
                found: self.serial,
                seen,
            });
        }
        Ok(())
    }

    /// Whether both allow the same, whatever their serials.
    pub fn allows_the_same(&self, other: &Self) -> bool {
        (&self.agents, &self.java, &self.kafka) == (&other.agents, &other.java, &other.kafka)
    }
}

/// The public half of a cluster's key: 32 bytes, in base64 as text. It is in user data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseKey(String);

impl ReleaseKey {
    /// Checks a text.
    ///
    /// # Errors
    /// [`ReleaseError::NoKey`].
    pub fn parse(text: impl Into<String>) -> Result<Self, ReleaseError> {
        let text = text.into();
        let bytes = Some(&text)
            .filter(|text| text.len() < MAX_KEY_BYTES)
            .and_then(|text| STANDARD.decode(text).ok());
        if bytes.is_some_and(|bytes| bytes.len() == 32) {
            return Ok(Self(text));
        }
        Err(ReleaseError::NoKey {
            what: "the public key",
            why: "it must be 32 bytes in base64",
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a file, if this key's other half signed exactly its bytes.
    ///
    /// The signature is checked before a byte of the payload is looked at.
    ///
    /// # Errors
    /// [`ReleaseError`]: anything that is not exactly right.
    pub fn open(&self, file: &[u8]) -> Result<Release, ReleaseError> {
        let damaged = |what| ReleaseError::Damaged { what, cause: None };
        if file.len() > MAX_BYTES {
            return Err(ReleaseError::TooLong { length: file.len() });
        }
        let signed: Signed = serde_json::from_slice(file).map_err(|cause| ReleaseError::Damaged {
            what: "its frame",
            cause: Some(cause),
        })?;
        let payload = STANDARD
            .decode(signed.payload)
            .map_err(|_| damaged("the payload's base64"))?;
        let signature = STANDARD
            .decode(signed.signature)
            .map_err(|_| damaged("the signature's base64"))?;
        let key = STANDARD.decode(&self.0).unwrap_or_default();
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&payload, &signature)
            .map_err(|_| ReleaseError::NotSigned)?;
        // The format first: another one need not have the other members.
        let Format { format } = parsed(&payload)?;
        if format != FORMAT {
            return Err(ReleaseError::OtherFormat { found: format });
        }
        let release: Release = parsed(&payload)?;
        let counts = [release.agents.len(), release.java.len(), release.kafka.len()];
        if counts.into_iter().any(|count| count > MAX_ENTRIES) {
            return Err(damaged("more entries than any release has"));
        }
        if release.serial > MAX_SERIAL {
            return Err(damaged("an impossible serial"));
        }
        Ok(release)
    }
}

impl fmt::Display for ReleaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ReleaseKey {
    type Error = ReleaseError;

    fn try_from(text: String) -> Result<Self, ReleaseError> {
        Self::parse(text)
    }
}

impl From<ReleaseKey> for String {
    fn from(key: ReleaseKey) -> Self {
        key.0
    }
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

fn parsed<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, ReleaseError> {
    serde_json::from_slice(payload).map_err(|cause| ReleaseError::Damaged {
        what: "its payload",
        cause: Some(cause),
    })
}

/// The private half of a cluster's key, which the operator alone can read. Kept as PKCS#8 PEM.
#[derive(Debug, Clone)]
pub struct SigningKey {
    pem: Secret<String>,
}

impl SigningKey {
    /// Makes a new one.
    ///
    /// # Errors
    /// [`ReleaseError::Internal`] without randomness.
    pub fn generate() -> Result<Self, ReleaseError> {
        let internal = |_| ReleaseError::Internal { action: "make a key" };
        let pair = Ed25519KeyPair::generate().map_err(internal)?;
        let der = pair.to_pkcs8v1().map_err(internal)?;
        let base64 = Secret::new(STANDARD.encode(der.as_ref()));
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            base64.expose()
        );
        Ok(Self {
            pem: Secret::new(pem),
        })
    }

    /// Reads one that [`pem`](Self::pem) wrote.
    ///
    /// # Errors
    /// [`ReleaseError::NoKey`]; it never shows the text.
    pub fn from_pem(pem: Secret<String>) -> Result<Self, ReleaseError> {
        if pem.expose().len() > MAX_KEY_BYTES {
            return Err(ReleaseError::NoKey {
                what: "the private key",
                why: "it is too long",
            });
        }
        let key = Self { pem };
        key.pair()?;
        Ok(key)
    }

    /// The key as text.
    pub const fn pem(&self) -> &Secret<String> {
        &self.pem
    }

    /// The other half.
    ///
    /// # Errors
    /// [`ReleaseError::Internal`].
    pub fn public(&self) -> Result<ReleaseKey, ReleaseError> {
        ReleaseKey::parse(STANDARD.encode(self.pair()?.public_key().as_ref()))
    }

    fn pair(&self) -> Result<Ed25519KeyPair, ReleaseError> {
        let wrong = |why| ReleaseError::NoKey {
            what: "the private key",
            why,
        };
        let der = PrivatePkcs8KeyDer::from_pem_slice(self.pem.expose().as_bytes())
            .map_err(|_| wrong("there is no PKCS#8 key in PEM form"))?;
        Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| wrong("it is of another kind"))
    }
}

/// Where a cluster's release lies. Its nodes may read it.
///
/// # Errors
/// If the uid is none of ours.
pub fn release_key(uid: &ClusterUid) -> Result<Key, KeyError> {
    Key::parse(format!("{uid}/public/boot.json"))
}

/// Where the private half of the key lies. No node's role may read it.
///
/// # Errors
/// If the uid is none of ours.
pub fn signing_key(uid: &ClusterUid) -> Result<Key, KeyError> {
    Key::parse(format!("{uid}/operator/release.key"))
}

/// The folder of all artefacts of a store.
///
/// # Errors
/// Never; the text is fixed.
pub fn artifacts() -> Result<Prefix, KeyError> {
    Prefix::parse("artifacts/")
}
