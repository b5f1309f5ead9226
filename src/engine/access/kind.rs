//! Topics, ACLs and users as one: what the common operations need to know of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::clock::Timestamp;
use crate::spec::ids::{Generation, KafkaUuid, TopicName};
use crate::store::Document;
use crate::store::documents::keys::{PerNode, Single};
use crate::store::documents::{
    AclDesired, AclObserved, AclTombstone, AclsDesired, AclsStatus, AppliedFailure, ObjectClaim,
    TopicDesired, TopicObserved, TopicTombstone, TopicsDesired, TopicsStatus, UserDesired, UserObserved,
    UserTombstone, UsersDesired, UsersStatus, WrittenConfiguration,
};

/// One kind of object on a cluster.
pub trait Kind: fmt::Debug + Send + Sync + 'static {
    /// The word for people.
    const WORD: &'static str;
    /// The Terraform type.
    const RESOURCE: &'static str;
    /// Whether what was made elsewhere can be imported.
    const IS_IMPORTABLE: bool;
    /// Where the desired document lies.
    const DESIRED: Single;
    /// Where status documents lie.
    const STATUS: PerNode;
    /// What names an object.
    type Name: Ord + Clone + fmt::Display + fmt::Debug + Send + Sync + 'static;
    /// An object as wanted.
    type Entry: Clone + PartialEq + fmt::Debug + Send + Sync + 'static;
    /// An object as seen.
    type Seen: Clone + PartialEq + fmt::Debug + Send + Sync + 'static;
    /// The desired document.
    type Desired: Document + Default + Clone + fmt::Debug + 'static;
    /// The status document.
    type Status: Document + Default + fmt::Debug + 'static;

    /// What to keep.
    fn keep(desired: &Self::Desired) -> &BTreeMap<Self::Name, Self::Entry>;
    /// What to keep.
    fn keep_mut(desired: &mut Self::Desired) -> &mut BTreeMap<Self::Name, Self::Entry>;
    /// What was seen.
    fn seen(status: &Self::Status) -> &BTreeMap<Self::Name, Self::Seen>;
    /// What could not be applied.
    fn failures(status: &Self::Status) -> &BTreeMap<Self::Name, AppliedFailure>;
    /// Up to which generation everything was applied.
    fn applied(status: &Self::Status) -> Generation;
    /// When Kafka was last asked.
    fn observed_at(status: &Self::Status) -> Timestamp;
    /// Who made an entry.
    fn claim(entry: &Self::Entry) -> &ObjectClaim;
    /// Who made an entry.
    fn claim_mut(entry: &mut Self::Entry) -> &mut ObjectClaim;
    /// When an entry last changed.
    fn generation(entry: &Self::Entry) -> Generation;
    /// Sets when an entry last changed.
    fn renumber(entry: &mut Self::Entry, generation: Generation);
    /// Keeps from the entry before what a new one must not lose (a topic's id, settings to reset).
    fn inherit(entry: &mut Self::Entry, before: &Self::Entry, status: &Self::Status);
    /// Whether deleting is refused, given the cluster's protection.
    fn is_protected(entry: &Self::Entry, is_cluster_protected: bool) -> bool;
    /// The configuration as the user wrote it.
    fn written(entry: &Self::Entry) -> &WrittenConfiguration;
    /// Takes over what only the status knows (a topic's id).
    fn adopt(entry: &mut Self::Entry, seen: &Self::Seen);
    /// Whether what was seen under an entry's name is what the entry speaks of.
    fn is_same(entry: &Self::Entry, seen: &Self::Seen) -> bool;
    /// Writes the order to delete what an entry speaks of; `false` if nothing can be there.
    fn bury(
        desired: &mut Self::Desired,
        name: &Self::Name,
        entry: &Self::Entry,
        seen: Option<&Self::Seen>,
        generation: Generation,
    ) -> bool;
    /// The generation of the order to delete this name that is still in the document.
    fn buried_at(desired: &Self::Desired, name: &Self::Name) -> Option<Generation>;
    /// Drops orders that were carried out.
    fn prune(desired: &mut Self::Desired, applied: Generation);
}

/// [`Kind`] for topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topics;

/// [`Kind`] for ACLs, named by [`crate::store::documents::AclKey::id`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acls;

/// [`Kind`] for SCRAM users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Users;

/// The methods that read the same for every kind.
macro_rules! common {
    ($seen:ident) => {
        fn keep(desired: &Self::Desired) -> &BTreeMap<Self::Name, Self::Entry> {
            &desired.keep
        }
        fn keep_mut(desired: &mut Self::Desired) -> &mut BTreeMap<Self::Name, Self::Entry> {
            &mut desired.keep
        }
        fn seen(status: &Self::Status) -> &BTreeMap<Self::Name, Self::Seen> {
            &status.$seen
        }
        fn failures(status: &Self::Status) -> &BTreeMap<Self::Name, AppliedFailure> {
            &status.failures
        }
        fn applied(status: &Self::Status) -> Generation {
            status.applied
        }
        fn observed_at(status: &Self::Status) -> Timestamp {
            status.observed_at
        }
        fn claim(entry: &Self::Entry) -> &ObjectClaim {
            &entry.claim
        }
        fn claim_mut(entry: &mut Self::Entry) -> &mut ObjectClaim {
            &mut entry.claim
        }
        fn generation(entry: &Self::Entry) -> Generation {
            entry.generation
        }
        fn renumber(entry: &mut Self::Entry, generation: Generation) {
            entry.generation = generation;
        }
        fn written(entry: &Self::Entry) -> &WrittenConfiguration {
            &entry.written
        }
        fn prune(desired: &mut Self::Desired, applied: Generation) {
            desired
                .tombstones
                .retain(|tombstone| tombstone.generation > applied);
        }
    };
}

