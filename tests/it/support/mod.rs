//! What integration tests share.

pub(crate) mod ports;
pub(crate) mod terraform;
