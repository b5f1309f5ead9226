//! Which objects the addresses of this walk create, keep and destroy.
//!
//! Terraform never tells a provider the address that it plans for. Two addresses for one object show
//! all the same: one key is created twice, or is created while another address keeps or destroys it. The
//! second plan of a replacement also is a create, but brings the private state of the first along.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::spec::ids::{ClaimId, ClusterUid, StoreId};

/// The memory of one walk, by resource type and id.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    seen: Mutex<Seen>,
    warned: Mutex<HashSet<String>>,
    look_alikes: Mutex<HashMap<String, BTreeSet<String>>>,
    /// The clusters of which the existing topics are among the look-alikes.
    looked_at: tokio::sync::Mutex<HashSet<String>>,
}

/// A walk has thousands of objects, on few clusters.
#[derive(Debug, Default)]
struct Seen {
    objects: BTreeMap<(&'static str, Box<str>), Sighting>,
    clusters: Vec<(StoreId, ClusterUid)>,
}

#[derive(Debug, Default)]
struct Sighting {
    created: Option<Origin>,
    is_kept: bool,
    is_destroyed: bool,
    /// The claim, and the cluster's place in [`Seen::clusters`].
    held: Option<(usize, ClaimId)>,
}

/// What a state of this walk says of an object that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// The store.
    pub(crate) store: StoreId,
    /// The cluster.
    pub(crate) cluster: ClusterUid,
    /// The claim.
    pub(crate) claim: ClaimId,
}

/// Where a planned create comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A resource without state: a new one, or a tainted one.
    New,
    /// The second plan of a replacement.
    Replacement,
}

/// Two addresses for one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clash {
    /// Two resources of the configuration mean the same object.
    Twice,
    /// One address gives the object up and another one creates it.
    Moved,
}

impl Sightings {
    /// A state of this walk holds the object.
    pub(crate) fn hold(&self, resource: &'static str, id: &str, held: Held) {
        let Held {
            store,
            cluster,
            claim,
        } = held;
        let mut seen = self.lock();
        let place = (store, cluster);
        let known = seen.clusters.iter().position(|known| *known == place);
        let index = known.unwrap_or_else(|| {
            seen.clusters.push(place);
            seen.clusters.len() - 1
        });
        seen.at(resource, id).held = Some((index, claim));
    }

    /// What a state of this walk says of the object.
    pub(crate) fn held(&self, resource: &'static str, id: &str) -> Option<Held> {
        let mut seen = self.lock();
        let (index, claim) = seen.at(resource, id).held.clone()?;
        let (store, cluster) = seen.clusters.get(index).cloned()?;
        Some(Held {
            store,
            cluster,
            claim,
        })
    }

    /// An address plans to create the object.
    pub(crate) fn create(&self, resource: &'static str, id: &str, origin: Origin) -> Option<Clash> {
        self.at(resource, id, |seen| {
            let is_new = origin == Origin::New;
            let was_created = seen.created.is_some();
            seen.created = Some(origin);
            if was_created || (is_new && seen.is_kept) {
                Some(Clash::Twice)
            } else {
                (is_new && seen.is_destroyed).then_some(Clash::Moved)
            }
        })
    }

    /// An address plans to keep the object, changed or not.
    pub(crate) fn keep(&self, resource: &'static str, id: &str) -> Option<Clash> {
        self.at(resource, id, |seen| {
            let was_kept = seen.is_kept;
            seen.is_kept = true;
            (was_kept || seen.created == Some(Origin::New)).then_some(Clash::Twice)
        })
    }

    /// An address plans to destroy the object.
    pub(crate) fn destroy(&self, resource: &'static str, id: &str) -> Option<Clash> {
        self.at(resource, id, |seen| {
            seen.is_destroyed = true;
            (seen.created == Some(Origin::New)).then_some(Clash::Moved)
        })
    }

    /// The names of other topics that are the same but for `.` and `_`, as far as this walk knows.
    ///
    /// Every call makes this one known too.
    pub(crate) fn look_alikes(&self, cluster: &str, name: &str) -> Vec<String> {
        if !name.contains(['.', '_']) {
            return Vec::new();
        }
        let mut names = self.look_alikes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names
            .entry(format!("{cluster}/{}", name.replace('.', "_")))
            .or_default();
        let others = known.iter().filter(|known| *known != name).cloned().collect();
        known.insert(name.to_owned());
        others
    }

