//! Names of the nodes' own in a private zone.

use serde_json::{Value, json};

use super::{Account, in_one_zone};

const ATTRIBUTES: &str =
    "  dedicated_controllers = false\n  volume_size = 20\n  private_zone_id = var.private_zone_id";
const VARIABLE: &str = "variable \"private_zone_id\" { type = string }\n";

/// The address records of the zone: name to address.
const RECORDS: &str = "
pages = boto3.client('route53').get_paginator('list_resource_record_sets').paginate(HostedZoneId=argument[0])
print(json.dumps({r['Name']: r['ResourceRecords'][0]['Value'] for p in pages for r in p['ResourceRecordSets'] if r['Type'] == 'A'}))";

/// Carries one change of a record out: action, name, address.
const CHANGE: &str = "
zone, action, name, address = argument
boto3.client('route53').change_resource_record_sets(HostedZoneId=zone, ChangeBatch={'Changes': [{'Action': action, \
'ResourceRecordSet': {'Name': name, 'Type': 'A', 'TTL': 60, 'ResourceRecords': [{'Value': address}]}}]})";

const NAME: &str = "b-1.events.stand.internal";

struct Zone(Account);

impl Zone {
    fn records(&self) -> Value {
        let id = self.0.stand.variable("TF_VAR_private_zone_id");
        serde_json::from_str(&self.0.stand.by_hand(RECORDS, &[id])).unwrap()
    }

    fn change(&self, action: &str, address: &str) {
        let id = self.0.stand.variable("TF_VAR_private_zone_id");
        self.0.stand.by_hand(CHANGE, &[id, action, NAME, address]);
    }
}

#[test]
fn nodes_have_names_in_a_private_zone_and_leave_none() {
    let zone = Zone(Account::with(ATTRIBUTES));
    let Zone(account) = &zone;
    account
        .terraform
        .write("main.tf", &(in_one_zone(ATTRIBUTES) + VARIABLE));

    // Somebody else's record of that name is not touched.
    zone.change("CREATE", "10.99.0.1");
    account
        .terraform
        .apply(&[])
        .must_fail_with(&[NAME, "leads to 10.99.0.1"]);
    zone.change("DELETE", "10.99.0.1");

    account.terraform.apply(&[]).must_succeed();
    account.terraform.plan_must_be_empty();
    let broker = account.terraform.state("msk_cluster.events")["brokers"][0].clone();
    let address = broker["private_ip"].as_str().unwrap();
    assert_eq!(broker["host"], NAME);
    assert_eq!(
        zone.records(),
        json!({ (format!("{NAME}.")): address }),
        "the name leads to the node"
    );

    // A record that is gone, and one that leads elsewhere.
    for drift in [("DELETE", address), ("UPSERT", "10.99.0.2")] {
        zone.change(drift.0, drift.1);
        let planned = account.terraform.plan(&[]);
        let rows = &planned.change("msk_cluster.events")["after"]["planned_operations"];
        assert_eq!(rows[0]["operation"], "make_places", "{rows}");
        let reason = rows[0]["reason"].as_str().unwrap();
        assert!(
            reason.contains("the name of broker 1 does not lead to its address"),
            "{reason}"
        );
        account.terraform.apply(&[]).must_succeed();
        account.terraform.plan_must_be_empty();
        assert_eq!(zone.records(), json!({ (format!("{NAME}.")): address }));
    }

    // A zone is chosen once.
    account
        .terraform
        .replace("main.tf", "= var.private_zone_id", "= \"Z0123456789\"");
    let planned = account.terraform.plan(&[]);
    planned.outcome.must_fail_with(&["`private_zone_id`"]);
    account
        .terraform
        .replace("main.tf", "= \"Z0123456789\"", "= var.private_zone_id");

    account.terraform.destroy(&[]).must_succeed();
    assert_eq!(zone.records(), json!({}), "left in the zone");
    let Zone(account) = zone;
    account.stand.must_be_content();
    assert_eq!(account.stand.left(), json!({}), "left in the account");
}
