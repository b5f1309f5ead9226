//! Test hooks of the agent, inert unless their environment variable is set (`docs/developing.md`).

use std::sync::Once;

use rustix::process::{Signal, getpid, kill_process};

use crate::spec::ids::NodeId;

/// `MSK_TEST_NODE_STOP_BEFORE_DELETE=<node id>`: the agent of that node stops itself (SIGSTOP) once, with
/// the deletion of topics decided and not yet sent.
pub(crate) fn stop_before_delete(node: NodeId) {
    static ONCE: Once = Once::new();
    let wanted = std::env::var("MSK_TEST_NODE_STOP_BEFORE_DELETE");
    if wanted.is_ok_and(|wanted| wanted == node.to_string()) {
        ONCE.call_once(|| {
            let _ = kill_process(getpid(), Signal::STOP);
        });
    }
}