    /// Makes the topics known that exist on a cluster, once per walk; who comes meanwhile waits.
    pub(crate) async fn know_topics(&self, cluster: &str, list: impl AsyncFnOnce() -> Vec<String>) {
        let mut looked_at = self.looked_at.lock().await;
        if !looked_at.insert(cluster.to_owned()) {
            return;
        }
        for name in list().await {
            self.look_alikes(cluster, &name);
        }
    }

    /// Whether nothing was said about this cluster yet: one warning for thousands of objects.
    pub(crate) fn is_first_warning(&self, cluster: &str) -> bool {
        self.warned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(cluster.to_owned())
    }

    fn at<R>(&self, resource: &'static str, id: &str, work: impl FnOnce(&mut Sighting) -> R) -> R {
        work(self.lock().at(resource, id))
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn at(&mut self, resource: &'static str, id: &str) -> &mut Sighting {
        self.objects.entry((resource, id.into())).or_default()
    }
}

impl Clash {
    /// The finding: summary and detail.
    pub(crate) fn words(self, resource: &str, id: &str) -> (&'static str, String) {
        match self {
            Self::Twice => (
                "Two resources for one object",
                format!(
                    "Two resources of this configuration are `{id}`. Keep one of them. If one is the new address of the \
                     other, say so with a `moved` block and take the old one out:\n\nmoved {{\n  from = \
                     {resource}.<old>\n  to   = {resource}.<new>\n}}"
                ),
            ),
            Self::Moved => (
                "The same object under a new address",
                format!(
                    "This plan destroys `{id}` under one address and creates the same under another, as a renamed \
                     resource or a `for_each` with other keys does. Nothing needs to be destroyed: add a `moved` block, \
                     such as\n\nmoved {{\n  from = {resource}.<label>[\"<old key>\"]\n  to   = \
                     {resource}.<label>[\"<new key>\"]\n}}"
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clash, Origin, Sightings};

    const TOPIC: &str = "msk_topic";

    #[test]
    fn one_address_per_object_is_fine_however_it_is_planned() {
        let seen = Sightings::default();
        assert_eq!(seen.create(TOPIC, "c/new", Origin::New), None);
        assert_eq!(seen.keep(TOPIC, "c/kept"), None);
        assert_eq!(seen.create(TOPIC, "c/kept", Origin::Replacement), None);
        assert_eq!(seen.destroy(TOPIC, "c/gone"), None);
        assert_eq!(seen.create("msk_scram_secret", "c/gone", Origin::New), None);
    }

    #[test]
    fn two_creates_and_a_create_beside_a_kept_one_clash_in_any_order() {
        let seen = Sightings::default();
        seen.create(TOPIC, "a", Origin::New);
        assert_eq!(seen.create(TOPIC, "a", Origin::New), Some(Clash::Twice));
        seen.keep(TOPIC, "b");
        assert_eq!(seen.create(TOPIC, "b", Origin::New), Some(Clash::Twice));
        seen.create(TOPIC, "c", Origin::New);
        assert_eq!(seen.keep(TOPIC, "c"), Some(Clash::Twice));
        seen.keep(TOPIC, "d");
        assert_eq!(seen.keep(TOPIC, "d"), Some(Clash::Twice));
    }

    #[test]
    fn a_rekeyed_for_each_is_told_to_use_a_moved_block_in_any_order() {
        let seen = Sightings::default();
        seen.destroy(TOPIC, "a");
        assert_eq!(seen.create(TOPIC, "a", Origin::New), Some(Clash::Moved));
        seen.create(TOPIC, "b", Origin::New);
        assert_eq!(seen.destroy(TOPIC, "b"), Some(Clash::Moved));
        assert!(Clash::Moved.words(TOPIC, "a").1.contains("moved {"));
        assert!(Clash::Twice.words(TOPIC, "a").1.contains("moved {"));
    }
}
