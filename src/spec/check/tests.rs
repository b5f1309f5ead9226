use std::collections::{BTreeMap, BTreeSet};

use super::acl::check_acl;
use super::cluster::{AttachedConfiguration, ClusterContext, check_cluster, warn_about_cluster};
use super::configuration::check_configuration;
use super::topic::{TopicContext, check_topic, names_collide};
use super::user::check_user;
use crate::kafka::versions::KafkaVersion;
use crate::spec::cluster::{ClusterSpec, LocalSpec};
use crate::spec::objects::PasswordSource;
use crate::tfplugin::{Attr, Diagnostics, Object, Value};

fn object(names: &[&str], written: Vec<(&str, Value)>) -> Object {
    let mut object = Object::new();
    for name in names {
        object.set(*name, Value::Null);
    }
    for (name, value) in written {
        object.set(name, value);
    }
    object
}

const CLUSTER: [&str; 36] = [
    "name",
    "kafka_version",
    "subnet_ids",
    "brokers_per_az",
    "instance_type",
    "volume_size",
    "volume_type",
    "volume_iops",
    "volume_throughput",
    "kms_key_id",
    "client_security_group_ids",
    "client_cidr_blocks",
    "monitoring_security_group_ids",
    "monitoring_cidr_blocks",
    "security_group_ids",
    "private_zone_id",
    "encryption",
    "authentication",
    "configuration",
    "max_message_bytes",
    "metadata_mode",
    "dedicated_controllers",
    "controller_instance_type",
    "controller_subnet_ids",
    "monitoring",
    "logging",
    "deletion_protection",
    "ami_id",
    "copy_ami",
    "self_healing",
    "replace_volumes",
    "instance_profile",
    "permissions_boundary",
    "skip_final_snapshot",
    "restore_snapshot_ids",
    "tags",
];

fn nested(names: &[&str], written: Vec<(&str, Value)>) -> Value {
    Value::Object(object(names, written))
}

fn encryption(client_broker: &str) -> (&'static str, Value) {
    let written = vec![("client_broker", Value::from(client_broker))];
    ("encryption", nested(&["client_broker", "in_cluster"], written))
}

fn authentication(written: Vec<(&str, Value)>) -> (&'static str, Value) {
    (
        "authentication",
        nested(&["scram", "iam", "tls", "unauthenticated"], written),
    )
}

/// A right cluster of three zones, with changes.
fn cluster(changes: Vec<(&str, Value)>) -> Object {
    let mut written = vec![
        ("name", Value::from("events")),
        ("kafka_version", Value::from("4.3.1")),
        ("subnet_ids", Value::set(["zone-a", "zone-b", "zone-c"])),
    ];
    written.extend(changes);
    object(&CLUSTER, written)
}

fn context(configuration: Attr<&AttachedConfiguration>) -> ClusterContext<'_> {
    ClusterContext {
        configuration,
        local: LocalSpec::default(),
        is_aws: false,
        default_tags: BTreeMap::new(),
    }
}

fn text_of(diagnostics: &Diagnostics) -> Vec<String> {
    diagnostics
        .iter()
        .map(|found| format!("{}: {}", found.path, found.detail))
        .collect()
}

fn check(changes: Vec<(&str, Value)>) -> Result<ClusterSpec, Vec<String>> {
    let mut diagnostics = Diagnostics::new();
    let spec = check_cluster(&cluster(changes), &context(Attr::Null), &mut diagnostics);
    if diagnostics.is_empty() {
        Ok(spec.unwrap())
    } else {
        assert!(spec.is_none());
        Err(text_of(&diagnostics))
    }
}

/// One finding, at this path, with this text in it.
#[track_caller]
fn refused(changes: Vec<(&str, Value)>, path: &str, text: &str) {
    let found = check(changes).unwrap_err();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with(&format!("{path}: ")), "{found:#?}");
    assert!(found[0].contains(text), "{found:#?}");
}

#[test]
fn in_an_account_tags_leave_room_for_the_clusters_own() {
    let check = |count: usize| {
        let tags: Vec<(String, &str)> = (0..count).map(|number| (format!("k{number}"), "v")).collect();
        let changes = vec![
            ("subnet_ids", Value::set(["subnet-a", "subnet-b", "subnet-c"])),
            ("tags", Value::map(tags)),
        ];
        let context = ClusterContext {
            is_aws: true,
            default_tags: BTreeMap::from([
                ("k0".to_owned(), "w".to_owned()),
                ("team".to_owned(), "data".to_owned()),
            ]),
            ..context(Attr::Null)
        };
        let mut diagnostics = Diagnostics::new();
        let spec = check_cluster(&cluster(changes), &context, &mut diagnostics);
        (spec, text_of(&diagnostics))
    };
    let (spec, found) = check(44);
    assert_eq!(found, [""; 0]);
    let tags = spec.unwrap().aws.unwrap().all_tags;
    assert_eq!(
        (tags.len(), tags["k0"].as_str(), tags["team"].as_str()),
        (45, "v", "data")
    );
    let (_, found) = check(45);
    assert!(
        found[0].contains("has 46 entries") && found[0].contains("45 are left"),
        "{found:?}"
    );
}

