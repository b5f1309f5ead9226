//! Making what every cluster has, once.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{Entry, Vault, VaultError};
use crate::clock::Timestamp;
use crate::pki::{Authority, Role};
use crate::secret::Secret;
use crate::spec::ids::{ClusterName, NodeId};

/// 256 bits.
const RANDOM_BYTES: usize = 32;
/// The line of the properties file that Kafka's file provider reads.
const PASSWORD_PREFIX: &str = "password=";

impl Vault {
    /// Reads an authority, or makes it. One that a cut create left is used.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn ensure_authority(&self, role: Role, cluster: &ClusterName) -> Result<Authority, VaultError> {
        let text = self
            .ensure(Entry::Authority(role), || {
                Ok(Authority::create(role, cluster, Timestamp::now())?.to_pem())
            })
            .await?;
        Ok(Authority::from_pem(&text)?)
    }

    /// Reads an authority; `None` if it is not there.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn authority(&self, role: Role) -> Result<Option<Authority>, VaultError> {
        let text = self.read(Entry::Authority(role)).await?;
        Ok(text.as_ref().map(Authority::from_pem).transpose()?)
    }

    /// The text of a broker's password file, made first if there is none.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn ensure_node_password(&self, node: NodeId) -> Result<Secret<String>, VaultError> {
        self.ensure(Entry::NodePassword(node), || {
            Ok(Secret::new(format!("{PASSWORD_PREFIX}{}\n", random()?.expose())))
        })
        .await
    }

    /// The key of fingerprints, made at the first use.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn ensure_fingerprint_key(&self) -> Result<Secret<String>, VaultError> {
        self.ensure(Entry::FingerprintKey, random).await
    }
}

/// The password in the text of a password file; `None` if it is damaged.
pub(crate) fn password(text: &Secret<String>) -> Option<Secret<String>> {
    let password = text.expose().trim_end().strip_prefix(PASSWORD_PREFIX)?;
    (!password.is_empty()).then(|| Secret::new(password.to_owned()))
}

fn random() -> Result<Secret<String>, VaultError> {
    let mut bytes = Zeroizing::new([0_u8; RANDOM_BYTES]);
    rand::fill(bytes.as_mut()).map_err(|_| VaultError::NoRandomness)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}
