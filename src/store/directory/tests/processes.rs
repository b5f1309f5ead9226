//! Races between processes, SIGKILL in the middle, a full and a read-only disk.
//!
//! The other processes are this test program again, started with one ignored test that takes its
//! orders from the environment.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8Path;

use super::{DURABLE, VOLATILE, home, key, path_of, store};
use crate::store::faults::{Action, Faults, Moment};
use crate::store::{Error, Prefix, Store, Written};

const CHILD: &str = "store::directory::tests::processes::child";

/// This test program, told to be a child that does `task`.
fn order(task: &str, root: &Utf8Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([CHILD, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command
        .env("STORE_TASK", task)
        .env("STORE_ROOT", root)
        .stdout(Stdio::null());
    command
}

#[tokio::test]
#[ignore = "is what the other tests start as a child"]
async fn child() {
    let Ok(task) = std::env::var("STORE_TASK") else {
        return;
    };
    let root = std::env::var("STORE_ROOT").unwrap();
    let root = Utf8Path::new(&root);
    match task.as_str() {
        "count" => count(root, 100).await,
        "claim" => claim(root, 100).await,
        "write" => write_for_ever(root).await,
        "full" => meet_a_full_disk(root).await,
        "read-only" => meet_a_read_only_disk(root).await,
        "kill" => die_at_the_third_effect(root).await,
        other => panic!("no task {other}"),
    }
}

/// Adds one to the counter, many times, by conditional writes alone.
async fn count(root: &Utf8Path, times: u32) {
    let store = Store::open_existing(&home(root), None).await.unwrap();
    for _ in 0..times {
        loop {
            let read = store.get(&key("n/counter")).await.unwrap().unwrap();
            let next = std::str::from_utf8(&read.bytes).unwrap().parse::<u32>().unwrap() + 1;
            let counter = key("n/counter");
            let put = store.put_if_match(&counter, next.to_string(), &read.version, VOLATILE);
            if put.await.unwrap() != Written::Conflict {
                break;
            }
        }
    }
}

/// Claims keys; each that is won goes into a file of this process's own. Every other key is deleted
/// again, so that folders come and go while others write into them.
async fn claim(root: &Utf8Path, keys: u32) {
    let store = Store::open_existing(&home(root), None).await.unwrap();
    let me = std::process::id().to_string();
    for number in 0..keys {
        let claim = key(&format!("claims/{number}/claim"));
        if store.put_if_absent(&claim, me.clone(), VOLATILE).await.unwrap() != Written::Conflict {
            store
                .put(&key(&format!("won/{number}.{me}")), "x", VOLATILE)
                .await
                .unwrap();
        }
        let short = key("come-and-go/a/b");
        store.put_if_absent(&short, me.clone(), VOLATILE).await.unwrap();
        store.delete(&short).await.unwrap();
    }
}

/// Writes one document again and again, each text being one digit many times.
async fn write_for_ever(root: &Utf8Path) {
    let store = Store::open_existing(&home(root), None).await.unwrap();
    for round in 0u8.. {
        let length = 1 + usize::from(round) * 200;
        let durability = if round.is_multiple_of(4) {
            DURABLE
        } else {
            VOLATILE
        };
        store
            .put(&key("doc"), vec![b'0' + round % 10; length], durability)
            .await
            .unwrap();
        if round == 250 {
            return;
        }
    }
}

async fn die_at_the_third_effect(root: &Utf8Path) {
    let store = Store::open_existing(&home(root), None).await.unwrap();
    let faults = Faults::new().at(3, Moment::After, Action::Kill);
    let store = faults.around(&store);
    for number in 0.. {
        store
            .put_if_absent(&key(&format!("effects/{number}")), "x", DURABLE)
            .await
            .unwrap();
    }
}

fn wait(children: Vec<Child>) {
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
}

#[tokio::test]
async fn processes_that_count_together_lose_no_count() {
    let (_folder, root, store) = store().await;
    store.put(&key("n/counter"), "0", VOLATILE).await.unwrap();
    wait((0..4).map(|_| order("count", &root).spawn().unwrap()).collect());
    assert_eq!(store.get(&key("n/counter")).await.unwrap().unwrap().bytes, "400");
}

#[tokio::test]
async fn of_processes_that_claim_one_key_exactly_one_wins() {
    let (_folder, root, store) = store().await;
    wait((0..4).map(|_| order("claim", &root).spawn().unwrap()).collect());
    let won = store
        .list_all(&Prefix::parse("won/").unwrap(), 1_000)
        .await
        .unwrap();
    assert_eq!(won.len(), 100, "{won:?}");
    for key_of_winner in won {
        let (number, winner) = key_of_winner.file_name().split_once('.').unwrap();
        let claim = store
            .get(&key(&format!("claims/{number}/claim")))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(claim.bytes, winner);
    }
    assert!(!root.join("come-and-go").exists());
}

#[tokio::test]
async fn a_writer_killed_at_any_moment_leaves_a_whole_document_and_no_lock() {
    let (_folder, root, store) = store().await;
    let mut texts = std::collections::HashSet::new();
    for round in 0u64..40 {
        store.put(&key("doc"), "-", VOLATILE).await.unwrap();
        let mut writer = order("write", &root).spawn().unwrap();
        let began = Instant::now();
        while store.get(&key("doc")).await.unwrap().unwrap().bytes == "-" {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "the child does not write"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Moments spread over many writes, without a pattern.
        tokio::time::sleep(Duration::from_micros(round * 7_919 % 15_000)).await;
        writer.kill().unwrap();
        writer.wait().unwrap();
        let read = store.get(&key("doc")).await.unwrap().unwrap();
        assert!(!read.bytes.is_empty() && read.bytes.iter().all(|byte| *byte == read.bytes[0]));
        texts.insert(read.bytes.clone());
        let put = store
            .put_if_match(&key("doc"), read.bytes, &read.version, VOLATILE)
            .await
            .unwrap();
        assert!(matches!(put, Written::Written(_)), "the lock is free");
    }
    assert!(
        texts.len() > 3,
        "writers were killed while they wrote: {}",
        texts.len()
    );
}

#[tokio::test]
async fn a_planned_kill_strikes_right_after_its_effect() {
    let (_folder, root, store) = store().await;
    let status = order("kill", &root).status().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    let effects = store
        .list_all(&Prefix::parse("effects/").unwrap(), 10)
        .await
        .unwrap();
    assert_eq!(effects.len(), 3);
}

/// Runs a child with a disk of its own, 1 MiB in memory. Needs root, or the right to make user
/// namespaces; the mount ends with the child.
fn with_own_disk(task: &str) {
    let folder = tempfile::tempdir().unwrap();
    let root = path_of(&folder).join("disk");
    std::fs::create_dir(&root).unwrap();
    let ordered = order(task, &root);
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--mount", "sh", "-euc"]);
    unshare
        .arg("mount -t tmpfs -o size=1m,mode=700 tmpfs \"$STORE_ROOT\"; exec \"$@\"")
        .arg("sh");
    unshare.arg(ordered.get_program()).args(ordered.get_args());
    unshare.env("STORE_TASK", task).env("STORE_ROOT", &root);
    let output = unshare.output().expect("this test needs `unshare` of util-linux");
    assert!(
        output.status.success(),
        "this test needs root or user namespaces, to mount a small file system:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn meet_a_full_disk(root: &Utf8Path) {
    let store = Store::open_or_create(&home(root)).await.unwrap();
    let old = vec![b'o'; 10_000];
    store.put(&key("doc"), old.clone(), DURABLE).await.unwrap();
    let filler = root.join("~filler");
    let _ = std::fs::write(&filler, vec![0; 2 << 20]);
    let version = store.get(&key("doc")).await.unwrap().unwrap().version;
    for durability in [DURABLE, VOLATILE] {
        let error = store
            .put_if_match(&key("doc"), vec![b'n'; 20_000], &version, durability)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, Error::NoSpace { path, .. } if *path == root.join("doc")),
            "{error:?}"
        );
        let error = store
            .put_if_absent(&key("new/doc"), vec![b'n'; 20_000], durability)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
        assert_eq!(store.get(&key("doc")).await.unwrap().unwrap().bytes, old);
        assert_eq!(store.get(&key("new/doc")).await.unwrap(), None);
    }
    assert_eq!(
        std::fs::read_dir(root.join("~tmp")).unwrap().count(),
        0,
        "what was begun is gone"
    );
    std::fs::remove_file(&filler).unwrap();
    assert!(matches!(
        store
            .put_if_match(&key("doc"), "new", &version, DURABLE)
            .await
            .unwrap(),
        Written::Written(_)
    ));
}

async fn meet_a_read_only_disk(root: &Utf8Path) {
    let store = Store::open_or_create(&home(root)).await.unwrap();
    store.put(&key("a/doc"), "x", DURABLE).await.unwrap();
    let remounted = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(root)
        .status()
        .unwrap();
    assert!(remounted.success());
    let store = Store::open_existing(&home(root), Some(store.id())).await.unwrap();
    let read = store.get(&key("a/doc")).await.unwrap().unwrap();
    for result in [
        store
            .put_if_match(&key("a/doc"), "y", &read.version, VOLATILE)
            .await,
        store.put_if_absent(&key("b/doc"), "y", DURABLE).await,
        store.delete(&key("a/doc")).await.map(|()| Written::Conflict),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
    }
    assert_eq!(store.list_all(&Prefix::all(), 9).await.unwrap().len(), 2);
}

#[test]
fn a_full_disk_is_told_and_leaves_the_old_document() {
    with_own_disk("full");
}

#[test]
fn a_read_only_disk_can_be_read() {
    with_own_disk("read-only");
}