impl Kind for Topics {
    const WORD: &'static str = "topic";
    const RESOURCE: &'static str = "msk_topic";
    const IS_IMPORTABLE: bool = true;
    const DESIRED: Single = Single::Topics;
    const STATUS: PerNode = PerNode::Topics;
    type Name = TopicName;
    type Entry = TopicDesired;
    type Seen = TopicObserved;
    type Desired = TopicsDesired;
    type Status = TopicsStatus;

    common!(topics);

    fn adopt(entry: &mut TopicDesired, seen: &TopicObserved) {
        entry.topic_id.get_or_insert_with(|| seen.topic_id.clone());
    }

    fn inherit(entry: &mut TopicDesired, before: &TopicDesired, status: &TopicsStatus) {
        if entry.topic_id.is_none() {
            entry.topic_id.clone_from(&before.topic_id);
        }
        let taken_out = before
            .config
            .keys()
            .filter(|key| !entry.config.contains_key(*key));
        entry.config_reset = taken_out.cloned().collect();
        if before.generation > status.applied {
            let waiting = before.config_reset.iter();
            let waiting = waiting.filter(|key| !entry.config.contains_key(*key));
            entry.config_reset.extend(waiting.cloned());
        }
    }

    fn is_protected(entry: &TopicDesired, is_cluster_protected: bool) -> bool {
        entry.deletion_protection.unwrap_or(is_cluster_protected)
    }

    fn is_same(entry: &TopicDesired, seen: &TopicObserved) -> bool {
        entry.topic_id.as_ref().is_none_or(|id| *id == seen.topic_id)
    }

    fn bury(
        desired: &mut TopicsDesired,
        name: &TopicName,
        entry: &TopicDesired,
        seen: Option<&TopicObserved>,
        generation: Generation,
    ) -> bool {
        let seen_id: Option<&KafkaUuid> = seen.map(|seen| &seen.topic_id);
        let Some(topic_id) = entry.topic_id.as_ref().or(seen_id).cloned() else {
            return false;
        };
        desired.tombstones.push(TopicTombstone {
            name: name.clone(),
            topic_id,
            generation,
        });
        true
    }

    fn buried_at(desired: &TopicsDesired, name: &TopicName) -> Option<Generation> {
        let tombstones = desired.tombstones.iter();
        tombstones
            .filter(|tombstone| tombstone.name == *name)
            .map(|tombstone| tombstone.generation)
            .max()
    }
}

impl Kind for Acls {
    const WORD: &'static str = "ACL";
    const RESOURCE: &'static str = "msk_acl";
    const IS_IMPORTABLE: bool = true;
    const DESIRED: Single = Single::Acls;
    const STATUS: PerNode = PerNode::Acls;
    type Name = String;
    type Entry = AclDesired;
    type Seen = AclObserved;
    type Desired = AclsDesired;
    type Status = AclsStatus;

    common!(acls);

    fn adopt(_: &mut AclDesired, _: &AclObserved) {}

    fn inherit(_: &mut AclDesired, _: &AclDesired, _: &AclsStatus) {}

    fn is_protected(_: &AclDesired, _: bool) -> bool {
        false
    }

    fn is_same(_: &AclDesired, _: &AclObserved) -> bool {
        true
    }

    fn bury(
        desired: &mut AclsDesired,
        _: &String,
        entry: &AclDesired,
        seen: Option<&AclObserved>,
        generation: Generation,
    ) -> bool {
        let mut operations: BTreeSet<_> = entry.operations.clone();
        operations.extend(seen.into_iter().flat_map(|seen| seen.operations.iter().copied()));
        desired.tombstones.push(AclTombstone {
            key: entry.key.clone(),
            operations,
            generation,
        });
        true
    }

    fn buried_at(desired: &AclsDesired, name: &String) -> Option<Generation> {
        let tombstones = desired.tombstones.iter();
        tombstones
            .filter(|tombstone| tombstone.key.id() == *name)
            .map(|tombstone| tombstone.generation)
            .max()
    }
}

impl Kind for Users {
    const WORD: &'static str = "user";
    const RESOURCE: &'static str = "msk_scram_secret";
    const IS_IMPORTABLE: bool = false;
    const DESIRED: Single = Single::Users;
    const STATUS: PerNode = PerNode::Users;
    type Name = String;
    type Entry = UserDesired;
    type Seen = UserObserved;
    type Desired = UsersDesired;
    type Status = UsersStatus;

    common!(users);

    fn adopt(_: &mut UserDesired, _: &UserObserved) {}

    fn inherit(_: &mut UserDesired, _: &UserDesired, _: &UsersStatus) {}

    fn is_protected(_: &UserDesired, _: bool) -> bool {
        false
    }

    fn is_same(_: &UserDesired, _: &UserObserved) -> bool {
        true
    }

    fn bury(
        desired: &mut UsersDesired,
        name: &String,
        entry: &UserDesired,
        _: Option<&UserObserved>,
        generation: Generation,
    ) -> bool {
        desired.tombstones.push(UserTombstone {
            username: name.clone(),
            mechanism: entry.mechanism.clone(),
            generation,
        });
        true
    }

    fn buried_at(desired: &UsersDesired, name: &String) -> Option<Generation> {
        let tombstones = desired.tombstones.iter();
        tombstones
            .filter(|tombstone| tombstone.username == *name)
            .map(|tombstone| tombstone.generation)
            .max()
    }
}
