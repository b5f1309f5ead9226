//! A node's own key and its request for a certificate.

use rcgen::{CertificateParams, CertificateSigningRequestParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rcgen::{DistinguishedName, DnType, DnValue, PublicKeyData, SubjectPublicKeyInfo};
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject;

use super::{Certificate, Error, MAX_PEM_BYTES};
use crate::secret::Secret;

/// A private key: ECDSA on P-256, kept as PKCS#8 PEM, the form that Kafka reads.
#[derive(Debug, Clone)]
pub struct NodeKey {
    pem: Secret<String>,
}

impl NodeKey {
    /// Makes a new key. It is meant to stay on the machine where it was made.
    ///
    /// # Errors
    /// [`Error::Internal`] without randomness.
    pub fn generate() -> Result<Self, Error> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|cause| Error::Internal {
            action: "make a key",
            cause,
        })?;
        Ok(Self {
            pem: Secret::new(pair.serialize_pem()),
        })
    }

    /// Reads a key that [`pem`](Self::pem) wrote; what stands beside it in the text is passed over.
    ///
    /// # Errors
    /// [`Error::BadPem`], [`Error::Unreadable`], [`Error::OtherAlgorithm`]; none shows the text.
    pub fn from_pem(text: &Secret<String>) -> Result<Self, Error> {
        let what = "the private key";
        let text = text.expose();
        if text.len() > MAX_PEM_BYTES {
            return Err(Error::BadPem {
                what,
                why: "the text is too long",
            });
        }
        let der = rustls::pki_types::PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
            Error::BadPem {
                what,
                why: "there is no PKCS#8 key in PEM form",
            }
        })?;
        let pair = KeyPair::try_from(&der).map_err(|cause| Error::Unreadable { what, cause })?;
        if !pair.is_compatible(&PKCS_ECDSA_P256_SHA256) {
            return Err(Error::OtherAlgorithm);
        }
        Ok(Self {
            pem: Secret::new(pair.serialize_pem()),
        })
    }

    /// The key as PKCS#8 PEM.
    pub const fn pem(&self) -> &Secret<String> {
        &self.pem
    }

    /// The key with its chain in one text, leaf first: what Kafka's `ssl.keystore.location` names.
    pub fn with_chain(&self, chain_pem: &str) -> Secret<String> {
        let key = self.pem.expose();
        // Reserved in full, so that no half of the key stays behind in memory when the text grows.
        let mut text = String::with_capacity(key.len() + chain_pem.len());
        text.push_str(key);
        text.push_str(chain_pem);
        Secret::new(text)
    }

    /// Writes a request for a certificate. It holds the public key, who asks, and the proof that the asker has
    /// the private key, and no wish for any name: nobody can pass another's request off as their own.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub fn request_pem(&self, asker: &str) -> Result<String, Error> {
        let failed = |cause| Error::Internal {
            action: "write a request for a certificate",
            cause,
        };
        let mut wishes = CertificateParams::default();
        wishes.distinguished_name = DistinguishedName::new();
        wishes.distinguished_name.push(DnType::CommonName, asker);
        wishes
            .serialize_request(&self.pair()?)
            .and_then(|request| request.pem())
            .map_err(failed)
    }

    /// The public half, for signing where the key was made.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub fn public(&self) -> Result<RequestedKey, Error> {
        RequestedKey::from_der(&self.pair()?.subject_public_key_info())
    }

    /// Checks that a certificate was made for this key.
    ///
    /// # Errors
    /// [`Error::OtherKey`] if not.
    pub fn check_owns(&self, certificate: &Certificate) -> Result<(), Error> {
        if self.pair()?.subject_public_key_info() == certificate.public_key() {
            return Ok(());
        }
        Err(Error::OtherKey {
            subject: certificate.subject().to_owned(),
        })
    }

    pub(super) fn pair(&self) -> Result<KeyPair, Error> {
        KeyPair::from_pem(self.pem.expose()).map_err(|cause| Error::Internal {
            action: "read back a key",
            cause,
        })
    }
}

/// A public key that is to be certified.
#[derive(Debug, PartialEq, Eq)]
pub struct RequestedKey(pub(super) SubjectPublicKeyInfo);

impl RequestedKey {
    /// Takes the public key out of a request, after checking that the asker has the private one and wrote the
    /// request itself. Every name that the request asks for is passed over.
    ///
    /// # Errors
    /// [`Error::BadPem`], [`Error::Unreadable`], [`Error::NotProven`], [`Error::OtherAlgorithm`],
    /// [`Error::OtherAsker`].
    pub fn from_request_pem(text: &str, asker: &str) -> Result<Self, Error> {
        let what = "the request for a certificate";
        if text.len() > MAX_PEM_BYTES {
            return Err(Error::BadPem {
                what,
                why: "the text is too long",
            });
        }
        let der =
            CertificateSigningRequestDer::from_pem_slice(text.as_bytes()).map_err(|_| Error::BadPem {
                what,
                why: "there is no request in PEM form",
            })?;
        let request = CertificateSigningRequestParams::from_der(&der).map_err(|cause| match cause {
            rcgen::Error::InvalidCertificationRequestSignature => Error::NotProven,
            cause => Error::Unreadable { what, cause },
        })?;
        let key = Self::from_der(&request.public_key.subject_public_key_info())?;
        match request.params.distinguished_name.get(&DnType::CommonName) {
            Some(DnValue::Utf8String(name)) if name == asker => Ok(key),
            Some(DnValue::PrintableString(name)) if name.as_str() == asker => Ok(key),
            _ => Err(Error::OtherAsker {
                asker: asker.to_owned(),
            }),
        }
    }

    /// Whether a certificate was made for this key.
    pub fn is_of(&self, certificate: &Certificate) -> bool {
        self.0.subject_public_key_info() == certificate.public_key()
    }

    fn from_der(der: &[u8]) -> Result<Self, Error> {
        let key = SubjectPublicKeyInfo::from_der(der).map_err(|cause| Error::Unreadable {
            what: "the public key",
            cause,
        })?;
        if *key.algorithm() != PKCS_ECDSA_P256_SHA256 {
            return Err(Error::OtherAlgorithm);
        }
        Ok(Self(key))
    }
}
