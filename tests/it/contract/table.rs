//! What becomes of each attribute on one machine, and what proves it.

/// What proves that an attribute is not accepted without effect.
#[derive(Debug, Clone, Copy)]
pub(super) enum Proof {
    /// Another value makes another document of the cluster: two values as JSON.
    Document(&'static str, &'static str),
    /// A test: its file below `tests/it` or `src`, its name, and a word that its file must hold.
    Test(&'static str, &'static str, &'static str),
    /// The plan refuses these lines, and names this value.
    Refused(&'static str, &'static str),
    /// The plan warns, and names the attribute, if this line is written.
    Warned(&'static str),
    /// The provider tells it; nobody can write it.
    Told,
}

use Proof::{Document, Refused, Test, Told, Warned};

/// Of a type, each attribute (or the whole of which every member is refused) with its proof.
type Rows = &'static [(&'static str, Proof)];

const HOST: &str = "tests/it/accidents/host.rs";
const LIFE: &str = "tests/it/cluster_life.rs";
const CLUSTER: &str = "tests/it/terraform_cluster.rs";
const ACCESS: &str = "tests/it/terraform_access.rs";
const HERE: &str = "tests/it/contract/provider_block.rs";
const SETTINGS: &str = "each_setting_of_the_provider_block_has_its_effect";

/// Everything.
pub(super) const TABLE: &[(&str, Rows)] = &[
    ("provider", PROVIDER),
    ("msk_cluster", MSK_CLUSTER),
    ("msk_configuration", MSK_CONFIGURATION),
    ("msk_scram_secret", MSK_SCRAM_SECRET),
    ("msk_topic", MSK_TOPIC),
    ("msk_acl", MSK_ACL),
    ("data.msk_cluster", DATA_CLUSTER),
    ("data.msk_configuration", DATA_CONFIGURATION),
    ("data.msk_kafka_versions", DATA_KAFKA_VERSIONS),
    ("data.msk_topics", DATA_TOPICS),
    ("data.msk_acls", DATA_ACLS),
];

const PROVIDER: Rows = &[
    ("local.data_directory", Test(HERE, SETTINGS, "data_directory")),
    (
        "local.kafka_directory",
        Test(
            HOST,
            "without_maven_or_network_or_with_wrong_bits_no_node_is_made",
            "kafka_directory",
        ),
    ),
    (
        "local.kafka_archive_url",
        Test(HERE, "an_archive_is_fetched_and_checked", "kafka_archive_url"),
    ),
    (
        "local.kafka_archive_sha512",
        Test(HERE, "an_archive_is_fetched_and_checked", "kafka_archive_sha512"),
    ),
    (
        "local.maven_command",
        Test(
            HOST,
            "without_maven_or_network_or_with_wrong_bits_no_node_is_made",
            "maven_command",
        ),
    ),
    (
        "local.java_home",
        Test(
            HOST,
            "without_java_or_with_a_wrong_one_nothing_is_begun",
            "java_home",
        ),
    ),
    ("local.listen_address", Test(HERE, SETTINGS, "listen_address")),
    ("local.base_port", Test(HERE, SETTINGS, "base_port")),
    ("local.broker_heap", Test(HERE, SETTINGS, "broker_heap")),
    (
        "aws",
        Test(
            CLUSTER,
            "a_provider_block_names_exactly_one_engine",
            "aws = { control_bucket",
        ),
    ),
];

