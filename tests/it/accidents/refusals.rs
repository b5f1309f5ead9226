//! What the plan refuses does not keep a destroy away.

use super::world::{CLUSTER, Kafka, Role, World};

/// Changes of a live cluster that the plan refuses: each with its place in the configuration.
const REFUSED: [(&str, &str); 12] = [
    ("subnet_ids ", "metadata_mode = \"ZOOKEEPER\"\n  subnet_ids "),
    (
        "subnet_ids ",
        "authentication = { iam = true, scram = true }\n  subnet_ids ",
    ),
    (
        "subnet_ids ",
        "monitoring = { jmx_exporter = true }\n  subnet_ids ",
    ),
    (
        "subnet_ids ",
        "monitoring = { node_exporter = true }\n  subnet_ids ",
    ),
    (
        "subnet_ids ",
        "monitoring = { level = \"PER_BROKER\" }\n  subnet_ids ",
    ),
    (
        "subnet_ids ",
        "logging = { cloudwatch_log_group = \"x\" }\n  subnet_ids ",
    ),
    ("subnet_ids ", "brokers_per_az = 2\n  subnet_ids "),
    ("subnet_ids ", "dedicated_controllers = true\n  subnet_ids "),
    (
        "subnet_ids ",
        "encryption = { in_cluster = false }\n  subnet_ids ",
    ),
    ("[\"a\"]", "[\"a\", \"b\", \"c\"]"),
    ("4.3.1", "4.2.2"),
    ("false", "true\n  brokers_per_az = 2"),
];

#[test]
fn a_destroy_works_with_each_refusal_of_the_plan_present() {
    let world = World::new(Kafka::StandIn);
    world.apply();
    let kafka = world.process(Role::Kafka);
    for (old, new) in REFUSED {
        world.terraform.write("main.tf", &CLUSTER.replace(old, new));
        let planned = world.terraform.plan(&[]);
        assert!(!planned.outcome.is_ok, "{new} is not refused");
        let destroyed = world.terraform.plan(&["-destroy"]);
        if !destroyed.outcome.is_ok {
            // Terraform plans the configuration itself before it plans to destroy; the error names the way.
            let errors = destroyed.outcome.errors().join(" ");
            eprintln!("{new}: {errors}");
            world
                .terraform
                .plan(&["-destroy", "-refresh=false"])
                .outcome
                .must_succeed();
        }
        assert_eq!(world.process(Role::Kafka), kafka);
    }
    let (old, new) = REFUSED[0];
    world.terraform.write("main.tf", &CLUSTER.replace(old, new));
    world.terraform.destroy(&["-refresh=false"]).must_succeed();
    world.must_be_gone();
}
