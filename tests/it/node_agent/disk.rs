//! A disk that is full while Kafka runs. Only root can mount a small one, so these are run by hand:
//! `cargo test --test it -- --ignored disk`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use msk::kafka::client::{Apply, NewTopic, TopicLayout};
use msk::spec::ids::TopicName;
use msk::store::documents::{NodePhase, NodeStatus, ProblemCode};

use super::SOON;
use super::cluster::{Cluster, Options};

/// A file system of a few megabytes in memory.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::Builder::new().prefix("msk-disk-").tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=96m,mode=0700", "msk-test"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(mounted.success(), "this test mounts a file system and needs root");
        Self(folder)
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Takes what is free, but for about this much.
    fn fill(&self, rest: u64) {
        let mut file = File::create(self.filler()).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(rest)).unwrap();
    }

    fn empty(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn topic(name: &str) -> NewTopic {
    NewTopic {
        name: TopicName::new(name),
        layout: TopicLayout::Counts {
            partitions: Some(12),
            replication_factor: Some(1),
        },
        configs: Vec::new(),
    }
}

fn is_full(status: &NodeStatus) -> bool {
    let problem = status.problem.as_ref();
    problem.is_some_and(|problem| problem.code == ProblemCode::DiskFull)
}

fn is_well(status: &NodeStatus) -> bool {
    status.phase == NodePhase::InSync && status.problem.is_none()
}

/// Every document of the store can be read, and nothing half written lies beside them.
fn assert_documents_are_whole(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_documents_are_whole(&path);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read(&path).unwrap();
            assert!(
                serde_json::from_slice::<serde_json::Value>(&text).is_ok(),
                "{path:?}"
            );
        } else {
            let length = path.metadata().unwrap().len();
            println!("beside the documents: {} with {length} bytes", path.display());
        }
    }
}

async fn create(cluster: &Cluster, name: &str) {
    let topics = [topic(name)];
    let admin = cluster.admin(1).await;
    let made = tokio::time::timeout(Duration::from_secs(10), admin.create_topics(&topics, Apply::Now)).await;
    println!("creating topic {name}: {made:?}");
}

#[tokio::test]
#[ignore = "mounts a file system, which only root can"]
async fn a_full_disk_is_told_and_kafka_comes_back_when_there_is_room_again() {
    let disk = SmallDisk::mount();
    let mut options = Options::brokers(1);
    options.below = Some(disk.0.path().to_owned());
    let cluster = Cluster::create(&options).await;
    cluster.start_agents();
    cluster.wait_for(1, SOON, is_well).await;
    create(&cluster, "orders").await;
    let store = cluster.root().join("data/store");

    // From nothing left at all to some room, in which Kafka starts and dies again.
    for rest in [0, 200 * 1024, 2 * 1024 * 1024] {
        let begun = Instant::now();
        disk.fill(rest);
        create(&cluster, &format!("more-{rest}")).await;
        if let Some(kafka) = cluster.status(1).await.unwrap().incarnation.kafka {
            Cluster::kill(kafka.process_id);
        }
        if rest < 1024 * 1024 {
            let status = cluster.wait_for(1, SOON, is_full).await;
            println!(
                "{rest} left, after {:?}: {:?} {:?}",
                begun.elapsed(),
                status.phase,
                status.problem
            );
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_documents_are_whole(store.as_std_path());
        println!("{}", cluster.command("status"));
        let status = cluster.status(1).await.unwrap();
        println!(
            "{rest} left, a minute later: {:?} {:?}",
            status.phase, status.problem
        );
        assert!(is_full(&status) || rest >= 1024 * 1024, "{status:?}");
        disk.empty();
        let begun = Instant::now();
        cluster.wait_for(1, SOON, is_well).await;
        println!("{rest} left: well {:?} after there is room", begun.elapsed());
    }
    let found = cluster.status(1).await.unwrap();
    assert_eq!(found.problem, None);
}
