//! A newer provider: agents that run change to the newer one while Kafka goes on, and an instance that is born with an
//! older agent joins with the newer one.

use std::time::Duration;

use msk::aws::Connection;
use msk::spec::ids::ClusterName;
use msk::store::documents::keys::{self, Single};
use msk::store::documents::{ClusterPlaces, ClusterRecord};
use msk::store::{Documents, Home, Patience, Prefix, Put, S3Home, Store};

use super::World;
use super::faults::{AGENT, KAFKA, eventually_within, must_end, shell};
use crate::aws_account::in_one_zone;
use crate::support::stand::Stand;
use crate::support::terraform::Terraform;

/// One node with a topic.
const SMALL: &str = "  dedicated_controllers = false\n  volume_size = 2\n  authentication = { scram = true }";
const TOPIC: &str = "\nresource \"msk_topic\" \"orders\" {\n  cluster_id = msk_cluster.events.id\n  name = \"orders\"\n  \
                     partitions = 1\n  replication_factor = 1\n}\n";

/// What the next instance's user data is.
const USER_DATA: &str = "\
import base64
group = boto3.client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups'][0]
template = group['LaunchTemplate']['LaunchTemplateId']
version = boto3.client('ec2').describe_launch_template_versions(LaunchTemplateId=template, Versions=['1'])
print(base64.b64decode(version['LaunchTemplateVersions'][0]['LaunchTemplateData']['UserData']).decode())";

#[test]
#[ignore = "needs root and a stand with machines of its own"]
fn a_newer_agent_reaches_nodes_that_run_and_nodes_that_are_born_with_an_older_one() {
    let stand = Stand::with_machines();
    stand.enforce_policies();
    let configuration = in_one_zone(SMALL) + TOPIC;
    let terraform = Terraform::on_aws(&configuration, &stand);
    let mut world = World {
        stand,
        terraform,
        certificate: None,
    };
    let older = world.terraform.use_agent(b"older");
    world.terraform.apply(&[]).must_succeed();
    let instance = world.instance();
    assert_eq!(agent(&instance), older);
    let kafka = shell(&instance, KAFKA);

    // Years pass.
    let newer = world.terraform.use_agent(b"newer");
    was_left_by(&world, "0.0.1");
    let planned = world.terraform.plan(&[]);
    let operations = &planned.change("msk_cluster.events")["after"]["planned_operations"];
    assert_eq!(operations[0]["operation"], "align_objects", "{operations:#}");
    assert_eq!(operations.as_array().unwrap().len(), 1, "{operations:#}");
    // Cut after the new launch template is made: the release is signed, and the group has the former template.
    world.terraform.set("MSK_TEST_STOP_AT_EFFECT", "3:after:parent");
    let cut = world.terraform.apply(&[]);
    world.terraform.unset("MSK_TEST_STOP_AT_EFFECT");
    assert!(
        !cut.is_ok && !cut.text.contains("\"@level\":\"error\""),
        "{}",
        cut.text
    );
    let data = user_data(&world);
    assert!(data.contains(&older) && !data.contains(&newer), "{data}");

    // It looks once a minute.
    let patience = Duration::from_mins(4);
    eventually_within(patience, "the agent changes to the newer one", || {
        agent(&instance) == newer
    });
    assert_eq!(shell(&instance, KAFKA), kafka, "Kafka was restarted");
    let born = world.replaced(&instance);
    assert_eq!(agent(&born), newer, "born with the older agent");

    world.terraform.apply(&[]).must_succeed();
    world.terraform.plan_must_be_empty();
    let data = user_data(&world);
    assert!(data.contains(&newer) && !data.contains(&older), "{data}");
    assert_eq!(world.instance(), born, "an instance was replaced");
    let again = world.replaced(&born);
    assert_eq!(agent(&again), newer);
    world.terraform.plan_must_be_empty();
    world.destroy();
}

impl World {
    fn instance(&self) -> String {
        self.cluster()["brokers"][0]["instance_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Terminates the instance; the one that came in its place, when it serves.
    fn replaced(&self, instance: &str) -> String {
        self.stand.terminate("b-1");
        must_end(self, &[instance]);
        self.must_serve_within(Duration::from_mins(4));
        let next = self.instance();
        assert_ne!(next, instance);
        next
    }
}

/// The digest of the agent that runs in an instance; nothing between two of them.
fn agent(instance: &str) -> String {
    let sum = shell(instance, &format!("sha256sum /proc/$({AGENT})/exe || true"));
    sum.split(' ').next().unwrap_or_default().to_owned()
}

fn user_data(world: &World) -> String {
    world.stand.by_hand(USER_DATA, &[])
}

/// Makes it look as if a provider of this version had worked on the cluster last.
fn was_left_by(world: &World, version: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connection = Connection::open(&world.stand.settings()).await.unwrap();
        let home = Home::S3(S3Home {
            client: connection.s3(),
            bucket: world.stand.variable("TF_VAR_control_bucket").to_owned(),
            prefix: Prefix::parse("msk/").unwrap(),
            owner: None,
            kms_key: None,
            patience: Patience::default(),
        });
        let store = Store::open_existing(&home, None).await.unwrap();
        let of_store = Documents::of_store(&store);
        let record = keys::cluster_record(&ClusterName::new("events")).unwrap();
        let record = of_store.read::<ClusterRecord>(&record).await.unwrap().unwrap();
        let documents = Documents::of_cluster(&store, &record.body.uid);
        let key = keys::single(&record.body.uid, Single::Places).unwrap();
        let found = documents.read::<ClusterPlaces>(&key).await.unwrap().unwrap();
        let mut places = found.body.clone();
        version.clone_into(&mut places.version);
        let put = documents.replace(&key, &found, &places).await.unwrap();
        assert!(matches!(put, Put::Written(..)));
    });
}