const MSK_CLUSTER: Rows = &[
    (
        "name",
        Test(
            LIFE,
            "a_cluster_is_made_changed_mended_imported_and_destroyed",
            "other",
        ),
    ),
    (
        "kafka_version",
        Document(r#"{"kafka_version": "4.3.1"}"#, r#"{"kafka_version": "4.2.2"}"#),
    ),
    (
        "subnet_ids",
        Document(r#"{"subnet_ids": ["a"]}"#, r#"{"subnet_ids": ["a", "b"]}"#),
    ),
    (
        "brokers_per_az",
        Document(r#"{"brokers_per_az": 1}"#, r#"{"brokers_per_az": 2}"#),
    ),
    ("instance_type", Warned("instance_type = \"m5.large\"")),
    ("volume_size", Warned("volume_size = 5")),
    ("volume_type", Warned("volume_type = \"gp3\"")),
    ("volume_iops", Warned("volume_iops = 3000")),
    ("volume_throughput", Warned("volume_throughput = 125")),
    ("kms_key_id", Warned("kms_key_id = \"alias/kafka\"")),
    (
        "client_security_group_ids",
        Warned("client_security_group_ids = [\"sg-1\"]"),
    ),
    (
        "client_cidr_blocks",
        Warned("client_cidr_blocks = [\"10.0.0.0/8\"]"),
    ),
    (
        "monitoring_security_group_ids",
        Warned("monitoring_security_group_ids = [\"sg-1\"]"),
    ),
    (
        "monitoring_cidr_blocks",
        Warned("monitoring_cidr_blocks = [\"10.0.0.0/8\"]"),
    ),
    ("security_group_ids", Warned("security_group_ids = [\"sg-1\"]")),
    ("private_zone_id", Warned("private_zone_id = \"Z0123456789\"")),
    (
        "encryption.client_broker",
        Document(
            r#"{"encryption": {"client_broker": "TLS"}, "authentication": {"scram": true, "unauthenticated": true}}"#,
            r#"{"encryption": {"client_broker": "TLS_PLAINTEXT"}, "authentication": {"scram": true, "unauthenticated": true}}"#,
        ),
    ),
    (
        "encryption.in_cluster",
        Document(
            r#"{"encryption": {"in_cluster": true}}"#,
            r#"{"encryption": {"in_cluster": false}}"#,
        ),
    ),
    (
        "authentication.scram",
        Document(
            r#"{"authentication": {"scram": true, "unauthenticated": true}}"#,
            r#"{"authentication": {"scram": false, "unauthenticated": true}}"#,
        ),
    ),
    (
        "authentication.iam",
        Refused("authentication = { scram = true, iam = true }", "true"),
    ),
    (
        "authentication.tls.ca_certificates_pem",
        Document(
            r#"{"authentication": {"tls": {"ca_certificates_pem": ["CA 1"]}}}"#,
            r#"{"authentication": {"tls": {"ca_certificates_pem": ["CA 1", "CA 2"]}}}"#,
        ),
    ),
    (
        "authentication.unauthenticated",
        Document(
            r#"{"authentication": {"scram": true, "unauthenticated": false}}"#,
            r#"{"authentication": {"scram": true, "unauthenticated": true}}"#,
        ),
    ),
    (
        "configuration.id",
        Document(
            r#"{"configuration": {"id": "a", "revision": 1}}"#,
            r#"{"configuration": {"id": "b", "revision": 1}}"#,
        ),
    ),
    (
        "configuration.revision",
        Document(
            r#"{"configuration": {"id": "a", "revision": 1}}"#,
            r#"{"configuration": {"id": "a", "revision": 2}}"#,
        ),
    ),
    (
        "max_message_bytes",
        Document("{}", r#"{"max_message_bytes": 2000000}"#),
    ),
    (
        "metadata_mode",
        Refused("metadata_mode = \"ZOOKEEPER\"", "\"ZOOKEEPER\""),
    ),
    (
        "dedicated_controllers",
        Document("{}", r#"{"dedicated_controllers": true}"#),
    ),
    (
        "controller_instance_type",
        Warned("controller_instance_type = \"t3.small\""),
    ),
    (
        "controller_subnet_ids",
        Document(
            r#"{"dedicated_controllers": true}"#,
            r#"{"dedicated_controllers": true, "controller_subnet_ids": ["x", "y", "z"]}"#,
        ),
    ),
    (
        "monitoring.level",
        Refused("monitoring = { level = \"PER_BROKER\" }", "\"PER_BROKER\""),
    ),
    (
        "monitoring.jmx_exporter",
        Refused("monitoring = { jmx_exporter = true }", "true"),
    ),
    (
        "monitoring.node_exporter",
        Refused("monitoring = { node_exporter = true }", "true"),
    ),
    (
        "logging.cloudwatch_log_group",
        Refused("logging = { cloudwatch_log_group = \"x\" }", "\"x\""),
    ),
    (
        "logging.s3",
        Refused("logging = { s3 = { bucket = \"x\", prefix = \"y\" } }", "{ … }"),
    ),
    (
        "logging.kinesis_stream",
        Refused("logging = { kinesis_stream = \"x\" }", "\"x\""),
    ),
    (
        "logging.firehose_delivery_stream",
        Refused("logging = { firehose_delivery_stream = \"x\" }", "\"x\""),
    ),
    (
        "deletion_protection",
        Test(
            LIFE,
            "a_cluster_is_made_changed_mended_imported_and_destroyed",
            "\"deletion_protection\"",
        ),
    ),
    ("ami_id", Warned("ami_id = \"ami-1\"")),
    ("copy_ami", Warned("copy_ami = false")),
    ("self_healing", Warned("self_healing = \"apply\"")),
    ("replace_volumes", Warned("replace_volumes = [2]")),
    ("instance_profile", Warned("instance_profile = \"kafka-node\"")),
    (
        "permissions_boundary",
        Warned("permissions_boundary = \"arn:aws:iam::123456789012:policy/bound\""),
    ),
    ("skip_final_snapshot", Warned("skip_final_snapshot = true")),
    (
        "restore_snapshot_ids",
        Warned("restore_snapshot_ids = { \"1\" = \"snap-1\" }"),
    ),
    (
        "tags",
        Test(
            LIFE,
            "a_cluster_is_made_changed_mended_imported_and_destroyed",
            "tags_all",
        ),
    ),
    (
        "timeouts.create",
        Test(
            LIFE,
            "a_create_that_fails_is_tainted_and_a_corrected_configuration_makes_the_cluster",
            "create = \\\"1s\\\"",
        ),
    ),
    (
        "timeouts.update",
        Test(
            HOST,
            "a_port_that_was_taken_meanwhile_is_named_and_a_taken_block_is_passed_over",
            "update = \\\"15s\\\"",
        ),
    ),
    (
        "timeouts.delete",
        Test(HERE, "a_delete_ends_at_its_time_limit", "delete = \\\"1ms\\\""),
    ),
    ("tags_all", Told),
    ("id", Told),
    ("kafka_cluster_id", Told),
    ("state", Told),
    ("bootstrap_brokers", Told),
    ("bootstrap_brokers_tls", Told),
    ("bootstrap_brokers_sasl_scram", Told),
    ("bootstrap_brokers_sasl_iam", Told),
    ("zookeeper_connect_string", Told),
    ("zookeeper_connect_string_tls", Told),
    ("brokers", Told),
    ("ca_certificate_pem", Told),
    ("client_properties", Told),
    ("planned_operations", Told),
];

const COUNTS: &str = "a_configuration_counts_its_revisions_and_knows_the_next_one_while_planning";

const MSK_CONFIGURATION: Rows = &[
    (
        "name",
        Test(CLUSTER, "a_configuration_is_imported_as_it_was_written", "\"c\""),
    ),
    ("description", Test(CLUSTER, COUNTS, "description")),
    ("kafka_versions", Test(CLUSTER, COUNTS, "4.2.2")),
    (
        "server_properties",
        Test(
            LIFE,
            "a_cluster_is_made_changed_mended_imported_and_destroyed",
            "log.retention.ms",
        ),
    ),
    ("id", Told),
    ("latest_revision", Told),
    ("revisions", Told),
];

const OBJECTS: &str = "topics_acls_and_users_live_on_a_real_cluster";
const USERS: &str = "src/resource/scram_secret/tests.rs";

const MSK_SCRAM_SECRET: Rows = &[
    (
        "cluster_id",
        Test(
            ACCESS,
            "a_create_on_a_cluster_that_is_not_there_says_what_to_refer_to",
            "cluster_id",
        ),
    ),
    ("username", Test(ACCESS, OBJECTS, "events/app")),
    ("password_wo", Test(ACCESS, OBJECTS, "hunter-two-seven")),
    (
        "password_wo_version",
        Test(ACCESS, OBJECTS, "password_wo_version = 2"),
    ),
    (
        "secret_arn",
        Refused(
            "secret_arn = \"arn:aws:secretsmanager:eu-central-1:123456789012:secret:x\"",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x",
        ),
    ),
    (
        "mechanism",
        Test(
            "src/spec/check/tests.rs",
            "users_have_one_source_of_their_password_which_is_never_shown",
            "SCRAM-SHA-256",
        ),
    ),
    (
        "iterations",
        Test(
            USERS,
            "iterations_set_outside_and_a_user_that_is_gone_are_drift",
            "iterations",
        ),
    ),
    ("kms_key_id", Warned("kms_key_id = \"alias/kafka\"")),
    ("id", Told),
    ("secret_file", Told),
    ("password_source", Told),
];

const TOPICS: &str = "src/resource/topic/tests.rs";

const MSK_TOPIC: Rows = &[
    (
        "cluster_id",
        Test(
            ACCESS,
            "a_create_on_a_cluster_that_is_not_there_says_what_to_refer_to",
            "cluster_id",
        ),
    ),
    ("name", Test(ACCESS, OBJECTS, "events/orders")),
    ("partitions", Test(ACCESS, OBJECTS, "partitions = 4")),
    (
        "replication_factor",
        Test(
            "tests/it/shapes.rs",
            "two_brokers_in_a_zone_with_controllers_of_their_own_live",
            "replication_factor",
        ),
    ),
    ("config", Test(ACCESS, OBJECTS, "segment.ms")),
    (
        "deletion_protection",
        Test(
            TOPICS,
            "a_topic_is_protected_by_itself_or_by_its_cluster",
            "deletion_protection",
        ),
    ),
    ("id", Told),
    ("topic_id", Told),
];

const ACLS: &str = "src/resource/acl/tests.rs";

const MSK_ACL: Rows = &[
    (
        "cluster_id",
        Test(
            ACCESS,
            "a_create_on_a_cluster_that_is_not_there_says_what_to_refer_to",
            "cluster_id",
        ),
    ),
    ("principal", Test(ACCESS, OBJECTS, "User:app")),
    (
        "host",
        Test(ACLS, "each_part_of_the_key_makes_another_acl", "host"),
    ),
    (
        "resource_type",
        Test(ACLS, "each_part_of_the_key_makes_another_acl", "resource_type"),
    ),
    (
        "resource_name",
        Test(ACLS, "each_part_of_the_key_makes_another_acl", "resource_name"),
    ),
    (
        "pattern_type",
        Test(ACLS, "each_part_of_the_key_makes_another_acl", "pattern_type"),
    ),
    ("operations", Test(ACCESS, OBJECTS, "\\\"DESCRIBE\\\"")),
    (
        "permission",
        Test(ACLS, "each_part_of_the_key_makes_another_acl", "permission"),
    ),
    ("id", Told),
];

const LISTS: &str = "two_brokers_in_a_zone_with_controllers_of_their_own_live";
const SHAPES: &str = "tests/it/shapes.rs";

const DATA_CLUSTER: Rows = &[("name", Test(SHAPES, LISTS, "data.msk_cluster")), ("*", Told)];
const DATA_CONFIGURATION: Rows = &[
    ("name", Test(SHAPES, LISTS, "data.msk_configuration")),
    ("*", Told),
];
const DATA_KAFKA_VERSIONS: Rows = &[("*", Told)];
const DATA_TOPICS: Rows = &[
    ("cluster_id", Test(SHAPES, LISTS, "data.msk_topics")),
    ("*", Told),
];
const DATA_ACLS: Rows = &[("cluster_id", Test(SHAPES, LISTS, "data.msk_acls")), ("*", Told)];
