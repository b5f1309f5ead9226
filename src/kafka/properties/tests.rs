use std::collections::BTreeMap;

use proptest::prelude::{Strategy, any, proptest};

use super::together::contradictions;
use super::{Error, Kind, Scope, UpdateMode, all, check, find, look_up, same_value};
use crate::kafka::versions::KafkaVersion;

fn version(text: &str) -> KafkaVersion {
    KafkaVersion::parse(text).unwrap()
}

#[test]
fn every_version_has_a_table_of_its_own() {
    for (index, one) in KafkaVersion::all().enumerate() {
        for other in KafkaVersion::all().skip(index + 1) {
            let same = all(one, Scope::Broker).eq(all(other, Scope::Broker));
            assert!(!same, "{one} and {other} have one table");
        }
        assert!(all(one, Scope::Broker).count() > 250, "{one}");
        assert!(all(one, Scope::Topic).count() > 30, "{one}");
    }
}

#[test]
fn every_default_of_every_version_passes_its_own_check() {
    for version in KafkaVersion::all() {
        for scope in [Scope::Broker, Scope::Topic] {
            for property in all(version, scope) {
                let Some(default) = property.default else { continue };
                // Defaults of Kafka that its own check refuses when they are written out.
                let unset = ["non-empty", "NotEmpty"];
                if default.is_empty()
                    && unset
                        .iter()
                        .any(|word| format!("{:?}", property.valid).contains(word))
                {
                    continue;
                }
                if let Err(error) = property.check(default) {
                    panic!("{version} {scope}: {error}");
                }
            }
        }
    }
}

#[test]
fn every_broker_synonym_of_a_topic_property_exists() {
    for version in KafkaVersion::all() {
        for topic in all(version, Scope::Topic) {
            let Some(synonym) = topic.broker_synonym else {
                continue;
            };
            assert!(
                find(version, Scope::Broker, synonym).is_some(),
                "{version}: {synonym}"
            );
        }
    }
}

#[test]
fn update_modes_are_those_of_kafka() {
    let mode = |name| find(KafkaVersion::DEFAULT, Scope::Broker, name).unwrap().update;
    assert_eq!(mode("log.retention.ms"), UpdateMode::ClusterWide);
    assert_eq!(mode("log.retention.hours"), UpdateMode::ReadOnly);
    assert_eq!(mode("log.roll.hours"), UpdateMode::ReadOnly);
    assert_eq!(mode("auto.create.topics.enable"), UpdateMode::ReadOnly);
    assert_eq!(mode("message.max.bytes"), UpdateMode::ClusterWide);
    assert_eq!(mode("ssl.keystore.location"), UpdateMode::PerBroker);
    assert_eq!(mode("allow.everyone.if.no.acl.found"), UpdateMode::ReadOnly);
}

