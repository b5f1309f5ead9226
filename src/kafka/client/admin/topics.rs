//! Topics: reading them, creating and deleting them, adding partitions.

use std::collections::HashMap;

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest, MetadataResponse,
};

use super::cluster::BrokerNode;
use super::{
    Admin, Apply, MAX_ITEMS, MAX_PARTITIONS, nodes, not_answered, our_node, our_nodes, our_topic_name,
    our_uuid, owned, text, topic_name, uuid,
};
use crate::kafka::client::error::{Error, KafkaError};
use crate::kafka::client::error_code::ErrorCode;
use crate::spec::ids::{KafkaUuid, NodeId, TopicName};

/// Which topics are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicSelection<'a> {
    /// Every topic that we may see.
    All,
    /// These names.
    Names(&'a [TopicName]),
    /// These ids: a topic that was deleted and made again is another topic.
    Ids(&'a [KafkaUuid]),
}

/// How an answer names a topic: at least one of the two, the one that was asked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicKey {
    /// The name, if known.
    pub name: Option<TopicName>,
    /// The id, if known.
    pub id: Option<KafkaUuid>,
}

/// One partition as the cluster's metadata has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Its number.
    pub index: i32,
    /// The leader; `None` if there is none.
    pub leader: Option<NodeId>,
    /// Counts the leaders.
    pub leader_epoch: i32,
    /// Where its replicas belong, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// The replicas that are in sync.
    pub in_sync: Vec<NodeId>,
    /// The replicas on nodes or disks that are down.
    pub offline: Vec<NodeId>,
    /// Such as `LEADER_NOT_AVAILABLE`.
    pub error: Option<KafkaError>,
}

/// One topic as the cluster's metadata has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Whether Kafka itself uses it, such as `__consumer_offsets`.
    pub is_internal: bool,
    /// By number.
    pub partitions: Vec<PartitionMetadata>,
}

/// Topics, with the nodes that are in service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicsMetadata {
    /// The nodes that are not fenced.
    pub nodes: Vec<BrokerNode>,
    /// Each topic that was asked for, or why there is nothing to say of it.
    pub topics: Vec<(TopicKey, Result<TopicMetadata, KafkaError>)>,
}

/// How many partitions a new topic has, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicLayout {
    /// Kafka chooses the places.
    Counts {
        /// `None` takes the cluster's `num.partitions`.
        partitions: Option<i32>,
        /// `None` takes the cluster's `default.replication.factor`.
        replication_factor: Option<i16>,
    },
    /// The replicas of each partition, from partition 0 on, the preferred leader first.
    Assigned(Vec<Vec<NodeId>>),
}

impl TopicLayout {
    /// What the layout counts against the limit of one request.
    fn partitions(&self) -> usize {
        match self {
            Self::Counts { partitions, .. } => partitions
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or(1),
            Self::Assigned(places) => places.len(),
        }
    }
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: TopicName,
    /// Its partitions.
    pub layout: TopicLayout,
    /// Properties that differ from the cluster's defaults.
    pub configs: Vec<(String, String)>,
}

/// What was created, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id; `None` if it was only checked.
    pub id: Option<KafkaUuid>,
    /// The number of its partitions; `None` if we may not see it.
    pub partitions: Option<i32>,
    /// The number of its replicas; `None` if we may not see it.
    pub replication_factor: Option<i16>,
}

/// A greater number of partitions for a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartitions {
    /// The topic.
    pub topic: TopicName,
    /// How many it shall have in all.
    pub total: i32,
    /// The replicas of each new partition; `None` lets Kafka choose.
    pub places: Option<Vec<Vec<NodeId>>>,
}

