//! The two authorities of a cluster, and their signatures.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, SanType, SerialNumber,
};
use time::OffsetDateTime;

use super::{Certificate, Error, NodeKey, RequestedKey};
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::spec::ids::{ClusterName, NodeId};

/// How long an authority is valid: ten years.
const AUTHORITY_LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);
/// Certificates begin this much in the past, for machines whose clock is behind.
const BACKDATE: Duration = Duration::from_mins(5);
/// The upper bound of a common name (RFC 5280, appendix A.1: `ub-common-name`).
const MAX_COMMON_NAME: usize = 64;

/// Which of a cluster's two authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// For controllers, replication and agents. No client ever gets a certificate of it.
    Internal,
    /// For what clients connect to.
    Server,
}

impl Role {
    /// The role in one lower-case word, for names of files and subjects.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
        }
    }
}

/// What a leaf certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Nodes among themselves: each is server and client of the others.
    ServerAndClient,
    /// What clients connect to.
    Server,
}

/// What a leaf certificate says; taken from the desired document, never from a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafProfile {
    common_name: String,
    dns_names: Vec<String>,
    addresses: Vec<IpAddr>,
    usage: Usage,
    lifetime: Duration,
}

impl LeafProfile {
    /// A node's certificate of the internal authority: `CN=__msk-node-<id>`, the name that Kafka's
    /// mapping rule and `super.users` know.
    pub fn node(node: NodeId, dns_names: Vec<String>, addresses: Vec<IpAddr>, lifetime: Duration) -> Self {
        let common_name = format!("__msk-node-{node}");
        Self {
            common_name,
            dns_names,
            addresses,
            usage: Usage::ServerAndClient,
            lifetime,
        }
    }

    /// A node's certificate of the server authority, for all names and addresses that clients use.
    /// The common name is the first host name (cut to its first label where it is too long for one),
    /// else the first address; clients look at the alternative names alone.
    ///
    /// IPv4 addresses stand there as DNS names too: librdkafka before 2.2 (Debian 12's kcat) compares the
    /// address that it dials with DNS names only, and would refuse every broker of one machine.
    pub fn server(mut dns_names: Vec<String>, addresses: Vec<IpAddr>, lifetime: Duration) -> Self {
        let host = dns_names.first().map(|name| match name.split_once('.') {
            Some((label, _)) if name.len() > MAX_COMMON_NAME => label.to_owned(),
            _ => name.clone(),
        });
        let common_name = host
            .or_else(|| addresses.first().map(IpAddr::to_string))
            .unwrap_or_default();
        for address in addresses
            .iter()
            .filter(|address| address.is_ipv4())
            .map(IpAddr::to_string)
        {
            if !dns_names.contains(&address) {
                dns_names.push(address);
            }
        }
        Self {
            common_name,
            dns_names,
            addresses,
            usage: Usage::Server,
            lifetime,
        }
    }

    /// Whether a certificate says the same; if not, a new one is due.
    pub fn is_met_by(&self, certificate: &Certificate) -> bool {
        let same = |left: &[String], right: &[String]| {
            left.len() == right.len() && left.iter().all(|name| right.contains(name))
        };
        certificate.common_name() == Some(&self.common_name)
            && same(certificate.dns_names(), &self.dns_names)
            && certificate.addresses().len() == self.addresses.len()
            && self
                .addresses
                .iter()
                .all(|address| certificate.addresses().contains(address))
    }
}

/// A signed leaf certificate and the one of its authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The leaf as PEM.
    pub leaf_pem: String,
    /// The authority's certificate as PEM.
    pub authority_pem: String,
}

impl Chain {
    /// Both in one text, leaf first.
    pub fn to_pem(&self) -> String {
        format!("{}{}", self.leaf_pem, self.authority_pem)
    }
}

/// A certificate authority with its key.
#[derive(Debug, Clone)]
pub struct Authority {
    key: NodeKey,
    certificate_pem: String,
    certificate: Certificate,
}

impl Authority {
    /// Makes a new authority, valid for ten years. Each has a subject of its own, so that the old and
    /// the new one of a rotation are never mistaken for each other.
    ///
    /// # Errors
    /// [`Error::Internal`] without randomness.
    pub fn create(role: Role, cluster: &ClusterName, now: Timestamp) -> Result<Self, Error> {
        let failed = |cause| Error::Internal {
            action: "make a certificate authority",
            cause,
        };
        let key = NodeKey::generate()?;
        let serial = random_serial()?;
        let mark: String = serial.to_string().replace(':', "").chars().take(8).collect();
        let mut name = DistinguishedName::new();
        name.push(
            DnType::CommonName,
            format!("msk {} authority {mark}", role.as_str()),
        );
        name.push(DnType::OrganizationName, cluster.as_str());
        let mut params = CertificateParams::default();
        params.distinguished_name = name;
        params.serial_number = Some(serial);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = moment(Timestamp::from_millis(
            now.as_millis().saturating_sub(millis(BACKDATE)),
        ))?;
        params.not_after = moment(now.after(AUTHORITY_LIFETIME))?;
        let certificate_pem = params.self_signed(&key.pair()?).map_err(failed)?.pem();
        let certificate = Certificate::from_pem(&certificate_pem)?;
        Ok(Self {
            key,
            certificate_pem,
            certificate,
        })
    }

