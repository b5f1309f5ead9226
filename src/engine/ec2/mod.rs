//! The engine for the user's AWS account.
//!
//! One file for each kind of object. Each can be made twice with the same result: by its name where AWS keeps names
//! unique, else by a client token; and each carries the cluster's uid as a tag from its first moment.

/// What the nodes run.
pub mod artifacts;

/// The bucket of the control store.
pub mod bucket;

/// The engine, its connection and its control store.
pub mod account;
mod align;

/// What the provider block says.
pub mod settings;

/// Why something could not be done.
pub mod error;

/// The Auto Scaling group of one node.
pub mod group;

/// The image that nodes start from.
pub mod image;

/// A plain instance for one node.
pub mod instance;

/// What keeps an instance for a node.
pub mod placement;

/// The fixed network interface of a node.
pub mod interface;

/// Names, tags and tokens.
pub mod names;

/// What IAM has to allow: the table, the policies, the page.
pub mod permissions;

/// What the role of a node may do.
pub mod policy;

/// What the account may have.
pub mod quotas;

/// The nodes' names in a private zone.
pub mod records;

/// The role of a node, and its instance profile.
pub mod role;

/// Users' secrets in Secrets Manager.
pub mod secret;

/// The cluster's security group.
pub mod security_group;

/// What of an account a cluster needs to know.
pub mod survey;

/// Other tags for objects that are there.
pub mod tag;

/// The launch template of a node.
pub mod template;

/// What a node's machine does at its first boot.
pub mod user_data;

/// The volume of a node.
pub mod volume;

mod calls;
mod identity;
mod images;
mod launch;
mod observe;
mod perform;
mod places;
mod provisions;
mod removal;
mod replace;

pub use account::Ec2Engine;
pub use error::Ec2Error;
pub use settings::Settings;