#[test]
fn a_cluster_with_nothing_but_what_is_required_gets_the_defaults() {
    let spec = check(Vec::new()).unwrap();
    assert_eq!(spec.broker_count(), 3);
    assert!(spec.authentication.scram && spec.encryption.in_cluster && spec.deletion_protection);
    assert_eq!(spec.max_message_bytes, 1_048_588);
    assert_eq!(spec.size.instance_type, "m5.large");
}

#[test]
fn all_findings_come_at_once() {
    let found = check(vec![
        ("name", "-x".into()),
        ("kafka_version", "3.9.x".into()),
        ("brokers_per_az", 21.into()),
        ("volume_size", 0.into()),
        ("tags", Value::map([("aws:x", "1")])),
    ])
    .unwrap_err();
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(found[1].contains("`3.9.2`"));
}

#[test]
fn unknown_values_are_passed_over_and_leave_no_spec() {
    let mut diagnostics = Diagnostics::new();
    let written = cluster(vec![
        ("kafka_version", Value::unknown()),
        ("authentication", Value::unknown()),
        ("subnet_ids", Value::unknown()),
    ]);
    assert_eq!(
        check_cluster(&written, &context(Attr::Unknown), &mut diagnostics),
        None
    );
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
}

#[test]
fn plaintext_without_a_word_on_authentication_prints_the_line_to_add() {
    refused(
        vec![encryption("PLAINTEXT")],
        "encryption.client_broker",
        "authentication = { unauthenticated = true }",
    );
}

#[test]
fn plaintext_goes_with_unauthenticated_only() {
    let on = || Value::from(true);
    refused(
        vec![encryption("TLS_PLAINTEXT"), authentication(vec![("scram", on())])],
        "authentication.unauthenticated",
        "`client_broker = \"TLS\"`",
    );
    let scram_too = authentication(vec![("scram", on()), ("unauthenticated", on())]);
    refused(
        vec![encryption("PLAINTEXT"), scram_too],
        "authentication.scram",
        "works over TLS only",
    );
    assert!(
        check(vec![
            encryption("PLAINTEXT"),
            authentication(vec![("unauthenticated", on())])
        ])
        .is_ok()
    );
}

#[test]
fn an_authentication_with_every_member_off_is_refused() {
    refused(
        vec![authentication(Vec::new())],
        "authentication",
        "no client could connect",
    );
}

#[test]
fn the_whole_internet_may_not_reach_a_plaintext_listener() {
    let open = |range: &str| {
        vec![
            encryption("TLS_PLAINTEXT"),
            authentication(vec![("unauthenticated", true.into())]),
            ("client_cidr_blocks", Value::set([range])),
        ]
    };
    refused(open("0.0.0.0/0"), "client_cidr_blocks", "the whole internet");
    refused(open("::/0"), "client_cidr_blocks", "the whole internet");
    refused(open("1.2.3.4/0"), "client_cidr_blocks", "the whole internet");
    assert!(check(open("10.0.0.0/8")).is_ok());
    assert!(check(vec![("client_cidr_blocks", Value::set(["0.0.0.0/0"]))]).is_ok());
}

#[test]
fn address_ranges_and_instance_types_have_one_checked_form() {
    let spec = check(vec![
        (
            "client_cidr_blocks",
            Value::set(["10.0.0.7/8", "2001:DB8:0::/32"]),
        ),
        ("instance_type", "kafka.m5.large".into()),
    ])
    .unwrap();
    let ranges: Vec<&str> = spec
        .client_sources
        .cidr_blocks
        .iter()
        .map(String::as_str)
        .collect();
    assert_eq!(ranges, ["10.0.0.0/8", "2001:db8::/32"]);
    assert_eq!(
        spec.size,
        check(vec![("instance_type", "m5.large".into())]).unwrap().size
    );
    for bad in ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/+8", "x/8", "::/129"] {
        refused(
            vec![("client_cidr_blocks", Value::set([bad]))],
            "client_cidr_blocks",
            "address range",
        );
    }
}

