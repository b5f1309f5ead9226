//! Topics. The document and the difference decide; here it is looked at, sent and remembered.

/// The requests of a plan.
mod send;

use std::collections::{BTreeMap, BTreeSet};

use super::ApplyError;
use super::kind::{Kind, Work};
use super::shared::Remaining;
use crate::kafka::client::{Admin, ConfigResource, ConfigScope, EndpointKind, TopicMetadata, TopicSelection};
use crate::node::context::Context;
use crate::node::hooks::stop_before_delete;
use crate::planner::access::placement::Place;
use crate::planner::access::topics::{KafkaTopic, plan_topics};
use crate::spec::ids::{Generation, KafkaUuid, NodeId, TopicName};
use crate::store::documents::keys::{PerNode, Single};
use crate::store::documents::{TopicDesired, TopicObserved, TopicsDesired, TopicsStatus};
use send::{Batches, Results};

/// Kafka answers with every setting a topic could have, some 3 KB each: asked in parts, so that the
/// answer for thousands of topics is never in memory at once.
const CONFIGS_AT_ONCE: usize = 100;

pub(super) struct Topics {
    work: Work<TopicsDesired, TopicsStatus>,
    seen: BTreeMap<TopicName, KafkaTopic>,
    /// Topics of which only the numbers are known, since we made them: their places are read when needed.
    thin: BTreeSet<TopicName>,
    moving: BTreeSet<TopicName>,
    /// Entries that are done, or were found to be ours, while others of the document still wait.
    done: BTreeMap<TopicName, Generation>,
    ours: BTreeMap<TopicName, Generation>,
    /// Entries whose creation Kafka refused once, since a topic of their name came up.
    contested: BTreeMap<TopicName, Generation>,
    brokers: Vec<NodeId>,
}

impl Kind for Topics {
    type Desired = TopicsDesired;
    type Status = TopicsStatus;

    fn work(&mut self) -> &mut Work<TopicsDesired, TopicsStatus> {
        &mut self.work
    }

    /// Reads all topics, their settings and their moves.
    async fn look(&mut self, admin: &Admin) -> Result<(), ApplyError> {
        let metadata = admin.describe_topics(TopicSelection::All).await?;
        self.brokers = metadata.nodes.iter().map(|node| node.id).collect();
        self.seen.clear();
        self.thin.clear();
        for (key, topic) in metadata.topics {
            let topic = match topic {
                Ok(topic) => topic,
                Err(error) if error.is_absent() => continue,
                Err(error) => return Err(error.into()),
            };
            let (Some(name), Some(id)) = (key.name, key.id) else {
                continue;
            };
            if !topic.is_internal {
                self.seen.insert(name, kafka_topic(id, &topic, BTreeMap::new()));
            }
        }
        let names: Vec<TopicName> = self.seen.keys().cloned().collect();
        for part in names.chunks(CONFIGS_AT_ONCE) {
            self.look_at_configs(admin, part).await?;
        }
        let moves = admin.list_reassignments().await?;
        self.moving = moves.into_iter().map(|moving| moving.partition.topic).collect();
        Ok(())
    }

    async fn send(
        &mut self,
        context: &Context,
        admin: &Admin,
        remaining: &mut Remaining,
    ) -> Result<(), ApplyError> {
        let waiting = self.waiting();
        self.thicken(admin, &waiting).await?;
        self.work.status.failures.retain(|name, failure| {
            let entry = self.work.desired.body.keep.get(name);
            entry.is_none_or(|entry| entry.generation == failure.generation)
        });
        let last = self.last(&waiting);
        self.count_brokers(context, admin, &waiting).await?;
        let plan = plan_topics(&waiting, &self.seen, &last, &self.places(context));
        let document = self.work.desired.generation;
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
        self.work.desired.check_fresh()?;
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
        self.work.status.failures.extend(results.failed);
        Ok(())
    }

    fn show(&mut self) {
        let applied = self.work.status.applied;
        self.done.retain(|_, generation| *generation > applied);
        self.ours.retain(|_, generation| *generation > applied);
        self.contested.retain(|_, generation| *generation > applied);
        self.work
            .status
            .creating
            .retain(|_, generation| *generation > applied);
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
        self.work.status.topics = self.seen.iter().map(observe).collect();
    }
}

impl Topics {
    pub(super) async fn load(context: &Context) -> Result<Self, ApplyError> {
        let mut work = Work::<_, TopicsStatus>::load(context, Single::Topics, PerNode::Topics).await?;
        // It speaks of who wrote it.
        work.status.creating.clear();
        Ok(Self {
            work,
            seen: BTreeMap::new(),
            thin: BTreeSet::new(),
            moving: BTreeSet::new(),
            done: BTreeMap::new(),
            ours: BTreeMap::new(),
            contested: BTreeMap::new(),
            brokers: Vec::new(),
        })
    }

    async fn look_at_configs(&mut self, admin: &Admin, names: &[TopicName]) -> Result<(), ApplyError> {
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
                (Err(error), _) if !error.is_absent() => return Err(error.into()),
                // Deleted in between.
                _ => {
                    self.seen.remove(name);
                }
            }
        }
        Ok(())
    }

    /// What of the document is still to be looked at.
    fn waiting(&self) -> TopicsDesired {
        let waits = |name: &TopicName, entry: &TopicDesired| {
            entry.generation > self.work.status.applied && self.done.get(name) != Some(&entry.generation)
        };
        TopicsDesired {
            keep: self
                .work
                .desired
                .body
                .keep
                .iter()
                .filter(|(name, entry)| waits(name, entry))
                .map(|(name, entry)| (name.clone(), entry.clone()))
                .collect(),
            tombstones: self.work.desired.body.tombstones.clone(),
        }
    }

    /// The last status as far as the plan asks for it: which of the waiting names were there before we
    /// looked at their entries for the first time.
    fn last(&self, waiting: &TopicsDesired) -> TopicsStatus {
        let topics = waiting
            .keep
            .iter()
            .filter(|(name, entry)| self.ours.get(*name) != Some(&entry.generation))
            .filter_map(|(name, _)| Some((name.clone(), self.work.status.topics.get(name)?.clone())));
        TopicsStatus {
            applied: self.work.status.applied,
            topics: topics.collect(),
            ..TopicsStatus::default()
        }
    }

    /// Reads the places of topics that we know by their numbers only and that are to be compared now.
    async fn thicken(&mut self, admin: &Admin, waiting: &TopicsDesired) -> Result<(), ApplyError> {
        let names = waiting.keep.keys().filter(|name| self.thin.contains(*name));
        let names: Vec<TopicName> = names.cloned().collect();
        self.look_at_places(admin, &names).await
    }

    async fn look_at_places(&mut self, admin: &Admin, names: &[TopicName]) -> Result<(), ApplyError> {
        if names.is_empty() {
            return Ok(());
        }
        let metadata = admin.describe_topics(TopicSelection::Names(names)).await?;
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

    /// Asks for the living brokers again where a topic wants more of them than the last look saw: one may
    /// have come back since.
    async fn count_brokers(
        &mut self,
        context: &Context,
        admin: &Admin,
        waiting: &TopicsDesired,
    ) -> Result<(), ApplyError> {
        let known = self.places(context).len();
        let wants_more = |entry: &TopicDesired| {
            entry
                .replication_factor
                .is_some_and(|factor| usize::from(factor) > known)
        };
        if waiting.keep.values().any(wants_more) {
            let cluster = admin.describe_cluster(EndpointKind::Brokers).await?;
            self.brokers = cluster.nodes.iter().map(|node| node.id).collect();
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
