//! Sends what a plan of topics wants, one request per kind of operation, and remembers what came of it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::ApplyError;
use super::super::kind::Kind as _;
use super::super::shared::{Outcome, judge, statuses};
use super::super::spread::catch_up;
use super::Topics;
use crate::kafka::client::{
    Admin, Apply, ConfigChange, ConfigEdit, ConfigResource, ErrorCode, KafkaError, NewPartitions, NewTopic,
    ReplicaTarget, TopicLayout, TopicPartition,
};
use crate::node::context::Context;
use crate::node::hooks::stop_after_create;
use crate::node::observer;
use crate::planner::access::codes;
use crate::planner::access::topics::{Creator, KafkaTopic, TopicOperation, creator};
use crate::spec::ids::{Generation, KafkaUuid, NodeId, TopicName};
use crate::store::documents::keys::PerNode;
use crate::store::documents::{AppliedFailure, TopicsStatus};

impl Topics {
    pub(super) async fn delete(
        &mut self,
        admin: &Admin,
        topics: Vec<(KafkaUuid, TopicName)>,
        generation: &impl Fn(&TopicName) -> Generation,
        results: &mut Results,
    ) -> Result<(), ApplyError> {
        if topics.is_empty() {
            return Ok(());
        }
        let ids: Vec<KafkaUuid> = topics.iter().map(|(id, _)| id.clone()).collect();
        for ((id, name), result) in topics.into_iter().zip(admin.delete_topics_by_id(&ids).await?) {
            match result {
                Err(error) if !error.is_absent() => results.note(&name, &error, generation(&name)),
                _ => {
                    if self.seen.get(&name).is_some_and(|topic| topic.topic_id == id) {
                        self.seen.remove(&name);
                        self.thin.remove(&name);
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) async fn create(
        &mut self,
        context: &Context,
        admin: &Admin,
        topics: Vec<NewTopic>,
        generation: &impl Fn(&TopicName) -> Generation,
        results: &mut Results,
    ) -> Result<(), ApplyError> {
        if topics.is_empty() {
            return Ok(());
        }
        self.announce(context, &topics, generation).await?;
        let answers = admin.create_topics(&topics, Apply::Now).await?;
        stop_after_create(context.node_id());
        for (topic, answer) in topics.into_iter().zip(answers) {
            let name = topic.name;
            match answer {
                Ok(created) => {
                    let Some(topic_id) = created.id else {
                        results.wait(name, "Kafka did not tell its id");
                        continue;
                    };
                    let count = |number: Option<i32>| number.and_then(|number| usize::try_from(number).ok());
                    let factor = created.replication_factor.map(i32::from);
                    let nobody = NodeId(u32::MAX);
                    let replicas = vec![nobody; count(factor).unwrap_or_default()];
                    let partitions = vec![replicas; count(created.partitions).unwrap_or_default()];
                    let config = topic.configs.into_iter().collect();
                    self.thin.insert(name.clone());
                    self.seen.insert(
                        name,
                        KafkaTopic {
                            topic_id,
                            partitions,
                            config,
                        },
                    );
                }
                Err(error) if error.code == ErrorCode::TOPIC_ALREADY_EXISTS => {
                    self.exists(context, name, generation, results).await?;
                }
                Err(error) => results.note(&name, &error, generation(&name)),
            }
        }
        Ok(())
    }

    /// Writes down what is about to be created, for another agent that takes itself for the one in charge.
    async fn announce(
        &mut self,
        context: &Context,
        topics: &[NewTopic],
        generation: &impl Fn(&TopicName) -> Generation,
    ) -> Result<(), ApplyError> {
        for topic in topics {
            let entry = generation(&topic.name);
            // Two agents that a stranger came before would wait for each other.
            if self.contested.get(&topic.name) != Some(&entry) {
                self.work.status.creating.insert(topic.name.clone(), entry);
            }
        }
        self.show();
        self.work.publish(context).await?;
        self.work.desired.check_fresh()
    }

    /// A topic came up since we last looked: another agent made it for the same entry, or it is somebody
    /// else's.
    async fn exists(
        &mut self,
        context: &Context,
        name: TopicName,
        generation: &impl Fn(&TopicName) -> Generation,
        results: &mut Results,
    ) -> Result<(), ApplyError> {
        let entry = generation(&name);
        self.work.status.creating.remove(&name);
        self.contested.insert(name.clone(), entry);
        let agents = statuses::<TopicsStatus>(context, PerNode::Topics).await?;
        let agents = agents.iter().filter(|(id, _)| *id != context.node_id());
        match creator(
            &name,
            entry,
            agents.map(|(id, status)| (status, is_alive(context, *id))),
        ) {
            Creator::Agent => {
                self.work.snapshot.forget();
                results.wait(name, "another agent made it");
                return Ok(());
            }
            Creator::PerhapsAgent => {
                results.wait(name, "another agent is about to tell whether it made it");
                return Ok(());
            }
            Creator::Stranger => {}
        }
        self.work.snapshot.forget();
        let message = format!("topic `{name}` exists already and was not made by this resource; import it");
        let failure = AppliedFailure {
            generation: entry,
            code: codes::EXISTS_ALREADY.to_owned(),
            message,
        };
        results.failed.insert(name, failure);
        Ok(())
    }

    pub(super) async fn reassign(
        &mut self,
        admin: &Admin,
        moves: Vec<(TopicName, BTreeMap<u32, Vec<NodeId>>)>,
        generation: &impl Fn(&TopicName) -> Generation,
        results: &mut Results,
    ) -> Result<(), ApplyError> {
        let mut targets = Vec::new();
        for (name, replicas) in moves {
            for (partition, replicas) in replicas {
                targets.push(ReplicaTarget {
                    partition: TopicPartition {
                        topic: name.clone(),
                        partition: i32::try_from(partition).unwrap_or(i32::MAX),
                    },
                    replicas: Some(replicas),
                });
            }
        }
        if targets.is_empty() {
            return Ok(());
        }
        let answers = admin.alter_reassignments(&targets).await?;
        for (target, answer) in targets.into_iter().zip(answers) {
            let TopicPartition { topic, partition } = target.partition;
            match answer {
                Ok(()) => {
                    let place = self.seen.get_mut(&topic).and_then(|seen| {
                        let partition = usize::try_from(partition).ok()?;
                        seen.partitions.get_mut(partition)
                    });
                    if let (Some(place), Some(replicas)) = (place, target.replicas) {
                        *place = replicas;
                    }
                    self.moving.insert(topic);
                }
                Err(error) => results.note(&topic, &error, generation(&topic)),
            }
        }
        Ok(())
    }

    pub(super) async fn add_partitions(
        &mut self,
        admin: &Admin,
        changes: Vec<NewPartitions>,
        generation: &impl Fn(&TopicName) -> Generation,
        results: &mut Results,
    ) -> Result<(), ApplyError> {
        if changes.is_empty() {
            return Ok(());
        }
        let answers = admin.create_partitions(&changes, Apply::Now).await?;
        for (change, answer) in changes.into_iter().zip(answers) {
            let total = usize::try_from(change.total).unwrap_or_default();
            match answer {
                Ok(()) => {
                    if let Some(seen) = self.seen.get_mut(&change.topic) {
                        let like = seen.partitions.first().cloned().unwrap_or_default();
                        seen.partitions.resize(total.max(seen.partitions.len()), like);
                        self.thin.insert(change.topic);
                    }
                }
                // Perhaps another agent was faster.
                Err(error) if error.code == ErrorCode::INVALID_PARTITIONS => {
                    catch_up(admin).await?;
                    self.look_at_places(admin, std::slice::from_ref(&change.topic))
                        .await?;
                    let seen = self.seen.get(&change.topic);
                    if seen.is_none_or(|seen| seen.partitions.len() != total) {
                        results.note(&change.topic, &error, generation(&change.topic));
                    }
                }
                Err(error) => results.note(&change.topic, &error, generation(&change.topic)),
            }
        }
        Ok(())
    }

    pub(super) async fn alter_configs(
        &mut self,
        admin: &Admin,
        changes: Vec<Alteration>,
        generation: &impl Fn(&TopicName) -> Generation,
        results: &mut Results,
    ) -> Result<(), ApplyError> {
        if changes.is_empty() {
            return Ok(());
        }
        let requests: Vec<ConfigChange> = changes.iter().map(Alteration::request).collect();
        let answers = admin.alter_configs(&requests, Apply::Now).await?;
        for (change, answer) in changes.into_iter().zip(answers) {
            match answer {
                Ok(()) => {
                    if let Some(seen) = self.seen.get_mut(&change.name) {
                        seen.config.retain(|name, _| !change.reset.contains(name));
                        seen.config.extend(change.set);
                    }
                }
                Err(error) => results.note(&change.name, &error, generation(&change.name)),
            }
        }
        Ok(())
    }
}

/// Whether the agent of another node was heard of lately.
fn is_alive(context: &Context, id: NodeId) -> bool {
    let peers = context.peers.borrow();
    peers
        .iter()
        .any(|peer| peer.node_id == id && observer::is_fresh(peer))
}

/// What became of entries and tombstones, by name.
#[derive(Default)]
pub(super) struct Results {
    pub(super) failed: BTreeMap<TopicName, AppliedFailure>,
    pub(super) waiting: BTreeMap<TopicName, String>,
}

impl Results {
    pub(super) fn wait(&mut self, name: TopicName, what: impl Into<String>) {
        self.waiting.insert(name, what.into());
    }

    fn note(&mut self, name: &TopicName, error: &KafkaError, generation: Generation) {
        match judge(error, generation) {
            Outcome::Done => {}
            Outcome::Pending(what) => self.wait(name.clone(), what),
            Outcome::Failed(failure) => {
                self.failed.insert(name.clone(), failure);
            }
        }
    }
}

pub(super) struct Alteration {
    name: TopicName,
    set: BTreeMap<String, String>,
    reset: BTreeSet<String>,
}

impl Alteration {
    fn request(&self) -> ConfigChange {
        let sets = self
            .set
            .iter()
            .map(|(name, value)| (name.clone(), ConfigEdit::Set(value.clone())));
        let resets = self.reset.iter().map(|name| (name.clone(), ConfigEdit::Delete));
        ConfigChange {
            resource: ConfigResource::Topic(self.name.clone()),
            edits: sets.chain(resets).collect(),
        }
    }
}

/// The operations of a plan, one list per request.
#[derive(Default)]
pub(super) struct Batches {
    pub(super) delete: Vec<(KafkaUuid, TopicName)>,
    pub(super) create: Vec<NewTopic>,
    pub(super) reassign: Vec<(TopicName, BTreeMap<u32, Vec<NodeId>>)>,
    pub(super) add: Vec<NewPartitions>,
    pub(super) alter: Vec<Alteration>,
}

impl Batches {
    pub(super) fn sort(operations: Vec<TopicOperation>) -> Self {
        let mut batches = Self::default();
        for operation in operations {
            match operation {
                TopicOperation::Delete { topic_id, name } => batches.delete.push((topic_id, name)),
                TopicOperation::Create {
                    name,
                    partitions,
                    replication_factor,
                    config,
                } => batches.create.push(NewTopic {
                    name,
                    layout: TopicLayout::Counts {
                        partitions: i32::try_from(partitions).ok(),
                        replication_factor: replication_factor.and_then(|factor| i16::try_from(factor).ok()),
                    },
                    configs: config.into_iter().collect(),
                }),
                TopicOperation::Reassign { name, replicas } => batches.reassign.push((name, replicas)),
                TopicOperation::AddPartitions { name, total } => batches.add.push(NewPartitions {
                    topic: name,
                    total: i32::try_from(total).unwrap_or(i32::MAX),
                    places: None,
                }),
                TopicOperation::AlterConfig { name, set, reset } => {
                    batches.alter.push(Alteration { name, set, reset });
                }
            }
        }
        batches
    }
}
