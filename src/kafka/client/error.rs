//! What can go wrong between us and a broker, and what to do then.
//!
//! Two levels: [`Error`] means that the call as a whole failed; [`KafkaError`] is the broker's answer about
//! one item of a call, so that one bad item does not hide the others.

use std::fmt;
use std::io;
use std::time::Duration;

use super::error_code::ErrorCode;

/// What a caller does after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryClass {
    /// The state of the cluster is changing: look again, then try again after the usual pause.
    Retry,
    /// The broker asks for a pause of at least this length.
    After(Duration),
    /// What was asked seems to hold already: read it back, and take it as done if it is right.
    MaybeDone,
    /// The same request gets the same answer.
    Never,
}

/// The broker's refusal of one item: code, and its own words if it gave any.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaError {
    /// Kafka's code.
    pub code: ErrorCode,
    /// The broker's message, at most [`MAX_MESSAGE`] bytes of it.
    pub message: Option<Box<str>>,
    /// How long the broker throttles us; other than zero only with `THROTTLING_QUOTA_EXCEEDED`.
    pub throttle: Duration,
}

/// More of a message is cut off: it goes to logs, statuses and Terraform diagnostics.
pub const MAX_MESSAGE: usize = 1024;

impl KafkaError {
    /// Makes an error of a code that is not `NONE`.
    pub fn new(code: ErrorCode, message: Option<&str>) -> Self {
        let message = message.filter(|text| !text.is_empty()).map(|text| {
            let end = (0..=MAX_MESSAGE.min(text.len()))
                .rev()
                .find(|&end| text.is_char_boundary(end));
            Box::from(text.get(..end.unwrap_or(0)).unwrap_or_default())
        });
        Self {
            code,
            message,
            throttle: Duration::ZERO,
        }
    }

    /// `Ok` for code 0, else the error.
    pub(super) fn check(code: i16, message: Option<&str>) -> Result<(), Self> {
        if code == ErrorCode::NONE.0 {
            Ok(())
        } else {
            Err(Self::new(ErrorCode(code), message))
        }
    }

    /// Remembers the pause that the answer asks for, if this is a throttling error.
    pub(super) fn with_throttle(mut self, throttle_ms: i32) -> Self {
        if self.code == ErrorCode::THROTTLING_QUOTA_EXCEEDED {
            self.throttle = Duration::from_millis(u64::try_from(throttle_ms).unwrap_or(0));
        }
        self
    }

    /// What to do after this error, without knowledge of the call. Two codes mean something else after
    /// particular calls: see [`is_absent`](Self::is_absent).
    pub fn retry_class(&self) -> RetryClass {
        use ErrorCode as C;
        match self.code {
            C::THROTTLING_QUOTA_EXCEEDED => RetryClass::After(self.throttle),
            C::TOPIC_ALREADY_EXISTS
            | C::ELECTION_NOT_NEEDED
            | C::DUPLICATE_VOTER
            | C::VOTER_NOT_FOUND
            | C::BROKER_ID_NOT_REGISTERED
            | C::NO_REASSIGNMENT_IN_PROGRESS => RetryClass::MaybeDone,
            C::UNKNOWN_TOPIC_OR_PARTITION
            | C::UNKNOWN_TOPIC_ID
            | C::LEADER_NOT_AVAILABLE
            | C::NOT_LEADER_OR_FOLLOWER
            | C::REQUEST_TIMED_OUT
            | C::BROKER_NOT_AVAILABLE
            | C::NETWORK_EXCEPTION
            | C::COORDINATOR_LOAD_IN_PROGRESS
            | C::COORDINATOR_NOT_AVAILABLE
            | C::NOT_COORDINATOR
            | C::NOT_CONTROLLER
            | C::KAFKA_STORAGE_ERROR
            | C::LISTENER_NOT_FOUND
            | C::FENCED_LEADER_EPOCH
            | C::UNKNOWN_LEADER_EPOCH
            | C::INELIGIBLE_REPLICA
            | C::REBOOTSTRAP_REQUIRED
            | C::PREFERRED_LEADER_NOT_AVAILABLE
            | C::ELIGIBLE_LEADERS_NOT_AVAILABLE
            | C::STALE_BROKER_EPOCH
            | C::OFFSET_NOT_AVAILABLE => RetryClass::Retry,
            _ => RetryClass::Never,
        }
    }

