//! The rules of `msk_acl`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use super::topic::topic_name_problem;
use super::{Check, quoted};
use crate::kafka::acl::{
    ANY_HOST, AclOperation, AclPatternType, AclPermission, AclResourceType, CLUSTER_RESOURCE_NAME,
};
use crate::kafka::versions::KafkaVersion;
use crate::spec::objects::{AclSpec, RESERVED_USER_PREFIX};
use crate::store::documents::AclKey;
use crate::tfplugin::{Attr, AttributePath, Diagnostics, Object};

/// Checks an ACL. The cluster's version, if it is known, tells which pairs it checks.
pub fn check_acl(
    written: &Object,
    kafka_version: Option<KafkaVersion>,
    diagnostics: &mut Diagnostics,
) -> Option<AclSpec> {
    let mut check = Check::new(diagnostics);
    let principal = principal(&mut check, written);
    let host = host(&mut check, written);
    let resource_type: Option<AclResourceType> = name_of(&mut check, written, "resource_type", None);
    let pattern_type = name_of(&mut check, written, "pattern_type", Some(AclPatternType::Literal));
    let permission = name_of(&mut check, written, "permission", Some(AclPermission::Allow));
    let resource_name = check.known(written.string("resource_name"), None);
    if let (Some(kind), Some(pattern), Some(name)) = (resource_type, pattern_type, &resource_name) {
        check_resource(&mut check, kind, pattern, name);
    }
    let operations = operations(&mut check, written, resource_type, kafka_version);
    let made = (|| {
        Some(AclSpec {
            key: AclKey {
                principal: principal?,
                host: host?,
                resource_type: resource_type?,
                pattern_type: pattern_type?,
                resource_name: resource_name?,
                permission: permission?,
            },
            operations: operations?,
        })
    })();
    check.finish(made)
}

/// One of Kafka's names.
fn name_of<T: FromStr<Err = E>, E: std::fmt::Display>(
    check: &mut Check<'_>,
    written: &Object,
    name: &str,
    fallback: Option<T>,
) -> Option<T> {
    let text = match written.string(name) {
        Attr::Null if fallback.is_some() => return fallback,
        text => check.known(text, None)?,
    };
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            check.error(&AttributePath::of(name), "Invalid value", format!("{error}."));
            None
        }
    }
}

fn principal(check: &mut Check<'_>, written: &Object) -> Option<String> {
    let path = AttributePath::of("principal");
    let text = check.known(written.string("principal"), None)?;
    let Some(name) = text.strip_prefix("User:").filter(|name| !name.is_empty()) else {
        let rule =
            "`User:` and a name: a SCRAM user's, a certificate's full distinguished name, `ANONYMOUS` or `*`";
        check.breaks(&path, quoted(&text), rule);
        return None;
    };
    if name.starts_with(RESERVED_USER_PREFIX) {
        let detail = format!(
            "{} belongs to the cluster's own nodes: names that start with `{RESERVED_USER_PREFIX}` are reserved. Name \
             one of your clients.",
            quoted(&text)
        );
        check.error(&path, "Reserved user name", detail);
        return None;
    }
    if text.len() > 1024 || text.chars().any(char::is_control) {
        check.breaks(
            &path,
            quoted(&text),
            "at most 1,024 characters without control characters",
        );
        return None;
    }
    Some(text)
}

fn host(check: &mut Check<'_>, written: &Object) -> Option<String> {
    let text = check.known(written.string("host"), Some(ANY_HOST.to_owned()))?;
    if text == ANY_HOST || text.parse::<IpAddr>().is_ok() {
        return Some(text);
    }
    let path = AttributePath::of("host");
    let hint = if text.contains('/') {
        "; Kafka knows no address ranges"
    } else {
        ""
    };
    check.breaks(&path, quoted(&text), format!("`*` or one IP address{hint}"));
    None
}

