//! `meta.properties`: who owns a data directory. Pure.

use std::collections::BTreeMap;

use super::Identity;
use crate::kafka::server_properties;
use crate::spec::ids::{KafkaUuid, NodeId};

/// Why a `meta.properties` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// Not in the properties format.
    #[error("is not a properties file")]
    Syntax(#[from] server_properties::ParseError),
    /// Written by a Kafka that this program does not know.
    #[error("has version `{version}`, only `1` is known")]
    Version {
        /// What it says, or nothing.
        version: String,
    },
    /// A line is missing or has a value that cannot be.
    #[error("has no valid `{name}`")]
    Line {
        /// The line.
        name: &'static str,
    },
}

/// Renders the file as Kafka reads it.
pub fn render(identity: &Identity) -> String {
    let lines = [
        ("version", "1".to_owned()),
        ("cluster.id", identity.cluster_id.to_string()),
        ("node.id", identity.node_id.to_string()),
        ("directory.id", identity.directory_id.to_string()),
    ];
    let lines: BTreeMap<String, String> = lines
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    server_properties::render(&lines)
}

/// Reads the file, ours or one that Kafka or its tool wrote.
///
/// # Errors
/// [`MetaError`], as text behind the file's name.
pub fn parse(text: &str) -> Result<Identity, MetaError> {
    let lines = server_properties::parse(text)?;
    let version = lines.get("version").cloned().unwrap_or_default();
    if version != "1" {
        return Err(MetaError::Version {
            version: version.chars().take(40).collect(),
        });
    }
    let id = |name: &'static str| match lines.get(name) {
        Some(text) if (1..=64).contains(&text.len()) && text.is_ascii() => Ok(KafkaUuid::new(text.clone())),
        _ => Err(MetaError::Line { name }),
    };
    let node_id = lines.get("node.id").and_then(|text| text.parse().ok());
    Ok(Identity {
        cluster_id: id("cluster.id")?,
        node_id: NodeId(node_id.ok_or(MetaError::Line { name: "node.id" })?),
        directory_id: id("directory.id")?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{Identity, MetaError, parse, render};
    use crate::spec::ids::{KafkaUuid, NodeId};

    #[test]
    fn what_is_rendered_is_read_back() {
        let identity = Identity {
            cluster_id: KafkaUuid::new("MkU3OEVBNTcwNTJENDM2Qg"),
            node_id: NodeId(10_001),
            directory_id: KafkaUuid::new("AAAAAAAAAAAAAAAAAAAAZQ"),
        };
        assert_eq!(parse(&render(&identity)), Ok(identity));
    }

    #[test]
    fn the_tools_own_file_is_read() {
        let text = "#\n#Sun Nov 22 19:00:27 UTC 2026\nnode.id=1\n\
            directory.id=AAAAAAAAAAAAAAAAAAAAZQ\nversion=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\n";
        assert_eq!(parse(text).unwrap().node_id, NodeId(1));
    }

    #[test]
    fn a_broken_file_says_what_is_wrong() {
        let cases = [
            ("", "has version ``, only `1` is known"),
            ("version=0\nbroker.id=1", "has version `0`, only `1` is known"),
            (
                "version=1\ncluster.id=x\nnode.id=-1\ndirectory.id=y",
                "has no valid `node.id`",
            ),
            (
                "version=1\ncluster.id=x\nnode.id=1",
                "has no valid `directory.id`",
            ),
            (
                "version=1\ncluster.id=\nnode.id=1\ndirectory.id=y",
                "has no valid `cluster.id`",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(parse(text).unwrap_err().to_string(), message);
        }
        assert!(matches!(parse("\\u1"), Err(MetaError::Syntax(_))));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
