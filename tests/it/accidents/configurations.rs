//! Configurations that are used, left, and full.

use std::fs;

use serde_json::Value;

use super::world::{CLUSTER, Kafka, World};

fn configuration(name: &str) -> String {
    format!(
        "resource \"msk_configuration\" \"{name}\" {{\n  name              = \"{name}\"\n  \
         server_properties = {{ \"log.retention.ms\" = \"86400000\" }}\n}}\n"
    )
}

/// The cluster with a configuration, by the expression of its id.
fn using(id: &str) -> String {
    CLUSTER.replace(
        "subnet_ids ",
        &format!("configuration = {{ id = {id}, revision = 1 }}\n  subnet_ids "),
    )
}

fn record(world: &World, name: &str) -> std::path::PathBuf {
    world
        .terraform
        .data()
        .join(format!("store/configurations/{name}.json"))
}

#[test]
fn a_cluster_moves_from_one_configuration_to_another_that_takes_its_place() {
    let one = format!("{}{}", configuration("one"), using("msk_configuration.one.id"));
    let two = format!("{}{}", configuration("two"), using("msk_configuration.two.id"));
    let world = World::with(Kafka::StandIn, &one);
    world.apply();
    for (text, gone, more) in [(&two, "one", &[][..]), (&one, "two", &["-parallelism=1"])] {
        world.terraform.write("main.tf", text);
        let warnings = world.terraform.apply(more).must_succeed().warnings().join("\n");
        assert!(warnings.contains("goes with its last user"), "{warnings}");
        assert!(!record(&world, gone).exists(), "{gone} is left");
        world.terraform.plan_must_be_empty();
    }
    world.terraform.destroy(&["-parallelism=1"]).must_succeed();
    world.must_be_gone();
}

#[test]
fn a_configuration_that_a_cluster_goes_on_using_is_not_deleted() {
    let both = format!("{}{}", configuration("one"), using("\"one\""));
    let world = World::with(Kafka::StandIn, &configuration("one"));
    world.apply();
    world.terraform.write("main.tf", &both);
    world.apply();
    world.terraform.write("main.tf", &using("\"one\""));
    world
        .terraform
        .apply(&[])
        .must_fail_with(&["`c`", "`one`", "goes on using it"]);
    assert!(record(&world, "one").exists());
    world.terraform.write("main.tf", &both);
    world.terraform.plan_must_be_empty();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

#[test]
fn the_oldest_revision_that_nobody_uses_goes_when_there_are_fifty() {
    let world = World::with(
        Kafka::StandIn,
        &format!("{}{}", configuration("one"), using("msk_configuration.one.id")),
    );
    world.apply();
    // As fifty applies leave it; the cluster uses the first.
    let path = record(&world, "one");
    let mut document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let body = find_mut(&mut document, "revisions").expect("a list of revisions");
    let first = body[0].clone();
    let all = (1..=50).map(|number| {
        let mut revision = first.clone();
        revision["revision"] = number.into();
        revision
    });
    *body = all.collect();
    fs::write(&path, serde_json::to_vec(&document).unwrap()).unwrap();
    world.terraform.plan_must_be_empty();

    world.terraform.replace("main.tf", "86400000", "3600000");
    let planned = world.terraform.plan(&[]);
    assert_eq!(
        planned.change("msk_configuration.one")["after"]["latest_revision"],
        51
    );
    let warnings = planned.outcome.must_succeed().warnings().join("\n");
    assert!(warnings.contains("Revision 2"), "{warnings}");
    world.apply();
    let revisions = world.terraform.state("msk_configuration.one")["revisions"].clone();
    let numbers: Vec<u64> = revisions
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|revision| revision["revision"].as_u64())
        .collect();
    let expected: Vec<u64> = std::iter::once(1).chain(3..=51).collect();
    assert_eq!(numbers, expected);
    world.terraform.plan_must_be_empty();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

fn find_mut<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    let object = value.as_object_mut()?;
    if object.contains_key(name) {
        return object.get_mut(name);
    }
    object.values_mut().find_map(|inner| find_mut(inner, name))
}
