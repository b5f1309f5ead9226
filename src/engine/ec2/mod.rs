//! The engine for the user's AWS account.
//!
//! One file for each kind of object. Each can be made twice with the same result: by its name where AWS keeps names
//! unique, else by a client token; and each carries the cluster's uid as a tag from its first moment.

/// Why something could not be done.
pub mod error;

/// The Auto Scaling group of one node.
pub mod group;

/// The fixed network interface of a node.
pub mod interface;

/// Names, tags and tokens.
pub mod names;

/// What the role of a node may do.
pub mod policy;

/// The role of a node, and its instance profile.
pub mod role;

/// The cluster's security group.
pub mod security_group;

/// What of an account a cluster needs to know.
pub mod survey;

/// The launch template of a node.
pub mod template;

/// The volume of a node.
pub mod volume;

mod calls;

pub use error::Ec2Error;
