//! The schema of `msk_cluster`: what the user writes. What the provider tells is in `computed`.
//!
//! The descriptions are the pages of the registry. Rules over values are in `spec`.

use super::{computed, meaning};
use crate::tfplugin::schema::{Attribute, Schema, boolean, list, map, number, object, set, string, timeouts};
use crate::tfplugin::{Object, Type};

const ABOUT: &str = "\
A Kafka cluster: its brokers, controllers, certificates and client endpoints.

~> **Access is denied unless an `msk_acl` allows it.** This is other than on Amazon MSK, where a cluster without \
ACLs lets everybody in. A client that is refused gets `TOPIC_AUTHORIZATION_FAILED` or \
`CLUSTER_AUTHORIZATION_FAILED`.

A cluster is protected from deletion by default: set `deletion_protection = false` and apply before you destroy \
it or change its name.

On one machine (`provider \"msk\" { local = {} }`) every node is a process of its own with a data directory of \
its own, zones are names that you choose, and what only a cloud has (keys, instance types, volumes, security \
groups, address ranges) is recorded and not enforced, with one warning.";

/// The schema of the resource.
pub(super) fn resource() -> Schema {
    let schema = Schema::new(ABOUT);
    let attributes = inputs().into_iter().chain(computed::attributes());
    attributes
        .fold(schema, |schema, (name, attribute)| {
            schema.attribute(name, attribute)
        })
        .block("timeouts", timeouts(["create", "update", "delete"]))
}

/// Every attribute that the user may write, in the order of the documentation.
pub(super) fn inputs() -> Vec<(&'static str, Attribute)> {
    let mut all = place();
    all.extend(machines());
    all.extend(instances());
    all.extend(access());
    all.extend(kafka());
    all.extend(care());
    all
}

fn texts() -> Attribute {
    set(Type::String).optional()
}

fn place() -> Vec<(&'static str, Attribute)> {
    vec![
        ("name", string().required().requires_replace().description(
            "The cluster's name: 1 to 64 letters, digits and `-`, not starting with `-`; unique in the control \
             store. A change replaces the cluster, with all its data, and is refused while \
             `deletion_protection` is on.",
        )),
        ("kafka_version", string().required().description(
            "The exact version of Apache Kafka, one of the data source `msk_kafka_versions`. Upgrades in place \
             are not in this version.",
        )),
        ("subnet_ids",
            set(Type::String).required().description(
            "1 to 3 subnets, one per zone; on one machine the names of simulated zones, such as \
             `[\"zone-a\", \"zone-b\", \"zone-c\"]`. With one zone there is a warning, since no zone can fail. \
             Zones are numbered by name at creation. Adding or removing a zone later is not in this version.",
        )),
        ("brokers_per_az", number().default(1).description(
            "Brokers in each zone, 1 to 20. Brokers are numbered 1, 2, 3 … round robin over the zones. A change \
             is not in this version.",
        )),
    ]
}

fn machines() -> Vec<(&'static str, Attribute)> {
    vec![
        ("instance_type", string().default("kafka.m5.large").equal_by(meaning::same_instance_type).description(
            "The size of a broker's machine: a `kafka.*` name of Amazon MSK or an EC2 type. \
             `kafka.m5.large` and `m5.large` are the same. Recorded, not enforced, on one machine.",
        )),
        ("volume_size", number().default(100).description(
            "The size of a broker's volume in GiB, 1 to 16384. It never shrinks. Recorded, not enforced, on one \
             machine.",
        )),
        ("volume_type", string().default("gp3").description(
            "The type of the volumes: `gp3` or `io2`. Recorded, not enforced, on one machine.",
        )),
        ("volume_iops", number().optional_computed().description(
            "I/O operations per second of each volume. Left out: what the volume type starts with. Recorded, not \
             enforced, on one machine.",
        )),
        ("volume_throughput", number().optional_computed().description(
            "Throughput of each `gp3` volume in MiB/s. Left out: what the volume type starts with. Recorded, not \
             enforced, on one machine.",
        )),
        ("kms_key_id", string().optional().equal_by(meaning::same_key).description(
            "The KMS key that encrypts the volumes: key id, ARN or `alias/…`. Left out: the account's key for \
             EBS. Recorded, not enforced, on one machine.",
        )),
        ("dedicated_controllers", boolean().optional_computed().description(
            "Whether the KRaft controllers have nodes of their own. Left out: `false` on one machine. A change \
             is not possible yet.",
        )),
        ("controller_instance_type", string().optional_computed().equal_by(meaning::same_instance_type).description(
            "The size of a dedicated controller's machine. Left out: chosen by the number of brokers and the \
             architecture of `instance_type`. Recorded, not enforced, on one machine.",
        )),
        ("controller_subnet_ids", texts().description(
            "1 to 3 subnets for dedicated controllers, such as a third zone for a cluster with brokers in two. \
             Left out: the brokers' subnets. A change is not possible yet.",
        )),
    ]
}

