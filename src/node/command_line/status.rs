//! `msk-node status`: every cluster and node of a data directory, for people and for programs.

use serde::Serialize;

use super::{Failure, Status, say};
use crate::clock::Timestamp;
use crate::node::home::{NodeDirectory, NodeHome};
use crate::node::kafka::properties_path;
use crate::node::process::find_kafka;
use crate::node::{lock, observer, phase};
use crate::store::documents::keys::{self, PerNode, Single};
use crate::store::documents::{ClusterDesired, NodePhase, NodeStatus};
use crate::store::{Documents, Store};

/// One line of the table.
#[derive(Debug, Serialize)]
struct Line {
    cluster: String,
    node: u32,
    zone: String,
    roles: String,
    phase: String,
    agent_pid: Option<u32>,
    kafka_pid: Option<u32>,
    ports: String,
    certificates_expire_at: Option<String>,
    progress: String,
    problem: Option<String>,
}

pub(super) fn run(arguments: &Status) -> Result<(), Failure> {
    let data = arguments.data.directory()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut lines = Vec::new();
    for directory in data.find_nodes()? {
        let home = NodeHome::load(&directory)?;
        lines.push(runtime.block_on(line(&home, &directory)));
    }
    if arguments.json {
        say(&serde_json::to_string_pretty(&lines)?);
    } else if lines.is_empty() {
        say(&format!("no nodes in `{}`", data.path()));
    } else {
        say(table(&lines).trim_end());
    }
    Ok(())
}

/// What the store and the processes say of a node. A store that cannot be read is the problem shown:
/// people look here just then.
async fn line(home: &NodeHome, directory: &NodeDirectory) -> Line {
    let agent = lock::running_agent(directory);
    let kafka = find_kafka(directory, &properties_path(directory));
    let mut line = Line {
        cluster: home.cluster_name.to_string(),
        node: home.node_id.0,
        zone: String::new(),
        roles: String::new(),
        phase: "unknown".to_owned(),
        agent_pid: agent.as_ref().map(|process| process.process_id),
        kafka_pid: kafka.map(|process| process.process_id),
        ports: String::new(),
        certificates_expire_at: None,
        progress: String::new(),
        problem: None,
    };
    if let Err(error) = fill(&mut line, home).await {
        line.problem = Some(crate::node::problem::with_causes(error.as_ref()));
    }
    if agent.is_none() {
        tell_absence(&mut line);
    }
    line
}

/// What the last agent said of a node is history; whether Kafka runs is seen.
fn tell_absence(line: &mut Line) {
    "no agent runs; `msk-node start` starts it".clone_into(&mut line.progress);
    let was_stopped = line.phase.starts_with(phase::name(NodePhase::Stopped));
    if line.kafka_pid.is_none() && !was_stopped {
        "down".clone_into(&mut line.phase);
    }
}

async fn fill(line: &mut Line, home: &NodeHome) -> Result<(), Failure> {
    let store = Store::open_existing(&home.store.home().await?, Some(&home.store_id)).await?;
    let documents = Documents::of_cluster(&store, &home.cluster_uid);
    let key = keys::single(&home.cluster_uid, Single::Cluster)?;
    if let Some(desired) = documents.read::<ClusterDesired>(&key).await?
        && let Some(node) = desired.body.node(home.node_id)
    {
        line.zone.clone_from(&node.zone);
        let roles = match (node.is_broker, node.is_controller) {
            (true, true) => "broker,controller",
            (false, true) => "controller",
            (_, false) => "broker",
        };
        roles.clone_into(&mut line.roles);
        let first = node.ports.values().min();
        let last = node.ports.values().max();
        if let (Some(first), Some(last)) = (first, last) {
            line.ports = format!("{first}-{last}");
        }
    }
    let key = keys::per_node(&home.cluster_uid, home.node_id, PerNode::Node)?;
    if let Some(status) = documents.read::<NodeStatus>(&key).await? {
        let status = status.body;
        let age = Timestamp::now().since(status.written_at).as_secs();
        phase::name(status.phase).clone_into(&mut line.phase);
        if !observer::is_fresh(&status) {
            line.phase = format!("{} ({age} s ago)", line.phase);
        }
        line.progress = status.progress;
        line.problem = status.problem.map(|problem| problem.text);
        line.certificates_expire_at = status.certificates_expire_at.map(|at| at.to_string());
    }
    Ok(())
}

fn table(lines: &[Line]) -> String {
    let number = |value: Option<u32>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let mut rows = vec![
        [
            "CLUSTER",
            "NODE",
            "ZONE",
            "ROLES",
            "PHASE",
            "AGENT",
            "KAFKA",
            "PORTS",
            "CERTIFICATES UNTIL",
            "PROGRESS",
        ]
        .map(str::to_owned),
    ];
    for line in lines {
        let expiry = line.certificates_expire_at.as_deref().unwrap_or("-");
        rows.push([
            line.cluster.clone(),
            line.node.to_string(),
            line.zone.clone(),
            line.roles.clone(),
            line.phase.clone(),
            number(line.agent_pid),
            number(line.kafka_pid),
            line.ports.clone(),
            expiry.chars().take(19).collect(),
            line.progress.clone(),
        ]);
    }
    let mut widths = [0; 10];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
        let problem = index
            .checked_sub(1)
            .and_then(|index| lines.get(index)?.problem.as_ref());
        if let Some(problem) = problem {
            text.push_str("    ! ");
            text.push_str(&problem.replace('\n', "\n      "));
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_processes_is_down_unless_it_was_stopped() {
        let after = |phase: &str, kafka_pid| {
            let mut line = line();
            line.phase = phase.to_owned();
            line.kafka_pid = kafka_pid;
            tell_absence(&mut line);
            assert!(line.progress.contains("msk-node start"));
            line.phase
        };
        assert_eq!(after("in_sync (90 s ago)", None), "down");
        assert_eq!(after("in_sync (90 s ago)", Some(8)), "in_sync (90 s ago)");
        assert_eq!(after("stopped (90 s ago)", None), "stopped (90 s ago)");
    }

    fn line() -> Line {
        Line {
            cluster: "events".into(),
            node: 1,
            zone: "zone-a".into(),
            roles: "broker,controller".into(),
            phase: "failed".into(),
            agent_pid: Some(7),
            kafka_pid: None,
            ports: "20000-20006".into(),
            certificates_expire_at: Some("2027-12-24T12:00:00.123Z".into()),
            progress: "waits for a person".into(),
            problem: Some("the data is gone\nbring it back".into()),
        }
    }

    #[test]
    fn the_table_shows_a_problem_below_its_node() {
        insta::assert_snapshot!(table(&[line()]), @r"
        CLUSTER  NODE  ZONE    ROLES              PHASE   AGENT  KAFKA  PORTS        CERTIFICATES UNTIL   PROGRESS
        events   1     zone-a  broker,controller  failed  7      -      20000-20006  2027-12-24T12:00:00  waits for a person
            ! the data is gone
              bring it back
        ");
    }
}
