//! Topics: what an agent does for a desired document, and what the provider shows as drift.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::placement::{Place, resize};
use crate::spec::ids::{Generation, KafkaUuid, NodeId, TopicName};
use crate::store::documents::{
    AppliedFailure, Phase, TopicDesired, TopicObserved, TopicTombstone, TopicsDesired, TopicsStatus,
};

/// A topic as Kafka has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaTopic {
    /// Its id.
    pub topic_id: KafkaUuid,
    /// The replicas of each partition, the preferred leader first, by partition.
    pub partitions: Vec<Vec<NodeId>>,
    /// Its own settings.
    pub config: BTreeMap<String, String>,
}

/// One thing to do. Each is safe when done twice, late, or by two agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicOperation {
    /// Creates a topic; Kafka places the replicas.
    Create {
        /// The name.
        name: TopicName,
        /// How many partitions.
        partitions: u32,
        /// `None`: the cluster's default.
        replication_factor: Option<u16>,
        /// Its settings.
        config: BTreeMap<String, String>,
    },
    /// Raises the number of partitions to `total`.
    AddPartitions {
        /// The topic.
        name: TopicName,
        /// How many there are afterwards.
        total: u32,
    },
    /// Sets settings, and takes others back to the cluster's default.
    AlterConfig {
        /// The topic.
        name: TopicName,
        /// To set.
        set: BTreeMap<String, String>,
        /// To take back.
        reset: BTreeSet<String>,
    },
    /// Gives partitions other replicas.
    Reassign {
        /// The topic.
        name: TopicName,
        /// The new replicas of those partitions that change.
        replicas: BTreeMap<u32, Vec<NodeId>>,
    },
    /// Deletes a topic by its id.
    Delete {
        /// The id.
        topic_id: KafkaUuid,
        /// For messages.
        name: TopicName,
    },
}

/// What to do for a desired document, and what cannot be done.
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicsPlan {
    /// What to do; deletions stand first.
    pub operations: Vec<TopicOperation>,
    /// What cannot be done, by name.
    pub failures: BTreeMap<TopicName, AppliedFailure>,
    /// Entries that wait for the deletion of an older topic with their name: plan again after it.
    pub waiting: BTreeSet<TopicName>,
    /// Entries and tombstones that need nothing (any more).
    pub settled: BTreeSet<TopicName>,
}

/// Compares what is wanted with what Kafka has.
///
/// `last` is the newest status that any agent has published: it tells up to which generation everything
/// was applied, and which topics were there before. `places` are the brokers that may take replicas.
///
/// *Assumes* that whoever writes an entry anew fills in the id that the status shows for it.
pub fn plan_topics(
    desired: &TopicsDesired,
    seen: &BTreeMap<TopicName, KafkaTopic>,
    last: &TopicsStatus,
    places: &[Place],
) -> TopicsPlan {
    let mut plan = TopicsPlan::default();
    for tombstone in &desired.tombstones {
        delete(&mut plan, tombstone, seen);
    }
    let mut load = load(seen);
    for (name, wanted) in &desired.keep {
        if wanted.generation <= last.applied {
            continue;
        }
        let is_on_its_way_out = |topic: &KafkaTopic| {
            desired
                .tombstones
                .iter()
                .any(|tombstone| tombstone.topic_id == topic.topic_id)
        };
        if wanted.topic_id.is_none() && seen.get(name).is_some_and(is_on_its_way_out) {
            plan.waiting.insert(name.clone());
            continue;
        }
        match keep(name, wanted, seen, last) {
            Verdict::Create => plan.operations.push(TopicOperation::Create {
                name: name.clone(),
                partitions: wanted.partitions,
                replication_factor: wanted.replication_factor,
                config: wanted.config.clone(),
            }),
            Verdict::Refuse(code, message) => {
                plan.failures
                    .insert(name.clone(), failure(wanted.generation, code, message));
            }
            Verdict::Compare(topic) => compare(&mut plan, name, wanted, topic, places, &mut load),
        }
    }
    plan
}

fn failure(generation: Generation, code: &str, message: String) -> AppliedFailure {
    AppliedFailure {
        generation,
        code: code.to_owned(),
        message,
    }
}

