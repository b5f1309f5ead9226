//! Tests of the store in a directory.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use crate::store::conformance::{World, conformance, put_new};
use crate::store::{Durability, Error, Home, Key, OpenError, Prefix, Store, Written};

mod processes;

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

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let root = path_of(&folder).join("a store with blänks");
    World::new(home(&root), folder)
}

conformance!(world);

#[tokio::test]
async fn files_are_readable_by_their_owner_alone() {
    let (_folder, root, store) = store().await;
    put_new(&store, "a/b/c.json", b"x").await;
    store.put(&key("a/b/c.json"), "y", VOLATILE).await.unwrap();
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().mode() & 0o777;
    assert_eq!(
        (mode(""), mode("a"), mode("a/b"), mode("~tmp"), mode("~locks")),
        FOLDER_MODES
    );
    assert_eq!((mode("store.json"), mode("a/b/c.json")), (0o600, 0o600));
    assert_eq!(fs::read_dir(root.join("~tmp")).unwrap().count(), 0);
}

const FOLDER_MODES: (u32, u32, u32, u32, u32) = (0o700, 0o700, 0o700, 0o700, 0o700);

#[tokio::test]
async fn deleting_the_last_document_removes_its_folders() {
    let (_folder, root, store) = store().await;
    put_new(&store, "a/b/c/d.json", b"x").await;
    put_new(&store, "a/e.json", b"x").await;
    store.delete(&key("a/b/c/d.json")).await.unwrap();
    assert!(!root.join("a/b").exists() && root.join("a/e.json").exists());
    store.delete(&key("a/e.json")).await.unwrap();
    assert!(!root.join("a").exists() && root.exists());
}

