//! `msk-node start` and `stop`: all nodes of a data directory, for a machine that was rebooted or is
//! about to be.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::run::detach_if_needed;
use super::{Failure, Which, say};
use crate::node::home::{NodeDirectory, NodeHome};
use crate::node::kafka::properties_path;
use crate::node::{lock, process};
use crate::store::documents::ProcessIdentity;

/// A controlled shutdown takes seconds; one that finds no quorum any more is cut after a minute by the
/// agent.
const STOP_PATIENCE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(50);

fn nodes(which: &Which) -> Result<Vec<(NodeHome, NodeDirectory)>, Failure> {
    let data = which.data.directory()?;
    let mut found = Vec::new();
    for directory in data.find_nodes()? {
        let home = NodeHome::load(&directory)?;
        if which
            .cluster
            .as_ref()
            .is_none_or(|name| *name == home.cluster_name.as_str())
        {
            found.push((home, directory));
        }
    }
    if let (Some(name), true) = (&which.cluster, found.is_empty()) {
        return Err(format!("no cluster `{name}` has nodes in `{}`", data.path()).into());
    }
    Ok(found)
}

pub(super) fn start(which: &Which) -> Result<(), Failure> {
    for (home, directory) in nodes(which)? {
        let ran = lock::running_agent(&directory).is_some();
        detach_if_needed(&directory)?;
        let what = if ran { "runs already" } else { "started" };
        say(&format!(
            "{} node {}: the agent {what}",
            home.cluster_name, home.node_id
        ));
    }
    Ok(())
}

/// Stops one node after the other: while one stops, the others keep the quorum that its controlled
/// shutdown needs. Nodes without a controller go first.
pub(super) fn stop(which: &Which) -> Result<(), Failure> {
    let mut nodes = nodes(which)?;
    nodes.sort_by_key(|(_, directory)| has_controller(directory));
    for (home, directory) in nodes {
        let how = stop_node(&directory)?;
        say(&format!("{} node {}: {how}", home.cluster_name, home.node_id));
    }
    Ok(())
}

fn has_controller(directory: &NodeDirectory) -> bool {
    let text = fs::read_to_string(properties_path(directory)).unwrap_or_default();
    text.lines()
        .any(|line| line.starts_with("process.roles=") && line.contains("controller"))
}

fn stop_node(directory: &NodeDirectory) -> Result<&'static str, Failure> {
    let properties = properties_path(directory);
    let Some(agent) = lock::running_agent(directory) else {
        // Without an agent Kafka is asked directly.
        let Some(kafka) = process::find_kafka(directory, &properties) else {
            return Ok("was stopped already");
        };
        signal(&kafka, Signal::TERM)?;
        return wait_for_end(&kafka);
    };
    fs::write(directory.stop_request(), b"")?;
    // Wakes it; without that it would see the request within two seconds.
    signal(&agent, Signal::HUP)?;
    wait_for_end(&agent)
}

fn signal(identity: &ProcessIdentity, signal: Signal) -> Result<(), Failure> {
    let pid = i32::try_from(identity.process_id).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid.filter(|_| process::is_alive(identity)) {
        rustix::process::kill_process(pid, signal).map_err(std::io::Error::from)?;
    }
    Ok(())
}

fn wait_for_end(identity: &ProcessIdentity) -> Result<&'static str, Failure> {
    let begun = Instant::now();
    while process::is_alive(identity) {
        if begun.elapsed() > STOP_PATIENCE {
            let text = format!(
                "process {} did not end within {} s",
                identity.process_id,
                STOP_PATIENCE.as_secs()
            );
            return Err(text.into());
        }
        std::thread::sleep(LOOK);
    }
    Ok("stopped")
}
