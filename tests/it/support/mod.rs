//! What integration tests share.

pub(crate) mod ports;
#[cfg(feature = "aws")]
pub(crate) mod stand;
pub(crate) mod terraform;
