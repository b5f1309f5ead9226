//! What an agent costs while nothing happens. A measurement of a release build:
//! `MSK_TEST_PROGRAMS=$PWD/target/release cargo test --test it -- --ignored --nocapture at_rest`.

use std::fs;
use std::time::Duration;

use msk::store::documents::NodePhase;

use super::SOON;
use super::cluster::{Cluster, Options};

/// What `/proc` says of a process: its resident memory in KiB by kind, and its processor time in ticks.
fn look(process: u32) -> (String, u64, u64) {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let of = |name: &str| -> u64 {
        let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let resident = of("Rss:");
    let private = of("Private_Dirty:");
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let ticks = |field: usize| fields[field - 3].parse::<u64>().unwrap();
    let text = format!("{resident} KiB resident, {private} KiB of them changed by itself");
    (text, resident, ticks(14) + ticks(15))
}

#[tokio::test]
#[ignore = "a measurement of a release build"]
async fn an_agent_at_rest_takes_at_most_12_mb_and_a_five_hundredth_of_a_core() {
    let brokers = std::env::var("MSK_TEST_REST_BROKERS").map_or(1, |text| text.parse().unwrap());
    let cluster = Cluster::create(&Options::brokers(brokers)).await;
    cluster.start_agents();
    let status = cluster.wait_for_phase(1, NodePhase::InSync, SOON).await;
    let agent = status.incarnation.agent.process_id;
    println!("in sync: {}", look(agent).0);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (_, _, before) = look(agent);
    let seconds = 60;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (text, resident, after) = look(agent);
    let ticks = after - before;
    println!("at rest: {text}; {ticks} ticks of 10 ms in {seconds} s");
    if std::env::var_os("MSK_TEST_SMAPS").is_some() {
        println!("{}", fs::read_to_string(format!("/proc/{agent}/smaps")).unwrap());
    }
    // Most of it is the program itself, which all agents of a machine share.
    assert!(resident <= 12 * 1024, "{text}");
    assert!(ticks <= seconds * 100 / 500, "{ticks} ticks");
}
