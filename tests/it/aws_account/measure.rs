//! A measurement, by hand: `cargo test --test it -- --ignored --nocapture aws_account::measure`.

use std::time::Instant;

use serde_json::json;

use super::sizes::{PAGE, calls_of_a_plan};
use super::{Account, cluster, in_one_zone};

/// The shortest waits of the stand: what is left is the provider's own way.
const QUICK: &str = r#"{"hold_seconds": 0.3, "lag_seconds": 0.4, "iam_lag_seconds": 0.3, "health_seconds": 0.1,
    "grace_seconds": 0.2, "group_gaps": [0.2]}"#;
const TURNS: usize = 3;

/// Seconds of a create; the cluster is destroyed after it.
fn create(account: &Account, configuration: &str) -> f64 {
    account.terraform.write("main.tf", configuration);
    let begin = Instant::now();
    account.terraform.apply(&[]).must_succeed();
    let took = begin.elapsed().as_secs_f64();
    account.terraform.destroy(&[]).must_succeed();
    took
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

#[test]
#[ignore = "a measurement"]
fn six_nodes_are_made_about_as_fast_as_one() {
    let account = Account::with("");
    account.stand.control("POST", "settings", QUICK);
    let one = in_one_zone("  dedicated_controllers = false");
    let six = cluster("");
    // The shared artefacts are made once.
    create(&account, &one);
    let (mut ones, mut sixes) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ones.push(create(&account, &one));
        sixes.push(create(&account, &six));
    }
    println!("one node: {ones:.1?} s, six nodes: {sixes:.1?} s");
    let (one, six) = (median(ones), median(sixes));
    println!("medians: {one:.1} s and {six:.1} s, ratio {:.2}", six / one);
    assert_eq!(account.stand.left(), json!({}));
}

/// Seconds of a plan without changes, which is one start of terraform and one of the provider.
fn plan(account: &Account) -> f64 {
    let seconds = (0..TURNS).map(|_| {
        let begin = Instant::now();
        account.terraform.plan(&[]).outcome.must_succeed();
        begin.elapsed().as_secs_f64()
    });
    median(seconds.collect())
}

#[test]
#[ignore = "a measurement"]
fn plans_without_changes_of_small_and_large_clusters() {
    let provider_alone = {
        let account = Account::with("");
        account.terraform.write("main.tf", "");
        plan(&account)
    };
    for brokers in [1, 10, 20] {
        let mut account = Account::with(&format!("  brokers_per_az = {brokers}"));
        account.stand.control("POST", "settings", PAGE);
        account.terraform.apply(&[]).must_succeed();
        let (control, of_s3) = calls_of_a_plan(&mut account);
        let seconds = plan(&account);
        println!(
            "{} brokers: {control} control-plane calls, {of_s3} of S3, {seconds:.2} s; an empty configuration: {provider_alone:.2} s",
            3 * brokers
        );
        assert!(control <= 18, "{control} calls");
        account.destroy();
    }
}
