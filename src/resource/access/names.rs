//! The ids of topics, ACLs and users, as Terraform shows them and as people type them for an import.

use crate::kafka::acl::UnknownName;
use crate::spec::ids::{ClusterName, TopicName};
use crate::store::documents::AclKey;

/// The longest id that anybody can mean: an ACL with the longest names, every character encoded.
const MAX_ID: usize = 16 * 1024;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdError {
    /// The parts are not those of such an id.
    #[error("`{text}` is not an id of the form `{form}`")]
    Form {
        /// What was typed, cut to a readable length.
        text: String,
        /// What was expected.
        form: &'static str,
    },
    /// A percent sign that stands for nothing.
    #[error(
        "`{text}` has a `%` that is not part of `%25` or `%7C`; write a percent sign as `%25` and a bar as `%7C`"
    )]
    Percent {
        /// The part with the percent sign, cut to a readable length.
        text: String,
    },
    /// One of Kafka's names is not one.
    #[error(transparent)]
    Name(#[from] UnknownName),
}

const ACL_FORM: &str = "cluster|principal|host|resource_type|pattern_type|resource_name|permission";

/// The id of a topic or a user.
pub(crate) fn joined(cluster: &ClusterName, name: &str) -> String {
    format!("{cluster}/{name}")
}

/// The id of an ACL.
pub(crate) fn acl(cluster: &ClusterName, key: &AclKey) -> String {
    format!("{cluster}|{}", key.id())
}

/// Reads the id of a topic.
///
/// # Errors
/// [`IdError::Form`].
pub(crate) fn parse_topic(text: &str) -> Result<(ClusterName, TopicName), IdError> {
    parse_joined(text, "cluster/topic").map(|(cluster, name)| (cluster, TopicName::new(name)))
}

/// Reads the id of a user, whose name may hold a slash.
///
/// # Errors
/// [`IdError::Form`].
pub(crate) fn parse_user(text: &str) -> Result<(ClusterName, String), IdError> {
    parse_joined(text, "cluster/username")
}

fn parse_joined(text: &str, form: &'static str) -> Result<(ClusterName, String), IdError> {
    match text.split_once('/') {
        Some((cluster, name)) if is_cluster_name(cluster) && !name.is_empty() && name.len() <= MAX_ID => {
            Ok((ClusterName::new(cluster), name.to_owned()))
        }
        _ => Err(form_error(text, form)),
    }
}

/// Reads the id of an ACL.
///
/// # Errors
/// Any [`IdError`].
pub(crate) fn parse_acl(text: &str) -> Result<(ClusterName, AclKey), IdError> {
    if text.len() > MAX_ID {
        return Err(form_error(text, ACL_FORM));
    }
    let parts: Vec<&str> = text.split('|').collect();
    let &[
        cluster,
        principal,
        host,
        resource_type,
        pattern_type,
        resource_name,
        permission,
    ] = parts.as_slice()
    else {
        return Err(form_error(text, ACL_FORM));
    };
    if !is_cluster_name(cluster) || [principal, host, resource_name].contains(&"") {
        return Err(form_error(text, ACL_FORM));
    }
    let key = AclKey {
        principal: decode(principal)?,
        host: decode(host)?,
        resource_type: resource_type.parse()?,
        pattern_type: pattern_type.parse()?,
        resource_name: decode(resource_name)?,
        permission: permission.parse()?,
    };
    Ok((ClusterName::new(cluster), key))
}

/// Whether a text can name a cluster: it becomes part of a key of the store.
pub(crate) fn is_cluster_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn decode(part: &str) -> Result<String, IdError> {
    let mut decoded = String::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        let (letter, tail) = match after.get(..2) {
            Some("25") => ('%', after.get(2..)),
            Some("7C" | "7c") => ('|', after.get(2..)),
            _ => return Err(IdError::Percent { text: shown(part) }),
        };
        decoded.push(letter);
        rest = tail.unwrap_or_default();
    }
    decoded.push_str(rest);
    Ok(decoded)
}

fn form_error(text: &str, form: &'static str) -> IdError {
    IdError::Form {
        text: shown(text),
        form,
    }
}

fn shown(text: &str) -> String {
    text.chars()
        .take(120)
        .collect::<String>()
        .escape_debug()
        .to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{acl, joined, parse_acl, parse_topic, parse_user};
    use crate::kafka::acl::{AclPatternType, AclPermission, AclResourceType};
    use crate::spec::ids::ClusterName;
    use crate::store::documents::AclKey;

    fn key(principal: &str, resource_name: &str) -> AclKey {
        AclKey {
            principal: principal.to_owned(),
            host: "*".to_owned(),
            resource_type: AclResourceType::Topic,
            pattern_type: AclPatternType::Literal,
            resource_name: resource_name.to_owned(),
            permission: AclPermission::Allow,
        }
    }

    #[test]
    fn an_acl_id_is_readable_and_encodes_bars_and_percent_signs() {
        let cluster = ClusterName::new("events");
        assert_eq!(
            acl(&cluster, &key("User:CN=a|b,O=100%", "orders")),
            "events|User:CN=a%7Cb,O=100%25|*|TOPIC|LITERAL|orders|ALLOW"
        );
    }

    #[test]
    fn wrong_ids_are_refused_with_the_form_that_is_expected() {
        for text in ["", "events", "/orders", "events/", "../x/y", "-a/b"] {
            let error = parse_topic(text).unwrap_err().to_string();
            assert!(error.contains("`cluster/topic`"), "{error}");
        }
        for text in ["a", "a|b|c|TOPIC|LITERAL|x", "a||*|TOPIC|LITERAL|x|ALLOW"] {
            assert!(
                parse_acl(text)
                    .unwrap_err()
                    .to_string()
                    .contains("resource_type|pattern_type")
            );
        }
        let error = parse_acl("a|User:100%|*|TOPIC|LITERAL|x|ALLOW").unwrap_err();
        assert!(error.to_string().contains("`%25`"), "{error}");
        let error = parse_acl("a|User:b|*|Topic|LITERAL|x|ALLOW").unwrap_err();
        assert!(error.to_string().contains("TRANSACTIONAL_ID"), "{error}");
    }

    #[test]
    fn a_user_name_may_hold_a_slash() {
        let (cluster, name) = parse_user("events/a/b").unwrap();
        assert_eq!((cluster.as_str(), name.as_str()), ("events", "a/b"));
        assert_eq!(joined(&cluster, &name), "events/a/b");
    }

    proptest! {
        #[test]
        fn every_acl_id_reads_back(principal in "User:[ -~é|%]{1,30}", name in "[ -~ü|%]{1,30}") {
            let cluster = ClusterName::new("events");
            let key = key(&principal, &name);
            prop_assert_eq!(parse_acl(&acl(&cluster, &key)), Ok((cluster, key)));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,60}") {
            let _ = parse_acl(&text);
            let _ = parse_topic(&text);
            let _ = parse_user(&text);
        }
    }
}