/// How many replicas each broker has.
fn load(seen: &BTreeMap<TopicName, KafkaTopic>) -> BTreeMap<NodeId, u32> {
    let mut load = BTreeMap::new();
    for replica in seen.values().flat_map(|topic| topic.partitions.iter().flatten()) {
        *load.entry(*replica).or_default() += 1;
    }
    load
}

fn delete(plan: &mut TopicsPlan, tombstone: &TopicTombstone, seen: &BTreeMap<TopicName, KafkaTopic>) {
    let is_there = seen.values().any(|topic| topic.topic_id == tombstone.topic_id);
    if is_there {
        plan.operations.push(TopicOperation::Delete {
            topic_id: tombstone.topic_id.clone(),
            name: tombstone.name.clone(),
        });
    } else {
        plan.settled.insert(tombstone.name.clone());
    }
}

enum Verdict<'a> {
    Create,
    Compare(&'a KafkaTopic),
    Refuse(&'static str, String),
}

fn keep<'a>(
    name: &TopicName,
    wanted: &TopicDesired,
    seen: &'a BTreeMap<TopicName, KafkaTopic>,
    last: &TopicsStatus,
) -> Verdict<'a> {
    match (&wanted.topic_id, seen.get(name)) {
        (None, None) => Verdict::Create,
        (Some(id), Some(topic)) if *id == topic.topic_id => Verdict::Compare(topic),
        (Some(_), Some(_)) => Verdict::Refuse(
            codes::REPLACED,
            format!(
                "topic `{name}` was deleted and another one was created under its name; nothing was changed. Import \
                 the new one after `terraform state rm`, or delete it"
            ),
        ),
        (Some(_), None) => Verdict::Refuse(
            codes::GONE,
            format!(
                "topic `{name}` was deleted outside Terraform; run `terraform apply` again to create it anew"
            ),
        ),
        // The last snapshot had it before this entry was looked at for the first time: somebody else's.
        (None, Some(_)) if wanted.claim.phase == Phase::Making && last.topics.contains_key(name) => {
            Verdict::Refuse(
                codes::EXISTS_ALREADY,
                format!("topic `{name}` exists already and was not made by this resource; import it"),
            )
        }
        // Made by an agent that died before it could tell.
        (None, Some(topic)) => Verdict::Compare(topic),
    }
}

fn compare(
    plan: &mut TopicsPlan,
    name: &TopicName,
    wanted: &TopicDesired,
    topic: &KafkaTopic,
    places: &[Place],
    load: &mut BTreeMap<NodeId, u32>,
) {
    let before = plan.operations.len();
    let partitions = u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX);
    if partitions > wanted.partitions {
        let message = format!(
            "topic `{name}` has {partitions} partitions, more than {}; Kafka cannot take any away",
            wanted.partitions
        );
        plan.failures.insert(
            name.clone(),
            failure(wanted.generation, codes::MORE_PARTITIONS, message),
        );
    }
    // First the replicas, so that new partitions are placed by Kafka with the same number of them.
    if let Some(factor) = wanted.replication_factor {
        reassign(plan, name, (wanted.generation, factor), topic, places, load);
    }
    if partitions < wanted.partitions {
        plan.operations.push(TopicOperation::AddPartitions {
            name: name.clone(),
            total: wanted.partitions,
        });
    }
    let set: BTreeMap<String, String> = wanted
        .config
        .iter()
        .filter(|(key, value)| topic.config.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let reset: BTreeSet<String> = wanted
        .config_reset
        .iter()
        .filter(|key| topic.config.contains_key(*key) && !wanted.config.contains_key(*key))
        .cloned()
        .collect();
    if !set.is_empty() || !reset.is_empty() {
        plan.operations.push(TopicOperation::AlterConfig {
            name: name.clone(),
            set,
            reset,
        });
    }
    if plan.operations.len() == before && !plan.failures.contains_key(name) {
        plan.settled.insert(name.clone());
    }
}

