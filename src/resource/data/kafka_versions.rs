//! The data source `msk_kafka_versions`: which versions of Kafka clusters may run.

use crate::kafka::versions::KafkaVersion;
use crate::resource::ProviderData;
use crate::tfplugin::schema::{Schema, list_of_objects, string};
use crate::tfplugin::{Context, DataSource, Found, Object, Value};

/// The data source `msk_kafka_versions`.
#[derive(Debug, Clone, Copy)]
pub struct KafkaVersions;

impl DataSource<ProviderData> for KafkaVersions {
    fn type_name(&self) -> &'static str {
        "msk_kafka_versions"
    }

    fn schema(&self) -> Schema {
        Schema::new("The versions of Apache Kafka that a cluster may run.")
            .attribute("versions", list_of_objects([
                ("version", string().computed().description("The exact version, for `kafka_version`.")),
                ("status", string().computed().description(
                    "`ACTIVE`: fine for new clusters. `DEPRECATED`: runs and is tested, but gets no fixes any more.",
                )),
            ]).computed().description("Every version, from old to new."))
            .attribute("default_version", string().computed().description("The version for a new cluster."))
            .attribute("id", string().computed().description("Always `kafka-versions`."))
    }

    async fn read(&self, _: &Context<ProviderData>, _: Object) -> Found {
        let versions = KafkaVersion::all().map(|version| {
            Object::new()
                .with("version", version.to_string())
                .with("status", version.status().as_str())
        });
        let state = Object::new()
            .with("versions", Value::list(versions))
            .with("default_version", KafkaVersion::DEFAULT.to_string())
            .with("id", "kafka-versions");
        Found {
            state: Some(state),
            ..Found::default()
        }
    }
}
