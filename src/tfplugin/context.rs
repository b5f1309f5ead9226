//! What every handler gets beside its request.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

/// What the client said it can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// Write-only attributes may be set (Terraform and `OpenTofu` from 1.11).
    pub write_only_attributes: bool,
}

/// The configured provider, the client's capabilities, and the wish to stop.
pub struct Context<P> {
    data: Option<Arc<P>>,
    cancelled: CancellationToken,
    /// What the client can do.
    pub capabilities: ClientCapabilities,
}

impl<P> Context<P> {
    /// A context for tests of a resource.
    pub fn new(data: Option<Arc<P>>, cancelled: CancellationToken, capabilities: ClientCapabilities) -> Self {
        Self {
            data,
            cancelled,
            capabilities,
        }
    }

    /// What `configure` made; `None` before it was called, or if it could not (unknown values).
    pub const fn data(&self) -> Option<&Arc<P>> {
        self.data.as_ref()
    }

    /// Cancelled when the user wants to stop: every wait must end soon then, with what is known as
    /// partial state and an error. The process goes on living.
    pub const fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
}

impl<P> Clone for Context<P> {
    fn clone(&self) -> Self {
        Self {
            data: self.data.clone(),
            cancelled: self.cancelled.clone(),
            capabilities: self.capabilities,
        }
    }
}
