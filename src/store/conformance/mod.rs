//! What every home of the store has to do: one suite, run against each of them.

use std::any::Any;
use std::time::Duration;

use super::{Deleted, Durability, Home, Key, Look, OpenError, Prefix, Store, Written};

mod model;
mod races;

pub(super) use model::behaves_like_a_map;
pub(super) use races::*;

const DURABLE: Durability = Durability::Durable;
const VOLATILE: Durability = Durability::Volatile;

/// A home without a store in it, and what it needs while the test runs.
pub(super) struct World {
    pub(super) home: Home,
    /// How often to repeat what is cheap in a directory.
    pub(super) rounds: u32,
    _kept: Box<dyn Any + Send>,
}

impl World {
    pub(super) fn new(home: Home, kept: impl Any + Send) -> Self {
        Self {
            home,
            rounds: 300,
            _kept: Box::new(kept),
        }
    }

    pub(super) async fn store(&self) -> Store {
        Store::open_or_create(&self.home).await.unwrap()
    }
}

/// Makes a test of each rule; `$world` makes a [`World`].
macro_rules! conformance {
    ($world:path) => {
        $crate::store::conformance::conformance!($world:
            conditional_writes_do_what_their_condition_says
            a_version_never_comes_back
            lists_come_in_the_order_of_keys_whatever_the_page
            many_who_open_a_new_store_at_once_get_one
            a_store_opens_again_and_another_one_is_refused
            a_look_reads_only_what_changed
            a_purge_removes_what_lies_below_its_prefix_alone
            writers_that_count_together_lose_no_count
            of_twenty_writers_exactly_one_wins_each_version
            behaves_like_a_map
        );
    };
    ($world:path: $($rule:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $crate::store::conformance::$rule($world().await).await;
            }
        )*
    };
}
pub(super) use conformance;

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

pub(super) async fn put_new(store: &Store, name: &str, bytes: &[u8]) -> crate::store::Version {
    match store
        .put_if_absent(&key(name), bytes.to_vec(), VOLATILE)
        .await
        .unwrap()
    {
        Written::Written(version) => version,
        Written::Conflict => panic!("{name} exists"),
    }
}

pub(super) async fn conditional_writes_do_what_their_condition_says(world: World) {
    let store = world.store().await;
    let name = key("clusters/a/plan.json");
    assert_eq!(store.get(&name).await.unwrap(), None);
    let one = put_new(&store, name.as_str(), b"one").await;
    assert_eq!(
        store.put_if_absent(&name, "two", DURABLE).await.unwrap(),
        Written::Conflict
    );
    assert_eq!(store.get(&name).await.unwrap().unwrap().version, one);
    let Written::Written(two) = store.put_if_match(&name, "two", &one, DURABLE).await.unwrap() else {
        panic!("the version was right");
    };
    assert_eq!(
        store.put_if_match(&name, "three", &one, DURABLE).await.unwrap(),
        Written::Conflict
    );
    let read = store.get(&name).await.unwrap().unwrap();
    assert_eq!((read.bytes.as_ref(), &read.version), (&b"two"[..], &two));
    assert!(store.now().await.unwrap().since(read.modified_at) < Duration::from_secs(10));
    assert_eq!(
        store.delete_if_match(&name, &one).await.unwrap(),
        Deleted::Conflict
    );
    assert_eq!(
        store.delete_if_match(&name, &two).await.unwrap(),
        Deleted::Deleted
    );
    assert_eq!(store.delete_if_match(&name, &two).await.unwrap(), Deleted::Absent);
    assert_eq!(
        store.put_if_match(&name, "x", &two, DURABLE).await.unwrap(),
        Written::Conflict
    );
    store.delete(&name).await.unwrap();
    let again = store.put(&name, "four", VOLATILE).await.unwrap();
    assert_eq!(store.get(&name).await.unwrap().unwrap().version, again);
}

pub(super) async fn a_version_never_comes_back(world: World) {
    let store = world.store().await;
    let name = key("a.json");
    let mut seen = std::collections::HashSet::new();
    for _ in 0..world.rounds {
        assert!(seen.insert(store.put(&name, "same", VOLATILE).await.unwrap()));
        store.delete(&name).await.unwrap();
        assert!(seen.insert(put_new(&store, "a.json", b"same").await));
    }
}

