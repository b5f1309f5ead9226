//! Certificate authorities and leaf certificates of a cluster.
//!
//! Each cluster has two authorities: *internal* for controllers, replication and agents, *server* for
//! what clients trust. Nodes make their own keys. An authority signs what the desired document says;
//! from a node's request it takes nothing but the public key. Pure but for [`files`] and randomness:
//! the time is an argument.

/// The two authorities of a cluster, and their signatures.
pub mod authority;

/// Certificates as they are read: names, dates, issuer.
pub mod certificate;

/// A node's own key and its request for a certificate.
pub mod key;

/// Lists of trusted authorities: ours and the user's.
pub mod trust;

/// Keyed fingerprints of users' secrets.
pub mod fingerprint;

/// Private files: written whole, readable by their owner alone.
pub mod files;

pub use authority::{Authority, Chain, LeafProfile, Role, Usage};
pub use certificate::Certificate;
pub use key::{NodeKey, RequestedKey};
pub use trust::TrustBundle;

use std::time::Duration;

/// How long a leaf certificate is valid unless the caller says otherwise.
pub const LEAF_LIFETIME: Duration = Duration::from_hours(397 * 24);

/// No text with certificates or keys that we read is longer.
const MAX_PEM_BYTES: usize = 256 << 10;

/// Why something with keys or certificates failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no PEM, or holds too little or too much.
    #[error("{what}: {why}")]
    BadPem {
        /// What was to be read.
        what: &'static str,
        /// What is wrong with it; never a part of the text.
        why: &'static str,
    },
    /// The text is PEM, but its content is not what its label says.
    #[error("{what} cannot be read")]
    Unreadable {
        /// What was to be read.
        what: &'static str,
        /// What the reader says.
        #[source]
        cause: rcgen::Error,
    },
    /// The signature of a request was not made with the key in it.
    #[error("the request for a certificate was not signed with its own key")]
    NotProven,
    /// Another node's request.
    #[error("the request for a certificate was not written by `{asker}`")]
    OtherAsker {
        /// Who was expected.
        asker: String,
    },
    /// A key that is not ECDSA on P-256.
    #[error("the key is not an ECDSA key on the curve P-256")]
    OtherAlgorithm,
    /// Key and certificate do not belong together.
    #[error("the certificate of `{subject}` was made for another key")]
    OtherKey {
        /// The certificate's subject.
        subject: String,
    },
    /// The authority itself is no longer valid.
    #[error("the certificate authority `{subject}` is valid until {until}, nothing can be signed with it")]
    AuthorityExpired {
        /// Its subject.
        subject: String,
        /// The end of its time.
        until: crate::clock::Timestamp,
    },
    /// The certificate is no authority's.
    #[error("the certificate of `{subject}` is not the one of a certificate authority")]
    NotAuthority {
        /// Its subject.
        subject: String,
    },
    /// A name that cannot be put into a certificate.
    #[error("`{name}` cannot be put into a certificate: {why}")]
    BadName {
        /// The name.
        name: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// A lifetime too short to live or too long to count.
    #[error("a certificate cannot be valid for {} s", lifetime.as_secs())]
    BadLifetime {
        /// As given.
        lifetime: Duration,
    },
    /// Key generation or signing failed: a mistake in this program or no randomness.
    #[error("internal: failed to {action}")]
    Internal {
        /// What was tried.
        action: &'static str,
        /// What the library says.
        #[source]
        cause: rcgen::Error,
    },
}

#[cfg(test)]
mod tests;
