//! A home behaves like a map with versions, whatever is done to it in whatever order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{World, key};
use crate::store::{Deleted, Durability, Key, Look, Prefix, Store, Version, Written};

#[derive(Debug, Clone)]
enum Action {
    Get(Key),
    PutIfAbsent(Key, u8),
    PutIfMatch(Key, u8, Known),
    Put(Key, u8),
    Delete(Key),
    DeleteIfMatch(Key, Known),
    List(Prefix, Option<Key>, usize),
}

/// Which version a conditional action names.
#[derive(Debug, Clone, Copy)]
enum Known {
    Present,
    Former,
}

fn any_key() -> impl Strategy<Value = Key> {
    prop::sample::select(vec![
        "a.json",
        "a/b.json",
        "a/c/d.json",
        "a-/b.json",
        "b.json",
        "b/b/b/b.json",
    ])
    .prop_map(key)
}

fn any_known() -> impl Strategy<Value = Known> {
    prop_oneof![3 => Just(Known::Present), 1 => Just(Known::Former)]
}

fn any_action() -> impl Strategy<Value = Action> {
    let prefix = prop::sample::select(vec!["", "a/", "b/b/", "none/"]);
    prop_oneof![
        any_key().prop_map(Action::Get),
        // Few contents, so that the same bytes come again.
        (any_key(), 0u8..2).prop_map(|(key, text)| Action::PutIfAbsent(key, text)),
        (any_key(), 0u8..2, any_known()).prop_map(|(key, text, known)| Action::PutIfMatch(key, text, known)),
        (any_key(), 0u8..2).prop_map(|(key, text)| Action::Put(key, text)),
        any_key().prop_map(Action::Delete),
        (any_key(), any_known()).prop_map(|(key, known)| Action::DeleteIfMatch(key, known)),
        (prefix, prop::option::of(any_key()), 1usize..4).prop_map(|(prefix, after, size)| Action::List(
            Prefix::parse(prefix).unwrap(),
            after,
            size
        )),
    ]
}

#[derive(Default)]
struct Model {
    documents: BTreeMap<Key, (Vec<u8>, Version)>,
    former: BTreeMap<Key, Version>,
}

impl Model {
    fn version(&self, key: &Key, known: Known) -> Option<Version> {
        match known {
            Known::Present => self.documents.get(key).map(|document| document.1.clone()),
            Known::Former => self.former.get(key).cloned(),
        }
    }

    fn is_present(&self, key: &Key, version: &Version) -> bool {
        self.documents
            .get(key)
            .is_some_and(|document| document.1 == *version)
    }

    fn put(&mut self, key: &Key, text: u8, version: Version) {
        if let Some((_, former)) = self.documents.insert(key.clone(), (vec![text], version)) {
            self.former.insert(key.clone(), former);
        }
    }

    fn delete(&mut self, key: &Key) -> bool {
        let Some((_, former)) = self.documents.remove(key) else {
            return false;
        };
        self.former.insert(key.clone(), former);
        true
    }

    async fn check(&mut self, store: &Store, action: Action) {
        match action {
            Action::Get(key) => {
                let found = store
                    .get(&key)
                    .await
                    .unwrap()
                    .map(|s| (s.bytes.to_vec(), s.version));
                assert_eq!(found.as_ref(), self.documents.get(&key));
                let former = self
                    .former
                    .get(&key)
                    .filter(|former| found.as_ref().is_none_or(|(_, version)| version != *former));
                if let Some(former) = former {
                    let looked = store.look(&key, Some(former)).await.unwrap();
                    assert_ne!(looked, Look::Unchanged, "a version never comes back");
                    assert_eq!(looked == Look::Absent, found.is_none());
                }
                if let Some((_, version)) = &found {
                    let looked = store.look(&key, Some(version)).await.unwrap();
                    assert_eq!(looked, Look::Unchanged);
                }
            }
            Action::PutIfAbsent(key, text) => {
                match store
                    .put_if_absent(&key, vec![text], Durability::Volatile)
                    .await
                    .unwrap()
                {
                    Written::Written(version) => {
                        assert!(!self.documents.contains_key(&key));
                        self.put(&key, text, version);
                    }
                    Written::Conflict => assert!(self.documents.contains_key(&key)),
                }
            }
            Action::PutIfMatch(key, text, known) => {
                let Some(version) = self.version(&key, known) else {
                    return;
                };
                match store
                    .put_if_match(&key, vec![text], &version, Durability::Volatile)
                    .await
                    .unwrap()
                {
                    Written::Written(new) => {
                        assert!(self.is_present(&key, &version));
                        self.put(&key, text, new);
                    }
                    Written::Conflict => assert!(!self.is_present(&key, &version)),
                }
            }
            Action::Put(key, text) => {
                let version = store.put(&key, vec![text], Durability::Volatile).await.unwrap();
                self.put(&key, text, version);
            }
            Action::Delete(key) => {
                store.delete(&key).await.unwrap();
                self.delete(&key);
            }
            Action::DeleteIfMatch(key, known) => {
                let Some(version) = self.version(&key, known) else {
                    return;
                };
                match store.delete_if_match(&key, &version).await.unwrap() {
                    Deleted::Deleted => {
                        assert!(self.is_present(&key, &version));
                        self.delete(&key);
                    }
                    Deleted::Absent => assert!(!self.documents.contains_key(&key)),
                    Deleted::Conflict => assert!(!self.is_present(&key, &version)),
                }
            }
            Action::List(prefix, after, size) => {
                let page = store.list(&prefix, after.as_ref(), size).await.unwrap();
                let identity = key("store.json");
                let mut expected: Vec<_> = self.documents.keys().chain([&identity]).cloned().collect();
                expected.sort_unstable();
                expected.retain(|key| prefix.holds(key) && after.as_ref().is_none_or(|after| key > after));
                assert_eq!(page.more, expected.len() > size);
                expected.truncate(size);
                assert_eq!(page.keys, expected);
            }
        }
    }
}

/// Random actions, against one store and each time below another prefix; reproducible by their seed.
pub(in crate::store) async fn behaves_like_a_map(world: World) {
    let store = world.store().await;
    let mut runner = TestRunner::deterministic();
    let cases = if world.rounds < 100 { 6 } else { 60 };
    for _ in 0..cases {
        let actions = prop::collection::vec(any_action(), 1..60)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let mut model = Model::default();
        for action in actions {
            model.check(&store, action).await;
        }
        for key in model.documents.keys() {
            store.delete(key).await.unwrap();
        }
    }
}
