//! How a node goes from phase to phase.
//!
//! The table below is the truth; a test draws it and compares the drawing with this page.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> preparing
//!     preparing --> formatting: no format is recorded
//!     preparing --> starting: formatted before
//!     preparing --> running: Kafka already answers: adopted
//!     preparing --> stopping: Kafka runs and shall not
//!     preparing --> stopped: Kafka shall not run
//!     preparing --> backing_off: a start failed
//!     preparing --> failed: cannot go on by itself
//!     formatting --> preparing: formatted
//!     formatting --> failed: cannot go on by itself
//!     starting --> recovering: logs are checked after an unclean stop
//!     starting --> running: Kafka answers
//!     starting --> backing_off: Kafka died
//!     starting --> failed: cannot go on by itself
//!     starting --> stopping: Kafka shall not run
//!     recovering --> running: Kafka answers
//!     recovering --> backing_off: Kafka died
//!     recovering --> failed: cannot go on by itself
//!     recovering --> stopping: Kafka shall not run
//!     running --> in_sync: another broker agrees
//!     running --> backing_off: Kafka died
//!     running --> failed: cannot go on by itself
//!     running --> stopping: Kafka shall not run
//!     in_sync --> running: a replica fell behind
//!     in_sync --> backing_off: Kafka died
//!     in_sync --> failed: cannot go on by itself
//!     in_sync --> stopping: Kafka shall not run
//!     stopping --> stopped: ended, to stay so
//!     stopping --> preparing: ended, to start again
//!     stopped --> preparing: Kafka shall run
//!     backing_off --> preparing: the time is over
//!     backing_off --> stopped: Kafka shall not run
//!     backing_off --> failed: five times in ten minutes
//!     failed --> preparing: another document, a new agent, or the data is back
//!     failed --> stopping: Kafka shall not run
//!     failed --> stopped: Kafka shall not run
//! ```

use crate::store::documents::NodePhase;

use NodePhase::{
    BackingOff, Failed, Formatting, InSync, Preparing, Recovering, Running, Starting, Stopped, Stopping,
};

/// Every step from one phase to another, with what makes it happen.
pub const TRANSITIONS: &[(NodePhase, NodePhase, &str)] = &[
    (Preparing, Formatting, "no format is recorded"),
    (Preparing, Starting, "formatted before"),
    (Preparing, Running, "Kafka already answers: adopted"),
    (Preparing, Stopping, "Kafka runs and shall not"),
    (Preparing, Stopped, "Kafka shall not run"),
    (Preparing, BackingOff, "a start failed"),
    (Preparing, Failed, "cannot go on by itself"),
    (Formatting, Preparing, "formatted"),
    (Formatting, Failed, "cannot go on by itself"),
    (Starting, Recovering, "logs are checked after an unclean stop"),
    (Starting, Running, "Kafka answers"),
    (Starting, BackingOff, "Kafka died"),
    (Starting, Failed, "cannot go on by itself"),
    (Starting, Stopping, "Kafka shall not run"),
    (Recovering, Running, "Kafka answers"),
    (Recovering, BackingOff, "Kafka died"),
    (Recovering, Failed, "cannot go on by itself"),
    (Recovering, Stopping, "Kafka shall not run"),
    (Running, InSync, "another broker agrees"),
    (Running, BackingOff, "Kafka died"),
    (Running, Failed, "cannot go on by itself"),
    (Running, Stopping, "Kafka shall not run"),
    (InSync, Running, "a replica fell behind"),
    (InSync, BackingOff, "Kafka died"),
    (InSync, Failed, "cannot go on by itself"),
    (InSync, Stopping, "Kafka shall not run"),
    (Stopping, Stopped, "ended, to stay so"),
    (Stopping, Preparing, "ended, to start again"),
    (Stopped, Preparing, "Kafka shall run"),
    (BackingOff, Preparing, "the time is over"),
    (BackingOff, Stopped, "Kafka shall not run"),
    (BackingOff, Failed, "five times in ten minutes"),
    (
        Failed,
        Preparing,
        "another document, a new agent, or the data is back",
    ),
    (Failed, Stopping, "Kafka shall not run"),
    (Failed, Stopped, "Kafka shall not run"),
];

/// Whether the table has this step. Staying in a phase is always right.
pub fn may_follow(from: NodePhase, to: NodePhase) -> bool {
    from == to
        || TRANSITIONS
            .iter()
            .any(|(before, after, _)| *before == from && *after == to)
}

/// The phase's name for people, as in documents.
pub const fn name(phase: NodePhase) -> &'static str {
    match phase {
        Preparing => "preparing",
        Formatting => "formatting",
        Starting => "starting",
        Recovering => "recovering",
        Running => "running",
        InSync => "in_sync",
        Stopping => "stopping",
        Stopped => "stopped",
        BackingOff => "backing_off",
        Failed => "failed",
    }
}

/// Draws the table as a mermaid state diagram.
pub fn diagram() -> String {
    let mut text = String::from("stateDiagram-v2\n    [*] --> preparing\n");
    for (from, to, why) in TRANSITIONS {
        text.push_str("    ");
        text.push_str(name(*from));
        text.push_str(" --> ");
        text.push_str(name(*to));
        text.push_str(": ");
        text.push_str(why);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [NodePhase; 10] = [
        Preparing, Formatting, Starting, Recovering, Running, InSync, Stopping, Stopped, BackingOff, Failed,
    ];

    #[test]
    fn the_diagram_on_this_page_is_the_table() {
        let drawn = diagram()
            .lines()
            .fold(String::new(), |text, line| text + "//! " + line + "\n");
        assert!(
            include_str!("phase.rs").contains(&format!("//! ```mermaid\n{drawn}//! ```\n")),
            "put this into the module's documentation:\n{drawn}"
        );
    }

    #[test]
    fn every_phase_can_be_reached_and_left_and_has_the_name_of_the_documents() {
        for phase in ALL {
            assert!(phase == Preparing || TRANSITIONS.iter().any(|(_, to, _)| *to == phase));
            assert!(TRANSITIONS.iter().any(|(from, _, _)| *from == phase));
            assert_eq!(
                serde_json::to_string(&phase).unwrap(),
                format!("\"{}\"", name(phase))
            );
        }
    }

    #[test]
    fn kafka_never_starts_without_a_look_at_the_disk() {
        for phase in ALL {
            if phase != Preparing && phase != Starting {
                assert!(!may_follow(phase, Starting), "{phase:?}");
            }
        }
    }
}
