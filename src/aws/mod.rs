//! The user's AWS account: how it is reached, in whose name, and what its answers mean.
//!
//! Provider and agent share it. Nothing is contacted before the first call.

/// What `aws = { … }` of the provider block says.
pub mod settings;

/// The clients, made of the settings.
pub mod connection;

/// What an instance knows of itself.
pub mod metadata;

/// An AWS error for people.
pub mod error;

mod counted;
mod credentials;
mod http;

#[cfg(test)]
mod tests;

pub use connection::{Connection, ConnectionError};
pub use error::{CallError, Kind};
pub use settings::{Service, Settings};