#[test]
fn keys_have_three_spellings() {
    for key in [
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        "alias/kafka",
        "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:eu-central-1:123456789012:alias/kafka",
    ] {
        assert!(check(vec![("kms_key_id", key.into())]).is_ok(), "{key}");
    }
    for key in ["", "kafka", "arn:aws:s3:::bucket", "alias/"] {
        refused(vec![("kms_key_id", key.into())], "kms_key_id", "ARN");
    }
}

#[test]
fn a_private_key_among_the_authorities_is_refused_and_not_shown() {
    let secret = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let tls = nested(
        &["ca_certificates_pem"],
        vec![("ca_certificates_pem", Value::list([secret]))],
    );
    let found = check(vec![authentication(vec![("tls", tls)])]).unwrap_err();
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("private key") && !found[0].contains("c2VjcmV0"));
}

#[test]
fn only_the_certificate_of_an_authority_is_taken_once() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let leaf = parameters.self_signed(&key).unwrap().pem();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&key).unwrap().pem();
    let with = |pems: &[&str]| {
        let list = Value::list(pems.iter().copied());
        let tls = nested(&["ca_certificates_pem"], vec![("ca_certificates_pem", list)]);
        vec![authentication(vec![("tls", tls)])]
    };
    assert!(check(with(&[&authority])).unwrap().authentication.has_tls());
    let path = "authentication.tls.ca_certificates_pem[0]";
    refused(with(&[&leaf]), path, "not the certificate of an authority");
    refused(with(&["garbage"]), path, "PEM");
    let twice = format!("{authority}{authority}");
    refused(with(&[&twice]), path, "exactly one");
    refused(
        with(&[&authority, &authority]),
        "authentication.tls.ca_certificates_pem[1]",
        "in the list already",
    );
    refused(with(&[]), "authentication.tls.ca_certificates_pem", "1 to 10");
}

#[test]
fn controllers_are_placed_only_if_they_have_nodes_of_their_own() {
    let zones = ("controller_subnet_ids", Value::set(["zone-d"]));
    refused(
        vec![zones.clone()],
        "controller_subnet_ids",
        "dedicated_controllers = true",
    );
    assert!(check(vec![zones, ("dedicated_controllers", true.into())]).is_ok());
}

#[test]
fn volumes_follow_the_limits_of_their_type() {
    let written = |iops: i64, kind: &str| vec![("volume_iops", iops.into()), ("volume_type", kind.into())];
    assert!(check(written(3_000, "gp3")).is_ok());
    refused(written(2_999, "gp3"), "volume_iops", "from 3000 to 80000");
    refused(written(60_000, "gp3"), "volume_iops", "100 GiB");
    refused(
        vec![("volume_throughput", 1_000.into())],
        "volume_throughput",
        "at most 750 MiB/s with 3000 IOPS",
    );
    refused(
        vec![("volume_throughput", 200.into()), ("volume_type", "io2".into())],
        "volume_throughput",
        "gp3",
    );
}

