//! How Kafka's process stands, as its supervisor sees it. What people see of it is the phase
//! ([`super::super::phase`]), which tells more.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> Down
//!     [*] --> Starting: adopted
//!     Down --> Starting: started
//!     Down --> Held: only a person can help
//!     Starting --> Ready: it answers
//!     Starting --> Stopping: it shall not run
//!     Starting --> Down: it died
//!     Starting --> Held: it died too often
//!     Ready --> Stopping: it shall not run, or start anew
//!     Ready --> Down: it died
//!     Ready --> Held: it died too often
//!     Stopping --> Down: it has ended
//!     Held --> Starting: another document, or the data is back
//! ```

use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::node::kafka::Kafka;
use crate::spec::ids::Generation;

/// The state of Kafka's process; each holds what is known in it, and nothing else.
pub(super) enum Life {
    /// None runs. One is started if it shall run, not before this moment.
    Down {
        /// `None`: at once.
        start_at: Option<Instant>,
    },
    /// None runs, and no document of this generation makes one run: a person has to do something first.
    Held {
        /// What was tried in vain.
        under: Option<Generation>,
        /// When to look, quietly, whether it would work now; `None`: never.
        look_at: Option<Instant>,
    },
    /// Started or adopted; it does not answer yet.
    Starting(Kafka),
    /// It answers, since this moment.
    Ready(Kafka, Timestamp),
    /// It was asked to end.
    Stopping {
        /// What is to end.
        kafka: Kafka,
        /// When it is ended the hard way.
        kill_at: Instant,
        /// Whether that was done.
        killed: bool,
    },
}

impl Life {
    /// No process, and no reason to wait.
    pub(super) const DOWN: Self = Self::Down { start_at: None };

    /// The process, if there is one.
    pub(super) const fn kafka(&self) -> Option<&Kafka> {
        match self {
            Self::Down { .. } | Self::Held { .. } => None,
            Self::Starting(kafka) | Self::Ready(kafka, _) | Self::Stopping { kafka, .. } => Some(kafka),
        }
    }

    /// The process, if there is one; nothing else is kept.
    pub(super) fn into_kafka(self) -> Option<Kafka> {
        match self {
            Self::Down { .. } | Self::Held { .. } => None,
            Self::Starting(kafka) | Self::Ready(kafka, _) | Self::Stopping { kafka, .. } => Some(kafka),
        }
    }

    /// Takes the state out, to put another one in its place.
    pub(super) const fn take(&mut self) -> Self {
        std::mem::replace(self, Self::DOWN)
    }

    /// Whether the next change is a matter of moments and gives no sign of itself.
    pub(super) const fn is_on_its_way(&self) -> bool {
        matches!(self, Self::Starting(_) | Self::Stopping { .. })
    }

    /// When something is due by the clock.
    pub(super) const fn due_at(&self) -> Option<Instant> {
        match self {
            Self::Down { start_at } => *start_at,
            Self::Held { look_at, .. } => *look_at,
            Self::Stopping { kill_at, .. } => Some(*kill_at),
            Self::Starting(_) | Self::Ready(..) => None,
        }
    }
}
