//! Writers at once.

use super::{VOLATILE, World, key};
use crate::store::{Store, Written};

/// Adds one to a counter by conditional writes alone; answers how often it won, and whether each was certain.
async fn count(store: &Store, times: u32) {
    let name = key("n/counter");
    for _ in 0..times {
        loop {
            let read = store.get(&name).await.unwrap().unwrap();
            let next = std::str::from_utf8(&read.bytes).unwrap().parse::<u32>().unwrap() + 1;
            let put = store.put_if_match(&name, next.to_string(), &read.version, VOLATILE);
            if put.await.unwrap() != Written::Conflict {
                break;
            }
        }
    }
}

pub(in crate::store) async fn writers_that_count_together_lose_no_count(world: World) {
    let store = world.store().await;
    store.put(&key("n/counter"), "0", VOLATILE).await.unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { count(&store, 10).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.get(&key("n/counter")).await.unwrap().unwrap().bytes, "40");
}

pub(in crate::store) async fn of_twenty_writers_exactly_one_wins_each_version(world: World) {
    let store = world.store().await;
    let name = key("n/claim");
    let mut version = None;
    for round in 0..world.rounds.min(20) {
        let tasks: Vec<_> = (0..20)
            .map(|writer| {
                let (store, name, version) = (store.clone(), name.clone(), version.clone());
                tokio::spawn(async move {
                    let text = format!("{round}.{writer}");
                    match &version {
                        None => store.put_if_absent(&name, text.clone(), VOLATILE).await,
                        Some(version) => store.put_if_match(&name, text.clone(), version, VOLATILE).await,
                    }
                    .map(|written| (written, text))
                })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            if let (Written::Written(version), text) = task.await.unwrap().unwrap() {
                winners.push((version, text));
            }
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        let (won, text) = winners.remove(0);
        let read = store.get(&name).await.unwrap().unwrap();
        assert_eq!((read.bytes.as_ref(), &read.version), (text.as_bytes(), &won));
        version = Some(won);
    }
}
