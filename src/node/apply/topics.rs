//! Topics. The document and the difference decide; here it is sent and remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::ApplyError;
use super::shared::{Followed, Outcome, Published, Remaining, Snapshot, judge, statuses};
use crate::clock::Timestamp;
use crate::kafka::client::{
    Admin, Apply, ConfigChange, ConfigEdit, ConfigResource, ConfigScope, ErrorCode, KafkaError,
    NewPartitions, NewTopic, ReplicaTarget, TopicLayout, TopicMetadata, TopicPartition, TopicSelection,
};
use crate::node::context::Context;
use crate::node::hooks::stop_before_delete;
use crate::planner::access::codes;
use crate::planner::access::placement::Place;
use crate::planner::access::topics::{KafkaTopic, TopicOperation, plan_topics};
use crate::spec::ids::{Generation, KafkaUuid, NodeId, TopicName};
use crate::store::documents::keys::{PerNode, Single};
use crate::store::documents::{AppliedFailure, TopicDesired, TopicObserved, TopicsDesired, TopicsStatus};

/// Another agent may have made a topic and not told it yet.
const TOLD_WITHIN: Duration = Duration::from_millis(500);

pub(super) struct Topics {
    desired: Followed<TopicsDesired>,
    status: TopicsStatus,
    published: Published<TopicsStatus>,
    seen: BTreeMap<TopicName, KafkaTopic>,
    /// Topics of which only the numbers are known, since we made them: their places are read when needed.
    thin: BTreeSet<TopicName>,
    moving: BTreeSet<TopicName>,
    /// Entries that are done, or were found to be ours, while others of the document still wait.
    done: BTreeMap<TopicName, Generation>,
    ours: BTreeMap<TopicName, Generation>,
    brokers: Vec<NodeId>,
    snapshot: Snapshot,
}

impl Topics {
    pub(super) async fn load(context: &Context) -> Result<Self, ApplyError> {
        let all = statuses::<TopicsStatus>(context, PerNode::Topics).await?;
        let status = all
            .into_iter()
            .max_by_key(|status| (status.applied, status.observed_at))
            .unwrap_or_default();
        Ok(Self {
            desired: Followed::new(context, Single::Topics)?,
            status,
            published: Published::new(context, PerNode::Topics).await?,
            seen: BTreeMap::new(),
            thin: BTreeSet::new(),
            moving: BTreeSet::new(),
            done: BTreeMap::new(),
            ours: BTreeMap::new(),
            brokers: Vec::new(),
            snapshot: Snapshot::none(),
        })
    }

    pub(super) async fn apply(&mut self, context: &Context, admin: &Admin) -> Result<Instant, ApplyError> {
        if self.snapshot.is_due() {
            self.look(admin).await?;
        }
        self.desired.refresh(context).await?;
        let mut remaining = Remaining::default();
        if self.desired.generation > self.status.applied {
            let sent = self.send(context, admin, &mut remaining).await;
            if sent.is_err() {
                self.snapshot.forget();
            }
            sent?;
            self.status.applied = remaining.applied(self.desired.generation, self.status.applied);
            let applied = self.status.applied;
            self.done.retain(|_, generation| *generation > applied);
            self.ours.retain(|_, generation| *generation > applied);
        }
        self.status.topics = self.observed();
        self.published.publish(context, &self.status).await?;
        remaining.check()?;
        Ok(self.snapshot.next())
    }

    /// Reads all topics, their settings and their moves.
    async fn look(&mut self, admin: &Admin) -> Result<(), ApplyError> {
        let observed_at = Timestamp::now();
        let metadata = admin.describe_topics(TopicSelection::All).await?;
        self.brokers = metadata.nodes.iter().map(|node| node.id).collect();
        self.seen.clear();
        self.thin.clear();
        for (key, topic) in metadata.topics {
            let (Some(name), Some(id), Ok(topic)) = (key.name, key.id, topic) else {
                continue;
            };
            if !topic.is_internal {
                self.seen.insert(name, kafka_topic(id, &topic, BTreeMap::new()));
            }
        }
        let names: Vec<TopicName> = self.seen.keys().cloned().collect();
        let resources: Vec<_> = names.iter().cloned().map(ConfigResource::Topic).collect();
        let configs = admin.describe_configs(&resources, ConfigScope::Overrides).await?;
        for (name, config) in names.iter().zip(configs) {
            match (config, self.seen.get_mut(name)) {
                (Ok(entries), Some(topic)) => {
                    let visible = entries.into_iter().filter(|entry| !entry.is_sensitive);
                    topic.config = visible
                        .filter_map(|entry| Some((entry.name, entry.value?)))
                        .collect();
                }
                // Deleted in between.
                _ => {
                    self.seen.remove(name);
                }
            }
        }
        let moves = admin.list_reassignments().await?;
        self.moving = moves.into_iter().map(|moving| moving.partition.topic).collect();
        self.status.observed_at = observed_at;
        self.snapshot.taken();
        Ok(())
    }