fn attached(lines: &[(&str, &str)]) -> AttachedConfiguration {
    AttachedConfiguration {
        id: "events".to_owned(),
        revision: 2,
        kafka_versions: BTreeSet::new(),
        server_properties: lines
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn with_configuration(
    configuration: &AttachedConfiguration,
    changes: Vec<(&str, Value)>,
) -> Result<ClusterSpec, Vec<String>> {
    let reference = nested(
        &["id", "revision"],
        vec![("id", "events".into()), ("revision", 2.into())],
    );
    let mut written = vec![("configuration", reference)];
    written.extend(changes);
    let mut diagnostics = Diagnostics::new();
    let spec = check_cluster(
        &cluster(written),
        &context(Attr::Known(configuration)),
        &mut diagnostics,
    );
    spec.ok_or_else(|| text_of(&diagnostics))
}

#[test]
fn the_largest_message_is_said_once_or_twice_the_same() {
    let configuration = attached(&[("message.max.bytes", "2000000")]);
    let spec = with_configuration(&configuration, Vec::new()).unwrap();
    assert_eq!(spec.max_message_bytes, 2_000_000);
    let same = with_configuration(&configuration, vec![("max_message_bytes", 2_000_000.into())]);
    assert!(same.is_ok());
    let other = with_configuration(&configuration, vec![("max_message_bytes", 1_048_588.into())]);
    assert!(other.unwrap_err()[0].contains("Take one of them out"));
    refused(
        vec![("max_message_bytes", 10_485_881.into())],
        "max_message_bytes",
        "from 1 to 10485880",
    );
}

#[test]
fn a_configuration_must_fit_the_version_and_the_number_of_brokers() {
    let mut configuration = attached(&[("default.replication.factor", "4")]);
    configuration.kafka_versions = ["4.2.2".to_owned()].into();
    let found = with_configuration(&configuration, Vec::new()).unwrap_err();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("4.2.2") && found[1].contains("3 brokers"));
    let gone = attached(&[("log.message.timestamp.difference.max.ms", "5")]);
    let found = with_configuration(&gone, Vec::new()).unwrap_err();
    assert!(found[0].contains("3.9"), "{found:#?}");
}

#[test]
fn warnings_name_what_cannot_fail() {
    let warn = |zones: &[&str], brokers: i64| {
        let spec = check(vec![
            ("subnet_ids", Value::set(zones.iter().copied())),
            ("brokers_per_az", brokers.into()),
        ])
        .unwrap();
        let mut diagnostics = Diagnostics::new();
        warn_about_cluster(&spec, &mut diagnostics);
        assert!(!diagnostics.has_errors());
        let summaries: Vec<String> = diagnostics.into_iter().map(|found| found.summary).collect();
        summaries
    };
    assert!(warn(&["a", "b", "c"], 1).is_empty());
    assert_eq!(warn(&["a"], 3), ["One zone"]);
    assert_eq!(warn(&["a", "b"], 1), ["One voter in the quorum of controllers"]);
    assert_eq!(warn(&["a", "b"], 2), ["Controllers in two zones"]);
}

const TOPIC: [&str; 5] = [
    "name",
    "partitions",
    "replication_factor",
    "config",
    "deletion_protection",
];

fn topic(changes: Vec<(&str, Value)>) -> Result<(), Vec<String>> {
    let mut written = vec![("name", Value::from("orders")), ("partitions", Value::from(3))];
    written.extend(changes);
    let context = TopicContext {
        kafka_version: Some(KafkaVersion::DEFAULT),
        brokers: Some(3),
    };
    let mut diagnostics = Diagnostics::new();
    let spec = check_topic(&object(&TOPIC, written), context, &mut diagnostics);
    spec.map(drop).ok_or_else(|| text_of(&diagnostics))
}

#[test]
fn topics_follow_kafkas_rules() {
    assert!(topic(Vec::new()).is_ok());
    assert!(topic(vec![("replication_factor", Value::unknown())]).is_ok());
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a b", "ä", "__consumer_offsets", long.as_str()] {
        let found = topic(vec![("name", name.into())]).unwrap_err();
        assert!(found[0].starts_with("name: "), "{found:#?}");
    }
    let found = topic(vec![
        ("partitions", 10_001.into()),
        ("replication_factor", 4.into()),
    ])
    .unwrap_err();
    assert_eq!(found.len(), 2, "{found:#?}");
    let config = |name: &str, value: &str| vec![("config", Value::map([(name, value)]))];
    assert!(topic(config("cleanup.policy", "compact")).is_ok());
    let found = topic(config("cleanup.polcy", "compact")).unwrap_err();
    assert!(found[0].contains("did you mean `cleanup.policy`"), "{found:#?}");
    let found = topic(config("min.insync.replicas", "4")).unwrap_err();
    assert!(
        found[0].starts_with("config[\"min.insync.replicas\"]: "),
        "{found:#?}"
    );
}

#[test]
fn names_that_differ_only_in_dots_and_underscores_collide() {
    assert!(names_collide("a.b", "a_b"));
    assert!(!names_collide("a.b", "a.b"));
    assert!(!names_collide("a-b", "a_b"));
}

const ACL: [&str; 7] = [
    "principal",
    "host",
    "resource_type",
    "resource_name",
    "pattern_type",
    "operations",
    "permission",
];

fn acl(changes: Vec<(&str, Value)>) -> Result<(), Vec<String>> {
    let mut written = vec![
        ("principal", Value::from("User:app")),
        ("resource_type", Value::from("TOPIC")),
        ("resource_name", Value::from("orders")),
        ("operations", Value::set(["READ"])),
    ];
    written.extend(changes);
    let mut diagnostics = Diagnostics::new();
    let spec = check_acl(
        &object(&ACL, written),
        Some(KafkaVersion::DEFAULT),
        &mut diagnostics,
    );
    spec.map(drop).ok_or_else(|| text_of(&diagnostics))
}

