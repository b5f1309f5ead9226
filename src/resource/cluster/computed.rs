//! The attributes of `msk_cluster` that the provider tells.

use crate::tfplugin::Type;
use crate::tfplugin::schema::{Attribute, list_of_objects, map, number, string};

/// Every attribute that only the provider sets.
pub(super) fn attributes() -> Vec<(&'static str, Attribute)> {
    let mut all = identity();
    all.extend(endpoints());
    all.push(("planned_operations", planned_operations()));
    all
}

fn identity() -> Vec<(&'static str, Attribute)> {
    vec![
        (
            "tags_all",
            map(Type::String)
                .computed()
                .keep_prior()
                .description("`tags` and the provider's default tags."),
        ),
        (
            "id",
            string()
                .computed()
                .keep_prior()
                .description("The cluster's name. Refer to it from topics, ACLs and users."),
        ),
        (
            "kafka_cluster_id",
            string()
                .computed()
                .keep_prior()
                .description("Kafka's own id of the cluster."),
        ),
        (
            "state",
            string()
                .computed()
                .keep_prior()
                .description("`CREATING`, `ACTIVE`, `UPDATING`, `HEALING`, `DEGRADED` or `FAILED`."),
        ),
        (
            "brokers",
            list_of_objects([
                ("id", number().computed().description("The broker's id.")),
                ("zone", string().computed().description("Its zone.")),
                (
                    "host",
                    string().computed().description("The host that it advertises."),
                ),
                (
                    "instance_id",
                    string().computed().description("AWS: its instance."),
                ),
                ("volume_id", string().computed().description("AWS: its volume.")),
                ("private_ip", string().computed().description("AWS: its address.")),
            ])
            .computed()
            .keep_prior()
            .description("The brokers, by id."),
        ),
    ]
}

fn endpoints() -> Vec<(&'static str, Attribute)> {
    let text = |description: String| string().computed().keep_prior().description(description);
    let endpoint = |what: &str| {
        text(format!(
            "`host:port,…` of every broker, by id: {what}. Null exactly when that listener is closed."
        ))
    };
    vec![
        ("bootstrap_brokers", endpoint("clients without encryption")),
        ("bootstrap_brokers_tls", endpoint("clients over TLS, with or without a certificate")),
        ("bootstrap_brokers_sasl_scram", endpoint("clients with user and password over TLS")),
        ("bootstrap_brokers_sasl_iam", endpoint("clients with AWS credentials over TLS")),
        ("zookeeper_connect_string", text("Null: clusters run under KRaft.".to_owned())),
        ("zookeeper_connect_string_tls", text("Null: clusters run under KRaft.".to_owned())),
        ("ca_certificate_pem", text(
            "The certificate (PEM) that clients trust; two of them while the authority is being replaced.".to_owned(),
        )),
        ("client_properties", map(Type::String).computed().keep_prior().description(
            "For each open listener (`plaintext`, `tls`, `sasl_scram`), the text of a `client.properties` file, \
             without secrets and with the message limits.",
        )),
    ]
}

fn planned_operations() -> Attribute {
    list_of_objects([
        (
            "order",
            number()
                .computed()
                .description("1, 2, 3 …; the same number: at the same time."),
        ),
        ("operation", string().computed().description("What is done.")),
        ("target", string().computed().description("What it is done to.")),
        ("reason", string().computed().description("Why.")),
        (
            "effect",
            string()
                .computed()
                .description("`none`, `restart`, `moves_data` or `irreversible`."),
        ),
        (
            "estimated_seconds",
            number().computed().description("How long it usually takes."),
        ),
    ])
    .computed()
    .keep_prior()
    .description("What this plan does to the nodes, or what the last apply did.")
}