    /// What of the document is still to be looked at.
    fn waiting(&self) -> TopicsDesired {
        let waits = |name: &TopicName, entry: &TopicDesired| {
            entry.generation > self.status.applied && self.done.get(name) != Some(&entry.generation)
        };
        TopicsDesired {
            keep: self
                .desired
                .body
                .keep
                .iter()
                .filter(|(name, entry)| waits(name, entry))
                .map(|(name, entry)| (name.clone(), entry.clone()))
                .collect(),
            tombstones: self.desired.body.tombstones.clone(),
        }
    }

    /// The last status as far as the plan asks for it: which of the waiting names were there before we
    /// looked at their entries for the first time.
    fn last(&self, waiting: &TopicsDesired) -> TopicsStatus {
        let topics = waiting
            .keep
            .iter()
            .filter(|(name, entry)| self.ours.get(*name) != Some(&entry.generation))
            .filter_map(|(name, _)| Some((name.clone(), self.status.topics.get(name)?.clone())));
        TopicsStatus {
            applied: self.status.applied,
            topics: topics.collect(),
            ..TopicsStatus::default()
        }
    }

    async fn send(
        &mut self,
        context: &Context,
        admin: &Admin,
        remaining: &mut Remaining,
    ) -> Result<(), ApplyError> {
        let waiting = self.waiting();
        self.thicken(admin, &waiting).await?;
        self.status.failures.retain(|name, failure| {
            let entry = self.desired.body.keep.get(name);
            entry.is_none_or(|entry| entry.generation == failure.generation)
        });
        let last = self.last(&waiting);
        let plan = plan_topics(&waiting, &self.seen, &last, &self.places(context));
        let document = self.desired.generation;
        let generation = |name: &TopicName| {
            waiting.keep.get(name).map_or_else(
                || {
                    let tombstones = waiting.tombstones.iter();
                    let of_name = tombstones.filter(|tombstone| tombstone.name == *name);
                    let newest = of_name.map(|tombstone| tombstone.generation).max();
                    newest.unwrap_or(document)
                },
                |entry| entry.generation,
            )
        };
        for (name, entry) in &waiting.keep {
            if !plan.failures.contains_key(name) {
                self.ours.insert(name.clone(), entry.generation);
            }
        }
        let mut results = Results::default();
        for name in &plan.waiting {
            results.wait(
                name.clone(),
                "waits for the deletion of an older topic of its name",
            );
        }
        for (name, failure) in plan.failures {
            results.failed.insert(name, failure);
        }
        let batches = Batches::sort(plan.operations);
        self.desired.check_fresh()?;
        if !batches.delete.is_empty() {
            stop_before_delete(context.node_id());
        }
        self.delete(admin, batches.delete, &generation, &mut results)
            .await?;
        self.create(context, admin, batches.create, &generation, &mut results)
            .await?;
        self.reassign(admin, batches.reassign, &generation, &mut results)
            .await?;
        self.add_partitions(admin, batches.add, &generation, &mut results)
            .await?;
        self.alter_configs(admin, batches.alter, &generation, &mut results)
            .await?;
        for (name, what) in &results.waiting {
            remaining.add(generation(name), format!("topic `{name}`: {what}"));
        }
        for (name, entry) in &waiting.keep {
            if !results.waiting.contains_key(name) {
                self.done.insert(name.clone(), entry.generation);
            }
        }
        self.status.failures.extend(results.failed);
        Ok(())
    }

