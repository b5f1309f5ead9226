//! Moving replicas and choosing leaders.

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, ElectLeadersRequest, ListPartitionReassignmentsRequest,
};

use super::{Admin, MAX_ITEMS, TopicPartition, nodes, not_answered, our_nodes, our_topic_name, topic_name};
use crate::kafka::client::error::{Error, KafkaError};
use crate::kafka::client::error_code::ErrorCode;
use crate::spec::ids::{NodeId, TopicName};

/// Where the replicas of a partition shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaTarget {
    /// The partition.
    pub partition: TopicPartition,
    /// The new places, the preferred leader first; `None` cancels a move that is under way.
    pub replicas: Option<Vec<NodeId>>,
}

/// A partition whose replicas are on the move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovingPartition {
    /// The partition.
    pub partition: TopicPartition,
    /// All present replicas, those to be removed and those being added included.
    pub replicas: Vec<NodeId>,
    /// Being filled.
    pub adding: Vec<NodeId>,
    /// To be removed when the others are filled.
    pub removing: Vec<NodeId>,
}

/// Who may become leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElectionKind {
    /// The first replica, if it is in sync.
    Preferred,
    /// Any replica that lives, even if records are lost.
    Unclean,
}

/// The result of an election in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionElection {
    /// The partition.
    pub partition: TopicPartition,
    /// Whether the leader changed; false if the right one leads already.
    pub outcome: Result<bool, KafkaError>,
}

impl Admin {
    /// Starts, redirects or cancels moves of replicas. The results are in the order of `targets`. The moves
    /// themselves take as long as copying takes: see [`list_reassignments`](Self::list_reassignments).
    ///
    /// # Errors
    /// [`Error`]; per partition `NO_REASSIGNMENT_IN_PROGRESS` for a cancel of nothing,
    /// `INVALID_REPLICA_ASSIGNMENT`, `UNKNOWN_TOPIC_OR_PARTITION`.
    pub async fn alter_reassignments(
        &self,
        targets: &[ReplicaTarget],
    ) -> Result<Vec<Result<(), KafkaError>>, Error> {
        let mut results = Vec::with_capacity(targets.len());
        for part in targets.chunks(MAX_ITEMS) {
            let answer = self
                .session
                .call(|_| {
                    AlterPartitionReassignmentsRequest::default()
                        .with_timeout_ms(self.broker_timeout_ms())
                        .with_topics(by_topic_with_replicas(part))
                })
                .await?;
            let body = answer.body;
            self.check::<AlterPartitionReassignmentsRequest>(body.error_code, body.error_message.as_deref())?;
            let mut answers = HashMap::new();
            for topic in &body.responses {
                for partition in &topic.partitions {
                    let outcome = KafkaError::check(partition.error_code, partition.error_message.as_deref())
                        .map_err(|error| error.with_throttle(body.throttle_time_ms));
                    answers.insert((topic.name.0.as_str(), partition.partition_index), outcome);
                }
            }
            results.extend(part.iter().map(|target| {
                let key = (target.partition.topic.as_str(), target.partition.partition);
                answers.get(&key).cloned().unwrap_or_else(|| Err(not_answered()))
            }));
        }
        Ok(results)
    }

    /// Lists all partitions whose replicas are on the move.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list_reassignments(&self) -> Result<Vec<MovingPartition>, Error> {
        let answer = self
            .session
            .call(|_| {
                ListPartitionReassignmentsRequest::default()
                    .with_timeout_ms(self.broker_timeout_ms())
                    .with_topics(None)
            })
            .await?;
        let body = answer.body;
        self.check::<ListPartitionReassignmentsRequest>(body.error_code, body.error_message.as_deref())?;
        let moving = body.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| MovingPartition {
                partition: TopicPartition {
                    topic: our_topic_name(&topic.name),
                    partition: partition.partition_index,
                },
                replicas: our_nodes(&partition.replicas),
                adding: our_nodes(&partition.adding_replicas),
                removing: our_nodes(&partition.removing_replicas),
            })
        });
        Ok(moving.collect())
    }

    /// Elects leaders, of all partitions if `partitions` is `None`. With `None` the answer lists only
    /// partitions where something happened.
    ///
    /// # Errors
    /// [`Error`]; per partition `PREFERRED_LEADER_NOT_AVAILABLE`, `ELIGIBLE_LEADERS_NOT_AVAILABLE`.
    pub async fn elect_leaders(
        &self,
        kind: ElectionKind,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<PartitionElection>, Error> {
        let parts: Vec<Option<&[TopicPartition]>> = match partitions {
            None => vec![None],
            Some(partitions) => partitions.chunks(MAX_ITEMS).map(Some).collect(),
        };
        let mut found = Vec::new();
        for part in parts {
            let answer = self
                .session
                .call(|_| {
                    ElectLeadersRequest::default()
                        .with_election_type(match kind {
                            ElectionKind::Preferred => 0,
                            ElectionKind::Unclean => 1,
                        })
                        .with_topic_partitions(part.map(by_topic))
                        .with_timeout_ms(self.broker_timeout_ms())
                })
                .await?;
            self.check::<ElectLeadersRequest>(answer.body.error_code, None)?;
            for topic in &answer.body.replica_election_results {
                for result in &topic.partition_result {
                    let outcome = match KafkaError::check(result.error_code, result.error_message.as_deref())
                    {
                        Ok(()) => Ok(true),
                        Err(error) if error.code == ErrorCode::ELECTION_NOT_NEEDED => Ok(false),
                        Err(error) => Err(error),
                    };
                    let topic = our_topic_name(&topic.topic);
                    let partition = TopicPartition {
                        topic,
                        partition: result.partition_id,
                    };
                    found.push(PartitionElection { partition, outcome });
                }
            }
        }
        Ok(found)
    }
}

fn by_topic_with_replicas(targets: &[ReplicaTarget]) -> Vec<ReassignableTopic> {
    let mut topics: BTreeMap<&TopicName, Vec<ReassignablePartition>> = BTreeMap::new();
    for target in targets {
        let partition = ReassignablePartition::default()
            .with_partition_index(target.partition.partition)
            .with_replicas(target.replicas.as_deref().map(nodes));
        topics.entry(&target.partition.topic).or_default().push(partition);
    }
    let topics = topics.into_iter();
    topics
        .map(|(name, partitions)| {
            ReassignableTopic::default()
                .with_name(topic_name(name))
                .with_partitions(partitions)
        })
        .collect()
}

fn by_topic(partitions: &[TopicPartition]) -> Vec<TopicPartitions> {
    let mut topics: BTreeMap<&TopicName, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics
            .entry(&partition.topic)
            .or_default()
            .push(partition.partition);
    }
    let topics = topics.into_iter();
    topics
        .map(|(name, numbers)| {
            TopicPartitions::default()
                .with_topic(topic_name(name))
                .with_partitions(numbers)
        })
        .collect()
}
