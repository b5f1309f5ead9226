//! The disks of a broker.

use kafka_protocol::messages::DescribeLogDirsRequest;

use super::{Admin, our_topic_name};
use crate::kafka::client::error::{Error, KafkaError};
use crate::spec::ids::TopicName;

/// One replica in a log directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDirReplica {
    /// The topic.
    pub topic: TopicName,
    /// The partition's number.
    pub partition: i32,
    /// Bytes of its log segments.
    pub bytes: i64,
    /// Records that are missing up to the high watermark as this broker knows it; `None` if not known.
    pub lag: Option<i64>,
    /// Whether this is a copy on its way to another directory of the same broker.
    pub is_future: bool,
}

/// One log directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDir {
    /// Its path on the broker.
    pub path: String,
    /// Bytes of the file system it is on; `None` if not known.
    pub total_bytes: Option<i64>,
    /// Bytes that are free there; `None` if not known.
    pub usable_bytes: Option<i64>,
    /// Its replicas, or why the directory cannot be used (`KAFKA_STORAGE_ERROR`: it is offline).
    pub replicas: Result<Vec<LogDirReplica>, KafkaError>,
}

impl Admin {
    /// Describes the log directories of the broker that this client is connected to.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn describe_log_dirs(&self) -> Result<Vec<LogDir>, Error> {
        let answer = self
            .session
            .call(|_| DescribeLogDirsRequest::default().with_topics(None))
            .await?;
        self.check::<DescribeLogDirsRequest>(answer.body.error_code, None)?;
        let dirs = answer.body.results.iter().map(|dir| LogDir {
            path: dir.log_dir.as_str().to_owned(),
            total_bytes: Some(dir.total_bytes).filter(|&bytes| bytes >= 0),
            usable_bytes: Some(dir.usable_bytes).filter(|&bytes| bytes >= 0),
            replicas: KafkaError::check(dir.error_code, None).map(|()| {
                let topics = dir.topics.iter();
                topics
                    .flat_map(|topic| {
                        topic.partitions.iter().map(|partition| LogDirReplica {
                            topic: our_topic_name(&topic.name),
                            partition: partition.partition_index,
                            bytes: partition.partition_size,
                            lag: Some(partition.offset_lag).filter(|&lag| lag >= 0),
                            is_future: partition.is_future_key,
                        })
                    })
                    .collect()
            }),
        });
        Ok(dirs.collect())
    }
}
