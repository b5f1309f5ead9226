//! Everything that knows how Apache Kafka talks, stores and is configured.
