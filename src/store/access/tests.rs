//! Tests of typed documents in a store.

use std::sync::Arc;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::{Change, Documents, Put, Versioned};
use crate::spec::ids::{ClusterUid, Generation};
use crate::store::{Deleted, Document, DocumentError, Durability, Home, Key, Store};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Names {
    names: Vec<String>,
}

impl Document for Names {
    const KIND: &'static str = "test-names";
    const FORMAT: u32 = 1;
}

async fn documents() -> (TempDir, Store, Documents, Key) {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let store = Store::open_or_create(&Home::Directory(root)).await.unwrap();
    let documents = Documents::of_cluster(&store, &ClusterUid::new("c1"));
    (folder, store, documents, Key::parse("c1/names.json").unwrap())
}

fn names(names: &[&str]) -> Names {
    Names {
        names: names.iter().map(|&name| name.to_owned()).collect(),
    }
}

#[tokio::test]
async fn generations_grow_by_one_with_each_write() {
    let (_folder, _store, documents, key) = documents().await;
    assert_eq!(documents.read::<Names>(&key).await.unwrap(), None);
    let Put::Written(one, version) = documents.create(&key, &names(&["a"])).await.unwrap() else {
        panic!("nobody else writes");
    };
    assert_eq!(one, Generation(1));
    assert_eq!(
        documents.create(&key, &names(&["b"])).await.unwrap(),
        Put::Conflict
    );
    let read: Versioned<Names> = documents.read(&key).await.unwrap().unwrap();
    assert_eq!(
        (&read.body, read.generation, &read.version),
        (&names(&["a"]), one, &version)
    );
    let replaced = documents.replace(&key, &read, &names(&["c"])).await.unwrap();
    assert!(matches!(replaced, Put::Written(Generation(2), _)));
    assert_eq!(
        documents.replace(&key, &read, &names(&["d"])).await.unwrap(),
        Put::Conflict
    );
    let add = |names: &mut Names| {
        names.names.push("e".to_owned());
        Change::Write
    };
    let updated = documents.update(&key, add).await.unwrap();
    assert_eq!(
        (updated.generation, &updated.body),
        (Generation(3), &names(&["c", "e"]))
    );
    let kept = documents
        .update(&key, |_: &mut Names| Change::Keep)
        .await
        .unwrap();
    assert_eq!(kept.version, updated.version);
    assert_eq!(documents.delete(&key, &read).await.unwrap(), Deleted::Conflict);
    assert_eq!(documents.delete(&key, &kept).await.unwrap(), Deleted::Deleted);
    let missing = documents.update(&key, add).await.unwrap_err();
    assert!(matches!(missing, DocumentError::Missing { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_updates_at_once_all_arrive() {
    let (_folder, _store, documents, key) = documents().await;
    documents.create(&key, &Names::default()).await.unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|task| {
            let (documents, key) = (documents.clone(), key.clone());
            tokio::spawn(async move {
                for round in 0..5 {
                    let add = |names: &mut Names| {
                        names.names.push(format!("{task}.{round}"));
                        Change::Write
                    };
                    documents.update(&key, add).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let read: Versioned<Names> = documents.read(&key).await.unwrap().unwrap();
    assert_eq!((read.body.names.len(), read.generation), (100, Generation(101)));
}

#[tokio::test]
async fn what_is_remembered_is_read_again_only_if_it_was_written() {
    let (_folder, store, documents, key) = documents().await;
    assert_eq!(documents.remember::<Names>(&key, None).await.unwrap(), None);
    documents.create(&key, &names(&["a"])).await.unwrap();
    let first = documents.remember::<Names>(&key, None).await.unwrap().unwrap();
    let again = documents.remember(&key, Some(Arc::clone(&first))).await.unwrap();
    assert!(again.is_some_and(|again| Arc::ptr_eq(&again, &first)));

    // The same bytes are another version all the same.
    let bytes = store.get(&key).await.unwrap().unwrap().bytes;
    store.put(&key, bytes, Durability::Volatile).await.unwrap();
    let second = documents.remember(&key, Some(Arc::clone(&first))).await.unwrap();
    assert!(second.is_some_and(|second| second.body == first.body && second.version != first.version));

    store.delete(&key).await.unwrap();
    assert_eq!(documents.remember(&key, Some(first)).await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_never_written_over() {
    let (_folder, store, documents, key) = documents().await;
    let foreign = Documents::of_cluster(&store, &ClusterUid::new("c2"));
    foreign.create(&key, &names(&["theirs"])).await.unwrap();
    let whole = store.get(&key).await.unwrap().unwrap().bytes;
    let newer = String::from_utf8(whole.to_vec())
        .unwrap()
        .replace("\"format\": 1", "\"format\": 2");
    for bytes in [
        whole.clone(),
        whole.slice(..whole.len() / 2),
        newer.into(),
        vec![0u8; 10].into(),
    ] {
        store
            .put(&key, bytes.clone(), Durability::Volatile)
            .await
            .unwrap();
        let mut errors = vec![documents.read::<Names>(&key).await.unwrap_err()];
        errors.push(
            documents
                .update(&key, |_: &mut Names| Change::Write)
                .await
                .unwrap_err(),
        );
        for error in errors {
            assert!(error.to_string().contains(&store.location(&key)), "{error}");
        }
        assert_eq!(
            documents.create(&key, &names(&["mine"])).await.unwrap(),
            Put::Conflict
        );
        assert_eq!(store.get(&key).await.unwrap().unwrap().bytes, bytes);
    }
}

#[tokio::test]
async fn a_status_document_is_written_whatever_was_there() {
    let (_folder, store, documents, key) = documents().await;
    store.put(&key, "garbage", Durability::Volatile).await.unwrap();
    let version = documents
        .publish(&key, Generation(9), &names(&["x"]), Durability::Volatile)
        .await
        .unwrap();
    let read: Versioned<Names> = documents.read(&key).await.unwrap().unwrap();
    assert_eq!((read.generation, read.version), (Generation(9), version));
}
