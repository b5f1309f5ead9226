//! What the nodes run: packed once, uploaded once, the same bytes from an empty cache, and signed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use msk::engine::ec2::artifacts::{
    self, AMAZON_LINUX_GLIBC, Architecture, ArtifactError, Glibc, Inputs, JavaArchive, JavaPlaces,
};
use msk::kafka::distribution::Sources;
use msk::kafka::versions::KafkaVersion;
use msk::store::release::{Artifact, Sha256, release_key, signing_key};
use msk::store::{Home, Patience, Prefix, S3Home, Store};

use super::Account;

/// `bin/java` of another machine: what an ELF header of arm64 has to have.
const ARM: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0";

struct Desk {
    _outer: tempfile::TempDir,
    path: Utf8PathBuf,
    said: Mutex<Vec<String>>,
}

impl Desk {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(outer.path().to_owned()).unwrap();
        fs::create_dir(path.join("programs")).unwrap();
        fs::write(path.join("programs/msk-node-aarch64"), ARM).unwrap();
        fs::copy("/bin/true", path.join("programs/msk-node")).unwrap();
        Self {
            _outer: outer,
            path,
            said: Mutex::new(Vec::new()),
        }
    }

    /// A Java for arm64, as an archive of the user.
    fn arm_java(&self) -> JavaArchive {
        let top = self.path.join("jdk-21");
        fs::create_dir_all(top.join("bin")).unwrap();
        fs::create_dir_all(top.join("lib/server")).unwrap();
        fs::write(top.join("bin/java"), ARM).unwrap();
        fs::write(top.join("lib/server/libjvm.so"), ARM).unwrap();
        fs::write(top.join("release"), "JAVA_VERSION=\"21.0.9\"\n").unwrap();
        let file = self.path.join("jdk.tar.gz");
        let arguments = ["-czf", file.as_str(), "-C", self.path.as_str(), "jdk-21"];
        assert!(Command::new("tar").args(arguments).status().unwrap().success());
        JavaArchive {
            sha256: Sha256::of(&fs::read(&file).unwrap()),
            url: file.into_string(),
        }
    }

    fn inputs(&self) -> Inputs {
        let kafka = std::env::var("MSK_TEST_KAFKA_DIRECTORY")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/target/kafka").to_owned());
        Inputs {
            architectures: Architecture::ALL.into(),
            versions: [KafkaVersion::DEFAULT].into(),
            programs: self.path.join("programs"),
            agent_program: None,
            java: BTreeMap::from([(Architecture::Arm, self.arm_java())]),
            java_places: JavaPlaces::of_environment(),
            glibc: Some(AMAZON_LINUX_GLIBC),
            kafka: Sources {
                kafka_directory: kafka.into(),
                archive: None,
                maven_command: "mvn".to_owned(),
            },
            cache: self.path.join("cache"),
        }
    }

    fn said(&self) -> Vec<String> {
        std::mem::take(&mut *self.said.lock().unwrap())
    }
}

fn home(account: &Account, owner: &str) -> S3Home {
    S3Home {
        client: account.connection.s3(),
        bucket: account.stand.variable("TF_VAR_control_bucket").to_owned(),
        prefix: Prefix::parse("msk/").unwrap(),
        owner: Some(owner.to_owned()),
        kms_key: None,
        patience: Patience::default(),
    }
}

async fn fetch(home: &S3Home, artifact: &Artifact) -> Vec<u8> {
    let key = format!("{}{}", home.prefix, artifact.key);
    let got = home
        .client
        .get_object()
        .bucket(&home.bucket)
        .key(key)
        .send()
        .await;
    let bytes = got.unwrap().body.collect().await.unwrap().to_vec();
    assert_eq!(Sha256::of(&bytes), artifact.sha256, "{}", artifact.key);
    bytes
}

fn unpack(bytes: &[u8], to: &Utf8Path) {
    fs::create_dir(to).unwrap();
    fs::write(to.join("x.tar.gz"), bytes).unwrap();
    let arguments = ["-xzf", "x.tar.gz"];
    let unpacked = Command::new("tar").args(arguments).current_dir(to).status();
    assert!(unpacked.unwrap().success());
}

