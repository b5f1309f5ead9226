//! The typed calls, one file per subject. This file holds what they share.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kafka_protocol::messages;
use kafka_protocol::protocol::StrBytes;

use super::api::Api;
use super::error::{Error, KafkaError};
use super::error_code::ErrorCode;
use super::session::{ClientConfig, Session};
use super::tls::Tls;
use crate::spec::ids::{KafkaUuid, NodeId, TopicName};

pub(super) mod acls;
pub(super) mod cluster;
pub(super) mod configs;
pub(super) mod features;
pub(super) mod log_dirs;
pub(super) mod partitions;
pub(super) mod quorum;
pub(super) mod topics;
pub(super) mod users;

/// One request may make at most 10,000 metadata records (`MAX_RECORDS_PER_USER_OP`, Kafka 4.3) and 8 MiB of
/// them; 1,000 items keep well below both.
const MAX_ITEMS: usize = 1_000;

/// Partitions that one request may create: each makes a record.
const MAX_PARTITIONS: usize = 10_000;

/// One broker, or one controller, and everything that can be asked of it.
///
/// Connects with the first call and keeps the one connection until it fails. Calls of several tasks run one
/// after the other; a call that may take long (such as [`Admin::add_raft_voter`]) is better made on an
/// `Admin` of its own.
///
/// *Errors* of every call: see [`Error`]; where a call has many items, each has its own result. Calls with
/// more items than Kafka takes at once are split; if a later part fails as a whole the call fails, although
/// the earlier parts are done. All changes can be repeated after reading back what is there.
///
/// *Cancellation*: dropping the future of a call closes the connection; the broker may have done what was
/// asked.
pub struct Admin {
    session: Session,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin")
            .field("broker", &self.session.broker())
            .finish_non_exhaustive()
    }
}

/// Whether a change is made or only checked by the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apply {
    /// Make it.
    Now,
    /// Check it, as far as the broker does so without making it.
    ValidateOnly,
}

impl Apply {
    const fn validate_only(self) -> bool {
        matches!(self, Self::ValidateOnly)
    }
}

/// One partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl Admin {
    /// Makes a client; nothing is connected yet.
    pub fn new(config: ClientConfig) -> Self {
        Self {
            session: Session::new(config),
        }
    }

    /// Uses other certificates from the next connection on, such as after a renewal. The present connection
    /// stays until it ends; [`close`](Self::close) ends it.
    pub fn set_tls(&self, tls: Tls) {
        self.session.set_tls(Some(tls));
    }

    /// Closes the connection if there is one. The next call opens another.
    pub async fn close(&self) {
        self.session.close().await;
    }

    /// The time that the broker gets for a change, in milliseconds: a little less than we wait, so that it is
    /// the broker that tells us of a timeout.
    fn broker_timeout_ms(&self) -> i32 {
        millis(self.session.timeout().mul_f32(0.9))
    }

    fn refused<R: Api>(&self, cause: KafkaError) -> Error {
        Error::Refused {
            api: R::NAME,
            broker: self.session.broker().to_owned(),
            cause,
        }
    }

    /// `Err` if the answer as a whole has an error code.
    fn check<R: Api>(&self, code: i16, message: Option<&str>) -> Result<(), Error> {
        KafkaError::check(code, message).map_err(|cause| self.refused::<R>(cause))
    }

    fn bad_answer<R: Api>(&self, reason: impl Into<String>) -> Error {
        Error::BadAnswer {
            api: R::NAME,
            broker: self.session.broker().to_owned(),
            reason: reason.into(),
        }
    }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// What we say of an item that the answer does not hold.
fn not_answered() -> KafkaError {
    KafkaError::new(
        ErrorCode::UNKNOWN_SERVER_ERROR,
        Some("the broker's answer does not speak of this item"),
    )
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn owned(text: Option<&StrBytes>) -> Option<String> {
    text.map(|text| text.as_str().to_owned())
}

fn topic_name(name: &TopicName) -> messages::TopicName {
    messages::TopicName(text(name.as_str()))
}

fn our_topic_name(name: &messages::TopicName) -> TopicName {
    TopicName::new(name.0.as_str())
}

/// Kafka writes "no node" as -1.
fn our_node(id: messages::BrokerId) -> Option<NodeId> {
    u32::try_from(id.0).ok().map(NodeId)
}

fn our_nodes(ids: &[messages::BrokerId]) -> Vec<NodeId> {
    ids.iter().copied().filter_map(our_node).collect()
}

/// A node id above `i32::MAX` becomes one that no cluster has, which the broker then refuses.
fn node(id: NodeId) -> messages::BrokerId {
    messages::BrokerId(i32::try_from(id.0).unwrap_or(i32::MAX))
}

fn nodes(ids: &[NodeId]) -> Vec<messages::BrokerId> {
    ids.iter().copied().map(node).collect()
}

/// The text of an id on the wire; `None` for the zero id, which means "not known".
fn our_uuid(bytes: &[u8]) -> Option<KafkaUuid> {
    let known = bytes.iter().any(|&byte| byte != 0);
    known.then(|| KafkaUuid::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// The 16 bytes of an id as the codec's type, which cannot be named without its crate; `None` for texts that
/// are not ids.
fn uuid<T: TryFrom<Vec<u8>>>(id: &KafkaUuid) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(id.as_str()).ok()?;
    T::try_from(bytes).ok()
}
