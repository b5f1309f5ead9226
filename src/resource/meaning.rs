//! Kafka settings that mean the same although they are spelled differently.

use crate::kafka::properties::{Scope, find, same_value};
use crate::kafka::versions::KafkaVersion;
use crate::tfplugin::Value;

/// Whether two maps of Kafka settings have the same names, and values that mean the same to Kafka:
/// `TRUE` is `true`, `1, 2` is `1,2`.
pub fn same_settings(scope: Scope, left: &Value, right: &Value) -> bool {
    let (Some(left), Some(right)) = (left.as_map().known(), right.as_map().known()) else {
        return false;
    };
    left.len() == right.len()
        && left.iter().all(|(name, before)| {
            let after = right.get(name).and_then(|value| value.as_str().known());
            matches!((before.as_str().known(), after), (Some(before), Some(after)) if same_setting(scope, name, before, after))
        })
}

/// Whether two values of one setting mean the same to Kafka.
pub fn same_setting(scope: Scope, name: &str, left: &str, right: &str) -> bool {
    // The kind of a property has never changed between the versions here.
    let property = KafkaVersion::all()
        .rev()
        .find_map(|version| find(version, scope, name));
    left == right || property.is_some_and(|property| same_value(property, left, right))
}

#[cfg(test)]
mod tests {
    use super::same_settings;
    use crate::kafka::properties::Scope;
    use crate::tfplugin::Value;

    #[test]
    fn the_case_of_a_boolean_is_no_change_and_another_name_is() {
        let map = |items: &[(&str, &str)]| Value::map(items.iter().copied());
        let same = |left: &[(&str, &str)], right: &[(&str, &str)]| {
            same_settings(Scope::Broker, &map(left), &map(right))
        };
        assert!(same(
            &[("auto.create.topics.enable", "TRUE")],
            &[("auto.create.topics.enable", "true")]
        ));
        assert!(!same(
            &[("auto.create.topics.enable", "TRUE")],
            &[("auto.create.topics.enable", "false")]
        ));
        assert!(!same(&[("num.io.threads", "8")], &[("num.network.threads", "8")]));
        assert!(!same(&[("num.io.threads", "8")], &[]));
    }
}
