use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Archive, Distribution, Error, Sources, directory_name, ensure, find};
use crate::kafka::versions::KafkaVersion;

const VERSION: KafkaVersion = KafkaVersion::DEFAULT;

/// A directory with a blank and letters beyond ASCII in its path.
fn scratch() -> (tempfile::TempDir, Utf8PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(outer.path().join("Käfka Dateien データ")).unwrap();
    fs::create_dir(&path).unwrap();
    (outer, path)
}

fn names() -> [String; 3] {
    [
        format!("kafka_2.13-{VERSION}.jar"),
        format!("kafka-clients-{VERSION}.jar"),
        "log4j-slf4j-impl-2.25.4.jar".to_owned(),
    ]
}

fn unpack_by_hand(kafka_directory: &Utf8Path) -> Utf8PathBuf {
    let directory = kafka_directory.join(directory_name(VERSION));
    fs::create_dir_all(directory.join("libs")).unwrap();
    for name in names() {
        fs::write(directory.join("libs").join(name), "a jar").unwrap();
    }
    directory
}

fn program(folder: &Utf8Path, name: &str, script: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.into_string()
}

fn sources(kafka_directory: &Utf8Path, maven_command: &str) -> Sources {
    Sources {
        kafka_directory: kafka_directory.to_owned(),
        archive: None,
        maven_command: maven_command.to_owned(),
    }
}

async fn fetch(sources: &Sources) -> Result<Distribution, Error> {
    ensure(VERSION, sources, &|_| {}).await
}

/// Everything that a failed fetch may leave: the lock file.
fn leftovers(kafka_directory: &Utf8Path) -> Vec<String> {
    let names = fs::read_dir(kafka_directory).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name != &format!(".fetching-{VERSION}.lock"));
    names
}

#[tokio::test]
async fn an_unpacked_distribution_is_used_as_it_is_and_maven_is_not_asked() {
    let (_outer, home) = scratch();
    let directory = unpack_by_hand(&home);
    fs::write(directory.join("libs/NOTICE"), "no jar").unwrap();
    let found = fetch(&sources(&home, "/no/such/maven")).await.unwrap();
    assert_eq!(found.jars.len(), 3);
    assert!(found.jars.is_sorted());
    assert!(found.jars.iter().all(|jar| jar.is_absolute()));
    assert_eq!(leftovers(&home), [directory_name(VERSION)]);
}

#[test]
fn a_directory_that_lacks_a_jar_is_an_error_that_names_it() {
    for name in names() {
        let (_outer, home) = scratch();
        let directory = unpack_by_hand(&home);
        fs::remove_file(directory.join("libs").join(&name)).unwrap();
        let text = find(VERSION, &home).unwrap_err().to_string();
        let stem = name.trim_end_matches("2.25.4.jar");
        assert!(text.contains(stem) && text.contains(directory.as_str()), "{text}");
    }
    let (_outer, home) = scratch();
    fs::create_dir(home.join(directory_name(VERSION))).unwrap();
    assert!(matches!(find(VERSION, &home), Err(Error::Io { .. })));
}

#[test]
fn paths_that_java_cannot_use_are_refused() {
    assert!(matches!(
        find(VERSION, Utf8Path::new("relative")),
        Err(Error::Relative { .. })
    ));
    assert!(matches!(
        find(VERSION, Utf8Path::new("/a:b")),
        Err(Error::Colon { .. })
    ));
    assert!(matches!(
        find(VERSION, Utf8Path::new("/no/such/directory")),
        Ok(None)
    ));
}

