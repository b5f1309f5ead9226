//! The one integration binary: each further one would link everything again.
//!
//! `cfg(test)` holds for all of it; saying so lets the lints know that helpers are test code too.

#[cfg(test)]
mod accidents;
#[cfg(test)]
mod aws_account;
#[cfg(test)]
mod aws_cluster;
#[cfg(test)]
mod aws_nodes;
#[cfg(test)]
mod aws_objects;
#[cfg(test)]
mod aws_permissions;
#[cfg(test)]
mod cluster_life;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod docs_are_fresh;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod house_rules;
#[cfg(test)]
mod kafka_client;
#[cfg(test)]
mod kafka_files;
#[cfg(test)]
mod local_cluster;
#[cfg(test)]
mod node_agent;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod plugin;
#[cfg(test)]
mod security;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod support;
#[cfg(test)]
mod terraform_access;
#[cfg(test)]
mod terraform_cluster;