fn reassign(
    plan: &mut TopicsPlan,
    name: &TopicName,
    (generation, factor): (Generation, u16),
    topic: &KafkaTopic,
    places: &[Place],
    load: &mut BTreeMap<NodeId, u32>,
) {
    let mut changed = BTreeMap::new();
    for (partition, current) in (0_u32..).zip(&topic.partitions) {
        if current.len() == usize::from(factor) {
            continue;
        }
        let Some(replicas) = resize(current, usize::from(factor), places, load) else {
            let message = format!(
                "topic `{name}` cannot have {factor} replicas: {} brokers are there",
                places.len()
            );
            plan.failures
                .insert(name.clone(), failure(generation, codes::TOO_FEW_BROKERS, message));
            return;
        };
        changed.insert(partition, replicas);
    }
    if !changed.is_empty() {
        plan.operations.push(TopicOperation::Reassign {
            name: name.clone(),
            replicas: changed,
        });
    }
}

/// Who made a topic that was not there before and is in the way of its creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creator {
    /// An agent, for the same entry: it is ours.
    Agent,
    /// Perhaps an agent that is at it; it will tell.
    PerhapsAgent,
    /// Nobody whom we know.
    Stranger,
}

/// Judges by what the other agents say, each with whether it is alive.
///
/// More than one agent may take itself for the one in charge for a while; Kafka lets one of them create the
/// topic. Each writes down what it is about to create before it asks Kafka, and one whom Kafka refused asks
/// here.
pub fn creator<'a>(
    name: &TopicName,
    entry: Generation,
    agents: impl IntoIterator<Item = (&'a TopicsStatus, bool)>,
) -> Creator {
    let judge = |(status, is_alive): (&TopicsStatus, bool)| {
        let has_failed = status
            .failures
            .get(name)
            .is_some_and(|failure| failure.generation == entry);
        let tells = status.applied >= entry && status.topics.contains_key(name) && !has_failed;
        let was_at_it = status.creating.get(name) == Some(&entry);
        match (tells || was_at_it && !is_alive, was_at_it) {
            (true, _) => Creator::Agent,
            (false, true) => Creator::PerhapsAgent,
            (false, false) => Creator::Stranger,
        }
    };
    let judged: Vec<Creator> = agents.into_iter().map(judge).collect();
    let worth = [Creator::Agent, Creator::PerhapsAgent];
    let best = worth.into_iter().find(|creator| judged.contains(creator));
    best.unwrap_or(Creator::Stranger)
}

/// How a topic that Terraform keeps differs from what was seen of it.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicDrift {
    /// There is none.
    None,
    /// The topic is certainly gone.
    Gone,
    /// Another topic has its name: its id.
    Replaced(KafkaUuid),
    /// It is there, and this is other than wanted.
    Changed {
        /// The partitions seen, if other.
        partitions: Option<u32>,
        /// The replicas seen, if other. Not while a reassignment runs.
        replication_factor: Option<u16>,
        /// Settings that Terraform keeps: the value seen, `None` where the setting is not there.
        config: BTreeMap<String, Option<String>>,
    },
}

/// Compares an entry with a fresh snapshot. Settings that were never in `config` are not looked at.
pub fn topic_drift(entry: &TopicDesired, seen: Option<&TopicObserved>) -> TopicDrift {
    let Some(seen) = seen else {
        return TopicDrift::Gone;
    };
    if entry.topic_id.as_ref().is_some_and(|id| *id != seen.topic_id) {
        return TopicDrift::Replaced(seen.topic_id.clone());
    }
    let config: BTreeMap<String, Option<String>> = entry
        .config
        .iter()
        .filter(|(key, value)| seen.config.get(*key) != Some(value))
        .map(|(key, _)| (key.clone(), seen.config.get(key).cloned()))
        .collect();
    let partitions = (seen.partitions != entry.partitions).then_some(seen.partitions);
    let replication_factor = entry
        .replication_factor
        .filter(|factor| *factor != seen.replication_factor && !seen.is_reassigning)
        .map(|_| seen.replication_factor);
    if config.is_empty() && partitions.is_none() && replication_factor.is_none() {
        return TopicDrift::None;
    }
    TopicDrift::Changed {
        partitions,
        replication_factor,
        config,
    }
}

#[cfg(test)]
mod tests;
