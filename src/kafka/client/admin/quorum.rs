//! The controllers' quorum: who votes, who follows, how far everyone is.

use std::time::Duration;

use kafka_protocol::messages::add_raft_voter_request::Listener;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::describe_quorum_response::ReplicaState;
use kafka_protocol::messages::{
    AddRaftVoterRequest, DescribeQuorumRequest, RemoveRaftVoterRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{Admin, millis, our_node, our_uuid, text, uuid};
use crate::clock::Timestamp;
use crate::kafka::client::api::Api;
use crate::kafka::client::error::Error;
use crate::spec::ids::{KafkaUuid, NodeId};

/// The topic that holds the metadata.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// How long we wait beyond the time that the controller itself has for a change of voters.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// One copy of the metadata log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumReplica {
    /// The node.
    pub id: NodeId,
    /// The directory that the copy is in; `None` before Kafka 3.9 and with a static quorum.
    pub directory: Option<KafkaUuid>,
    /// The end of the copy as the leader knows it; `None` if it does not know.
    pub log_end: Option<i64>,
    /// When it last asked the leader for more, by the leader's clock.
    pub last_fetch: Option<Timestamp>,
    /// When it last had everything, by the leader's clock.
    pub last_caught_up: Option<Timestamp>,
}

/// The quorum as its leader knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// The active controller.
    pub leader: Option<NodeId>,
    /// Counts the leaders.
    pub leader_epoch: i32,
    /// The end of what a majority has.
    pub high_watermark: i64,
    /// The controllers that vote.
    pub voters: Vec<QuorumReplica>,
    /// Everyone else who follows: all brokers, and controllers that are not voters. One that was stopped stays
    /// in the list for some minutes, so judge by the times.
    pub observers: Vec<QuorumReplica>,
}

/// Where a controller can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftEndpoint {
    /// The listener's name, such as `CONTROLLER`.
    pub listener: String,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A controller with the directory of its metadata: a voter that lost its disk is another voter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftVoter {
    /// The node.
    pub id: NodeId,
    /// `directory.id` in the `meta.properties` of its metadata directory.
    pub directory: KafkaUuid,
}

impl Admin {
    /// Describes the quorum. Broker or controller, the leader answers.
    ///
    /// # Errors
    /// [`Error`]; refused while there is no leader.
    pub async fn describe_quorum(&self) -> Result<Quorum, Error> {
        let name = TopicName(StrBytes::from_static_str(METADATA_TOPIC));
        let answer = self
            .session
            .call(|_| {
                let topic = TopicData::default()
                    .with_topic_name(name.clone())
                    .with_partitions(vec![PartitionData::default().with_partition_index(0)]);
                DescribeQuorumRequest::default().with_topics(vec![topic])
            })
            .await?;
        let body = answer.body;
        self.check::<DescribeQuorumRequest>(body.error_code, body.error_message.as_deref())?;
        let partition = body.topics.iter().flat_map(|topic| &topic.partitions).next();
        let partition =
            partition.ok_or_else(|| self.bad_answer::<DescribeQuorumRequest>("no partition in it"))?;
        self.check::<DescribeQuorumRequest>(partition.error_code, partition.error_message.as_deref())?;
        Ok(Quorum {
            leader: our_node(partition.leader_id),
            leader_epoch: partition.leader_epoch,
            high_watermark: partition.high_watermark,
            voters: partition.current_voters.iter().filter_map(replica).collect(),
            observers: partition.observers.iter().filter_map(replica).collect(),
        })
    }

    /// Makes an observing controller a voter. The leader waits up to `patience` until the new voter is
    /// reached and has caught up; one such change runs at a time.
    ///
    /// # Errors
    /// [`Error`]; `NotOffered` before Kafka 3.9; refusals `DUPLICATE_VOTER` (it votes already, or another
    /// directory of it does), `UNSUPPORTED_VERSION` with a static quorum, `REQUEST_TIMED_OUT` (try again).
    pub async fn add_raft_voter(
        &self,
        cluster_id: &KafkaUuid,
        voter: &RaftVoter,
        endpoints: &[RaftEndpoint],
        patience: Duration,
    ) -> Result<(), Error> {
        let directory = directory::<AddRaftVoterRequest, _>(&voter.directory)?;
        let answer = self
            .session
            .call_within(patience.saturating_add(ANSWER_MARGIN), |_| {
                let listeners = endpoints.iter().map(|endpoint| {
                    Listener::default()
                        .with_name(text(&endpoint.listener))
                        .with_host(text(&endpoint.host))
                        .with_port(endpoint.port)
                });
                AddRaftVoterRequest::default()
                    .with_cluster_id(Some(text(cluster_id.as_str())))
                    .with_timeout_ms(millis(patience))
                    .with_voter_id(voter_id(voter))
                    .with_voter_directory_id(directory)
                    .with_listeners(listeners.collect())
            })
            .await?;
        self.check::<AddRaftVoterRequest>(answer.body.error_code, answer.body.error_message.as_deref())
    }

    /// Makes a voter an observer, or forgets one that will not come back.
    ///
    /// A voter that answers may take the active controller down with it: the leader sends each voter a
    /// `BeginQuorumEpoch` every second, and an answer that comes after the voter is removed ends the leader's process
    /// (`LeaderState.ensureValidVoter`: "Unexpected acknowledgement from non-voter"; seen with Kafka 3.9.2). So
    /// end the voter's process first, and count on a restart of the leader.
    ///
    /// # Errors
    /// [`Error`]; `NotOffered` before Kafka 3.9; refusals `VOTER_NOT_FOUND`, `UNSUPPORTED_VERSION` with a
    /// static quorum, `REQUEST_TIMED_OUT` (try again).
    pub async fn remove_raft_voter(&self, cluster_id: &KafkaUuid, voter: &RaftVoter) -> Result<(), Error> {
        let directory = directory::<RemoveRaftVoterRequest, _>(&voter.directory)?;
        let answer = self
            .session
            .call(|_| {
                RemoveRaftVoterRequest::default()
                    .with_cluster_id(Some(text(cluster_id.as_str())))
                    .with_voter_id(voter_id(voter))
                    .with_voter_directory_id(directory)
            })
            .await?;
        self.check::<RemoveRaftVoterRequest>(answer.body.error_code, answer.body.error_message.as_deref())
    }
}

fn directory<R: Api, T: TryFrom<Vec<u8>>>(id: &KafkaUuid) -> Result<T, Error> {
    uuid(id).ok_or_else(|| Error::BadRequest {
        api: R::NAME,
        reason: format!("`{id}` is not a directory id"),
    })
}

fn voter_id(voter: &RaftVoter) -> i32 {
    i32::try_from(voter.id.0).unwrap_or(i32::MAX)
}

fn replica(state: &ReplicaState) -> Option<QuorumReplica> {
    let time = |millis: i64| u64::try_from(millis).ok().map(Timestamp::from_millis);
    Some(QuorumReplica {
        id: our_node(state.replica_id)?,
        directory: our_uuid(state.replica_directory_id.as_ref()),
        log_end: Some(state.log_end_offset).filter(|&offset| offset >= 0),
        last_fetch: time(state.last_fetch_timestamp),
        last_caught_up: time(state.last_caught_up_timestamp),
    })
}
