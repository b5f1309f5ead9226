//! Lists of trusted authorities: ours and the user's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::{PemObject, SectionKind};

use super::{Certificate, Error, MAX_PEM_BYTES};
use crate::clock::Timestamp;

/// How many authorities of their own a user may name.
const MAX_AUTHORITIES: usize = 10;

/// Certificates of authorities, each once, in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustBundle {
    authorities: Vec<Certificate>,
}

/// Why a user's list of authorities is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Too few or too many.
    #[error("the list has {length} elements; it takes 1 to {MAX_AUTHORITIES}")]
    Length {
        /// How many there are.
        length: usize,
    },
    /// The element is too long to be a certificate.
    #[error("element {index} has {length} bytes; a certificate in PEM form is much shorter")]
    TooLong {
        /// Its place, from 0.
        index: usize,
        /// Its length.
        length: usize,
    },
    /// The element holds no certificate in PEM form, or a damaged one.
    #[error(
        "element {index} is not a certificate in PEM form; \
         it begins with `-----BEGIN CERTIFICATE-----`"
    )]
    NoCertificate {
        /// Its place, from 0.
        index: usize,
    },
    /// The element holds several certificates.
    #[error("element {index} holds {count} certificates; give each its own element")]
    Several {
        /// Its place, from 0.
        index: usize,
        /// How many.
        count: usize,
    },
    /// The element holds a private key.
    #[error("element {index} holds a private key; remove it from the configuration and replace that key")]
    PrivateKey {
        /// Its place, from 0.
        index: usize,
    },
    /// The certificate may not sign others.
    #[error("element {index} is the certificate of `{subject}`, which is not a certificate authority")]
    NotAuthority {
        /// Its place, from 0.
        index: usize,
        /// Whose it is.
        subject: String,
    },
    /// The same certificate stands in the list already.
    #[error("element {index} is the same certificate as element {first}")]
    Repeated {
        /// Its place, from 0.
        index: usize,
        /// The place of the first.
        first: usize,
    },
}

impl ListError {
    /// The place of the element that is wrong; `None` if the list itself is.
    pub const fn index(&self) -> Option<usize> {
        match self {
            Self::Length { .. } => None,
            Self::TooLong { index, .. }
            | Self::NoCertificate { index }
            | Self::Several { index, .. }
            | Self::PrivateKey { index }
            | Self::NotAuthority { index, .. }
            | Self::Repeated { index, .. } => Some(*index),
        }
    }
}

impl TrustBundle {
    /// Trusts these authorities: one, or during a rotation the old and the new one.
    pub fn of<'a>(authorities: impl IntoIterator<Item = &'a Certificate>) -> Self {
        let mut kept: Vec<Certificate> = Vec::new();
        for authority in authorities {
            if !kept.contains(authority) {
                kept.push(authority.clone());
            }
        }
        Self { authorities: kept }
    }

    /// Reads the bundle that [`to_pem`](Self::to_pem) wrote.
    ///
    /// # Errors
    /// [`Error::BadPem`], [`Error::Unreadable`].
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        let what = "the list of trusted authorities";
        if text.len() > MAX_PEM_BYTES {
            return Err(Error::BadPem {
                what,
                why: "the text is too long",
            });
        }
        let mut authorities = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
            match section {
                Ok((SectionKind::Certificate, der)) => authorities.push(Certificate::from_der(&der)?),
                Ok(_) => {
                    return Err(Error::BadPem {
                        what,
                        why: "it holds something else than certificates",
                    });
                }
                Err(_) => {
                    return Err(Error::BadPem {
                        what,
                        why: "it is not in PEM form",
                    });
                }
            }
        }
        if authorities.is_empty() {
            return Err(Error::BadPem {
                what,
                why: "it holds no certificate",
            });
        }
        Ok(Self::of(&authorities))
    }

    /// Reads a user's list, one certificate per element, and finds all that is wrong with it.
    ///
    /// An authority whose time is over is taken: Kafka reads it, and refuses its clients.
    /// [`expired`](Self::expired) tells, for a warning.
    ///
    /// # Errors
    /// Every [`ListError`], in the order of the list.
    pub fn from_list<T: AsRef<str>>(elements: &[T]) -> Result<Self, Vec<ListError>> {
        if elements.is_empty() || elements.len() > MAX_AUTHORITIES {
            return Err(vec![ListError::Length {
                length: elements.len(),
            }]);
        }
        let (mut kept, mut wrong) = (Vec::<(usize, Certificate)>::new(), Vec::new());
        for (index, element) in elements.iter().enumerate() {
            match element_of_list(index, element.as_ref()) {
                Ok(certificate) => match kept.iter().find(|(_, other)| *other == certificate) {
                    Some((first, _)) => wrong.push(ListError::Repeated { index, first: *first }),
                    None => kept.push((index, certificate)),
                },
                Err(error) => wrong.push(error),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            authorities: kept.into_iter().map(|(_, certificate)| certificate).collect(),
        })
    }

    /// The authorities.
    pub fn authorities(&self) -> &[Certificate] {
        &self.authorities
    }

    /// The authorities whose time is over or has not begun.
    pub fn expired(&self, now: Timestamp) -> impl Iterator<Item = &Certificate> {
        self.authorities
            .iter()
            .filter(move |authority| !authority.is_valid_at(now))
    }

    /// Whether one of the authorities signed this certificate and its time is not over.
    pub fn vouches_for(&self, leaf: &Certificate, now: Timestamp) -> bool {
        leaf.is_valid_at(now)
            && self
                .authorities
                .iter()
                .any(|authority| authority.is_valid_at(now) && leaf.is_issued_by(authority))
    }

    /// All in one text, as Kafka's `ssl.truststore.location` wants it. Written anew from the
    /// certificates themselves: nothing else that stood in the source gets through.
    pub fn to_pem(&self) -> String {
        self.authorities
            .iter()
            .map(|authority| to_pem(authority.der()))
            .collect()
    }
}

fn element_of_list(index: usize, text: &str) -> Result<Certificate, ListError> {
    if text.len() > MAX_PEM_BYTES / MAX_AUTHORITIES {
        return Err(ListError::TooLong {
            index,
            length: text.len(),
        });
    }
    let mut certificates = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
        match section {
            Ok((SectionKind::Certificate, der)) => certificates.push(der),
            Ok((SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, _)) => {
                return Err(ListError::PrivateKey { index });
            }
            Ok(_) | Err(_) => return Err(ListError::NoCertificate { index }),
        }
    }
    let [der] = certificates.as_slice() else {
        return Err(match certificates.len() {
            0 => ListError::NoCertificate { index },
            count => ListError::Several { index, count },
        });
    };
    let certificate = Certificate::from_der(der).map_err(|_| ListError::NoCertificate { index })?;
    if !certificate.is_authority() {
        return Err(ListError::NotAuthority {
            index,
            subject: certificate.subject().to_owned(),
        });
    }
    Ok(certificate)
}

/// Writes a certificate as PEM, 64 characters to the line.
pub(super) fn to_pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
