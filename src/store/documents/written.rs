//! A configuration as the user wrote it, kept in documents for import.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A JSON value in memory as text: documents hold thousands of these, and a tree of them takes five to ten
/// times as much. In a document it is the value itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenConfiguration(Box<str>);

impl WrittenConfiguration {
    /// The value; `null` if nothing is known.
    pub fn value(&self) -> serde_json::Value {
        // It was made from a value, so it can be read as one.
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl Default for WrittenConfiguration {
    /// Nothing is known.
    fn default() -> Self {
        Self::from(&serde_json::Value::Null)
    }
}

impl From<&serde_json::Value> for WrittenConfiguration {
    /// Equal values have equal texts: objects are in the order of their keys.
    fn from(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }
}

impl Serialize for WrittenConfiguration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<serde_json::Value>(&self.0)
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WrittenConfiguration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let text = serde_json::to_string(&value).map_err(D::Error::custom)?;
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
impl schemars::JsonSchema for WrittenConfiguration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        serde_json::Value::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        serde_json::Value::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_the_same_in_memory_and_in_a_document() {
        let value =
            serde_json::json!({ "name": "orders", "partitions": 12, "config": { "b": "2", "a": null } });
        let written = WrittenConfiguration::from(&value);
        assert_eq!(written.value(), value);
        assert_eq!(serde_json::to_value(&written).unwrap(), value);
        let read: WrittenConfiguration = serde_json::from_value(value).unwrap();
        assert_eq!(read, written);
    }
}
