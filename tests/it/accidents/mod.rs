//! Bad input and accidents: processes killed at any moment, stores and disks that are not what they
//! were, hosts that lack something, two runs at once.
//!
//! Needs `terraform`. A Kafka is either real (Java 17, and Kafka's jars as the other tests) or the
//! stand-in, a Python program in the place of `java`: then terraform, provider, agent and store are real
//! and only Kafka's own process is not. `MSK_TEST_PYTHON` names a Python with `confluent_kafka` for the
//! tests that write records.

pub(crate) mod world;

mod configurations;
mod host;
mod hostile;
mod lives;
mod refusals;
mod stopped_agents;
mod store;
mod sweep;
mod sweep_access;
mod together;
