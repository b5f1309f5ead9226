//! Stores, data directories and disks that are not what they were: errors with the way out, never a
//! format, never a removal from the state, and nothing is written over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::world::{Kafka, Role, World, children, files, output, wait_until};
use crate::support::terraform::Outcome;

/// The address is still in the state.
#[track_caller]
fn must_be_in_state(world: &World) {
    let listed = world.terraform.run(&["state", "list"]);
    assert_eq!(
        String::from_utf8_lossy(&listed.stdout).trim(),
        "msk_cluster.c",
        "{listed:?}"
    );
}

/// Plan, apply and destroy all fail with these words, and the state keeps what it had.
#[track_caller]
fn all_must_fail_with(world: &World, words: &[&str]) {
    world.terraform.plan(&[]).outcome.must_fail_with(words);
    world.terraform.apply(&[]).must_fail_with(words);
    world.terraform.destroy(&[]).must_fail_with(words);
    world.terraform.destroy(&["-refresh=false"]).must_fail_with(words);
    must_be_in_state(world);
}

fn copy(from: &Path, to: &Path) {
    output(Command::new("cp").arg("-a").arg(from).arg(to));
}

#[test]
fn an_emptied_or_another_data_directory_is_an_error_and_the_state_keeps_the_cluster() {
    let mut world = World::new(Kafka::StandIn);
    world.apply();
    let kafka = world.process(Role::Kafka);
    let data = world.terraform.data();
    let away = world.terraform.path("away");

    // Gone, as after a mount that failed.
    fs::rename(&data, &away).unwrap();
    let name = data.to_str().unwrap();
    all_must_fail_with(&world, &["no control store", name]);
    assert!(!data.exists(), "nothing is made in its place");

    // Emptied.
    fs::create_dir(&data).unwrap();
    all_must_fail_with(&world, &["no control store", name]);
    assert!(children(&data).is_empty(), "{:?}", children(&data));
    fs::remove_dir(&data).unwrap();
    fs::rename(&away, &data).unwrap();

    // Another one, with a store of its own.
    let other = World::with(
        Kafka::StandIn,
        "resource \"msk_configuration\" \"c\" {\n  name = \"c\"\n  server_properties = {}\n}\n",
    );
    other.apply();
    world
        .terraform
        .set("MSK_LOCAL_DATA_DIRECTORY", other.terraform.data());
    all_must_fail_with(&world, &["former data directory"]);
    assert!(other.clusters().is_empty(), "nothing is made there");
    world.terraform.set("MSK_LOCAL_DATA_DIRECTORY", &data);

    // The store alone is gone, the clusters are there.
    let store = data.join("store");
    fs::rename(&store, world.terraform.path("store-away")).unwrap();
    all_must_fail_with(&world, &["store"]);
    assert!(!store.join("store.json").exists(), "no new store");
    let _ = fs::remove_dir_all(&store);
    fs::rename(world.terraform.path("store-away"), &store).unwrap();

    assert_eq!(
        world.process(Role::Kafka),
        kafka,
        "Kafka went on through all of it"
    );
    wait_until("the plan is empty again", || {
        world.terraform.plan(&["-detailed-exitcode"]).outcome.is_ok
    });
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

/// What the agents say through `msk-node status`.
fn agents_say(world: &World) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_msk-node"))
        .args(["status", "--json", "--data-directory"])
        .arg(world.terraform.data())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_store_of_yesterday_stops_and_deletes_nothing() {
    let world = World::new(Kafka::StandIn);
    let store = world.terraform.data().join("store");
    let copy_of = |name: &str| world.terraform.path(name);
    world.terraform.write(
        "main.tf",
        "resource \"msk_configuration\" \"a\" {\n  name = \"a\"\n  server_properties = {}\n}\n",
    );
    world.apply();
    copy(&store, &copy_of("before"));
    world.terraform.write("main.tf", super::world::CLUSTER);
    world.apply();
    let kafka = world.process(Role::Kafka);
    copy(&store, &copy_of("yesterday"));
    world.terraform.write(
        "main.tf",
        &super::world::CLUSTER.replace("subnet_ids ", "max_message_bytes = 2000000\n  subnet_ids "),
    );
    world.apply();
    let put = |name: &str| {
        let _ = fs::remove_dir_all(copy_of("today"));
        fs::rename(&store, copy_of("today")).unwrap();
        copy(&copy_of(name), &store);
    };
    let put_back = || {
        fs::remove_dir_all(&store).unwrap();
        fs::rename(copy_of("today"), &store).unwrap();
    };

    // From before the cluster was made: its record is missing, and nothing says that it was deleted.
    put("before");
    all_must_fail_with(&world, &["bring the store back"]);
    assert_eq!(world.process(Role::Kafka), kafka);
    put_back();

    // From before the last change: the agents see that it is older than what they applied.
    put("yesterday");
    wait_until("the agent sees that the store is older", || {
        agents_say(&world).to_lowercase().contains("rolled back")
    });
    let planned = world.terraform.plan(&[]);
    let actions = planned.actions();
    assert!(
        actions.iter().all(|(_, actions)| actions == "update"),
        "{actions:?}"
    );
    must_be_in_state(&world);
    assert_eq!(world.process(Role::Kafka), kafka);
    put_back();

    wait_until("the agent is content again", || {
        !agents_say(&world).to_lowercase().contains("rolled back")
    });
    world.apply_until_active();
    world.must_be_whole();
    assert_eq!(world.process(Role::Kafka), kafka);
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

#[test]
fn a_state_of_yesterday_makes_nothing_twice() {
    let world = World::new(Kafka::StandIn);
    let state = world.terraform.path("work/terraform.tfstate");
    world.apply();
    let kafka = world.process(Role::Kafka);
    let today = fs::read(&state).unwrap();

    // No state at all, as after a kill: made, never shown, same caller, so it is taken over.
    fs::remove_file(&state).unwrap();
    world.apply();
    world.must_be_whole();
    assert_eq!(world.process(Role::Kafka), kafka);

    // The former state names a claim that was taken over since: nothing is removed by it.
    let now = fs::read(&state).unwrap();
    fs::write(&state, &today).unwrap();
    let outcome = world.terraform.destroy(&["-refresh=false"]);
    assert_eq!(world.process(Role::Kafka), kafka, "{}", outcome.text);
    fs::write(&state, &now).unwrap();
    world.must_be_whole();

    // The state of a cluster that was destroyed since: it is gone, as its tombstone says.
    world.terraform.destroy(&[]).must_succeed();
    fs::write(&state, &now).unwrap();
    world.apply();
    world.must_be_whole();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

#[test]
fn a_node_whose_data_was_emptied_by_hand_is_never_formatted_again() {
    let world = World::with(
        Kafka::StandIn,
        &super::world::CLUSTER.replace(
            "subnet_ids ",
            "timeouts {\n    update = \"60s\"\n  }\n  subnet_ids ",
        ),
    );
    world.apply();
    let data = world.node().join("data");
    let kept = world.terraform.path("kept");
    world.kill_all();
    copy(&data, &kept);
    for child in children(&data) {
        if child.is_dir() {
            fs::remove_dir_all(child).unwrap();
        } else {
            fs::remove_file(child).unwrap();
        }
    }
    world.terraform.apply(&[]).must_fail_with(&[
        "meta.properties",
        "never formatted again",
        data.to_str().unwrap(),
    ]);
    assert!(files(&data).is_empty(), "{:?}", files(&data));
    assert!(world.processes(Role::Kafka).is_empty(), "Kafka is not started");
    must_be_in_state(&world);

    // Brought back, its agent sees it and goes on.
    for child in children(&kept) {
        copy(&child, &data);
    }
    wait_until("Kafka runs again", || world.processes(Role::Kafka).len() == 1);
    world.apply_until_active();
    world.must_be_whole();

    // The whole directory is gone: the same, and a destroy works with it.
    world.kill_all();
    fs::remove_dir_all(&data).unwrap();
    let planned = world.terraform.plan(&[]);
    planned.outcome.must_succeed();
    let _ = world.terraform.apply(&[]);
    assert!(!data.join("meta.properties").exists(), "never formatted");
    must_be_in_state(&world);
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

/// The documents of a cluster that only the provider writes.
fn documents(world: &World) -> Vec<PathBuf> {
    let store = world.terraform.data().join("store");
    files(&store)
        .into_iter()
        .filter(|path| {
            let text = path.to_str().unwrap();
            text.ends_with("clusters/c.json")
                || text.ends_with("/identity.json")
                || text.ends_with("/cluster.json")
        })
        .collect()
}

type Damage = fn(&str) -> String;

#[test]
fn broken_documents_are_named_and_never_written_over() {
    let damages: [(&str, Damage); 5] = [
        ("cut", |text| text[..text.len() / 2].to_owned()),
        ("empty", |_| String::new()),
        ("garbage", |_| "\u{0}\u{1} no document".to_owned()),
        ("newer", |text| text.replacen("\"format\":1", "\"format\":999", 1)),
        ("foreign", |text| {
            let at = text.find("\"store\":\"").unwrap() + 9;
            format!("{}{}{}", &text[..at], "0".repeat(32), &text[at + 32..])
        }),
    ];
    let world = World::new(Kafka::StandIn);
    world.apply();
    let kafka = world.process(Role::Kafka);
    let documents = documents(&world);
    assert_eq!(documents.len(), 3, "{documents:?}");
    for path in &documents {
        let good = fs::read_to_string(path).unwrap();
        for (name, damage) in damages {
            let broken = damage(&good.replace("\": ", "\":"));
            assert_ne!(broken, good, "{name} does not apply to {good}");
            fs::write(path, &broken).unwrap();
            let check = |outcome: Outcome| {
                let errors = format!("{:?}", outcome.errors());
                assert!(!outcome.is_ok, "{name} {}: {}", path.display(), outcome.text);
                assert!(
                    errors.contains(path.to_str().unwrap()),
                    "{name}: {errors} does not name {}",
                    path.display()
                );
            };
            check(world.terraform.plan(&[]).outcome);
            check(world.terraform.destroy(&["-refresh=false"]));
            assert_eq!(
                fs::read_to_string(path).unwrap(),
                broken,
                "{name} was written over"
            );
            must_be_in_state(&world);
        }
        fs::write(path, &good).unwrap();
    }
    assert_eq!(world.process(Role::Kafka), kafka);
    world.must_be_whole();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}
