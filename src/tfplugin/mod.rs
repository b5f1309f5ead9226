//! A Terraform plugin SDK (protocol 6). Knows nothing of Kafka or AWS.
