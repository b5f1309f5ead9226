//! Tests of changes that are written together.

use std::collections::BTreeSet;
use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::Combiner;
use crate::spec::ids::{ClusterUid, Generation};
use crate::store::faults::{Action, Faults, Moment};
use crate::store::{Change, Document, DocumentError, Documents, Home, Key, Store};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Numbers {
    numbers: BTreeSet<u32>,
}

impl Document for Numbers {
    const KIND: &'static str = "test-numbers";
    const FORMAT: u32 = 1;
}

async fn combiner(faults: &Faults) -> (TempDir, Documents, Key, Combiner<Numbers>) {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let store = faults.around(&Store::open_or_create(&Home::Directory(root)).await.unwrap());
    let documents = Documents::of_cluster(&store, &ClusterUid::new("c1"));
    let key = Key::parse("c1/numbers.json").unwrap();
    let combiner = Combiner::new(documents.clone(), key.clone());
    (folder, documents, key, combiner)
}

fn add(number: u32) -> impl FnMut(&mut Numbers) -> (Change, bool) + Send + 'static {
    move |document| {
        let is_new = document.numbers.insert(number);
        (if is_new { Change::Write } else { Change::Keep }, is_new)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_changes_at_once_need_few_writes_and_all_arrive() {
    let faults = Faults::new().slow(Duration::from_millis(2));
    let (_folder, documents, key, combiner) = combiner(&faults).await;
    documents.create(&key, &Numbers::default()).await.unwrap();
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let combiner = combiner.clone();
            tokio::spawn(async move { combiner.update(add(number)).await.unwrap() })
        })
        .collect();
    for task in tasks {
        let combined = task.await.unwrap();
        assert!(combined.outcome && combined.generation > Generation(1));
    }
    let read = documents.read::<Numbers>(&key).await.unwrap().unwrap();
    assert_eq!(read.body.numbers.len(), 200);
    assert!(faults.count() < 50, "{} writes for 200 changes", faults.count());
    let again = combiner.update(add(7)).await.unwrap();
    assert_eq!((again.outcome, again.generation), (false, read.generation));
}

#[tokio::test]
async fn an_error_reaches_all_and_the_next_change_is_tried_anew() {
    let faults = Faults::new().at(2, Moment::Before, Action::Fail);
    let (_folder, documents, key, combiner) = combiner(&faults).await;
    let missing = combiner.update(add(1)).await.unwrap_err();
    assert!(matches!(*missing, DocumentError::Missing { .. }));
    documents.create(&key, &Numbers::default()).await.unwrap();
    let (one, two) = tokio::join!(combiner.update(add(1)), combiner.update(add(2)));
    assert!(one.is_err() && two.is_err());
    assert!(combiner.update(add(3)).await.unwrap().outcome);
    assert_eq!(
        documents
            .read::<Numbers>(&key)
            .await
            .unwrap()
            .unwrap()
            .body
            .numbers
            .len(),
        1
    );
}

#[tokio::test]
async fn a_change_that_panics_or_is_cancelled_harms_no_later_one() {
    let faults = Faults::new();
    let (_folder, documents, key, combiner) = combiner(&faults).await;
    documents.create(&key, &Numbers::default()).await.unwrap();
    let broken = combiner
        .update(|_: &mut Numbers| -> (Change, ()) { panic!("a mistake") })
        .await;
    assert!(broken.is_err());
    let hurried = tokio::time::timeout(Duration::ZERO, combiner.update(add(1))).await;
    assert!(hurried.is_err());
    assert!(combiner.update(add(2)).await.unwrap().outcome);
    let read = documents.read::<Numbers>(&key).await.unwrap().unwrap();
    assert_eq!(
        read.body.numbers,
        [1, 2].into(),
        "what was asked for is done, also without a listener"
    );
}
