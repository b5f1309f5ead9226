//! Configurations kept elsewhere as JSON, and what they mean with the schema's defaults.

use super::attribute::Default;
use super::{Attribute, Kind, Schema, conform};
use crate::tfplugin::planning;
use crate::tfplugin::value::{Object, Value, json};

impl Schema {
    /// The JSON of a configuration, without write-only values. What is unknown becomes null.
    pub fn to_json(&self, config: &Object) -> serde_json::Value {
        let mut config = config.clone();
        conform::drop_write_only(&self.body, &mut config);
        let mut value = Value::Object(config);
        value.drop_unknowns();
        let text = json::encode(&value).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Reads what [`Self::to_json`] wrote. Attributes that it does not have are null.
    ///
    /// # Errors
    /// The JSON does not fit this schema.
    pub fn from_json(&self, stored: &serde_json::Value) -> Result<Object, json::Error> {
        let mut object = match json::decode(stored.to_string().as_bytes(), &self.ty())? {
            Value::Object(object) => object,
            _ => Object::new(),
        };
        conform::fill_blocks(&self.body, &mut object);
        Ok(object)
    }

    /// A configuration with the defaults of the schema filled in.
    #[must_use]
    pub fn with_defaults(&self, config: &Object) -> Object {
        planning::with_defaults(&self.body, config)
    }
}

impl Attribute {
    /// The same attribute where only the provider tells it: in a data source.
    #[must_use]
    pub fn only_told(&self) -> Self {
        let mut told = self.clone();
        if let Kind::Nested(nesting, members) = &self.kind {
            let members = members
                .iter()
                .map(|(name, member)| (name.clone(), member.only_told()));
            told.kind = Kind::Nested(*nesting, members.collect());
        }
        told.required = false;
        told.optional = false;
        told.write_only = false;
        told.computed = true;
        told.keep_prior = false;
        told.replace = false;
        told.default = Default::None;
        told.validators = Vec::new();
        told.same = None;
        told
    }

    /// Whether two values are equal, or mean the same by the attribute's own rule.
    pub fn means_the_same(&self, left: &Value, right: &Value) -> bool {
        let by_rule = || {
            let is_set = |value: &Value| !value.is_null() && value.is_wholly_known();
            is_set(left) && is_set(right) && self.same.as_ref().is_some_and(|same| same(left, right))
        };
        left == right || by_rule()
    }
}

#[cfg(test)]
mod tests {
    use crate::tfplugin::schema::{Schema, boolean, number, object, set, string, timeouts};
    use crate::tfplugin::{Object, Type, Value};

    #[test]
    fn a_configuration_comes_back_as_it_was_written() {
        let schema = Schema::new("x")
            .attribute("name", string().required())
            .attribute("size", number().default(3))
            .attribute("zones", set(Type::String).optional())
            .attribute("password", string().write_only())
            .attribute(
                "inner",
                object([("on", boolean().default(true))]).default_members(),
            )
            .block("timeouts", timeouts(["create"]));
        let config = Object::new()
            .with("name", "a")
            .with("size", Value::Null)
            .with("zones", Value::set(["b", "a"]))
            .with("password", "hunter2")
            .with("inner", Value::Null)
            .with("timeouts", Value::Null);
        let stored = schema.to_json(&config);
        assert!(!stored.to_string().contains("hunter2"));
        let back = schema.from_json(&stored).unwrap();
        assert_eq!(back, config.with("password", Value::Null));
        let filled = schema.with_defaults(&back);
        assert_eq!(filled.integer("size").known(), Some(3));
        assert_eq!(
            filled.object("inner").known().unwrap().boolean("on").known(),
            Some(true)
        );
    }
}