    /// Whether the broker says that the object does not exist: success for a caller that wanted it gone.
    pub fn is_absent(&self) -> bool {
        matches!(
            self.code,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                | ErrorCode::UNKNOWN_TOPIC_ID
                | ErrorCode::RESOURCE_NOT_FOUND
                | ErrorCode::VOTER_NOT_FOUND
                | ErrorCode::BROKER_ID_NOT_REGISTERED
        )
    }
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "{}: {message}", self.code),
            None => fmt::Display::fmt(&self.code, f),
        }
    }
}

impl fmt::Debug for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for KafkaError {}

/// A call to a broker failed as a whole. Each variant names the broker by the address we talked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No TCP connection.
    #[error("connect to broker {broker}")]
    Connect {
        /// Host and port.
        broker: String,
        /// The operating system's reason.
        #[source]
        cause: io::Error,
    },
    /// The TLS handshake failed: wrong CA, wrong name, expired or refused certificate.
    #[error("TLS handshake with broker {broker}")]
    Tls {
        /// Host and port.
        broker: String,
        /// The reason, of ours or as an alert of the broker.
        #[source]
        cause: io::Error,
    },
    /// The broker refused the login, or could not prove that it knows our password.
    #[error("{mechanism} login at broker {broker}: {reason}")]
    Login {
        /// Host and port.
        broker: String,
        /// The SASL mechanism.
        mechanism: &'static str,
        /// What happened, without anything secret.
        reason: String,
    },
    /// No answer in time. The connection was closed, so the broker may still have done what was asked.
    #[error("{api} at broker {broker}: no answer within {} ms", .after.as_millis())]
    TimedOut {
        /// The API's name in Kafka's documents, or `connect`.
        api: &'static str,
        /// Host and port.
        broker: String,
        /// How long we waited, connecting and queueing included.
        after: Duration,
    },
    /// The connection broke during the call. The broker may have done what was asked.
    #[error("{api} at broker {broker}: connection lost")]
    ConnectionLost {
        /// The API's name.
        api: &'static str,
        /// Host and port.
        broker: String,
        /// The reason.
        #[source]
        cause: io::Error,
    },
    /// The answer does not follow the protocol; the connection was closed.
    #[error("{api} at broker {broker}: answer breaks the protocol: {reason}")]
    BadAnswer {
        /// The API's name.
        api: &'static str,
        /// Host and port.
        broker: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The request cannot be written, such as a name longer than the format allows.
    #[error("{api}: request cannot be encoded: {reason}")]
    BadRequest {
        /// The API's name.
        api: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The broker and we have no version of the API in common, or the broker does not offer it at all.
    #[error("{api} at broker {broker}: broker offers {offered}, this call needs {needed}")]
    NotOffered {
        /// The API's name.
        api: &'static str,
        /// Host and port.
        broker: String,
        /// The broker's versions.
        offered: String,
        /// The versions that we can use.
        needed: String,
    },
    /// The broker refused the whole call.
    #[error("{api} at broker {broker}")]
    Refused {
        /// The API's name.
        api: &'static str,
        /// Host and port.
        broker: String,
        /// The broker's reason.
        #[source]
        cause: KafkaError,
    },
}

impl Error {
    /// What to do after this error.
    pub fn retry_class(&self) -> RetryClass {
        match self {
            Self::Connect { .. } | Self::TimedOut { .. } | Self::ConnectionLost { .. } => RetryClass::Retry,
            Self::Refused { cause, .. } => cause.retry_class(),
            // A TLS failure with an I/O cause other than a protocol error is a broker that goes away in the
            // middle of the handshake, as it does while it restarts.
            Self::Tls { cause, .. } if cause.kind() != io::ErrorKind::InvalidData => RetryClass::Retry,
            Self::Tls { .. }
            | Self::Login { .. }
            | Self::BadAnswer { .. }
            | Self::BadRequest { .. }
            | Self::NotOffered { .. } => RetryClass::Never,
        }
    }

    /// Whether the broker may have done what was asked although this call failed.
    pub fn may_have_happened(&self) -> bool {
        matches!(
            self,
            Self::TimedOut { .. } | Self::ConnectionLost { .. } | Self::BadAnswer { .. }
        )
    }

    /// The broker's refusal, if the broker refused.
    pub fn refusal(&self) -> Option<&KafkaError> {
        match self {
            Self::Refused { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
