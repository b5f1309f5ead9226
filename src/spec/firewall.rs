//! An inbound rule of a security group.

use serde::{Deserialize, Serialize};

/// Where connections come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// The nodes of the cluster: the group itself.
    Nodes,
    /// Whatever has this security group.
    Group(String),
    /// An IPv4 address range.
    Ipv4(String),
    /// An IPv6 address range.
    Ipv6(String),
}

impl Source {
    /// An address range of either kind.
    pub fn range(block: &str) -> Self {
        if block.contains(':') {
            Self::Ipv6(block.to_owned())
        } else {
            Self::Ipv4(block.to_owned())
        }
    }
}

/// One inbound TCP rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// The port.
    pub port: u16,
    /// The source.
    pub source: Source,
}