#[tokio::test]
async fn a_key_is_a_document_or_a_folder() {
    let (_folder, _root, store) = store().await;
    put_new(&store, "a/b", b"x").await;
    let is_refused = |result: Result<Written, Error>| matches!(result, Err(Error::KeyIsFolder { .. }));
    assert!(is_refused(store.put_if_absent(&key("a"), "x", VOLATILE).await));
    assert!(is_refused(store.put_if_absent(&key("a/b/c"), "x", DURABLE).await));
    assert!(is_refused(
        store.put_if_absent(&key("a/b/c/d"), "x", DURABLE).await
    ));
    assert!(matches!(
        store.put(&key("a"), "x", VOLATILE).await,
        Err(Error::KeyIsFolder { .. })
    ));
    assert!(matches!(
        store.put(&key("a/b/c"), "x", VOLATILE).await,
        Err(Error::KeyIsFolder { .. })
    ));
    for name in ["a", "a/b/c", "a/b/c/d"] {
        assert_eq!(store.get(&key(name)).await.unwrap(), None);
        store.delete(&key(name)).await.unwrap();
    }
    assert!(store.get(&key("a/b")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_store_that_is_gone_is_never_an_absent_document() {
    let (_folder, root, store) = store().await;
    put_new(&store, "a/b.json", b"x").await;
    for remove in [true, false] {
        if remove {
            fs::rename(root.join("store.json"), root.join("~aside")).unwrap();
        } else {
            fs::remove_dir_all(&root).unwrap();
        }
        let is_gone = |error: &Error| matches!(error, Error::Gone { root: named } if *named == root);
        assert!(is_gone(&store.get(&key("c.json")).await.unwrap_err()));
        assert!(is_gone(
            &store
                .put_if_absent(&key("c.json"), "x", DURABLE)
                .await
                .unwrap_err()
        ));
        assert!(is_gone(
            &store.put(&key("c.json"), "x", VOLATILE).await.unwrap_err()
        ));
        assert!(is_gone(&store.delete(&key("c.json")).await.unwrap_err()));
        assert!(is_gone(&store.list(&Prefix::all(), None, 10).await.unwrap_err()));
        let error = Store::open_existing(&home(&root), None).await.unwrap_err();
        let is_right = if remove {
            matches!(error, OpenError::Store(Error::NotOurs { .. }))
        } else {
            matches!(error, OpenError::Store(Error::Gone { .. }))
        };
        assert!(is_right, "{error:?}");
    }
    assert!(!root.exists(), "nothing brings an emptied store back by itself");
}

#[tokio::test]
async fn a_directory_that_is_not_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = path_of(&folder);
    fs::write(path.join("thesis.tex"), "x").unwrap();
    let open = async |path: &Utf8Path| match Store::open_or_create(&home(path)).await {
        Err(OpenError::Store(error)) => error,
        other => panic!("{other:?}"),
    };
    let error = open(&path).await;
    assert!(
        matches!(&error, Error::NotOurs { found, .. } if found == "thesis.tex"),
        "{error}"
    );
    let error = open(&path.join("thesis.tex")).await;
    assert!(matches!(error, Error::NotDirectory { .. }), "{error:?}");
    let error = open(&path.join("thesis.tex/store")).await;
    assert!(
        matches!(error, Error::NotDirectory { .. } | Error::Io { .. }),
        "{error:?}"
    );

    let empty = path.join("empty");
    fs::create_dir(&empty).unwrap();
    fs::set_permissions(&empty, PermissionsExt::from_mode(0o755)).unwrap();
    let store = Store::open_or_create(&home(&empty)).await.unwrap();
    assert_eq!(fs::metadata(&empty).unwrap().mode() & 0o777, 0o700);
    fs::set_permissions(&empty, PermissionsExt::from_mode(0o750)).unwrap();
    let error = open(&empty).await;
    assert!(error.to_string().contains("chmod 700"), "{error}");
    assert_eq!(
        store.get(&key("a")).await.unwrap(),
        None,
        "who has it open goes on"
    );
}

#[tokio::test]
async fn a_directory_of_another_user_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut path = path_of(&folder);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
    } else {
        path = Utf8PathBuf::from("/");
    }
    let error = Store::open_or_create(&home(&path)).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Store(Error::OtherUser { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn another_store_than_the_remembered_one_is_refused() {
    let (_folder, root, one) = store().await;
    let (_other_folder, other_root, _other) = store().await;
    let again = Store::open_existing(&home(&root), Some(one.id())).await.unwrap();
    assert_eq!(again.id(), one.id());
    assert_eq!(Store::open_or_create(&home(&root)).await.unwrap().id(), one.id());
    let error = Store::open_existing(&home(&other_root), Some(one.id()))
        .await
        .unwrap_err();
    assert!(matches!(error, OpenError::Another { .. }) && error.to_string().contains("another store"));
    fs::write(root.join("store.json"), "{\"kind\":").unwrap();
    for result in [
        Store::open_or_create(&home(&root)).await,
        Store::open_existing(&home(&root), None).await,
    ] {
        assert!(matches!(
            result,
            Err(OpenError::Identity(crate::store::DocumentError::Cut { .. }))
        ));
    }
    assert_eq!(
        fs::read(root.join("store.json")).unwrap(),
        b"{\"kind\":",
        "never written over"
    );
}

#[tokio::test]
async fn a_document_too_long_is_an_error_and_no_allocation() {
    let (_folder, root, store) = store().await;
    let file = fs::File::create(root.join("huge.json")).unwrap();
    file.set_len(1 << 40).unwrap();
    let error = store.get(&key("huge.json")).await.unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { length, .. } if length == 1 << 40),
        "{error}"
    );
    let long = vec![b' '; (64 << 20) + 1];
    assert!(matches!(
        store.put(&key("b"), long, VOLATILE).await,
        Err(Error::TooLarge { .. })
    ));
    let big = vec![b'x'; 3 << 20];
    put_new(&store, "big", &big).await;
    assert_eq!(store.get(&key("big")).await.unwrap().unwrap().bytes, big);
}

#[tokio::test]
async fn leftovers_are_ignored_and_swept_once_they_are_old() {
    let (_folder, root, store) = store().await;
    put_new(&store, "a.json", b"x").await;
    let (old, young) = (root.join("~tmp/old"), root.join("~tmp/young"));
    for path in [&old, &young] {
        fs::write(path, "half a docum").unwrap();
    }
    let hour_ago = std::time::SystemTime::now() - Duration::from_hours(1);
    fs::File::options()
        .write(true)
        .open(&old)
        .unwrap()
        .set_modified(hour_ago)
        .unwrap();
    fs::write(root.join("a.json~"), "an editor's copy").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("link.json")).unwrap();
    let store = Store::open_existing(&home(&root), Some(store.id()))
        .await
        .unwrap();
    assert!(!old.exists() && young.exists());
    let keys = store.list_all(&Prefix::all(), 10).await.unwrap();
    assert_eq!(keys, [key("a.json"), key("store.json")]);
    assert!(
        store.get(&key("link.json")).await.is_err(),
        "links are not followed"
    );
    assert!(matches!(
        store.list_all(&Prefix::all(), 1).await,
        Err(Error::TooMany { .. })
    ));
}