pub(super) async fn lists_come_in_the_order_of_keys_whatever_the_page(world: World) {
    let store = world.store().await;
    let mut names = vec![
        "a.json",
        "a-b.json",
        "a/x.json",
        "a/y/z.json",
        "a/y.json",
        "a0.json",
        "b/c.json",
    ];
    names.extend([
        "A.json",
        "a/y-.json",
        "a/y/a.json",
        "aa/a.json",
        "_.json",
        "t/.hidden.json",
    ]);
    let mut shuffled = names.clone();
    shuffled.rotate_left(5);
    shuffled.swap(0, 7);
    for name in shuffled {
        put_new(&store, name, b"x").await;
    }
    names.push("store.json");
    names.sort_unstable();
    for size in 1..=names.len() + 1 {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(&Prefix::all(), after.as_ref(), size).await.unwrap();
            assert!(page.keys.len() == size || !page.more);
            after = page.keys.last().cloned();
            found.extend(page.keys);
            if !page.more {
                break;
            }
        }
        assert_eq!(
            found.iter().map(Key::as_str).collect::<Vec<_>>(),
            names,
            "pages of {size}"
        );
    }
    let below = store.list_all(&Prefix::parse("a/").unwrap(), 100).await.unwrap();
    assert_eq!(below.len(), 5);
    assert_eq!(
        store
            .list_all(&Prefix::parse("none/").unwrap(), 100)
            .await
            .unwrap(),
        []
    );
    // A continuation that is no key of the store, before, inside and behind the folder.
    for (after, count) in [("0", 5), ("a/y", 4), ("a/y/b", 1), ("a/z", 0), ("b", 0)] {
        let page = store
            .list(&Prefix::parse("a/").unwrap(), Some(&key(after)), 100)
            .await
            .unwrap();
        assert_eq!(page.keys.len(), count, "after {after}: {:?}", page.keys);
    }
}

pub(super) async fn many_who_open_a_new_store_at_once_get_one(world: World) {
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let home = world.home.clone();
            tokio::spawn(async move { Store::open_or_create(&home).await.unwrap().id().clone() })
        })
        .collect();
    let mut ids = std::collections::HashSet::new();
    for task in tasks {
        ids.insert(task.await.unwrap());
    }
    assert_eq!(ids.len(), 1);
}

pub(super) async fn a_store_opens_again_and_another_one_is_refused(world: World) {
    let error = Store::open_existing(&world.home, None).await.unwrap_err();
    assert!(error.to_string().contains("is not there"), "{error}");
    let store = world.store().await;
    let again = Store::open_existing(&world.home, Some(store.id())).await.unwrap();
    assert_eq!(again.id(), store.id());
    assert_eq!(world.store().await.id(), store.id());
    let other = crate::spec::ids::StoreId::new("another");
    let error = Store::open_existing(&world.home, Some(&other)).await.unwrap_err();
    assert!(matches!(error, OpenError::Another { .. }), "{error}");
}

pub(super) async fn a_look_reads_only_what_changed(world: World) {
    let store = world.store().await;
    let name = key("u/doc.json");
    assert_eq!(store.look(&name, None).await.unwrap(), Look::Absent);
    let one = put_new(&store, name.as_str(), b"{}").await;
    assert_eq!(store.look(&name, Some(&one)).await.unwrap(), Look::Unchanged);
    let two = store.put(&name, "{}", VOLATILE).await.unwrap();
    let Look::Changed(read) = store.look(&name, Some(&one)).await.unwrap() else {
        panic!("it is another version with the same bytes");
    };
    assert_eq!((read.bytes.as_ref(), &read.version), (&b"{}"[..], &two));
    store.delete(&name).await.unwrap();
    assert_eq!(store.look(&name, Some(&two)).await.unwrap(), Look::Absent);
    for bytes in [&b""[..], b" \t ", &[b' '; 200], &vec![0xff; 100_000]] {
        store.put(&name, bytes.to_vec(), DURABLE).await.unwrap();
        assert_eq!(store.get(&name).await.unwrap().unwrap().bytes, bytes);
    }
}

pub(super) async fn a_purge_removes_what_lies_below_its_prefix_alone(world: World) {
    let store = world.store().await;
    for name in ["a/b.json", "a/c/d.json", "ab.json", "b.json"] {
        put_new(&store, name, b"x").await;
        store.put(&key(name), "y", VOLATILE).await.unwrap();
    }
    store.delete(&key("a/b.json")).await.unwrap();
    put_new(&store, "a/b.json", b"z").await;
    assert!(store.purge(&Prefix::parse("a/").unwrap()).await.unwrap() >= 2);
    let left = store.list_all(&Prefix::all(), 10).await.unwrap();
    assert_eq!(left, [key("ab.json"), key("b.json"), key("store.json")]);
    assert_eq!(store.purge(&Prefix::parse("a/").unwrap()).await.unwrap(), 0);
    store.purge(&Prefix::all()).await.unwrap();
    assert!(Store::open_existing(&world.home, None).await.is_err());
}
