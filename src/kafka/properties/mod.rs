//! Every public property of brokers and topics, per minor version of Kafka: type, default, valid values,
//! and whether a change of it needs a restart.
//!
//! Kafka takes unknown names without a word, so checking them is ours. The tables are generated from
//! Kafka's own classes (`scripts/generate-kafka-properties`), embedded, and read on first use. Pure.

/// Rules over several properties at once.
pub mod together;

mod forbidden;
mod nearest;
mod table;
mod value;

#[cfg(test)]
mod tests;

pub use forbidden::Forbidden;
pub use value::{Kind, Rule, Valid, same_value};

use crate::kafka::versions::KafkaVersion;

/// Whose property it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// A line of `server.properties` (`msk_configuration`).
    Broker,
    /// A setting of one topic (`msk_topic`).
    Topic,
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Broker => "broker",
            Self::Topic => "topic",
        })
    }
}

/// How a new value reaches running brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMode {
    /// Live, for all brokers at once.
    ClusterWide,
    /// Live, one broker after the other.
    PerBroker,
    /// By a restart of each broker.
    ReadOnly,
    /// Live, for the one topic.
    Topic,
}

/// One row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// The name as it stands in `server.properties` or in a topic's configuration.
    pub name: &'static str,
    /// What its values look like.
    pub kind: Kind,
    /// Kafka's default, or `None` if there is none.
    pub default: Option<&'static str>,
    /// Which values of that kind are allowed.
    pub valid: Valid,
    /// How a change reaches running brokers.
    pub update: UpdateMode,
    /// For a topic's property: the broker property that gives its default.
    pub broker_synonym: Option<&'static str>,
    /// Whether lists refuse duplicates and empty entries (from Kafka 4.2).
    strict_lists: bool,
}

/// Why a name or a value is refused. The texts end with the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No version here knows it, or not this one.
    #[error("`{name}` is not a {scope} property of Kafka {version}{hint}")]
    Unknown {
        /// What was written, cut to a readable length.
        name: String,
        /// Whose table was searched.
        scope: Scope,
        /// The version whose table was searched.
        version: KafkaVersion,
        /// What may have been meant: starts with `; ` if not empty.
        hint: String,
    },
    /// It exists, but a configuration may not hold it.
    #[error("`{name}` cannot be set here: {}", .rule.way_out)]
    Forbidden {
        /// What was written.
        name: String,
        /// Why, and what sets it instead.
        rule: Forbidden,
    },
    /// The value breaks a rule of the property.
    #[error("`{name}` = \"{value}\": must be {rule}")]
    Value {
        /// The property.
        name: &'static str,
        /// What was written, cut to a readable length.
        value: String,
        /// What is allowed.
        rule: Rule,
    },
}

impl Property {
    /// Checks a value as Kafka would when it starts.
    ///
    /// # Errors
    /// [`Error::Value`] with the rule that is broken.
    pub fn check(&self, value: &str) -> Result<(), Error> {
        value::check(self, value).map_err(|rule| Error::Value {
            name: self.name,
            value: shorten(value),
            rule,
        })
    }
}

/// The row of a property, whether or not a configuration may hold it.
pub fn find(version: KafkaVersion, scope: Scope, name: &str) -> Option<&'static Property> {
    table::of(version).find(scope, name)
}

/// All rows of a scope, by name.
pub fn all(version: KafkaVersion, scope: Scope) -> impl Iterator<Item = &'static Property> {
    table::of(version).rows(scope).iter()
}

/// The row of a property that users may set.
///
/// # Errors
/// [`Error::Forbidden`] or [`Error::Unknown`], each with the way out.
pub fn look_up(version: KafkaVersion, scope: Scope, name: &str) -> Result<&'static Property, Error> {
    if let Some(rule) = forbidden::rule(scope, name) {
        return Err(Error::Forbidden {
            name: shorten(name),
            rule,
        });
    }
    find(version, scope, name).ok_or_else(|| Error::Unknown {
        name: shorten(name),
        scope,
        version,
        hint: hint(version, scope, name),
    })
}

/// Checks one line that a user wrote: name and value.
///
/// # Errors
/// Those of [`look_up`] and [`Property::check`].
pub fn check(
    version: KafkaVersion,
    scope: Scope,
    name: &str,
    value: &str,
) -> Result<&'static Property, Error> {
    let property = look_up(version, scope, name)?;
    property.check(value)?;
    Ok(property)
}

/// What a user may have meant: a property of other versions, of the other scope, or one with a similar
/// name, in this order.
fn hint(version: KafkaVersion, scope: Scope, name: &str) -> String {
    let elsewhere: Vec<String> = KafkaVersion::all()
        .filter(|other| find(*other, scope, name).is_some())
        .map(KafkaVersion::minor_name)
        .collect();
    if !elsewhere.is_empty() {
        return format!("; it is one of {} only", elsewhere.join(", "));
    }
    let other_scope = match scope {
        Scope::Broker => find(version, Scope::Topic, name).and_then(|topic| topic.broker_synonym),
        Scope::Topic => all(version, Scope::Topic)
            .find(|topic| topic.broker_synonym == Some(name))
            .map(|topic| topic.name),
    };
    if let Some(meant) = other_scope {
        return format!("; for a {scope} it is `{meant}`");
    }
    let similar = nearest::names(name, all(version, scope).map(|property| property.name));
    match similar.split_last() {
        None => String::new(),
        Some((only, [])) => format!("; did you mean `{only}`?"),
        Some((last, rest)) => format!("; did you mean `{}` or `{last}`?", rest.join("`, `")),
    }
}

/// At most 80 characters of what a user wrote, for an error's text.
fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 {
        return text.to_owned();
    }
    let head: String = text.chars().take(80).collect();
    format!("{head}…")
}