/// Needs Java with `jlink`, curl and tar, on Linux of `x86_64`.
#[tokio::test(flavor = "multi_thread")]
async fn what_nodes_run_is_packed_and_uploaded_once_and_signed() {
    let account = Account::new().await;
    let identity = account.connection.identity().await.unwrap().unwrap();
    let (desk, home) = (Desk::new(), home(&account, &identity.account));
    let inputs = desk.inputs();
    let say = |text: String| desk.said.lock().unwrap().push(text);

    // Before anything else lies there: a prefix with objects of others becomes no store.
    let store = Store::open_or_create(&Home::S3(home.clone())).await.unwrap();

    let begun = Instant::now();
    let made = artifacts::ensure(&inputs, &home, &say).await.unwrap();
    let first = begun.elapsed();
    let said = desk.said();
    assert_eq!(
        said.iter().filter(|text| text.starts_with("packs")).count(),
        2,
        "{said:?}"
    );
    assert_eq!(
        said.iter().filter(|text| text.starts_with("uploads")).count(),
        5,
        "{said:?}"
    );

    let begun = Instant::now();
    assert_eq!(artifacts::ensure(&inputs, &home, &say).await.unwrap(), made);
    println!(
        "packed and uploaded in {first:?}, found again in {:?}",
        begun.elapsed()
    );
    assert_eq!(desk.said(), [""; 0]);

    fs::remove_dir_all(&inputs.cache).unwrap();
    assert_eq!(
        artifacts::ensure(&inputs, &home, &say).await.unwrap(),
        made,
        "other bytes"
    );
    let said = desk.said();
    assert!(said.iter().all(|text| text.starts_with("packs")), "{said:?}");

    // What a node gets works.
    let java = &made.java[&Architecture::X86];
    unpack(&fetch(&home, &java.artifact).await, &desk.path.join("java"));
    let top = fs::read_dir(desk.path.join("java")).unwrap();
    let top = top
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    let asked = Command::new(top.join("bin/java"))
        .arg("-version")
        .output()
        .unwrap();
    let answer = String::from_utf8(asked.stderr).unwrap();
    assert!(answer.contains(&java.release), "{answer}");
    let kafka = fetch(&home, &made.kafka[&KafkaVersion::DEFAULT]).await;
    unpack(&kafka, &desk.path.join("kafka"));
    let version = KafkaVersion::DEFAULT;
    let jar = format!("kafka/kafka_2.13-{version}/libs/kafka_2.13-{version}.jar");
    let mut jar = fs::File::open(desk.path.join(jar)).unwrap();
    assert!(jar.read(&mut [0; 4]).unwrap() == 4);
    assert_eq!(made.java[&Architecture::Arm].release, "21.0.9");
    fetch(&home, &made.agents[&Architecture::Arm].artifact).await;

    // The release: written once, with a higher serial when it changes, by one key.
    let uid = account.names.uid();
    let (one, two) = tokio::join!(
        artifacts::ensure_release(&store, uid, &made),
        artifacts::ensure_release(&store, uid, &made)
    );
    let (public, serial) = one.unwrap();
    assert_eq!(two.unwrap(), (public.clone(), serial), "two keys or two releases");
    let file = store.get(&release_key(uid).unwrap()).await.unwrap().unwrap();
    let opened = public.open(&file.bytes).unwrap();
    assert_eq!(opened, made.release(serial));
    let mut more = made.clone();
    more.agents.remove(&Architecture::Arm);
    let changed = artifacts::ensure_release(&store, uid, &more).await.unwrap();
    assert_eq!(changed, (public.clone(), serial + 1));

    // Somebody who can write into the bucket puts another one there.
    let key = store.get(&signing_key(uid).unwrap()).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&key.bytes).starts_with("-----BEGIN PRIVATE KEY-----"));
    let foreign = msk::store::release::SigningKey::generate().unwrap();
    let forged = made.release(serial + 9).sign(&foreign).unwrap();
    let at = release_key(uid).unwrap();
    store
        .put(&at, forged, msk::store::Durability::Durable)
        .await
        .unwrap();
    let error = artifacts::ensure_release(&store, uid, &made).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Release { .. }), "{error}");

    // Deleted, it begins above what nodes have seen.
    store.delete(&at).await.unwrap();
    let (_, again) = artifacts::ensure_release(&store, uid, &made).await.unwrap();
    assert!(again >= serial, "{again} after {serial}");
    account.stand.must_be_content();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_on_nodes_is_refused_with_the_way_out() {
    let account = Account::new().await;
    let identity = account.connection.identity().await.unwrap().unwrap();
    let (desk, home) = (Desk::new(), home(&account, &identity.account));
    let say = |text: String| desk.said.lock().unwrap().push(text);
    let all = desk.inputs();
    let refused = async |inputs: Inputs, words: &str| {
        let error = artifacts::ensure(&inputs, &home, &say).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    let arm_alone = Inputs {
        architectures: BTreeSet::from([Architecture::Arm]),
        ..all.clone()
    };
    refused(
        Inputs {
            programs: desk.path.clone(),
            ..arm_alone.clone()
        },
        "msk-node-aarch64",
    )
    .await;
    refused(
        Inputs {
            java: BTreeMap::new(),
            ..arm_alone.clone()
        },
        "java_archives.arm64",
    )
    .await;
    let mut other = all.java.clone();
    if let Some(archive) = other.get_mut(&Architecture::Arm) {
        archive.sha256 = Sha256::of(b"another file");
    }
    refused(
        Inputs {
            java: other,
            ..arm_alone.clone()
        },
        "nothing of it was used",
    )
    .await;
    let for_x86 = BTreeMap::from([(Architecture::X86, all.java[&Architecture::Arm].clone())]);
    let x86_alone = Inputs {
        architectures: BTreeSet::from([Architecture::X86]),
        java: for_x86,
        ..all.clone()
    };
    refused(x86_alone.clone(), "no program for Linux on x86_64").await;
    // The Java of this machine, on nodes with an older system.
    let old_nodes = Inputs {
        java: BTreeMap::new(),
        glibc: Some(Glibc(2, 2)),
        ..x86_alone
    };
    refused(old_nodes, "has 2.2").await;
    fs::write(desk.path.join("programs/msk-node-aarch64"), "#!/bin/sh").unwrap();
    refused(arm_alone, "no program for Linux on arm64").await;
    account.stand.must_be_content();
}