    /// Reads the places of topics that we know by their numbers only and that are to be compared now.
    async fn thicken(&mut self, admin: &Admin, waiting: &TopicsDesired) -> Result<(), ApplyError> {
        let names: Vec<TopicName> = waiting
            .keep
            .keys()
            .filter(|name| self.thin.contains(*name))
            .cloned()
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let metadata = admin.describe_topics(TopicSelection::Names(&names)).await?;
        for (key, topic) in metadata.topics {
            let Some(name) = key.name else { continue };
            match (key.id, topic) {
                (Some(id), Ok(topic)) => {
                    let before = self.seen.remove(&name);
                    let config = before
                        .filter(|before| before.topic_id == id)
                        .map(|before| before.config)
                        .unwrap_or_default();
                    self.thin.remove(&name);
                    self.seen.insert(name, kafka_topic(id, &topic, config));
                }
                (_, Err(error)) if error.is_absent() => {
                    self.thin.remove(&name);
                    self.seen.remove(&name);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The brokers that may take replicas: those of the document that are live.
    fn places(&self, context: &Context) -> Vec<Place> {
        let Some(desired) = context.desired() else {
            return Vec::new();
        };
        desired
            .cluster
            .nodes
            .iter()
            .filter(|node| node.is_broker && self.brokers.contains(&node.id))
            .map(|node| Place {
                broker: node.id,
                zone: node.zone.clone(),
            })
            .collect()
    }

    async fn delete(
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

    async fn create(
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
        let answers = admin.create_topics(&topics, Apply::Now).await?;
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

    /// A topic came up since we last looked: another agent made it for the same entry and says so, or
    /// it is somebody else's.
    async fn exists(
        &mut self,
        context: &Context,
        name: TopicName,
        generation: &impl Fn(&TopicName) -> Generation,
        results: &mut Results,
    ) -> Result<(), ApplyError> {
        let entry = generation(&name);
        for pause in [Duration::ZERO, TOLD_WITHIN] {
            tokio::time::sleep(pause).await;
            let all = statuses::<TopicsStatus>(context, PerNode::Topics).await?;
            let told = all.into_iter().any(|status| {
                let failed = status.failures.get(&name);
                status.applied >= entry
                    && status.topics.contains_key(&name)
                    && failed.is_none_or(|failure| failure.generation != entry)
            });
            if told {
                self.snapshot.forget();
                results.wait(name, "another agent made it");
                return Ok(());
            }
        }
        self.snapshot.forget();
        let message = format!("topic `{name}` exists already and was not made by this resource; import it");
        let failure = AppliedFailure {
            generation: entry,
            code: codes::EXISTS_ALREADY.to_owned(),
            message,
        };
        results.failed.insert(name, failure);
        Ok(())
    }

    async fn reassign(
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

    async fn add_partitions(
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
            match answer {
                Ok(()) => {
                    if let Some(seen) = self.seen.get_mut(&change.topic) {
                        let like = seen.partitions.first().cloned().unwrap_or_default();
                        let total = usize::try_from(change.total).unwrap_or_default();
                        seen.partitions.resize(total.max(seen.partitions.len()), like);
                        self.thin.insert(change.topic);
                    }
                }
                Err(error) => results.note(&change.topic, &error, generation(&change.topic)),
            }
        }
        Ok(())
    }

    async fn alter_configs(
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

    fn observed(&self) -> BTreeMap<TopicName, TopicObserved> {
        let observe = |(name, topic): (&TopicName, &KafkaTopic)| {
            let observed = TopicObserved {
                topic_id: topic.topic_id.clone(),
                partitions: u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX),
                replication_factor: most_frequent_factor(topic),
                config: topic.config.clone(),
                is_reassigning: self.moving.contains(name),
            };
            (name.clone(), observed)
        };
        self.seen.iter().map(observe).collect()
    }
}

fn kafka_topic(topic_id: KafkaUuid, topic: &TopicMetadata, config: BTreeMap<String, String>) -> KafkaTopic {
    KafkaTopic {
        topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| partition.replicas.clone())
            .collect(),
        config,
    }
}

fn most_frequent_factor(topic: &KafkaTopic) -> u16 {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for replicas in &topic.partitions {
        *counts.entry(replicas.len()).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.and_then(|(factor, _)| u16::try_from(factor).ok())
        .unwrap_or_default()
}

/// What became of entries and tombstones, by name.
#[derive(Default)]
struct Results {
    failed: BTreeMap<TopicName, AppliedFailure>,
    waiting: BTreeMap<TopicName, String>,
}

impl Results {
    fn wait(&mut self, name: TopicName, what: impl Into<String>) {
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

struct Alteration {
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
struct Batches {
    delete: Vec<(KafkaUuid, TopicName)>,
    create: Vec<NewTopic>,
    reassign: Vec<(TopicName, BTreeMap<u32, Vec<NodeId>>)>,
    add: Vec<NewPartitions>,
    alter: Vec<Alteration>,
}

impl Batches {
    fn sort(operations: Vec<TopicOperation>) -> Self {
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
