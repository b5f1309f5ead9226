//! Which listeners are open, and how clients say who they are.

use super::forms::{self, is_everyone};
use super::{Check, quoted};
use crate::spec::cluster::{AuthenticationSpec, ClientBroker, EncryptionSpec, Sources};
use crate::tfplugin::{Attr, AttributePath, Object};

pub(super) fn encryption(check: &mut Check<'_>, written: &Object) -> Option<EncryptionSpec> {
    let default = EncryptionSpec::default();
    let Attr::Known(object) = written.object("encryption") else {
        return check.known(written.object("encryption").map(|_| default), Some(default));
    };
    let path = AttributePath::of("encryption").attribute("client_broker");
    let text = check.known(object.string("client_broker"), Some("TLS".to_owned()));
    let client_broker = text.and_then(|text| {
        let found = ClientBroker::ALL
            .into_iter()
            .find(|choice| choice.as_str() == text);
        if found.is_none() {
            check.breaks(&path, quoted(&text), "`TLS`, `TLS_PLAINTEXT` or `PLAINTEXT`");
        }
        found
    });
    let in_cluster = check.boolean(object, "in_cluster", true);
    Some(EncryptionSpec {
        client_broker: client_broker?,
        in_cluster: in_cluster?,
    })
}

pub(super) fn authentication(check: &mut Check<'_>, written: &Object) -> Option<AuthenticationSpec> {
    let path = AttributePath::of("authentication");
    let object = match written.object("authentication") {
        Attr::Known(object) => object,
        Attr::Null => {
            return Some(AuthenticationSpec {
                scram: true,
                client_ca_pem: Vec::new(),
                unauthenticated: false,
            });
        }
        Attr::Unknown => return check.known(Attr::Unknown, None),
    };
    let scram = check.boolean(object, "scram", false);
    let iam = check.boolean(object, "iam", false);
    let unauthenticated = check.boolean(object, "unauthenticated", false);
    let client_ca_pem = match object.object("tls") {
        Attr::Known(tls) => authorities(
            check,
            tls,
            &path.attribute("tls").attribute("ca_certificates_pem"),
        ),
        Attr::Null => Some(Vec::new()),
        Attr::Unknown => check.known(Attr::Unknown, None),
    };
    let (scram, iam, unauthenticated) = (scram?, iam?, unauthenticated?);
    if iam {
        // Refused elsewhere in this version; here it only must not count as "nothing is on".
        check.is_complete = false;
    }
    let has_tls = !object.object("tls").is_null();
    if !scram && !iam && !unauthenticated && !has_tls {
        check.error(
            &path,
            "No way to authenticate",
            "`authentication` is written and every member of it is off, so no client could connect. Turn on at \
             least one: `scram = true`, `tls = { ca_certificates_pem = […] }` or `unauthenticated = true`.",
        );
        return None;
    }
    Some(AuthenticationSpec {
        scram,
        client_ca_pem: client_ca_pem?,
        unauthenticated,
    })
}

fn authorities(check: &mut Check<'_>, tls: &Object, path: &AttributePath) -> Option<Vec<String>> {
    let elements = check.known(tls.elements("ca_certificates_pem"), Some(&[][..]))?;
    if !(1..=10).contains(&elements.len()) {
        check.breaks(
            path,
            format!("a list of {}", elements.len()),
            "a list of 1 to 10 certificates",
        );
        return None;
    }
    let mut certificates: Vec<String> = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        let path = path.index(index);
        let Some(text) = check.known(element.as_str(), None) else {
            continue;
        };
        // The text is not shown: it may be a private key.
        if let Some(problem) = forms::authority_problem(text) {
            check.error(
                &path,
                "Not a certificate authority",
                format!("`{path}` {problem}."),
            );
        } else if certificates.iter().any(|seen| seen.trim() == text.trim()) {
            check.error(
                &path,
                "Certificate given twice",
                format!("`{path}` is in the list already. Take one of them out."),
            );
        } else {
            certificates.push(text.to_owned());
        }
    }
    Some(certificates)
}

/// Which ways to authenticate need which listeners.
pub(super) fn fit_listeners(
    check: &mut Check<'_>,
    written: &Object,
    client_broker: ClientBroker,
    authentication: &AuthenticationSpec,
) {
    let path = AttributePath::of("authentication");
    let shown = client_broker.as_str();
    if !client_broker.has_tls() && written.object("authentication").is_null() {
        check.error(
            &AttributePath::of("encryption").attribute("client_broker"),
            "Plaintext needs a word on authentication",
            "`encryption.client_broker` is \"PLAINTEXT\" and `authentication` is left out, which means user and \
             password over TLS. If clients may connect without saying who they are, add the line\n\n    \
             authentication = { unauthenticated = true }",
        );
        return;
    }
    if !client_broker.has_tls() {
        let needing = [("scram", authentication.scram), ("tls", authentication.has_tls())];
        for (member, _) in needing.into_iter().filter(|(_, is_on)| *is_on) {
            let detail = format!(
                "`authentication.{member}` works over TLS only, and `encryption.client_broker` is \"{shown}\". Write \
                 \"TLS\" or \"TLS_PLAINTEXT\" there, or take `{member}` out."
            );
            check.error(&path.attribute(member), "This needs TLS", detail);
        }
    }
    if client_broker.has_plaintext() && !authentication.unauthenticated {
        let detail = format!(
            "`encryption.client_broker` is \"{shown}\", but the plaintext listener is for clients that do not say who \
             they are, and `authentication.unauthenticated` is not on. Add `unauthenticated = true` to \
             `authentication`, or write `client_broker = \"TLS\"`."
        );
        check.error(
            &path.attribute("unauthenticated"),
            "Nobody could use plaintext",
            detail,
        );
    }
}

pub(super) fn refuse_open_plaintext(
    check: &mut Check<'_>,
    client_broker: ClientBroker,
    authentication: &AuthenticationSpec,
    sources: &Sources,
) {
    if !client_broker.has_plaintext() || !authentication.unauthenticated {
        return;
    }
    for range in sources.cidr_blocks.iter().filter(|range| is_everyone(range)) {
        let detail = format!(
            "`client_cidr_blocks` has {range}, the whole internet, and the plaintext listener is open: anybody could \
             read and write. Name the ranges of your clients, or write `client_broker = \"TLS\"`."
        );
        check.error(
            &AttributePath::of("client_cidr_blocks"),
            "The whole internet on a plaintext listener",
            detail,
        );
    }
}
