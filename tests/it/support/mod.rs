//! What integration tests share.

pub(crate) mod ports;
pub(crate) mod stand;
pub(crate) mod stand_in_nodes;
pub(crate) mod terraform;
