//! What the engine needs of `aws = { … }`.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::artifacts::{Architecture, JavaArchive};
use crate::aws;
use crate::kafka::distribution::Archive;

/// The settings of the provider block that the engine needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How the account is reached.
    pub account: aws::Settings,
    /// The bucket of the control store.
    pub control_bucket: String,
    /// Whether it is made if it is not there.
    pub creates_control_bucket: bool,
    /// The prefix of the control store in it; ends with `/`.
    pub control_prefix: String,
    /// The KMS key of its objects.
    pub control_kms_key_id: Option<String>,
    /// Tags that every taggable object gets.
    pub default_tags: BTreeMap<String, String>,
    /// Where Kafka's distributions lie on this machine.
    pub kafka_directory: Option<Utf8PathBuf>,
    /// Where to download Kafka, if not through Maven.
    pub archive: Option<Archive>,
    /// Java for the nodes, if not this machine's.
    pub java_archives: BTreeMap<Architecture, JavaArchive>,
    /// The Maven command.
    pub maven_command: String,
}
