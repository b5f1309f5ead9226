//! One file per Terraform type, each read from top to bottom: schema, validate, plan, create, read,
//! update, delete, import. What they share: the provider block, who calls, and the memory of one walk.

/// The provider block: which engine, with which settings.
pub mod provider;

/// Who calls: working directory and workspace.
mod caller;

/// What the provider remembers from one call to the next within one walk of Terraform.
pub mod walk;

/// What resources put into Terraform's private state.
pub mod private;

/// Data sources.
pub mod data;

pub use provider::{Msk, ProviderData};