#[tokio::test]
async fn a_change_is_hinted_at_soon() {
    let (_folder, root, store) = store().await;
    let (long, soon) = (Duration::from_mins(1), Duration::from_secs(5));
    let began = Instant::now();
    for prefix in ["", "u/status/", "u/status/1/"] {
        let mut changes = store.changes(&Prefix::parse(prefix).unwrap());
        // The folders come into being one after the other; each may wake the watcher for nothing.
        let other = Store::open_existing(&home(&root), None).await.unwrap();
        let name = key("u/status/1/node.json");
        other.put(&name, prefix, VOLATILE).await.unwrap();
        while store
            .get(&name)
            .await
            .unwrap()
            .is_none_or(|stored| stored.bytes != prefix)
        {
            changes.changed(long).await;
        }
        for round in 0..20 {
            let text = format!("{prefix}{round}");
            let writer = {
                let (other, name, text) = (other.clone(), name.clone(), text.clone());
                tokio::spawn(async move { other.put(&name, text, VOLATILE).await.unwrap() })
            };
            while store
                .get(&name)
                .await
                .unwrap()
                .is_none_or(|stored| stored.bytes != text)
            {
                changes.changed(long).await;
            }
            writer.await.unwrap();
        }
        store.delete(&name).await.unwrap();
    }
    assert!(
        began.elapsed() < soon,
        "woken by hints and not by the clock: {:?}",
        began.elapsed()
    );
    let mut quiet = store.changes(&Prefix::parse("quiet/").unwrap());
    let began = Instant::now();
    quiet.changed(Duration::from_millis(50)).await;
    assert!(
        began.elapsed() >= Duration::from_millis(49),
        "and otherwise by the clock"
    );
}

#[test]
fn without_inotify_the_watcher_looks_once_a_second() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_folder, _root, store) = runtime.block_on(store());
    let mut changes = store.changes(&Prefix::all());
    let began = Instant::now();
    runtime.block_on(changes.changed(Duration::from_millis(20)));
    runtime.block_on(changes.changed(Duration::from_hours(1)));
    assert!(began.elapsed() > Duration::from_secs(1) && began.elapsed() < Duration::from_secs(20));
}

/// Prints what an operation costs; the bounds are loose, since other work shares the machine.
#[tokio::test]
async fn reading_and_writing_small_documents_is_fast() {
    let (_folder, _root, store) = store().await;
    let name = key("u/status/1/node.json");
    let mut version = put_new(&store, name.as_str(), &[b'x'; 2_000]).await;
    let began = Instant::now();
    for _ in 0..500 {
        store.get(&name).await.unwrap().unwrap();
    }
    let read = began.elapsed() / 500;
    let began = Instant::now();
    for _ in 0..500 {
        match store
            .put_if_match(&name, vec![b'y'; 2_000], &version, VOLATILE)
            .await
            .unwrap()
        {
            Written::Written(new) => version = new,
            Written::Conflict => panic!("nobody else writes"),
        }
    }
    let written = began.elapsed() / 500;
    let began = Instant::now();
    for _ in 0..50 {
        store.put(&name, vec![b'z'; 2_000], DURABLE).await.unwrap();
    }
    let durable = began.elapsed() / 50;
    println!("2 kB: get {read:?}, conditional put {written:?}, durable put {durable:?}");
    assert!(read < Duration::from_millis(1) && written < Duration::from_millis(5));
}
