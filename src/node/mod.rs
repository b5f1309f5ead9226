//! The agent beside each Kafka process.