fn instances() -> Vec<(&'static str, Attribute)> {
    vec![
        ("ami_id", string().optional().description(
            "AWS: the image of every node, such as one that your organization has hardened. It must be like Amazon \
             Linux 2023: systemd, cloud-init, XFS, glibc 2.34 or newer, the architecture of `instance_type`. Left \
             out: the newest Amazon Linux 2023 at creation, which is then kept. Recorded, not enforced, on one machine.",
        )),
        ("copy_ami", boolean().default(true).description(
            "AWS: whether the image is copied into the account, so that a machine can be replaced in years, when its \
             owner no longer offers it. The copy goes away with the cluster. Recorded, not enforced, on one machine.",
        )),
        ("self_healing", string().default("always").description(
            "AWS: what replaces a machine that is lost. `always`: an Auto Scaling group of one for each node does so at \
             any time, while nobody runs Terraform. `apply`: machines are plain instances, and the next apply starts \
             another one. Recorded, not enforced, on one machine.",
        )),
        ("replace_volumes", texts().description(
            "AWS: ids of brokers, such as `[2]`, whose volume is gone and that get an empty one, which is filled from \
             the other replicas. Without it a lost volume is an error of the plan. Take it out after the apply. \
             Recorded, not enforced, on one machine.",
        )),
        ("instance_profile", string().optional().description(
            "AWS: the name of your own instance profile for every node. Left out: a role and a profile for each node, \
             which may do what this node does and nothing else. With a profile of your own every node may do what \
             any of them may. Recorded, not enforced, on one machine.",
        )),
        ("permissions_boundary", string().optional().description(
            "AWS: the ARN of the policy that bounds the nodes' roles. Recorded, not enforced, on one machine.",
        )),
    ]
}

fn access() -> Vec<(&'static str, Attribute)> {
    let cidr = || texts().equal_by(meaning::same_address_ranges);
    vec![
        ("client_security_group_ids", texts().description(
            "Security groups whose members may reach the open client listeners. Recorded, not enforced, on one \
             machine.",
        )),
        ("client_cidr_blocks", cidr().description(
            "Address ranges (IPv4 and IPv6) that may reach the open client listeners. The whole internet on a \
             plaintext listener is an error. Recorded, not enforced, on one machine.",
        )),
        ("monitoring_security_group_ids", texts().description(
            "Security groups whose members may reach the exporters on ports 11001 and 11002. Recorded, not \
             enforced, on one machine.",
        )),
        ("monitoring_cidr_blocks", cidr().description(
            "Address ranges that may reach the exporters. Recorded, not enforced, on one machine.",
        )),
        ("security_group_ids", texts().description(
            "Further security groups for the nodes, at most 4. Recorded, not enforced, on one machine.",
        )),
        ("private_zone_id", string().optional().description(
            "AWS: the Route 53 private zone for the brokers' names. Recorded, not enforced, on one machine.",
        )),
        ("encryption", object([
            ("client_broker", string().default("TLS").description(
                "Which client listeners may be open: `TLS`, `TLS_PLAINTEXT` or `PLAINTEXT`. Plaintext needs \
                 `authentication = { unauthenticated = true }`.",
            )),
            ("in_cluster", boolean().default(true).description(
                "Whether brokers replicate over mutual TLS. `false`: over an unencrypted connection with a \
                 reserved user and password. Controllers and agents always use mutual TLS.",
            )),
        ]).default_members().description("Encryption of connections. A change is not in this version.")),
        ("authentication", object(authentication()).default(Object::new().with("scram", true)).description(
            "How clients say who they are; at least one way is on. Left out: `{ scram = true }`. If the object is \
             there, every member that is left out is off. A change is not in this version.",
        )),
    ]
}

