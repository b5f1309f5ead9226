use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Bootstrap, Ensured, Error, Identity, Role, Voter, draw_uuid, ensure_formatted, read_identity};
use crate::clock::Timestamp;
use crate::kafka::versions::KafkaVersion;
use crate::spec::ids::NodeId;

/// A scratch directory with blanks and letters beyond ASCII in its path.
fn scratch() -> (tempfile::TempDir, Utf8PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(outer.path().join("Größe 1 データ")).unwrap();
    (outer, path)
}

fn identity() -> Identity {
    Identity {
        cluster_id: draw_uuid().unwrap(),
        node_id: NodeId(1),
        directory_id: draw_uuid().unwrap(),
    }
}

fn voter(identity: &Identity) -> Role {
    Role::InitialVoter(Bootstrap {
        version: KafkaVersion::DEFAULT,
        listener: "CONTROLLER".to_owned(),
        voters: vec![Voter {
            node_id: identity.node_id,
            directory_id: identity.directory_id.clone(),
            host: "127.0.0.1".to_owned(),
            port: 9093,
        }],
        users: Vec::new(),
    })
}

fn format(directory: &Utf8Path, identity: &Identity, role: &Role) -> Result<Ensured, Error> {
    ensure_formatted(directory, identity, role, Timestamp::from_millis(1))
}

#[test]
fn a_joiner_gets_meta_properties_alone() {
    let (_outer, directory) = scratch();
    let identity = identity();
    assert_eq!(
        format(&directory, &identity, &Role::Joiner).unwrap(),
        Ensured::Created
    );
    let names: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["meta.properties"]);
    assert_eq!(read_identity(&directory).unwrap(), Some(identity));
}

#[test]
fn formatting_again_changes_nothing() {
    let (_outer, directory) = scratch();
    let identity = identity();
    format(&directory, &identity, &voter(&identity)).unwrap();
    let before = fs::metadata(directory.join("meta.properties"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(
        format(&directory, &identity, &voter(&identity)).unwrap(),
        Ensured::AlreadyRight
    );
    assert_eq!(
        fs::metadata(directory.join("meta.properties"))
            .unwrap()
            .modified()
            .unwrap(),
        before
    );
}

#[test]
fn an_interrupted_formatting_is_taken_up_again() {
    let (_outer, directory) = scratch();
    let identity = identity();
    format(&directory, &identity, &voter(&identity)).unwrap();
    fs::rename(
        directory.join("meta.properties"),
        directory.join("meta.properties.msk-unfinished"),
    )
    .unwrap();
    assert_eq!(read_identity(&directory).unwrap(), None);
    assert_eq!(
        format(&directory, &identity, &voter(&identity)).unwrap(),
        Ensured::Created
    );
    assert!(!directory.join("meta.properties.msk-unfinished").exists());
}

#[test]
fn a_directory_of_another_node_is_left_alone() {
    let (_outer, directory) = scratch();
    format(&directory, &identity(), &Role::Joiner).unwrap();
    let before = fs::read(directory.join("meta.properties")).unwrap();
    let error = format(&directory, &identity(), &Role::Joiner).unwrap_err();
    assert!(matches!(error, Error::OtherOwner { .. }), "{error}");
    assert_eq!(fs::read(directory.join("meta.properties")).unwrap(), before);
}

#[test]
fn a_directory_with_data_but_no_meta_properties_is_left_alone() {
    for entry in [
        "orders-0/00000000000000000000.log",
        "__cluster_metadata-0/00000000000000000000.log",
        "notes",
    ] {
        let (_outer, directory) = scratch();
        let file = directory.join(entry);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "data").unwrap();
        let identity = identity();
        let error = format(&directory, &identity, &voter(&identity)).unwrap_err();
        assert!(matches!(error, Error::NotBlank { .. }), "{error}");
        assert!(!directory.join("meta.properties").exists());
        assert!(!directory.join("bootstrap.checkpoint").exists());
    }
}

#[test]
fn a_broken_meta_properties_is_an_error_with_its_path() {
    let (_outer, directory) = scratch();
    fs::create_dir_all(&directory).unwrap();
    let huge = "x".repeat(100_000);
    for content in ["", "version=2\n", "garbage", &huge] {
        fs::write(directory.join("meta.properties"), content).unwrap();
        let error = format(&directory, &identity(), &Role::Joiner).unwrap_err();
        assert!(error.to_string().contains("meta.properties"), "{error}");
        assert_eq!(
            fs::read(directory.join("meta.properties")).unwrap(),
            content.as_bytes()
        );
    }
}

#[test]
fn a_file_in_the_place_of_the_directory_is_an_error_that_names_it() {
    let (_outer, directory) = scratch();
    fs::write(&directory, "a file").unwrap();
    let error = format(&directory, &identity(), &Role::Joiner).unwrap_err();
    assert!(error.to_string().contains(directory.as_str()), "{error}");
}

#[test]
fn voters_that_kafka_could_not_use_are_refused_before_anything_is_written() {
    let identity = identity();
    let spoil: [fn(&mut Bootstrap); 5] = [
        |bootstrap| bootstrap.voters.clear(),
        |bootstrap| bootstrap.voters.push(bootstrap.voters[0].clone()),
        |bootstrap| bootstrap.voters[0].port = 0,
        |bootstrap| bootstrap.voters[0].host.clear(),
        |bootstrap| bootstrap.listener = "L".repeat(1000),
    ];
    for spoil in spoil {
        let (_outer, directory) = scratch();
        let Role::InitialVoter(mut bootstrap) = voter(&identity) else {
            unreachable!()
        };
        spoil(&mut bootstrap);
        let error = format(&directory, &identity, &Role::InitialVoter(bootstrap)).unwrap_err();
        assert!(matches!(error, Error::BadVoters { .. }), "{error}");
        assert!(!directory.join("meta.properties").exists());
    }
}
