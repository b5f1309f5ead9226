//! Two runs at once, plans that come late, and what Terraform does around a create that failed.

use std::fs;

use super::world::{CLUSTER, Cut, Kafka, Role, Side, World, wait_until};

/// Another working directory over the same data directory.
fn neighbor(world: &World) -> World {
    let mut other = World::new(Kafka::StandIn);
    other
        .terraform
        .set("MSK_LOCAL_DATA_DIRECTORY", world.terraform.data());
    other
}

#[test]
fn two_creates_of_one_name_at_once_make_one_cluster_and_name_the_holder() {
    let world = World::new(Kafka::StandIn);
    let other = neighbor(&world);
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| world.terraform.apply(&[]));
        let second = scope.spawn(|| other.terraform.apply(&[]));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!(
        [first.is_ok, second.is_ok].iter().filter(|ok| **ok).count(),
        1,
        "{}\n{}",
        first.text,
        second.text
    );
    let (winner, loser, failure) = if first.is_ok {
        (&world, &other, second)
    } else {
        (&other, &world, first)
    };
    let errors = failure.errors().join(" ");
    assert!(
        errors.contains("Another run works") || errors.contains("exists already"),
        "{errors}"
    );
    assert_eq!(world.clusters().len(), 1);

    // Later it is still the first one's, and the second one is told how to import it.
    loser
        .terraform
        .apply(&[])
        .must_fail_with(&["exists already", "import {", "discard"]);
    let _ = loser.terraform.destroy(&[]).must_succeed();
    winner.terraform.plan_must_be_empty();
    winner.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

#[test]
fn two_applies_at_once_on_one_cluster_both_end_well_or_say_who_works() {
    let world = World::new(Kafka::StandIn);
    world.apply();
    world.kill_all();
    // The lock of the state would keep them apart; a copy of the working directory has none.
    let other = neighbor(&world);
    fs::copy(
        world.terraform.path("work/terraform.tfstate"),
        other.terraform.path("work/terraform.tfstate"),
    )
    .unwrap();
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| world.terraform.apply(&[]));
        let second = scope.spawn(|| other.terraform.apply(&[]));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert!(first.is_ok || second.is_ok, "{}\n{}", first.text, second.text);
    for outcome in [&first, &second] {
        let errors = outcome.errors().join(" ");
        assert!(
            outcome.is_ok
                || errors.contains("Another run works")
                || errors.contains("changed since the plan"),
            "{errors}"
        );
    }
    world.apply();
    world.process(Role::Agent);
    world.process(Role::Kafka);
    world.terraform.plan_must_be_empty();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

#[test]
fn two_clusters_at_once_share_a_data_directory() {
    let world = World::new(Kafka::StandIn);
    let mut other = neighbor(&world);
    other.address = world.address;
    other.write_provider(&format!(
        "kafka_directory = \"{}\"",
        super::world::kafka_directory().display()
    ));
    other
        .terraform
        .write("main.tf", &CLUSTER.replace("\"c\"\n", "\"d\"\n"));
    std::thread::scope(|scope| {
        scope.spawn(|| world.apply());
        scope.spawn(|| other.apply());
    });
    assert_eq!(world.clusters().len(), 2);
    assert_eq!(world.processes(Role::Kafka).len(), 2);
    world.terraform.plan_must_be_empty();
    other.terraform.plan_must_be_empty();
    std::thread::scope(|scope| {
        scope.spawn(|| world.terraform.destroy(&[]).must_succeed());
        scope.spawn(|| other.terraform.destroy(&[]).must_succeed());
    });
    world.must_be_gone();
}