fn check_resource(check: &mut Check<'_>, kind: AclResourceType, pattern: AclPatternType, name: &str) {
    let path = AttributePath::of("resource_name");
    let is_literal = pattern == AclPatternType::Literal;
    if kind == AclResourceType::Cluster {
        if name != CLUSTER_RESOURCE_NAME {
            check.breaks(
                &path,
                quoted(name),
                format!("`{CLUSTER_RESOURCE_NAME}` for `CLUSTER`"),
            );
        }
        if !is_literal {
            check.breaks(
                &AttributePath::of("pattern_type"),
                "\"PREFIXED\"",
                "`LITERAL` for `CLUSTER`",
            );
        }
        return;
    }
    if name.is_empty() || name.len() > 1024 || name.chars().any(char::is_control) {
        check.breaks(
            &path,
            quoted(name),
            "1 to 1,024 characters without control characters",
        );
        return;
    }
    if name == "*" {
        if !is_literal {
            let detail = "`*` means every name only with `pattern_type = \"LITERAL\"`; with `PREFIXED` it means names \
                          that begin with a star, and there are none. Write `LITERAL`.";
            check.error(&path, "A star is not a prefix", detail);
        }
        return;
    }
    if kind == AclResourceType::Topic {
        // A prefix may be `.`, and Kafka's own topics may well be read.
        let is_name = topic_name_problem(name).is_none() || name.starts_with("__");
        if !is_name && (is_literal || name != ".") {
            let rule = "`*`, or a topic's name or its beginning: letters, digits, `.`, `_` and `-`";
            check.breaks(&path, quoted(name), rule);
        }
    }
    if kind == AclResourceType::User && name.strip_prefix("User:").is_none_or(str::is_empty) {
        check.breaks(&path, quoted(name), "`*` or `User:` and a name for `USER`");
    }
}

fn operations(
    check: &mut Check<'_>,
    written: &Object,
    kind: Option<AclResourceType>,
    version: Option<KafkaVersion>,
) -> Option<BTreeSet<AclOperation>> {
    let path = AttributePath::of("operations");
    let elements = check.known(written.elements("operations"), None)?;
    if elements.is_empty() {
        check.breaks(&path, "empty", "a set of at least one operation");
    }
    let mut operations = BTreeSet::new();
    for element in elements {
        let Some(text) = check.known(element.as_str(), None) else {
            continue;
        };
        match text.parse::<AclOperation>() {
            Err(error) => check.error(&path, "Invalid value", format!("{error}.")),
            Ok(operation) => {
                operations.insert(operation);
                if let Some(kind) = kind {
                    check_pair(check, kind, operation, version);
                }
            }
        }
    }
    Some(operations)
}

fn check_pair(
    check: &mut Check<'_>,
    kind: AclResourceType,
    operation: AclOperation,
    version: Option<KafkaVersion>,
) {
    let path = AttributePath::of("operations");
    if !kind.checks(operation) {
        let known: Vec<String> = kind
            .checked_operations()
            .iter()
            .map(|operation| format!("`{operation}`"))
            .collect();
        let elsewhere: Vec<String> = AclResourceType::ALL
            .iter()
            .filter(|other| other.checks(operation))
            .map(|other| format!("`{other}`"))
            .collect();
        let detail = format!(
            "Kafka never checks `{operation}` on `{kind}`, so it would do nothing. On `{kind}` it checks {} and `ALL`; \
             `{operation}` is checked on {}.",
            known.join(", "),
            elsewhere.join(", ")
        );
        check.error(&path, "An operation without effect", detail);
        return;
    }
    if let (Some((major, minor)), Some(version)) = (kind.checked_since(operation), version)
        && (u16::from(version.minor().0), u16::from(version.minor().1)) < (major, minor)
    {
        let detail = format!(
            "Kafka checks `{operation}` on `{kind}` from {major}.{minor}, and the cluster runs {version}. Take it out."
        );
        check.error(&path, "An operation without effect", detail);
    }
}
