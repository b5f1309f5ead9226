//! The TLS side of a connection, built from PEM texts.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::secret::Secret;

/// The PEM texts or the name cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM text has a section that cannot be read, or not the section that it must have.
    #[error("{what} is not usable PEM: {reason}")]
    Pem {
        /// Which of the texts.
        what: &'static str,
        /// The reason, without any of the text.
        reason: String,
    },
    /// A certificate is refused, or key and certificate do not belong together.
    #[error("{what} is refused")]
    Refused {
        /// Which of the texts.
        what: &'static str,
        /// The TLS library's reason.
        #[source]
        cause: rustls::Error,
    },
    /// Neither an IP address nor a DNS name.
    #[error("`{name}` is not a name that a certificate can hold")]
    Name {
        /// The name.
        name: String,
    },
}

/// A client certificate with its key.
#[derive(Debug, Clone, Copy)]
pub struct IdentityPem<'a> {
    /// The client's certificate, then those of the authorities between it and the root.
    pub certificate_chain: &'a [u8],
    /// The private key (PKCS#8).
    pub key: &'a Secret<Vec<u8>>,
}

/// How to check the broker and who we are. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) server_name: Option<ServerName<'static>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Trusts the authorities in `ca`, and shows `identity` if the broker asks for a certificate.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn from_pem(ca: &[u8], identity: Option<IdentityPem<'_>>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("CA certificate", ca)? {
            roots.add(certificate).map_err(|cause| TlsError::Refused {
                what: "CA certificate",
                cause,
            })?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|cause| TlsError::Refused {
                what: "TLS provider",
                cause,
            })?
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates("client certificate", identity.certificate_chain)?;
                let key =
                    PrivateKeyDer::from_pem_slice(identity.key.expose()).map_err(|_| TlsError::Pem {
                        what: "client key",
                        reason: "no private key section that can be read".to_owned(),
                    })?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|cause| TlsError::Refused {
                        what: "client certificate",
                        cause,
                    })?
            }
        };
        // A resumed session would go on with the certificates of the first one, and the cache costs memory.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
            server_name: None,
        })
    }

    /// The leaf certificate (DER) that a server shows in a handshake, checked as for a connection. No
    /// request is sent.
    ///
    /// # Errors
    /// What the system or the handshake says.
    pub async fn leaf_of(&self, host: &str, port: u16) -> io::Result<Vec<u8>> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host).map_err(io::Error::other)?,
        };
        let stream = TcpStream::connect((host, port)).await?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let mut stream = connector.connect(name, stream).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let leaf = shown.map(|leaf| leaf.to_vec());
        // Whether the server says goodbye does not matter.
        let _ = stream.shutdown().await;
        leaf.ok_or_else(|| io::Error::other("no certificate was shown"))
    }

    /// Checks the broker's certificate against this name or IP address instead of the one we connect to.
    ///
    /// # Errors
    /// [`TlsError::Name`].
    pub fn with_server_name(mut self, name: &str) -> Result<Self, TlsError> {
        self.server_name = Some(server_name(name)?);
        Ok(self)
    }
}

/// An IP address or a DNS name as the subject of a certificate.
pub(super) fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name {
        name: name.to_owned(),
    })
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::Pem {
            what,
            reason: error.to_string(),
        })?;
    if found.is_empty() {
        return Err(TlsError::Pem {
            what,
            reason: "no certificate section".to_owned(),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::{IdentityPem, Tls, TlsError};
    use crate::secret::Secret;

    fn certificate() -> (String, Secret<Vec<u8>>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["node".to_owned()]).unwrap();
        (
            params.self_signed(&key).unwrap().pem(),
            Secret::new(key.serialize_pem().into_bytes()),
        )
    }

    #[test]
    fn texts_without_the_right_sections_are_refused_and_not_shown() {
        let (pem, key) = certificate();
        let (_, other_key) = certificate();
        let ca = pem.as_bytes();
        let identity = |chain, key| {
            Some(IdentityPem {
                certificate_chain: chain,
                key,
            })
        };
        let nothing = Secret::new(b"secret text".to_vec());
        assert!(Tls::from_pem(ca, identity(ca, &key)).is_ok());
        for (ca, identity) in [
            (&b""[..], None),
            (b"-----BEGIN CERTIFICATE-----\nsecret\n", None),
            (ca, identity(key.expose(), &key)),
            (ca, identity(ca, &nothing)),
            (ca, identity(ca, &other_key)),
        ] {
            let error = Tls::from_pem(ca, identity).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn names_are_addresses_or_dns_names() {
        let (pem, _) = certificate();
        let tls = Tls::from_pem(pem.as_bytes(), None).unwrap();
        assert!(tls.clone().with_server_name("::1").is_ok());
        assert!(tls.clone().with_server_name("node-1.internal").is_ok());
        assert!(matches!(
            tls.with_server_name("no name"),
            Err(TlsError::Name { .. })
        ));
    }
}
