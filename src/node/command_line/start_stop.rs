//! `msk-node start` and `stop`: all nodes of a data directory, for a machine that was rebooted or is
//! about to be.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::run::detach_if_needed;
use super::{Failure, Which, say};
use crate::node::home::{NodeDirectory, NodeHome};
use crate::node::kafka::properties_path;
use crate::node::lock;
use crate::node::process::find_kafka;
use crate::process;
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
    if found.is_empty() {
        say(&format!("no nodes in `{}`", data.path()));
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

/// Stops all nodes at the same time. Kafka leaves cleanly only while its controllers have a majority; one
/// node after the other, the last ones would find none and wait for it in vain. Together they all tell the
/// active controller within moments, and it lets them all go.
pub(super) fn stop(which: &Which) -> Result<(), Failure> {
    let mut waiting = Vec::new();
    for (home, directory) in nodes(which)? {
        let name = format!("{} node {}", home.cluster_name, home.node_id);
        match ask_to_stop(&directory)? {
            Some(process) => waiting.push((name, process)),
            None => say(&format!("{name}: was stopped already")),
        }
    }
    let begun = Instant::now();
    while !waiting.is_empty() {
        waiting.retain(|(name, process)| {
            let is_alive = process::lives(process);
            if !is_alive {
                say(&format!("{name}: stopped"));
            }
            is_alive
        });
        if let Some((name, process)) = waiting.first().filter(|_| begun.elapsed() > STOP_PATIENCE) {
            let text = format!(
                "{name}: process {} did not end within {} s",
                process.process_id,
                STOP_PATIENCE.as_secs()
            );
            return Err(text.into());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Asks a node to stop; answers which process ends when it has. `None` if it is stopped already.
fn ask_to_stop(directory: &NodeDirectory) -> Result<Option<ProcessIdentity>, Failure> {
    if let Some(agent) = lock::running_agent(directory) {
        fs::write(directory.stop_request(), b"")?;
        // Wakes it; without that it would see the request within two seconds.
        process::signal(&agent, Signal::HUP)?;
        return Ok(Some(agent));
    }
    // Without an agent Kafka is asked directly.
    let kafka = find_kafka(directory, &properties_path(directory));
    if let Some(kafka) = &kafka {
        process::signal(kafka, Signal::TERM)?;
    }
    Ok(kafka)
}
