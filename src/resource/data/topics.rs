//! The data source `msk_topics`: every topic of a cluster, so that import blocks can be written.

use crate::engine::access::Topics as Kind;
use crate::resource::ProviderData;
use crate::resource::access::{self, names};
use crate::tfplugin::schema::{Schema, list_of_objects, map, number, string};
use crate::tfplugin::{Context, DataSource, Found, Object, Type, Value};

/// The data source `msk_topics`.
#[derive(Debug, Clone, Copy)]
pub struct Topics;

impl DataSource<ProviderData> for Topics {
    fn type_name(&self) -> &'static str {
        "msk_topics"
    }

    fn schema(&self) -> Schema {
        Schema::new("Every topic of a cluster but Kafka's own, made by Terraform or elsewhere.")
            .attribute("cluster_id", access::listed_cluster_id())
            .attribute(
                "topics",
                list_of_objects([
                    (
                        "id",
                        string()
                            .computed()
                            .description("The id for an `import` block of `msk_topic`."),
                    ),
                    ("name", string().computed().description("The name.")),
                    (
                        "partitions",
                        number().computed().description("How many partitions."),
                    ),
                    (
                        "replication_factor",
                        number()
                            .computed()
                            .description("How many replicas each partition has."),
                    ),
                    (
                        "config",
                        map(Type::String)
                            .computed()
                            .description("The topic's own settings."),
                    ),
                    (
                        "topic_id",
                        string().computed().description("Kafka's id of the topic."),
                    ),
                ])
                .computed()
                .description("The topics, by name."),
            )
            .attribute("id", string().computed().description("The cluster's id."))
    }

    async fn read(&self, context: &Context<ProviderData>, config: Object) -> Found {
        let mut answer = Found::default();
        let Some((cluster, snapshot)) = access::list::<Kind>(context, &config, &mut answer.diagnostics).await
        else {
            return answer;
        };
        let topics = snapshot.status.topics.iter().map(|(name, topic)| {
            Object::new()
                .with("id", names::joined(&cluster, name.as_str()))
                .with("name", name.as_str())
                .with("partitions", topic.partitions)
                .with("replication_factor", topic.replication_factor)
                .with(
                    "config",
                    Value::map(
                        topic
                            .config
                            .iter()
                            .map(|(name, value)| (name.clone(), value.as_str())),
                    ),
                )
                .with("topic_id", topic.topic_id.as_str())
        });
        answer.state = Some(
            config
                .with("topics", Value::list(topics))
                .with("id", cluster.as_str()),
        );
        answer
    }
}