impl Admin {
    /// Reads the metadata of topics. Never creates one by asking for it. An empty selection gives the nodes
    /// alone. Ids that are no ids are left out.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn describe_topics(&self, selection: TopicSelection<'_>) -> Result<TopicsMetadata, Error> {
        let mut found = TopicsMetadata::default();
        match selection {
            TopicSelection::All => self.metadata(None, &mut found).await?,
            TopicSelection::Names(names) => {
                for part in parts_or_one(names) {
                    let ask = |name| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
                    self.metadata(Some(part.iter().map(ask).collect()), &mut found)
                        .await?;
                }
            }
            TopicSelection::Ids(ids) => {
                for part in parts_or_one(ids) {
                    let ask = |id| {
                        Some(
                            MetadataRequestTopic::default()
                                .with_name(None)
                                .with_topic_id(uuid(id)?),
                        )
                    };
                    self.metadata(Some(part.iter().filter_map(ask).collect()), &mut found)
                        .await?;
                }
            }
        }
        Ok(found)
    }

    async fn metadata(
        &self,
        topics: Option<Vec<MetadataRequestTopic>>,
        found: &mut TopicsMetadata,
    ) -> Result<(), Error> {
        let answer = self
            .session
            .call(|_| {
                MetadataRequest::default()
                    .with_topics(topics.clone())
                    .with_allow_auto_topic_creation(false)
            })
            .await?;
        let body: MetadataResponse = answer.body;
        self.check::<MetadataRequest>(body.error_code, None)?;
        found.nodes = body
            .brokers
            .iter()
            .filter_map(|broker| {
                Some(BrokerNode {
                    id: our_node(broker.node_id)?,
                    host: broker.host.as_str().to_owned(),
                    port: broker.port,
                    rack: owned(broker.rack.as_ref()),
                    is_fenced: Some(false),
                })
            })
            .collect();
        found.topics.extend(body.topics.iter().map(our_topic));
        Ok(())
    }

    /// Creates topics. The results are in the order of `topics`, which must not name a topic twice.
    ///
    /// # Errors
    /// [`Error`]; per topic `TOPIC_ALREADY_EXISTS`, `INVALID_CONFIG`, `INVALID_REPLICATION_FACTOR`,
    /// `POLICY_VIOLATION` and others.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        apply: Apply,
    ) -> Result<Vec<Result<CreatedTopic, KafkaError>>, Error> {
        let mut results = Vec::with_capacity(topics.len());
        for part in parts(topics, |topic| topic.layout.partitions()) {
            let answer = self
                .session
                .call(|_| {
                    CreateTopicsRequest::default()
                        .with_topics(part.iter().map(creatable).collect())
                        .with_timeout_ms(self.broker_timeout_ms())
                        .with_validate_only(apply.validate_only())
                })
                .await?;
            let throttle = answer.body.throttle_time_ms;
            let mut answers: HashMap<&str, Result<CreatedTopic, KafkaError>> = answer
                .body
                .topics
                .iter()
                .map(|topic| (topic.name.0.as_str(), created(topic, apply, throttle)))
                .collect();
            results.extend(part.iter().map(|topic| {
                answers
                    .remove(topic.name.as_str())
                    .unwrap_or_else(|| Err(not_answered()))
            }));
        }
        Ok(results)
    }

    /// Deletes topics by id, so that a topic that was made again under the same name stays. The results are in
    /// the order of `ids`.
    ///
    /// # Errors
    /// [`Error`]; per topic `UNKNOWN_TOPIC_ID` if it is gone, `TOPIC_DELETION_DISABLED`.
    pub async fn delete_topics_by_id(&self, ids: &[KafkaUuid]) -> Result<Vec<Result<(), KafkaError>>, Error> {
        let mut results = Vec::with_capacity(ids.len());
        for part in ids.chunks(MAX_ITEMS) {
            let answer = self
                .session
                .call(|_| {
                    let ask = |id| {
                        Some(
                            DeleteTopicState::default()
                                .with_name(None)
                                .with_topic_id(uuid(id)?),
                        )
                    };
                    DeleteTopicsRequest::default()
                        .with_topics(part.iter().filter_map(ask).collect())
                        .with_timeout_ms(self.broker_timeout_ms())
                })
                .await?;
            let throttle = answer.body.throttle_time_ms;
            let mut answers: HashMap<Option<KafkaUuid>, Result<(), KafkaError>> = HashMap::new();
            for topic in &answer.body.responses {
                let result = KafkaError::check(topic.error_code, topic.error_message.as_deref())
                    .map_err(|error| error.with_throttle(throttle));
                answers.insert(our_uuid(topic.topic_id.as_ref()), result);
            }
            results.extend(part.iter().map(|id| {
                answers.remove(&Some(id.clone())).unwrap_or_else(|| {
                    // Such as a text that is not an id at all, which we did not send.
                    Err(KafkaError::new(
                        ErrorCode::UNKNOWN_TOPIC_ID,
                        Some("not in the broker's answer"),
                    ))
                })
            }));
        }
        Ok(results)
    }

    /// Adds partitions to topics. The results are in the order of `changes`, which must not name a topic twice.
    ///
    /// # Errors
    /// [`Error`]; per topic `INVALID_PARTITIONS` if it has as many or more, `REASSIGNMENT_IN_PROGRESS`.
    pub async fn create_partitions(
        &self,
        changes: &[NewPartitions],
        apply: Apply,
    ) -> Result<Vec<Result<(), KafkaError>>, Error> {
        let mut results = Vec::with_capacity(changes.len());
        for part in parts(changes, |change| usize::try_from(change.total).unwrap_or(1)) {
            let answer = self
                .session
                .call(|_| {
                    CreatePartitionsRequest::default()
                        .with_topics(part.iter().map(more_partitions).collect())
                        .with_timeout_ms(self.broker_timeout_ms())
                        .with_validate_only(apply.validate_only())
                })
                .await?;
            let throttle = answer.body.throttle_time_ms;
            let mut answers: HashMap<&str, Result<(), KafkaError>> = HashMap::new();
            for topic in &answer.body.results {
                let result = KafkaError::check(topic.error_code, topic.error_message.as_deref())
                    .map_err(|error| error.with_throttle(throttle));
                answers.insert(topic.name.0.as_str(), result);
            }
            results.extend(part.iter().map(|change| {
                answers
                    .remove(change.topic.as_str())
                    .unwrap_or_else(|| Err(not_answered()))
            }));
        }
        Ok(results)
    }
}

