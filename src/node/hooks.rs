//! Test hooks of the agent, inert unless their environment variable is set (`docs/developing.md`).

use std::sync::Once;

use rustix::process::{Signal, getpid, kill_process};

use crate::spec::ids::NodeId;

/// `MSK_TEST_NODE_STOP_BEFORE_DELETE=<node id>`: the agent of that node stops itself (SIGSTOP) once, with
/// the deletion of topics decided and not yet sent.
pub(crate) fn stop_before_delete(node: NodeId) {
    static ONCE: Once = Once::new();
    stop(&ONCE, "MSK_TEST_NODE_STOP_BEFORE_DELETE", node);
}

/// `MSK_TEST_NODE_STOP_AFTER_CREATE=<node id>`: the agent of that node stops itself (SIGSTOP) once, with
/// topics created and not yet told of.
pub(crate) fn stop_after_create(node: NodeId) {
    static ONCE: Once = Once::new();
    stop(&ONCE, "MSK_TEST_NODE_STOP_AFTER_CREATE", node);
}

fn stop(once: &Once, variable: &str, node: NodeId) {
    if std::env::var(variable).is_ok_and(|wanted| wanted == node.to_string()) {
        once.call_once(|| {
            let _ = kill_process(getpid(), Signal::STOP);
        });
    }
}