#[test]
fn acls_without_effect_are_refused() {
    assert!(acl(Vec::new()).is_ok());
    assert!(
        acl(vec![
            ("principal", "User:CN=app,O=x".into()),
            ("host", "::1".into())
        ])
        .is_ok()
    );
    let cases: Vec<(Vec<(&str, Value)>, &str)> = vec![
        (
            vec![("operations", Value::set(["IDEMPOTENT_WRITE"]))],
            "checked on `CLUSTER`",
        ),
        (vec![("operations", Value::set(["read"]))], "Kafka knows"),
        (
            vec![("operations", Value::set(Vec::<&str>::new()))],
            "at least one",
        ),
        (vec![("principal", "app".into())], "`User:`"),
        (vec![("principal", "User:__msk-node-1".into())], "reserved"),
        (vec![("host", "10.0.0.0/8".into())], "no address ranges"),
        (vec![("resource_name", "a b".into())], "letters"),
        (
            vec![("resource_name", "*".into()), ("pattern_type", "PREFIXED".into())],
            "Write `LITERAL`",
        ),
        (
            vec![
                ("resource_type", "CLUSTER".into()),
                ("operations", Value::set(["ALTER"])),
            ],
            "kafka-cluster",
        ),
    ];
    for (changes, text) in cases {
        let found = acl(changes).unwrap_err();
        assert!(found[0].contains(text), "{text}: {found:#?}");
    }
}

const USER: [&str; 7] = [
    "username",
    "password_wo",
    "password_wo_version",
    "secret_arn",
    "mechanism",
    "iterations",
    "kms_key_id",
];

fn user(written: Vec<(&str, Value)>) -> Result<PasswordSource, Vec<String>> {
    let mut diagnostics = Diagnostics::new();
    let spec = check_user(&object(&USER, written), &mut diagnostics);
    spec.map(|spec| spec.source).ok_or_else(|| text_of(&diagnostics))
}

#[test]
fn users_have_one_source_of_their_password_which_is_never_shown() {
    let name = || ("username", Value::from("app"));
    assert_eq!(user(vec![name()]), Ok(PasswordSource::Random { version: None }));
    let found = user(vec![name(), ("password_wo", "hunter2".into())]).unwrap_err();
    assert!(found[0].contains("password_wo_version = 1") && !found[0].contains("hunter2"));
    let written = vec![
        name(),
        ("password_wo", Value::unknown()),
        ("password_wo_version", 2.into()),
    ];
    assert_eq!(user(written), Ok(PasswordSource::Written { version: Some(2) }));
    for bad in ["", "__msk-node-1", "a,b", "a=b", "a\u{7}"] {
        assert!(user(vec![("username", bad.into())]).is_err(), "{bad:?}");
    }
    assert!(user(vec![name(), ("iterations", 4_095.into())]).is_err());
    let other = user(vec![name(), ("mechanism", "SCRAM-SHA-256".into())]).unwrap_err();
    assert!(other[0].contains("SCRAM-SHA-512"), "{other:?}");
    let two = user(vec![
        name(),
        ("secret_arn", "arn:x".into()),
        ("password_wo", "a".into()),
        ("password_wo_version", 1.into()),
    ]);
    assert!(two.unwrap_err()[0].contains("two sources"));
    let given = |arn: Value| user(vec![name(), ("secret_arn", arn)]);
    let arn = Some("arn:x".to_owned());
    assert_eq!(given("arn:x".into()), Ok(PasswordSource::Given { arn }));
    assert_eq!(given(Value::unknown()), Ok(PasswordSource::Given { arn: None }));
}

const CONFIGURATION: [&str; 4] = ["name", "description", "kafka_versions", "server_properties"];

fn configuration(versions: &[&str], lines: &[(&str, &str)]) -> Result<BTreeMap<String, String>, Vec<String>> {
    let mut written = vec![
        ("name", Value::from("events")),
        ("server_properties", Value::map(lines.iter().copied())),
    ];
    if !versions.is_empty() {
        written.push(("kafka_versions", Value::set(versions.iter().copied())));
    }
    let mut diagnostics = Diagnostics::new();
    let spec = check_configuration(&object(&CONFIGURATION, written), &mut diagnostics);
    spec.map(|spec| spec.server_properties)
        .ok_or_else(|| text_of(&diagnostics))
}

#[test]
fn properties_are_checked_for_each_named_version() {
    let old = [("log.message.timestamp.difference.max.ms", "5")];
    assert!(configuration(&[], &old).is_ok());
    assert!(configuration(&["3.9.2"], &old).is_ok());
    assert!(configuration(&["3.9.2", "4.3.1"], &old).is_err());
    let found = configuration(&[], &[("super.users", "User:me")]).unwrap_err();
    assert!(found[0].contains("msk_acl"), "{found:#?}");
    let found = configuration(&[], &[("message.max.bytes", "10485881")]).unwrap_err();
    assert!(found[0].contains("10485880"), "{found:#?}");
}