fn authentication() -> Vec<(&'static str, Attribute)> {
    vec![
        ("scram", boolean().default(false).description(
            "User and password (SASL/SCRAM-SHA-512 over TLS, port 9096). Users are `msk_scram_secret`.",
        )),
        ("iam", boolean().default(false).description(
            "AWS credentials (SASL/OAUTHBEARER over TLS, port 9098). Not in this version.",
        )),
        ("tls", object([(
            "ca_certificates_pem",
            list(Type::String).required().description(
                "1 to 10 certificates (PEM) of the authorities that sign clients' certificates.",
            ),
        )]).optional().description(
            "Client certificates (mutual TLS, port 9094). The principal is the certificate's full distinguished \
             name, such as `User:CN=app`.",
        )),
        ("unauthenticated", boolean().default(false).description(
            "Clients that say nothing, with the principal `User:ANONYMOUS`: on port 9092 if plaintext is open, \
             on port 9094 if TLS is.",
        )),
    ]
}

fn kafka() -> Vec<(&'static str, Attribute)> {
    vec![
        ("configuration", object([
            ("id", string().required().description("The `id` of an `msk_configuration`.")),
            ("revision", number().required().description("One of its revisions, usually its `latest_revision`.")),
        ]).optional().description(
            "Broker properties. A new revision is taken over in place if Kafka takes every changed property \
             live; a change that needs restarts is not in this version.",
        )),
        ("max_message_bytes", number().default(1_048_588).description(
            "The largest batch of records that a broker takes, in bytes: 1 to 10485880, which is a record of \
             10 MiB with the overhead of its batch. Changed live. If it is left out and the configuration sets \
             `message.max.bytes`, that is the value; if both say different values, that is an error.",
        )),
        ("metadata_mode", string().default("KRAFT").description(
            "`KRAFT`. `ZOOKEEPER` (Kafka 3.9 and older) is not in this version.",
        )),
    ]
}

fn care() -> Vec<(&'static str, Attribute)> {
    vec![
        ("monitoring", object([
            ("level", string().default("DEFAULT").description(
                "How detailed metrics are. `PER_BROKER`, `PER_TOPIC_PER_BROKER` and `PER_TOPIC_PER_PARTITION` are \
                 not in this version.",
            )),
            ("jmx_exporter", boolean().default(false).description(
                "Whether Kafka's metrics are offered to Prometheus on port 11001. `true` is not in this version.",
            )),
            ("node_exporter", boolean().default(false).description(
                "Whether the machine's metrics are offered to Prometheus on port 11002. `true` is not in this \
                 version.",
            )),
        ]).default_members().description("Metrics.")),
        ("logging", object([
            ("cloudwatch_log_group", string().optional().description("A CloudWatch log group.")),
            ("s3", object([
                ("bucket", string().required().description("The bucket.")),
                ("prefix", string().optional().description("The prefix of the objects.")),
            ]).optional().description("An S3 bucket.")),
            ("kinesis_stream", string().optional().description("A Kinesis data stream.")),
            ("firehose_delivery_stream", string().optional().description("A Firehose stream.")),
        ]).optional().description("Where brokers' logs go besides the node's own files. Not in this version.")),
        ("deletion_protection", boolean().default(true).description(
            "Whether destroying and replacing the cluster is refused. Turn it off with an apply of its own first. \
             It also holds for a tainted cluster: `terraform untaint` brings that back.",
        )),
        ("skip_final_snapshot", boolean().default(false).description(
            "AWS: whether destroy takes no snapshots of the volumes. Recorded, not enforced, on one machine, \
             which takes none.",
        )),
        ("restore_snapshot_ids", map(Type::String).optional().description(
            "AWS: snapshots that volumes are made from at creation, by node. Recorded, not enforced, on one machine.",
        )),
        ("tags", map(Type::String).optional().description("Up to 50 tags.")),
    ]
}
