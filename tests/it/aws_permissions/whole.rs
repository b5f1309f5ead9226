//! With exactly the published policies nothing is refused: real `terraform`, on a stand without machines.

use msk::aws::Connection;
use msk::aws::settings::{AccessKey, Settings};
use msk::engine::ec2::permissions::{Place, operator, plan_role};
use msk::secret::Secret;
use serde_json::{Value, json};

use super::{control, may, place};
use crate::support::stand::Stand;
use crate::support::stand_in_nodes::StandInNodes;
use crate::support::terraform::{Outcome, Terraform};

/// A cluster and a user with a password that is made up.
const CLUSTER: &str = r#"
variable "subnet_ids" { type = set(string) }
variable "kms_key_id" { type = string }
variable "client_security_group_id" { type = string }

resource "msk_cluster" "events" {
  name                      = "events"
  kafka_version             = "4.3.1"
  subnet_ids                = var.subnet_ids
  kms_key_id                = var.kms_key_id
  client_security_group_ids = [var.client_security_group_id]
  volume_size               = 20
  tags                      = { old = "1" }
  deletion_protection       = false
  skip_final_snapshot       = true
}

resource "msk_scram_secret" "app" {
  cluster_id = msk_cluster.events.id
  username   = "app"
  kms_key_id = var.kms_key_id
}
"#;

/// Who plays the nodes may do everything, whatever the operator may.
const PLAYER: &str = "
iam = boto3.client('iam')
iam.create_user(UserName='player')
everything = {'Effect': 'Allow', 'Action': '*', 'Resource': '*'}
document = json.dumps({'Version': '2012-10-17', 'Statement': [everything]})
iam.put_user_policy(UserName='player', PolicyName='everything', PolicyDocument=document)
print(json.dumps(iam.create_access_key(UserName='player')['AccessKey'], default=str))";

fn player(stand: &Stand) -> Settings {
    let key: Value = serde_json::from_str(&stand.by_hand(PLAYER, &[])).unwrap();
    // What a test prepares is nothing that a cluster left.
    control(stand, "POST", "left/baseline", &json!({}));
    Settings {
        access_key: Some(AccessKey {
            id: key["AccessKeyId"].as_str().unwrap().to_owned(),
            secret: Secret::new(key["SecretAccessKey"].as_str().unwrap().to_owned()),
            token: None,
        }),
        ..stand.settings()
    }
}

fn on(stand: &Stand) -> Terraform {
    let mut terraform = Terraform::bare();
    let kafka = std::env::var("MSK_TEST_KAFKA_DIRECTORY")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/target/kafka").to_owned());
    let bucket = stand.variable("TF_VAR_control_bucket");
    terraform.write(
        "provider.tf",
        &format!(
            "provider \"msk\" {{\n  aws = {{\n    control_bucket  = \"{bucket}\"\n    control_prefix  = \"msk/\"\n    \
             kafka_directory = \"{kafka}\"\n  }}\n}}\n"
        ),
    );
    terraform.write("main.tf", CLUSTER);
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "TF_VAR_subnet_ids",
        "TF_VAR_kms_key_id",
        "TF_VAR_client_security_group_id",
    ] {
        terraform.set(name, stand.variable(name));
    }
    terraform.init();
    terraform
}

/// The operator's requests that were refused since a number of the log, as `service:Action`.
fn refused(stand: &Stand, since: u64) -> Vec<String> {
    let entries = control(stand, "GET", &format!("log?after={since}"), &Value::Null);
    let is_refused = |entry: &&Value| {
        let (code, who) = (entry["code"].as_str(), entry["principal"].as_str());
        let code = code.unwrap_or_default();
        if !who.unwrap_or_default().ends_with("/operator") {
            return false;
        }
        entry["status"] == 403 || code.contains("Denied") || code == "UnauthorizedOperation"
    };
    let entries = entries.as_array().unwrap().iter().filter(is_refused);
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    entries
        .map(|entry| format!("{}:{}", text(entry, "service"), text(entry, "action")))
        .collect()
}

/// The number of the newest request.
fn newest(stand: &Stand) -> u64 {
    let entries = control(stand, "GET", "log", &Value::Null);
    let last = entries.as_array().and_then(|entries| entries.last());
    last.and_then(|entry| entry["number"].as_u64())
        .unwrap_or_default()
}

fn operates(stand: &Stand, place: &Place) {
    let all: Vec<Value> = operator(place)
        .into_iter()
        .map(|document| document.policy)
        .collect();
    may(stand, &all);
}

/// The command went well, and nothing was refused since a number of the log.
#[track_caller]
fn must_pass(stand: &Stand, since: u64, what: &str, outcome: Outcome) {
    assert_eq!(
        refused(stand, since),
        Vec::<String>::new(),
        "{what}: {}",
        outcome.text
    );
    outcome.must_succeed();
}

#[test]
fn a_cluster_lives_its_whole_life_with_exactly_the_published_policies() {
    let stand = Stand::up();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let account = runtime.block_on(async {
        let connection = Connection::open(&stand.settings()).await.unwrap();
        connection.identity().await.unwrap().unwrap().account.clone()
    });
    let place = place(&stand, &account, stand.variable("TF_VAR_control_bucket"));
    let _nodes = StandInNodes::with(player(&stand), &stand, "events");
    let plans = || may(&stand, &[plan_role(&place).policy]);
    let terraform = on(&stand);

    let since = 0;
    plans();
    let planned = terraform.plan(&[]);
    must_pass(&stand, since, "a plan before anything is there", planned.outcome);

    operates(&stand, &place);
    must_pass(&stand, since, "an apply", terraform.apply(&[]));
    let calls = control(&stand, "GET", "calls", &Value::Null);
    let made = |call: &str| calls[call].as_u64().unwrap_or_default();
    assert!(made("autoscaling:CreateAutoScalingGroup") >= 6, "{calls}");
    assert!(made("secretsmanager:CreateSecret") >= 1, "{calls}");

    plans();
    let planned = terraform.plan(&[]);
    assert_eq!(planned.actions(), Vec::new(), "nothing is to be done");
    must_pass(&stand, since, "a plan of what is there", planned.outcome);
    let grown = CLUSTER
        .replace("= 20", "= 30\n  client_cidr_blocks = [\"10.0.0.0/8\"]")
        .replace("{ old = \"1\" }", "{ team = \"data\" }")
        .replace(
            "= \"app\"",
            "= \"app\"\n  password_wo = \"hunter-two-seven\"\n  password_wo_version = 1",
        );
    terraform.write("main.tf", &grown);
    let planned = terraform.plan(&[]);
    must_pass(&stand, since, "a plan of a change", planned.outcome);
    let refusal = terraform.apply(&[]);
    assert!(!refusal.is_ok, "a role that only plans changed something");
    let actions = refused(&stand, since);
    let names_it = |error: &String| actions.iter().any(|action| error.contains(action.as_str()));
    assert!(
        refusal.errors().iter().any(names_it),
        "no error names one of {actions:?}: {:?}",
        refusal.errors()
    );
    let since = newest(&stand);

    operates(&stand, &place);
    must_pass(&stand, since, "an update", terraform.apply(&[]));
    let planned = terraform.plan(&[]);
    assert_eq!(planned.actions(), Vec::new(), "nothing is left to be done");
    must_pass(&stand, since, "a plan after the update", planned.outcome);

    must_pass(&stand, since, "a destroy", terraform.destroy(&[]));
    stand.must_be_content();
    assert_eq!(stand.left(), json!({}));
}
