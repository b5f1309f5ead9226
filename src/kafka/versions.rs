//! The versions of Apache Kafka that this provider runs, and the facts that differ between them.
//!
//! Pure data: no I/O, no clock. A version is a [`KafkaVersion`] only if it stands in the table below, so
//! every other part may ask for its facts without a chance of failure. Each version has a lock file
//! (`distribution/locks`) and each minor a property table (`properties/tables`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A supported, exact version of Apache Kafka, such as `4.3.1`. Ordered from old to new.
///
/// Serialized as its text; reading an unsupported one is an error that lists what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(with = "String"))]
#[serde(into = "String", try_from = "String")]
pub struct KafkaVersion {
    major: u8,
    minor: u8,
    patch: u8,
}

/// How far a version may be trusted with new clusters; shown by the data source `msk_kafka_versions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// In support by the Apache project: fine for new clusters.
    Active,
    /// Runs and is tested, but gets no fixes any more: meant for clusters on their way up.
    Deprecated,
}

impl Status {
    /// The word that users read, in the vocabulary of Amazon MSK.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Deprecated => "DEPRECATED",
        }
    }
}

/// Which library writes the log of a broker, and so which kind of configuration file it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggingBinding {
    /// Log4j 1's successor, used up to 3.9: `-Dlog4j.configuration=file:…`.
    Reload4j,
    /// Log4j 2, used from 4.0: `-Dlog4j2.configurationFile=…`.
    Log4j2,
}

/// A feature and its finalized level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureLevel {
    /// The feature's name on the wire, such as `group.version`.
    pub name: &'static str,
    /// The level, from 1 up.
    pub level: u16,
}

/// The name of the feature that fixes the schema of metadata records.
pub const METADATA_VERSION: &str = "metadata.version";

/// What is known about one version.
#[derive(Debug)]
struct Facts {
    version: KafkaVersion,
    status: Status,
    /// `metadata.version` first, then the others by name: what `kafka-storage format` writes to
    /// `bootstrap.checkpoint` (checked against the real tool in `tests/it/kafka_files.rs`).
    /// `kraft.version` is a control record, not among these.
    features: &'static [FeatureLevel],
    minimum_java: u16,
    logging: LoggingBinding,
}

const fn version(major: u8, minor: u8, patch: u8) -> KafkaVersion {
    KafkaVersion { major, minor, patch }
}

const fn feature(name: &'static str, level: u16) -> FeatureLevel {
    FeatureLevel { name, level }
}

/// From old to new. One patch per minor: the newest that is published.
static VERSIONS: [Facts; 5] = [
    Facts {
        version: version(3, 9, 2),
        status: Status::Deprecated,
        features: &[feature(METADATA_VERSION, 21)],
        minimum_java: 11,
        logging: LoggingBinding::Reload4j,
    },
    Facts {
        version: version(4, 0, 2),
        status: Status::Deprecated,
        features: &[
            feature(METADATA_VERSION, 25),
            feature("group.version", 1),
            feature("transaction.version", 2),
        ],
        minimum_java: 17,
        logging: LoggingBinding::Log4j2,
    },
    Facts {
        version: version(4, 1, 2),
        status: Status::Active,
        features: &[
            feature(METADATA_VERSION, 27),
            feature("eligible.leader.replicas.version", 1),
            feature("group.version", 1),
            feature("transaction.version", 2),
        ],
        minimum_java: 17,
        logging: LoggingBinding::Log4j2,
    },
    Facts {
        version: version(4, 2, 2),
        status: Status::Active,
        features: &[
            feature(METADATA_VERSION, 29),
            feature("eligible.leader.replicas.version", 1),
            feature("group.version", 1),
            feature("share.version", 1),
            feature("streams.version", 1),
            feature("transaction.version", 2),
        ],
        minimum_java: 17,
        logging: LoggingBinding::Log4j2,
    },
    Facts {
        version: version(4, 3, 1),
        status: Status::Active,
        features: &[
            feature(METADATA_VERSION, 30),
            feature("eligible.leader.replicas.version", 1),
            feature("group.version", 1),
            feature("share.version", 1),
            feature("streams.version", 1),
            feature("transaction.version", 2),
        ],
        minimum_java: 17,
        logging: LoggingBinding::Log4j2,
    },
];

/// Why a text is not a supported version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A floating version, as Amazon MSK writes it.
    #[error("`{text}` is not an exact version; the newest patch of {minor} here is `{newest}`")]
    Floating {
        /// What was written.
        text: String,
        /// The minor that it names.
        minor: String,
        /// The exact version to write instead.
        newest: KafkaVersion,
    },
    /// A patch that is not offered, of a minor that is.
    #[error("Kafka `{text}` is not supported; the supported patch of {minor} is `{offered}`")]
    OtherPatch {
        /// What was written.
        text: String,
        /// The minor that it names.
        minor: String,
        /// The exact version to write instead.
        offered: KafkaVersion,
    },
    /// Anything else.
    #[error("`{text}` is not a supported Kafka version; supported are {}", supported())]
    Unknown {
        /// What was written, cut to 40 characters.
        text: String,
    },
}

/// All supported versions as text, for errors: "3.9.2, 4.0.2, …".
fn supported() -> String {
    let names: Vec<String> = KafkaVersion::all()
        .map(|version| format!("`{version}`"))
        .collect();
    names.join(", ")
}

impl KafkaVersion {
    /// The version that examples and documentation name.
    pub const DEFAULT: Self = version(4, 3, 1);

