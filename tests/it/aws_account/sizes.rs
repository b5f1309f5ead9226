//! How many calls a plan makes, and how it grows with the cluster.

use std::time::Instant;

use super::Account;

/// Calls of a plan without changes: of the control plane, and of S3. The played nodes keep quiet meanwhile.
pub(super) fn calls_of_a_plan(account: &mut Account) -> (usize, usize) {
    account.nodes = None;
    account.terraform.plan_must_be_empty();
    let begin = Instant::now();
    let calls = account
        .stand
        .calls_during(|| account.terraform.plan_must_be_empty());
    let took = begin.elapsed();
    let of_s3 = calls.iter().filter(|call| call.starts_with("s3:")).count();
    println!(
        "plan without changes: {} control-plane calls, {of_s3} of S3, {:.2} s with two starts of terraform\n{calls:#?}",
        calls.len() - of_s3,
        took.as_secs_f64()
    );
    (calls.len() - of_s3, of_s3)
}

#[test]
fn a_plan_of_six_nodes_without_changes_makes_few_calls() {
    let mut account = Account::with("");
    account.terraform.apply(&[]).must_succeed();
    let (control, _) = calls_of_a_plan(&mut account);
    assert!(control <= 14, "{control} calls");
    account.destroy();
}

/// As long as Auto Scaling's own, the shortest of those that a plan reads.
pub(super) const PAGE: &str = r#"{"page_size": 100}"#;

#[test]
fn thirty_brokers_are_made_planned_with_few_calls_and_destroyed() {
    let mut account = Account::with("  brokers_per_az = 10");
    account.stand.control("POST", "settings", PAGE);
    let begin = Instant::now();
    account.terraform.apply(&[]).must_succeed();
    println!("33 nodes made in {:.1} s", begin.elapsed().as_secs_f64());
    assert_eq!(
        account.terraform.state("msk_cluster.events")["brokers"]
            .as_array()
            .unwrap()
            .len(),
        30
    );
    let (control, of_s3) = calls_of_a_plan(&mut account);
    assert!(control <= 18, "{control} calls");
    // Of each node its status and the claim of its format.
    assert!(of_s3 <= 2 * 33 + 12, "{of_s3} calls of S3");
    account.destroy();
}

#[test]
fn sixty_brokers_are_planned() {
    let account = Account::with("  brokers_per_az = 20");
    let planned = account.terraform.plan(&[]);
    planned.outcome.must_succeed();
    assert!(
        account.stand.left() == serde_json::json!({}),
        "a plan makes nothing"
    );
}
