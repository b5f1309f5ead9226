//! Certificates as they are read: names, dates, issuer.

use std::net::IpAddr;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::{Error, MAX_PEM_BYTES};
use crate::clock::Timestamp;

/// A certificate, with what we ask certificates for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    subject: String,
    common_name: Option<String>,
    issuer: String,
    serial: String,
    not_before: Timestamp,
    not_after: Timestamp,
    dns_names: Vec<String>,
    addresses: Vec<IpAddr>,
    is_authority: bool,
    public_key: Vec<u8>,
}

impl Certificate {
    /// Reads the first certificate of a text: of a chain, the leaf. Keys in the text are passed over.
    ///
    /// # Errors
    /// [`Error::BadPem`], [`Error::Unreadable`].
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        let what = "the certificate";
        if text.len() > MAX_PEM_BYTES {
            return Err(Error::BadPem {
                what,
                why: "the text is too long",
            });
        }
        let der = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| Error::BadPem {
            what,
            why: "there is no certificate in PEM form",
        })?;
        Self::from_der(&der)
    }

    /// Reads a certificate in DER form, as a TLS handshake shows it.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let unreadable = || Error::Unreadable {
            what: "the certificate",
            cause: rcgen::Error::CouldNotParseCertificate,
        };
        let (rest, read) = X509Certificate::from_der(der).map_err(|_| unreadable())?;
        if !rest.is_empty() {
            return Err(unreadable());
        }
        let (mut dns_names, mut addresses) = (Vec::new(), Vec::new());
        let alternatives = read.subject_alternative_name().map_err(|_| unreadable())?;
        for name in alternatives
            .iter()
            .flat_map(|extension| &extension.value.general_names)
        {
            match name {
                GeneralName::DNSName(name) => dns_names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                _ => {}
            }
        }
        let common_name = read
            .subject()
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok());
        Ok(Self {
            subject: read.subject().to_string(),
            common_name: common_name.map(str::to_owned),
            issuer: read.issuer().to_string(),
            serial: read.raw_serial_as_string(),
            not_before: timestamp(read.validity().not_before),
            not_after: timestamp(read.validity().not_after),
            is_authority: read.is_ca(),
            public_key: read.public_key().raw.to_vec(),
            dns_names,
            addresses,
            der: der.to_vec(),
        })
    }

    /// The subject's distinguished name, for people.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The subject's common name.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The issuer's distinguished name, for people.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The serial number in hex, bytes separated by colons.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The beginning of its time.
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The end of its time.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The host names that it vouches for.
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }

    /// The addresses that it vouches for.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Whether it may sign others.
    pub const fn is_authority(&self) -> bool {
        self.is_authority
    }

    /// When to replace it: at two thirds of its lifetime.
    pub fn renew_at(&self) -> Timestamp {
        let lifetime = self.not_after.since(self.not_before);
        self.not_before.after(lifetime / 3 * 2)
    }

    /// How long it is still valid; zero when its time is over.
    pub const fn remaining(&self, now: Timestamp) -> Duration {
        self.not_after.since(now)
    }

    /// Whether its time has begun and is not over.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// Whether this authority signed it: name and signature.
    pub fn is_issued_by(&self, authority: &Self) -> bool {
        let (Ok((_, leaf)), Ok((_, issuer))) = (
            X509Certificate::from_der(&self.der),
            X509Certificate::from_der(&authority.der),
        ) else {
            return false;
        };
        authority.is_authority
            && leaf.issuer().as_raw() == issuer.subject().as_raw()
            && leaf.verify_signature(Some(issuer.public_key())).is_ok()
    }

    /// The certificate in DER form.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.public_key
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp::from_millis(u64::try_from(time.timestamp()).unwrap_or(0).saturating_mul(1_000))
}
