//! The same for the objects of a cluster: topic, ACL, secret and configuration, made and removed with a
//! kill before and after every effect. Real Kafka, one cluster for all.

use super::world::{CLUSTER, Cut, Kafka, World};

/// One after the other, so that the effects have an order.
const OBJECTS: &str = r#"
resource "msk_configuration" "o" {
  name              = "o"
  server_properties = { "log.retention.ms" = "86400000" }
}
resource "msk_topic" "o" {
  cluster_id = msk_cluster.c.id
  name       = "o"
  partitions = 2
  depends_on = [msk_configuration.o]
}
resource "msk_scram_secret" "o" {
  cluster_id = msk_cluster.c.id
  username   = "o"
  depends_on = [msk_topic.o]
}
resource "msk_acl" "o" {
  cluster_id    = msk_cluster.c.id
  principal     = "User:o"
  resource_type = "TOPIC"
  resource_name = "o"
  operations    = ["READ"]
  depends_on    = [msk_scram_secret.o]
}
"#;

const CREATE: [&str; 5] = [
    "create a configuration",
    "write topics, ACLs or users",
    "write topics, ACLs or users",
    "write a secret",
    "write topics, ACLs or users",
];

const DELETE: [&str; 6] = [
    "write topics, ACLs or users",
    "write topics, ACLs or users",
    "remove a secret",
    "write topics, ACLs or users",
    "write the tombstone of a configuration",
    "remove a configuration",
];

fn both() -> String {
    format!("{CLUSTER}{OBJECTS}")
}

#[track_caller]
fn must_have_all(world: &World, cut: Cut) {
    for address in [
        "msk_topic.o",
        "msk_acl.o",
        "msk_scram_secret.o",
        "msk_configuration.o",
    ] {
        assert!(
            !world.terraform.state(address).is_null(),
            "{address} after {cut:?}"
        );
    }
    world.terraform.plan_must_be_empty();
}

#[test]
fn a_kill_at_any_effect_of_a_clusters_objects_is_mended_by_the_next_run() {
    let mut world = World::new(Kafka::Real);
    world.apply();
    world.terraform.write("main.tf", &both());
    let (_, effects) = world.effects_of(|terraform| terraform.apply(&[]).must_succeed());
    assert_eq!(effects, CREATE, "create");
    world.terraform.write("main.tf", CLUSTER);
    let (_, effects) = world.effects_of(|terraform| terraform.apply(&[]).must_succeed());
    assert_eq!(effects, DELETE, "delete");
    let creates = Cut::all(CREATE.len());
    for (index, delete) in Cut::all(DELETE.len()).into_iter().enumerate() {
        let create = creates[index % creates.len()];
        world.terraform.write("main.tf", &both());
        world.cut(false, create);
        world.apply();
        must_have_all(&world, create);
        world.terraform.write("main.tf", CLUSTER);
        world.cut(false, delete);
        world.apply();
        world.terraform.plan_must_be_empty();
    }
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}