    /// Every supported version, from old to new.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        VERSIONS.iter().map(|facts| facts.version)
    }

    /// Reads an exact version.
    ///
    /// # Errors
    /// [`ParseError::Floating`] for `3.9`, `3.9.x` and `3.9.x.kraft`, [`ParseError::OtherPatch`] for
    /// another patch of a known minor, else [`ParseError::Unknown`].
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if let Some(found) = Self::all().find(|version| version.to_string() == text) {
            return Ok(found);
        }
        let shown: String = text.chars().take(40).collect();
        for offered in Self::all().rev() {
            let minor = offered.minor_name();
            let Some(rest) = text.strip_prefix(&minor) else {
                continue;
            };
            if ["", ".x", ".x.kraft", ".kraft"].contains(&rest) {
                return Err(ParseError::Floating {
                    text: shown,
                    minor,
                    newest: offered,
                });
            }
            let patch = rest.strip_prefix('.').unwrap_or_default();
            if !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(ParseError::OtherPatch {
                    text: shown,
                    minor,
                    offered,
                });
            }
        }
        Err(ParseError::Unknown { text: shown })
    }

    /// The minor as text: `4.3`.
    pub fn minor_name(self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// Major and minor, to compare with: `version.minor() >= (4, 1)`.
    pub const fn minor(self) -> (u8, u8) {
        (self.major, self.minor)
    }

    fn facts(self) -> &'static Facts {
        let found = VERSIONS.iter().find(|facts| facts.version == self);
        // Only this module makes values of this type, all from the table.
        found.unwrap_or(&VERSIONS[4])
    }

    /// How far it may be trusted with new clusters.
    pub fn status(self) -> Status {
        self.facts().status
    }

    /// The features that a fresh `kafka-storage format` of this version finalizes, `metadata.version`
    /// first, the others by name. `kraft.version` (always 1 for a dynamic quorum) is not among them.
    pub fn bootstrap_features(self) -> &'static [FeatureLevel] {
        self.facts().features
    }

    /// The newest `metadata.version` level of this version.
    pub fn metadata_version(self) -> u16 {
        self.facts().features.first().map_or(0, |feature| feature.level)
    }

    /// The lowest Java feature release that runs it.
    pub fn minimum_java(self) -> u16 {
        self.facts().minimum_java
    }

    /// Which library writes its log.
    pub fn logging(self) -> LoggingBinding {
        self.facts().logging
    }

    /// Whether new clusters have eligible leader replicas on: then `min.insync.replicas` is a cluster
    /// default or a topic's, never a broker's (Kafka's "eligible-leader-replicas.md", 4.3).
    pub fn has_eligible_leader_replicas(self) -> bool {
        self.minor() >= (4, 1)
    }

    /// Whether it can run with `ZooKeeper`.
    pub fn has_zookeeper_mode(self) -> bool {
        self.minor() < (4, 0)
    }
}

impl fmt::Display for KafkaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for KafkaVersion {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl From<KafkaVersion> for String {
    fn from(version: KafkaVersion) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for KafkaVersion {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::{KafkaVersion, METADATA_VERSION, ParseError, VERSIONS};

    #[test]
    fn the_table_is_sorted_and_holds_the_default() {
        let all: Vec<KafkaVersion> = KafkaVersion::all().collect();
        let mut sorted = all.clone();
        sorted.sort();
        assert_eq!(all, sorted);
        assert!(all.contains(&KafkaVersion::DEFAULT));
    }

    #[test]
    fn every_version_finds_its_own_facts_and_names_the_metadata_version_first() {
        for version in KafkaVersion::all() {
            assert_eq!(version.facts().version, version);
            assert_eq!(version.bootstrap_features()[0].name, METADATA_VERSION);
        }
        assert_eq!(VERSIONS.len(), KafkaVersion::all().count());
    }

    #[test]
    fn an_exact_version_is_read_and_written_back() {
        for version in KafkaVersion::all() {
            assert_eq!(KafkaVersion::parse(&version.to_string()), Ok(version));
            let json = serde_json::to_string(&version).unwrap();
            assert_eq!(serde_json::from_str::<KafkaVersion>(&json).unwrap(), version);
        }
    }

    #[test]
    fn a_floating_version_is_refused_with_the_patch_to_write() {
        for text in ["3.9", "3.9.x", "3.9.x.kraft"] {
            let error = KafkaVersion::parse(text).unwrap_err();
            assert!(matches!(error, ParseError::Floating { .. }), "{error:?}");
            assert!(error.to_string().contains("`3.9.2`"), "{error}");
        }
    }

    #[test]
    fn another_patch_is_refused_with_the_one_there_is() {
        let error = KafkaVersion::parse("4.3.0").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Kafka `4.3.0` is not supported; the supported patch of 4.3 is `4.3.1`"
        );
    }

    #[test]
    fn anything_else_lists_what_there_is() {
        for text in [
            "",
            "4",
            "2.8.1",
            "4.31",
            "4.3.1 ",
            " 4.3.1",
            "04.3.1",
            "4.3.1-rc0",
            "latest",
        ] {
            let error = KafkaVersion::parse(text).unwrap_err();
            assert!(matches!(error, ParseError::Unknown { .. }), "{text}: {error:?}");
            assert!(error.to_string().contains("`4.3.1`"), "{error}");
        }
        let long = KafkaVersion::parse(&"9".repeat(10_000)).unwrap_err();
        assert!(long.to_string().len() < 200);
    }

    #[test]
    fn versions_are_ordered_from_old_to_new() {
        assert!(KafkaVersion::parse("3.9.2").unwrap() < KafkaVersion::parse("4.0.2").unwrap());
        assert!(KafkaVersion::DEFAULT.minor() >= (4, 3));
    }
}
