//! The forms of addresses, keys, tags and certificates.

use std::collections::BTreeMap;
use std::net::IpAddr;

use x509_parser::pem::Pem;

use super::{Check, quoted};
use crate::tfplugin::{AttributePath, Object};

/// The network of a range without the bits of hosts, in its shortest spelling: `10.0.0.7/8` is
/// `10.0.0.0/8`.
pub(super) fn network(text: &str) -> Option<String> {
    let (address, length) = text.split_once('/')?;
    if length.is_empty() || length.len() > 3 || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let length: u32 = length.parse().ok()?;
    let network: IpAddr = match address.parse().ok()? {
        IpAddr::V4(address) => {
            let hosts = 32_u32.checked_sub(length)?;
            (u32::from(address) & u32::MAX.checked_shl(hosts).unwrap_or(0))
                .to_be_bytes()
                .into()
        }
        IpAddr::V6(address) => {
            let hosts = 128_u32.checked_sub(length)?;
            (u128::from(address) & u128::MAX.checked_shl(hosts).unwrap_or(0))
                .to_be_bytes()
                .into()
        }
    };
    Some(format!("{network}/{length}"))
}

/// Whether the range is the whole internet.
pub(super) fn is_everyone(network: &str) -> bool {
    network.ends_with("/0")
}

/// A key id (`1234abcd-…`, `mrk-…`), `alias/…`, or the ARN of either.
pub(super) fn is_kms_key(text: &str) -> bool {
    let is_id = |id: &str| {
        let id = id.strip_prefix("mrk-").unwrap_or(id);
        (8..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    let is_alias = |alias: &str| {
        (1..=250).contains(&alias.len())
            && alias
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte))
    };
    let resource = if text.starts_with("arn:") {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts[..] {
            ["arn", _, "kms", region, account, resource] if !region.is_empty() && account.len() == 12 => {
                resource
            }
            _ => return false,
        }
    } else if text.starts_with("alias/") {
        text
    } else {
        return is_id(text);
    };
    match resource.split_once('/') {
        Some(("key", id)) => is_id(id),
        Some(("alias", alias)) => is_alias(alias),
        _ => false,
    }
}

/// `m5.large` or `kafka.m5.large`.
pub(super) fn is_instance_type(text: &str) -> bool {
    let is_part = |part: &str| {
        (1..=24).contains(&part.len())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.strip_prefix("kafka.")
        .unwrap_or(text)
        .split_once('.')
        .is_some_and(|(family, size)| is_part(family) && is_part(size))
}

/// `sg-…`.
pub(super) fn is_security_group(text: &str) -> bool {
    text.strip_prefix("sg-")
        .is_some_and(|id| (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// A subnet's id or a zone's name: something that is one word everywhere.
pub(super) fn is_zone(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Amazon MSK's rules for tags.
pub(super) fn tags(check: &mut Check<'_>, object: &Object) -> Option<BTreeMap<String, String>> {
    let path = AttributePath::of("tags");
    let nothing = BTreeMap::new();
    let written = check.known(object.map("tags"), Some(&nothing))?;
    if written.len() > 50 {
        let detail = format!(
            "`tags` has {} entries; 50 are allowed. Take some out.",
            written.len()
        );
        check.error(&path, "Too many tags", detail);
    }
    let is_text = |text: &str| {
        text.chars()
            .all(|letter| letter.is_alphanumeric() || letter == ' ' || "_./=+-@:".contains(letter))
    };
    for (key, value) in written {
        let path = path.key(key);
        let length = key.chars().count();
        if !(1..=128).contains(&length) || !is_text(key) {
            check.error(
                &path,
                "Invalid tag",
                format!(
                    "The key {} must have 1 to 128 letters, digits, spaces or `_ . / = + - @ :`.",
                    quoted(key)
                ),
            );
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            let detail = format!(
                "The key {} starts with `aws:`, which AWS keeps for itself.",
                quoted(key)
            );
            check.error(&path, "Invalid tag", detail);
        }
        if let Some(text) = value.as_str().known()
            && (text.chars().count() > 255 || !is_text(text))
        {
            check.error(
                &path,
                "Invalid tag",
                format!(
                    "The value {} must have at most 255 letters, digits, spaces or `_ . / = + - @ :`.",
                    quoted(text)
                ),
            );
        }
    }
    check.known(object.string_map("tags"), Some(BTreeMap::new()))
}

/// Why a text is not the certificate of one authority.
pub(super) fn authority_problem(text: &str) -> Option<&'static str> {
    if text.contains("PRIVATE KEY") {
        return Some(
            "has a private key in it. A cluster needs only the certificate: take the key out, and make a new one, \
             since this one has been in a configuration",
        );
    }
    let blocks: Vec<Pem> = Pem::iter_from_buffer(text.as_bytes())
        .take(2)
        .filter_map(Result::ok)
        .collect();
    let [block] = blocks.as_slice() else {
        return Some(
            "must hold exactly one certificate in PEM form; give each authority an entry of its own",
        );
    };
    if block.label != "CERTIFICATE" {
        return Some("must be a certificate in PEM form (`-----BEGIN CERTIFICATE-----`)");
    }
    let Ok(certificate) = block.parse_x509() else {
        return Some("is not an X.509 certificate");
    };
    if certificate.is_ca() {
        None
    } else {
        Some(
            "is not the certificate of an authority (basic constraints: CA); give the one that signs clients",
        )
    }
}