    /// Reads an authority that [`to_pem`](Self::to_pem) wrote.
    ///
    /// # Errors
    /// [`Error`] if a part is missing, the two do not belong together, or it is no authority.
    pub fn from_pem(text: &Secret<String>) -> Result<Self, Error> {
        let key = NodeKey::from_pem(text)?;
        let certificate = Certificate::from_pem(text.expose())?;
        key.check_owns(&certificate)?;
        if !certificate.is_authority() {
            return Err(Error::NotAuthority {
                subject: certificate.subject().to_owned(),
            });
        }
        let certificate_pem = super::trust::to_pem(certificate.der());
        Ok(Self {
            key,
            certificate_pem,
            certificate,
        })
    }

    /// Key and certificate in one text, to be kept where only the operator reads.
    pub fn to_pem(&self) -> Secret<String> {
        self.key.with_chain(&self.certificate_pem)
    }

    /// The certificate as PEM: what others trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The certificate.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs a leaf certificate for a public key, saying what the profile says.
    ///
    /// It begins five minutes in the past, or a tenth of its lifetime if that is less, and never
    /// outlives its authority.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::BadLifetime`], [`Error::AuthorityExpired`], [`Error::Internal`].
    pub fn sign(&self, key: &RequestedKey, profile: &LeafProfile, now: Timestamp) -> Result<Chain, Error> {
        if !self.certificate.is_valid_at(now) {
            return Err(Error::AuthorityExpired {
                subject: self.certificate.subject().to_owned(),
                until: self.certificate.not_after(),
            });
        }
        // Dates have whole seconds: less than this leaves nothing between the two.
        if profile.lifetime < Duration::from_secs(10) {
            return Err(Error::BadLifetime {
                lifetime: profile.lifetime,
            });
        }
        let backdate = BACKDATE.min(profile.lifetime / 10);
        let begin = now.as_millis().saturating_sub(millis(backdate));
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&profile.common_name)?;
        params.subject_alt_names = alternatives(profile)?;
        params.serial_number = Some(random_serial()?);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match profile.usage {
            Usage::ServerAndClient => {
                vec![
                    ExtendedKeyUsagePurpose::ServerAuth,
                    ExtendedKeyUsagePurpose::ClientAuth,
                ]
            }
            Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        };
        params.not_before = moment(Timestamp::from_millis(begin).max(self.certificate.not_before()))?;
        params.not_after = moment(now.after(profile.lifetime).min(self.certificate.not_after()))?;
        let failed = |cause| Error::Internal {
            action: "sign a certificate",
            cause,
        };
        let issuer = Issuer::from_ca_cert_der(&self.certificate.der().into(), self.key.pair()?);
        let signed = params
            .signed_by(&key.0, &issuer.map_err(failed)?)
            .map_err(failed)?;
        Ok(Chain {
            leaf_pem: signed.pem(),
            authority_pem: self.certificate_pem.clone(),
        })
    }
}

fn common_name(text: &str) -> Result<DistinguishedName, Error> {
    let bad = |why| Error::BadName {
        name: text.to_owned(),
        why,
    };
    if text.is_empty() {
        return Err(bad("a common name must not be empty"));
    }
    if text.len() > MAX_COMMON_NAME {
        return Err(bad("a common name has at most 64 characters"));
    }
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    Ok(name)
}

fn alternatives(profile: &LeafProfile) -> Result<Vec<SanType>, Error> {
    let mut names = Vec::new();
    for name in &profile.dns_names {
        let bad = |why| Error::BadName {
            name: name.clone(),
            why,
        };
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if name.is_empty() || name.len() > 253 || !name.chars().all(is_host) {
            return Err(bad(
                "a host name has 1 to 253 letters, digits, dots, hyphens and underscores",
            ));
        }
        let text = Ia5String::try_from(name.as_str()).map_err(|_| bad("a host name is plain ASCII"))?;
        names.push(SanType::DnsName(text));
    }
    names.extend(profile.addresses.iter().copied().map(SanType::IpAddress));
    Ok(names)
}

/// 16 random bytes; the highest bit is clear and the one below set, so that the number is positive
/// and always equally long (RFC 5280, section 4.1.2.2).
fn random_serial() -> Result<SerialNumber, Error> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Internal {
        action: "draw a serial number",
        cause: rcgen::Error::RingUnspecified,
    })?;
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn moment(time: Timestamp) -> Result<OffsetDateTime, Error> {
    let seconds = time.as_millis() / 1_000;
    let far = || Error::BadLifetime {
        lifetime: Duration::from_secs(seconds),
    };
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).map_err(|_| far())?).map_err(|_| far())
}
