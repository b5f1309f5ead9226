//! Tests of the store in a directory.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use crate::store::{Deleted, Durability, Home, Key, Store, Written};

const DURABLE: Durability = Durability::Durable;
const VOLATILE: Durability = Durability::Volatile;

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn path_of(folder: &TempDir) -> Utf8PathBuf {
    Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap()
}

fn home(path: &Utf8Path) -> Home {
    Home::Directory(path.to_owned())
}

async fn store() -> (TempDir, Utf8PathBuf, Store) {
    let folder = tempfile::tempdir().unwrap();
    let root = path_of(&folder).join("a store with blänks");
    let store = Store::open_or_create(&home(&root)).await.unwrap();
    (folder, root, store)
}

async fn put_new(store: &Store, name: &str, bytes: &[u8]) -> crate::store::Version {
    match store
        .put_if_absent(&key(name), bytes.to_vec(), VOLATILE)
        .await
        .unwrap()
    {
        Written::Written(version) => version,
        Written::Conflict => panic!("{name} exists"),
    }
}

#[tokio::test]
async fn conditional_writes_do_what_their_condition_says() {
    let (_folder, _root, store) = store().await;
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
