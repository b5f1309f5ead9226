//! Properties of topics, of brokers, and the cluster-wide defaults.

use std::collections::HashMap;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use super::{Admin, Apply, MAX_ITEMS, not_answered, owned, text};
use crate::kafka::client::error::{Error, KafkaError};
use crate::spec::ids::{NodeId, TopicName};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// What has properties.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ConfigResource {
    /// A topic.
    Topic(TopicName),
    /// One broker; only that broker itself answers and takes changes.
    Broker(NodeId),
    /// The defaults of all brokers that are kept in the metadata.
    ClusterDefault,
}

impl ConfigResource {
    fn code(&self) -> i8 {
        match self {
            Self::Topic(_) => TOPIC,
            Self::Broker(_) | Self::ClusterDefault => BROKER,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Topic(name) => name.as_str().to_owned(),
            Self::Broker(id) => id.0.to_string(),
            Self::ClusterDefault => String::new(),
        }
    }

    /// Where a value stands that was set for this very resource.
    fn own_source(&self) -> ConfigSource {
        match self {
            Self::Topic(_) => ConfigSource::Topic,
            Self::Broker(_) => ConfigSource::DynamicBroker,
            Self::ClusterDefault => ConfigSource::DynamicDefault,
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfigSource {
    /// Set for the topic.
    Topic,
    /// Set for the broker, in the metadata.
    DynamicBroker,
    /// Set for all brokers, in the metadata.
    DynamicDefault,
    /// Set in the broker's `server.properties`.
    StaticBroker,
    /// Kafka's default.
    Default,
    /// A source of a newer Kafka, by its code.
    Other(i8),
}

impl ConfigSource {
    const fn from_code(code: i8) -> Self {
        match code {
            1 => Self::Topic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefault,
            4 => Self::StaticBroker,
            5 => Self::Default,
            other => Self::Other(other),
        }
    }
}

/// Which values are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigScope {
    /// Only those that were set for the resource itself.
    Overrides,
    /// All that hold for the resource.
    All,
}

/// One property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; `None` for passwords and for properties without a value.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether the value is held back because it is a secret.
    pub is_sensitive: bool,
    /// Whether it can only be changed by a restart.
    pub is_read_only: bool,
}

/// What to do with one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigEdit {
    /// Give it this value.
    Set(String),
    /// Go back to the default.
    Delete,
}

/// Changes of one resource, made all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// Whose properties.
    pub resource: ConfigResource,
    /// Name and change of each; properties that are not named stay.
    pub edits: Vec<(String, ConfigEdit)>,
}

impl Admin {
    /// Reads properties. The results are in the order of `resources`.
    ///
    /// # Errors
    /// [`Error`]; per resource `UNKNOWN_TOPIC_OR_PARTITION`, and `INVALID_REQUEST` for another broker.
    pub async fn describe_configs(
        &self,
        resources: &[ConfigResource],
        scope: ConfigScope,
    ) -> Result<Vec<Result<Vec<ConfigEntry>, KafkaError>>, Error> {
        let mut results = Vec::with_capacity(resources.len());
        for part in resources.chunks(MAX_ITEMS) {
            let answer = self
                .session
                .call(|_| {
                    let ask = |resource: &ConfigResource| {
                        DescribeConfigsResource::default()
                            .with_resource_type(resource.code())
                            .with_resource_name(text(&resource.name()))
                            .with_configuration_keys(None)
                    };
                    DescribeConfigsRequest::default().with_resources(part.iter().map(ask).collect())
                })
                .await?;
            let found: HashMap<(i8, String), &DescribeConfigsResult> = answer
                .body
                .results
                .iter()
                .map(|result| {
                    (
                        (result.resource_type, result.resource_name.as_str().to_owned()),
                        result,
                    )
                })
                .collect();
            results.extend(part.iter().map(|resource| {
                let result = found
                    .get(&(resource.code(), resource.name()))
                    .ok_or_else(not_answered)?;
                entries(result, resource, scope)
            }));
        }
        Ok(results)
    }

    /// Changes properties. The results are in the order of `changes`, which must not name a resource twice.
    ///
    /// # Errors
    /// [`Error`]; per resource `INVALID_CONFIG`, `INVALID_REQUEST`, `POLICY_VIOLATION`.
    pub async fn alter_configs(
        &self,
        changes: &[ConfigChange],
        apply: Apply,
    ) -> Result<Vec<Result<(), KafkaError>>, Error> {
        let mut results = Vec::with_capacity(changes.len());
        for part in changes.chunks(MAX_ITEMS) {
            let answer = self
                .session
                .call(|_| {
                    IncrementalAlterConfigsRequest::default()
                        .with_resources(part.iter().map(alteration).collect())
                        .with_validate_only(apply.validate_only())
                })
                .await?;
            let throttle = answer.body.throttle_time_ms;
            let mut answers: HashMap<(i8, String), Result<(), KafkaError>> = HashMap::new();
            for result in &answer.body.responses {
                let key = (result.resource_type, result.resource_name.as_str().to_owned());
                let result = KafkaError::check(result.error_code, result.error_message.as_deref())
                    .map_err(|error| error.with_throttle(throttle));
                answers.insert(key, result);
            }
            results.extend(part.iter().map(|change| {
                answers
                    .remove(&(change.resource.code(), change.resource.name()))
                    .unwrap_or_else(|| Err(not_answered()))
            }));
        }
        Ok(results)
    }
}

fn entries(
    result: &DescribeConfigsResult,
    resource: &ConfigResource,
    scope: ConfigScope,
) -> Result<Vec<ConfigEntry>, KafkaError> {
    KafkaError::check(result.error_code, result.error_message.as_deref())?;
    let own = resource.own_source();
    let wanted = result.configs.iter().filter(|entry| match scope {
        ConfigScope::All => true,
        ConfigScope::Overrides => ConfigSource::from_code(entry.config_source) == own,
    });
    let entries = wanted.map(|entry| ConfigEntry {
        name: entry.name.as_str().to_owned(),
        value: owned(entry.value.as_ref()),
        source: ConfigSource::from_code(entry.config_source),
        is_sensitive: entry.is_sensitive,
        is_read_only: entry.read_only,
    });
    Ok(entries.collect())
}

fn alteration(change: &ConfigChange) -> AlterConfigsResource {
    let edits = change.edits.iter().map(|(name, edit)| {
        let request = AlterableConfig::default().with_name(text(name));
        match edit {
            ConfigEdit::Set(value) => request.with_config_operation(0).with_value(Some(text(value))),
            ConfigEdit::Delete => request.with_config_operation(1).with_value(None),
        }
    });
    AlterConfigsResource::default()
        .with_resource_type(change.resource.code())
        .with_resource_name(text(&change.resource.name()))
        .with_configs(edits.collect())
}