/// Cuts a list so that each part keeps to Kafka's limits for one request. An item that is above the limit by
/// itself goes alone, for the broker to refuse.
fn parts<T>(items: &[T], partitions: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut parts = Vec::new();
    let mut rest = items;
    while !rest.is_empty() {
        let mut sum = 0_usize;
        let fitting = rest.iter().take(MAX_ITEMS).take_while(|&item| {
            sum = sum.saturating_add(partitions(item));
            sum <= MAX_PARTITIONS
        });
        let (part, behind) = rest.split_at(fitting.count().max(1));
        parts.push(part);
        rest = behind;
    }
    parts
}

/// The list in parts of Kafka's size; an empty list is one part, which asks for the nodes alone.
fn parts_or_one<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    let nothing: Option<&[T]> = items.is_empty().then_some(items);
    nothing.into_iter().chain(items.chunks(MAX_ITEMS))
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let configs = topic.configs.iter().map(|(name, value)| {
        CreatableTopicConfig::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
    });
    let request = CreatableTopic::default()
        .with_name(topic_name(&topic.name))
        .with_configs(configs.collect());
    match &topic.layout {
        TopicLayout::Counts {
            partitions,
            replication_factor,
        } => request
            .with_num_partitions(partitions.unwrap_or(-1))
            .with_replication_factor(replication_factor.unwrap_or(-1)),
        TopicLayout::Assigned(places) => {
            let places = (0..).zip(places).map(|(index, replicas)| {
                CreatableReplicaAssignment::default()
                    .with_partition_index(index)
                    .with_broker_ids(nodes(replicas))
            });
            request
                .with_num_partitions(-1)
                .with_replication_factor(-1)
                .with_assignments(places.collect())
        }
    }
}

fn created(topic: &CreatableTopicResult, apply: Apply, throttle: i32) -> Result<CreatedTopic, KafkaError> {
    KafkaError::check(topic.error_code, topic.error_message.as_deref())
        .map_err(|error| error.with_throttle(throttle))?;
    Ok(CreatedTopic {
        // A topic that was only checked gets an id too, which is then forgotten.
        id: (apply == Apply::Now)
            .then(|| our_uuid(topic.topic_id.as_ref()))
            .flatten(),
        partitions: Some(topic.num_partitions).filter(|&count| count > 0),
        replication_factor: Some(topic.replication_factor).filter(|&count| count > 0),
    })
}

fn more_partitions(change: &NewPartitions) -> CreatePartitionsTopic {
    let places = change.places.as_ref().map(|places| {
        let place =
            |replicas: &Vec<NodeId>| CreatePartitionsAssignment::default().with_broker_ids(nodes(replicas));
        places.iter().map(place).collect()
    });
    CreatePartitionsTopic::default()
        .with_name(topic_name(&change.topic))
        .with_count(change.total)
        .with_assignments(places)
}

fn our_topic(topic: &MetadataResponseTopic) -> (TopicKey, Result<TopicMetadata, KafkaError>) {
    let key = TopicKey {
        name: topic
            .name
            .as_ref()
            .filter(|name| !name.0.is_empty())
            .map(our_topic_name),
        id: our_uuid(topic.topic_id.as_ref()),
    };
    let result = KafkaError::check(topic.error_code, None).map(|()| {
        let mut partitions: Vec<_> = topic
            .partitions
            .iter()
            .map(|partition| PartitionMetadata {
                index: partition.partition_index,
                leader: our_node(partition.leader_id),
                leader_epoch: partition.leader_epoch,
                replicas: our_nodes(&partition.replica_nodes),
                in_sync: our_nodes(&partition.isr_nodes),
                offline: our_nodes(&partition.offline_replicas),
                error: KafkaError::check(partition.error_code, None).err(),
            })
            .collect();
        partitions.sort_by_key(|partition| partition.index);
        TopicMetadata {
            is_internal: topic.is_internal,
            partitions,
        }
    });
    (key, result)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn requests_keep_to_a_thousand_items_and_ten_thousand_partitions() {
        let small = vec![1_usize; 2_500];
        assert_eq!(
            parts(&small, |&n| n)
                .iter()
                .map(|part| part.len())
                .collect::<Vec<_>>(),
            [1000, 1000, 500]
        );
        let large = [6_000_usize, 4_000, 1, 20_000, 5];
        let cut: Vec<&[usize]> = parts(&large, |&n| n);
        assert_eq!(cut, [&[6_000, 4_000][..], &[1], &[20_000], &[5]]);
        assert!(parts(&[] as &[usize], |&n| n).is_empty());
    }
}