#[test]
fn two_workspaces_do_not_take_each_others_cluster() {
    let mut world = World::new(Kafka::StandIn);
    world.cut(
        false,
        Cut {
            number: 10,
            side: Side::Before,
        },
    );
    // Made, and never shown to a state; another workspace is another caller.
    assert!(world.terraform.run(&["workspace", "new", "b"]).status.success());
    world.terraform.apply(&[]).must_fail_with(&["exists already"]);
    assert!(
        world
            .terraform
            .run(&["workspace", "select", "default"])
            .status
            .success()
    );
    world.apply();
    world.must_be_whole();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

#[test]
fn a_saved_plan_that_comes_late_does_no_harm() {
    let world = World::new(Kafka::StandIn);
    world.terraform.plan(&[]).outcome.must_succeed();
    fs::rename(
        world.terraform.path("work/plan.bin"),
        world.terraform.path("work/late.bin"),
    )
    .unwrap();
    world.apply();
    let kafka = world.process(Role::Kafka);
    // A plan to create, when it is there: Terraform itself finds the plan stale.
    let late = world.terraform.run(&["apply", "-input=false", "late.bin"]);
    assert!(!late.status.success());
    assert_eq!(world.process(Role::Kafka), kafka);

    // A plan to repair, when it was repaired since by itself.
    world.kill_all();
    world.terraform.plan(&[]).outcome.must_succeed();
    fs::rename(
        world.terraform.path("work/plan.bin"),
        world.terraform.path("work/late.bin"),
    )
    .unwrap();
    let started = std::process::Command::new(env!("CARGO_BIN_EXE_msk-node"))
        .args(["start", "--data-directory"])
        .arg(world.terraform.data())
        .output()
        .unwrap();
    assert!(started.status.success(), "{started:?}");
    wait_until("Kafka runs again", || world.processes(Role::Kafka).len() == 1);
    let kafka = world.process(Role::Kafka);
    let late = world.terraform.run(&["apply", "-input=false", "late.bin"]);
    assert!(late.status.success(), "{late:?}");
    assert_eq!(world.process(Role::Kafka), kafka, "nothing was started twice");
    world.apply_until_active();
    world.must_be_whole();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

#[test]
fn a_create_that_failed_can_be_destroyed_or_corrected() {
    let never = CLUSTER.replace(
        "subnet_ids ",
        "timeouts {\n    create = \"1s\"\n  }\n  subnet_ids ",
    );
    let world = World::with(Kafka::StandIn, &never);
    // A node that cannot come up.
    let java = world.terraform.path("java/bin/java");
    let good = fs::read_to_string(&java).unwrap();
    super::world::write_program(
        &java,
        &good.replace(
            "exec ",
            "case $1 in -version) ;; *) sleep 30; exit 1 ;; esac\nexec ",
        ),
    );
    world.terraform.apply(&[]).must_fail_with(&["time limit"]);
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();

    world.terraform.apply(&[]).must_fail_with(&["time limit"]);
    super::world::write_program(&java, &good);
    world.terraform.write("main.tf", CLUSTER);
    world.apply();
    world.must_be_whole();
    assert_eq!(world.clusters().len(), 1);

    // Refresh off: what state and private state hold is enough for a destroy.
    world.terraform.apply(&["-refresh=false"]).must_succeed();
    world.terraform.destroy(&["-refresh=false"]).must_succeed();
    world.must_be_gone();
}

#[test]
fn a_tainted_cluster_is_replaced_and_create_before_destroy_harms_none() {
    let world = World::new(Kafka::StandIn);
    world.apply();
    let before = world.clusters();
    assert!(world.terraform.run(&["taint", "msk_cluster.c"]).status.success());
    world.apply();
    world.must_be_whole();
    assert_ne!(world.clusters(), before, "it is another cluster");

    // The new one cannot have the name while the old one has it. The create says so, or takes the cluster
    // over as it is (nobody but this directory has shown its claim); it is never harmed.
    world.terraform.write(
        "main.tf",
        &CLUSTER.replace(
            "subnet_ids ",
            "lifecycle {\n    create_before_destroy = true\n  }\n  subnet_ids ",
        ),
    );
    world.apply();
    assert!(world.terraform.run(&["taint", "msk_cluster.c"]).status.success());
    let kafka = world.process(Role::Kafka);
    let outcome = world.terraform.apply(&[]);
    let said = format!("{:?}", outcome.findings);
    assert!(
        said.contains("`create_before_destroy` cannot work")
            || (outcome.is_ok && said.contains("was left as it is")),
        "{said}"
    );
    assert_eq!(world.process(Role::Kafka), kafka);
    let _ = world.terraform.run(&["untaint", "msk_cluster.c"]);
    world.must_be_whole();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}
