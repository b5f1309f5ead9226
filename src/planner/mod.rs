//! From (wanted, seen) to steps, with the reasons. Pure: no I/O, no clock, no randomness.
//!
//! [`plan_cluster`] is the table of contents. The document that a plan's `WriteDesired` writes is made by
//! [`document::desired_document`] once the identity is known, so that both processes of Terraform, the
//! one that plans and the one that applies, come to the same.

/// The steps that a plan is made of.
pub mod step;

/// The desired document of a cluster.
pub mod document;

/// Who may connect to which port, on AWS.
pub mod firewall;

/// The objects of a cluster in an AWS account.
pub mod account;

/// The properties of a cluster: defaults, sizes, the profile of one machine, the user's.
pub mod properties;

/// The properties of one node, for `server.properties`.
pub mod server_properties;

/// What users see of a plan.
pub mod report;

/// What a finished cluster tells its users: endpoints, brokers, client properties.
pub mod outputs;

/// A separate check of finished plans.
pub mod lint;

/// Whether a node may be stopped now.
pub mod safety;

/// Topics, ACLs and users: what agents do, and drift.
pub mod access;

/// Whether an AWS account can carry a cluster.
pub mod preflight;

mod cluster;
mod mend;
mod steps;

pub use cluster::plan_cluster;

use report::Report;
use step::Step;

/// What to do, why, and what is waited for.
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps, by order.
    pub steps: Vec<Step>,
    /// What people should know.
    pub report: Report,
    /// What the caller does when the steps are done.
    pub follow_up: FollowUp,
}

/// What the caller does when a plan's steps are done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FollowUp {
    /// Nothing.
    #[default]
    Nothing,
    /// The parts of an unfinished create did not fit and are removed by this plan: create anew, with a
    /// new identity (another uid).
    CreateAnew,
}

impl Plan {
    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

#[cfg(test)]
pub(crate) mod tests;