#[test]
fn good_values_pass_and_bad_ones_name_the_rule() {
    let good = [
        ("auto.create.topics.enable", "FALSE"),
        ("log.retention.ms", " 604800000 "),
        ("log.retention.ms", "-1"),
        ("compression.gzip.level", "-1"),
        ("compression.zstd.level", "-131072"),
        ("log.cleanup.policy", "compact, delete"),
        ("log.cleanup.policy", ""),
        ("log.cleaner.min.cleanable.ratio", "0.25"),
        ("compression.type", "zstd"),
        (
            "replica.selector.class",
            "org.apache.kafka.common.replica.RackAwareReplicaSelector",
        ),
        ("group.consumer.migration.policy", "Upgrade"),
        ("num.io.threads", "+8"),
    ];
    for (name, value) in good {
        assert!(
            check(KafkaVersion::DEFAULT, Scope::Broker, name, value).is_ok(),
            "{name}={value}"
        );
    }
    let bad = [
        ("auto.create.topics.enable", "yes", "`true` or `false`"),
        (
            "log.retention.ms",
            "7d",
            "a whole number from -9223372036854775808 to 9223372036854775807",
        ),
        ("num.io.threads", "0", "a number not below 1"),
        ("num.io.threads", "2147483648", "a whole number not below 1"),
        ("num.io.threads", "", "a whole number not below 1"),
        ("compression.gzip.level", "0", "a number from 1 to 9, or -1"),
        ("log.cleaner.min.cleanable.ratio", "1.5", "a number from 0 to 1"),
        ("log.cleaner.min.cleanable.ratio", "NaN", "a number from 0 to 1"),
        (
            "compression.type",
            "ZSTD",
            "one of `uncompressed`, `zstd`, `lz4`, `snappy`, `gzip`, `producer`",
        ),
        (
            "log.cleanup.policy",
            "compact,compact",
            "a list without duplicates",
        ),
        (
            "log.cleanup.policy",
            "compact,,delete",
            "a list without empty entries",
        ),
        (
            "log.cleanup.policy",
            "shred",
            "a list, each entry one of `compact`, `delete`",
        ),
        (
            "offsets.topic.replication.factor",
            "40000",
            "a whole number not below 1",
        ),
    ];
    for (name, value, rule) in bad {
        let error = check(KafkaVersion::DEFAULT, Scope::Broker, name, value).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{name}` = \"{value}\": must be {rule}")
        );
    }
}

#[test]
fn lists_may_repeat_entries_before_4_2() {
    assert!(
        check(
            version("4.1.2"),
            Scope::Broker,
            "log.cleanup.policy",
            "compact,compact"
        )
        .is_ok()
    );
    assert!(
        check(
            version("4.2.2"),
            Scope::Broker,
            "log.cleanup.policy",
            "compact,compact"
        )
        .is_err()
    );
}

#[test]
fn topic_values_are_checked_by_the_topic_table() {
    let topic = |name, value| check(KafkaVersion::DEFAULT, Scope::Topic, name, value);
    assert!(topic("cleanup.policy", "compact").is_ok());
    assert!(topic("retention.ms", "-1").is_ok());
    assert!(topic("retention.ms", "-2").is_err());
    assert!(topic("leader.replication.throttled.replicas", "0:1,1:2").is_ok());
    assert!(topic("leader.replication.throttled.replicas", "*").is_ok());
    assert!(topic("leader.replication.throttled.replicas", "a:b").is_err());
    let error = topic("remote.storage.enable", "true").unwrap_err();
    assert!(
        error.to_string().ends_with("tiered storage is not offered"),
        "{error}"
    );
}

#[test]
fn an_unknown_name_gets_the_way_out() {
    let text = |version, scope, name| look_up(version, scope, name).unwrap_err().to_string();
    let newest = KafkaVersion::DEFAULT;
    assert_eq!(
        text(newest, Scope::Broker, "log.retension.ms"),
        "`log.retension.ms` is not a broker property of Kafka 4.3.1; did you mean `log.retention.ms`?"
    );
    assert_eq!(
        text(newest, Scope::Broker, "retention.ms"),
        "`retention.ms` is not a broker property of Kafka 4.3.1; for a broker it is `log.retention.ms`"
    );
    assert_eq!(
        text(newest, Scope::Topic, "log.retention.ms"),
        "`log.retention.ms` is not a topic property of Kafka 4.3.1; for a topic it is `retention.ms`"
    );
    assert_eq!(
        text(newest, Scope::Broker, "controlled.shutdown.max.retries"),
        "`controlled.shutdown.max.retries` is not a broker property of Kafka 4.3.1; it is one of 3.9 only"
    );
    assert_eq!(
        text(newest, Scope::Broker, "xyzzy"),
        "`xyzzy` is not a broker property of Kafka 4.3.1"
    );
    assert!(text(newest, Scope::Broker, &"n".repeat(100_000)).len() < 400);
}

#[test]
fn forbidden_names_say_what_sets_them() {
    let cases = [
        ("listeners", Some("encryption")),
        ("listener.name.client.ssl.client.auth", Some("authentication")),
        ("broker.id", Some("brokers_per_az")),
        ("broker.rack", Some("subnet_ids")),
        ("log.dirs", Some("volume_size")),
        ("controller.quorum.voters", Some("dedicated_controllers")),
        ("super.users", None),
        ("ssl.principal.mapping.rules", None),
        ("principal.builder.class", None),
        ("authorizer.class.name", None),
        ("early.start.listeners", None),
        ("sasl.jaas.config", Some("authentication")),
        ("config.providers.file.class", None),
        ("metric.reporters", Some("monitoring")),
    ];
    for (name, attribute) in cases {
        match look_up(KafkaVersion::DEFAULT, Scope::Broker, name) {
            Err(Error::Forbidden { rule, .. }) => assert_eq!(rule.attribute, attribute, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn no_secret_no_class_and_nothing_of_security_may_be_set() {
    for version in KafkaVersion::all() {
        for property in all(version, Scope::Broker) {
            let suspicious = property.kind == Kind::Password
                || property.name.contains("class.path")
                || (property.kind == Kind::Class && property.name != "replica.selector.class")
                || property.update == UpdateMode::PerBroker;
            if suspicious {
                assert!(
                    look_up(version, Scope::Broker, property.name).is_err(),
                    "{}",
                    property.name
                );
            }
        }
    }
}

#[test]
fn spellings_of_one_value_are_the_same() {
    let same = |name, left, right| {
        same_value(
            find(KafkaVersion::DEFAULT, Scope::Broker, name).unwrap(),
            left,
            right,
        )
    };
    assert!(same("auto.create.topics.enable", "true", " TRUE"));
    assert!(same("num.io.threads", "8", "+08"));
    assert!(same("log.cleaner.min.cleanable.ratio", "0.5", ".50"));
    assert!(same("log.cleanup.policy", "compact,delete", "compact , delete"));
    assert!(!same("log.cleanup.policy", "compact,delete", "delete,compact"));
    assert!(!same("compression.type", "zstd", "ZSTD"));
}

#[test]
fn values_that_contradict_each_other_are_found() {
    let found = |pairs: &[(&str, &str)]| {
        let written: BTreeMap<String, String> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let found = contradictions(KafkaVersion::DEFAULT, Scope::Broker, &written);
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(found(&[]).is_empty());
    assert!(found(&[("replica.lag.time.max.ms", "10000")]).is_empty());
    assert_eq!(
        found(&[("replica.lag.time.max.ms", "100")]),
        ["`replica.fetch.wait.max.ms` is 500 but must be at most `replica.lag.time.max.ms`, which is 100"]
    );
    assert!(found(&[("queued.max.request.bytes", "0")]).is_empty());
    assert_eq!(found(&[("queued.max.request.bytes", "1000")]).len(), 1);
}

#[test]
fn kafkas_own_defaults_do_not_contradict_each_other() {
    for version in KafkaVersion::all() {
        for scope in [Scope::Broker, Scope::Topic] {
            let written: BTreeMap<String, String> = all(version, scope)
                .filter_map(|property| Some((property.name.to_owned(), property.default?.to_owned())))
                .collect();
            assert_eq!(contradictions(version, scope, &written), [], "{version}");
        }
    }
}

proptest! {
    #[test]
    fn no_name_and_no_value_makes_a_check_panic(
        name in proptest::sample::select(
            all(KafkaVersion::DEFAULT, Scope::Broker).map(|property| property.name).collect::<Vec<_>>()
        ).prop_union(proptest::sample::select(vec!["", ".", "listener.name.", "ü", "log.retention"])),
        value in any::<String>(),
    ) {
        for scope in [Scope::Broker, Scope::Topic] {
            let _ = check(KafkaVersion::DEFAULT, scope, name, &value);
            let _ = check(KafkaVersion::DEFAULT, scope, &value, name);
        }
    }
}