#[tokio::test]
async fn no_maven_is_an_error_with_the_ways_out() {
    let (_outer, home) = scratch();
    let text = fetch(&sources(&home, "mvn-that-is-not-there"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.starts_with("cannot find the program `mvn-that-is-not-there`: install Maven"),
        "{text}"
    );
    assert_eq!(leftovers(&home), Vec::<String>::new());
}

#[tokio::test]
async fn what_maven_says_last_is_shown_and_bounded() {
    let (_outer, home) = scratch();
    let script = "i=0; while [ $i -lt 5000 ]; do echo \"line $i\"; i=$((i+1)); done; \
        echo '[ERROR] Unknown host repo.example'; exit 1";
    let maven = program(&home, "mvn", script);
    let text = fetch(&sources(&home, &maven)).await.unwrap_err().to_string();
    assert!(
        text.contains("failed to fetch Kafka 4.3.1 (exit status: 1)"),
        "{text}"
    );
    assert!(text.ends_with("[ERROR] Unknown host repo.example"), "{text}");
    assert!(text.len() < 1000, "{text}");
    assert_eq!(leftovers(&home), ["mvn"]);
}

/// A Maven that puts these files where it is told to.
fn maven_with(home: &Utf8Path, files: &str) -> String {
    let script = format!(
        "for a; do case $a in -DoutputDirectory=*) out=${{a#-DoutputDirectory=}};; esac; done\ncd \"$out\"\n{files}"
    );
    program(home, "mvn", &script)
}

#[tokio::test]
async fn a_jar_that_no_lock_names_is_refused_by_name() {
    let (_outer, home) = scratch();
    let maven = maven_with(&home, "echo x >evil-1.0.jar");
    let error = fetch(&sources(&home, &maven)).await.unwrap_err();
    assert!(
        matches!(&error, Error::ForeignFile { path } if path.ends_with("libs/evil-1.0.jar")),
        "{error}"
    );
    assert_eq!(leftovers(&home), ["mvn"]);
}

#[tokio::test]
async fn a_jar_with_other_content_is_refused_by_name() {
    let (_outer, home) = scratch();
    let name = format!("kafka_2.13-{VERSION}.jar");
    let size = super::lock::Lock::of(VERSION).files[name.as_str()].size;
    for content in ["x".to_owned(), "x".repeat(usize::try_from(size).unwrap())] {
        fs::write(home.join("content"), &content).unwrap();
        let maven = maven_with(&home, &format!("cp '{home}/content' {name}"));
        let error = fetch(&sources(&home, &maven)).await.unwrap_err();
        assert!(
            matches!(&error, Error::WrongFile { path, .. } if path.ends_with(&name)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_jar_that_does_not_come_is_missed_by_name() {
    let (_outer, home) = scratch();
    let maven = maven_with(&home, ":");
    let error = fetch(&sources(&home, &maven)).await.unwrap_err();
    assert!(matches!(error, Error::MissingFile { .. }), "{error}");
}

#[tokio::test]
async fn a_kafka_directory_that_cannot_be_written_is_an_error_that_names_it() {
    let (_outer, home) = scratch();
    let file = home.join("a file");
    fs::write(&file, "").unwrap();
    let text = fetch(&sources(&file.join("kafka"), "mvn"))
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("a file/kafka"), "{text}");
}

#[tokio::test]
async fn what_a_killed_fetch_left_is_removed_by_the_next() {
    let (_outer, home) = scratch();
    fs::create_dir(home.join(format!(".fetching-{VERSION}-1"))).unwrap();
    fs::write(home.join(format!(".fetching-{VERSION}-1/half.jar")), "half").unwrap();
    let maven = program(&home, "mvn", "exit 1");
    assert!(fetch(&sources(&home, &maven)).await.is_err());
    assert_eq!(leftovers(&home), ["mvn"]);
}

/// An archive as Apache publishes it, and its digest.
fn archive(home: &Utf8Path) -> (Archive, Utf8PathBuf) {
    let source = home.join("source");
    unpack_by_hand(&source);
    let file = home.join(format!("kafka-2.13-{VERSION}.tgz"));
    let arguments = [
        "-czf",
        file.as_str(),
        "-C",
        source.as_str(),
        &directory_name(VERSION),
    ];
    assert!(Command::new("tar").args(arguments).status().unwrap().success());
    let digest = super::lock::hex_digest(&file, &aws_lc_rs::digest::SHA512).unwrap();
    let folder: String = home
        .as_str()
        .chars()
        .map(|letter| {
            if letter == ' ' {
                "%20".to_owned()
            } else {
                letter.to_string()
            }
        })
        .collect();
    let archive = Archive {
        url: format!("file://{folder}/kafka-{{scala}}-{{version}}.tgz"),
        sha512: BTreeMap::from([(VERSION.to_string(), digest.to_uppercase())]),
    };
    (archive, file)
}

#[tokio::test]
async fn an_archive_is_downloaded_checked_and_unpacked() {
    let (_outer, home) = scratch();
    let (archive, _) = archive(&home);
    let sources = Sources {
        archive: Some(archive),
        ..sources(&home.join("kafka"), "/no/maven")
    };
    assert_eq!(fetch(&sources).await.unwrap().jars.len(), 3);
    assert_eq!(leftovers(&sources.kafka_directory), [directory_name(VERSION)]);
}

#[tokio::test]
async fn an_archive_with_another_digest_is_thrown_away() {
    let (_outer, home) = scratch();
    let (archive, file) = archive(&home);
    fs::write(&file, "other bits").unwrap();
    let sources = Sources {
        archive: Some(archive),
        ..sources(&home.join("kafka"), "/no/maven")
    };
    let error = fetch(&sources).await.unwrap_err();
    assert!(matches!(error, Error::WrongArchive { .. }), "{error}");
    assert_eq!(leftovers(&sources.kafka_directory), Vec::<String>::new());
}

#[tokio::test]
async fn an_archive_without_a_digest_is_refused_and_maven_is_not_asked_instead() {
    let (_outer, home) = scratch();
    for digests in [
        BTreeMap::new(),
        BTreeMap::from([(VERSION.to_string(), "abc".to_owned())]),
    ] {
        let archive = Archive {
            url: "file:///x".to_owned(),
            sha512: digests,
        };
        let sources = Sources {
            archive: Some(archive),
            ..sources(&home, "/no/maven")
        };
        let error = fetch(&sources).await.unwrap_err();
        assert!(matches!(error, Error::NoDigest { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_archive_that_is_not_there_says_so_without_its_secrets() {
    let (_outer, home) = scratch();
    let archive = Archive {
        url: "http://user:hunter2@127.0.0.1:9/k.tgz?token=hunter2".to_owned(),
        sha512: BTreeMap::from([(VERSION.to_string(), "0".repeat(128))]),
    };
    let sources = Sources {
        archive: Some(archive),
        ..sources(&home, "/no/maven")
    };
    let text = fetch(&sources).await.unwrap_err().to_string();
    assert!(
        text.contains("`curl` failed to download http://127.0.0.1:9/k.tgz"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn two_fetches_at_once_end_with_one_distribution() {
    let (_outer, home) = scratch();
    let (archive, _) = archive(&home);
    let sources = Sources {
        archive: Some(archive),
        ..sources(&home.join("kafka"), "/no/maven")
    };
    let (one, other) = tokio::join!(fetch(&sources), fetch(&sources));
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(leftovers(&sources.kafka_directory), [directory_name(VERSION)]);
}
