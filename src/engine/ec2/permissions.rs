//! What IAM has to allow: one table of the calls in the code, and the policies and pages that are made from it.
//!
//! Who runs Terraform needs the rows of the operator. A role that only plans needs fewer, and sees no key or password.
//! What the nodes may do is in [`policy`](super::policy); the table names their actions as well.

mod documents;
mod page;
mod table;

pub use documents::{Document, LONGEST, Place, operator, plan_role};
pub use page::page;
pub use table::{ROWS, UNASKED};

/// Who needs an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Who applies and destroys.
    Operator,
    /// Who applies, and a role that only plans.
    Both,
    /// A node's role alone.
    Node,
}

impl Who {
    /// Whether an apply or a destroy needs it.
    pub const fn is_operators(self) -> bool {
        matches!(self, Self::Operator | Self::Both)
    }

    /// Whether a plan needs it.
    pub const fn is_plans(self) -> bool {
        matches!(self, Self::Both)
    }
}

/// The document that holds a row: one for each thing that a user may bring instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Networks and volumes.
    Machines,
    /// Images, instances and what keeps them, and tags.
    Launches,
    /// The control store, and the use of keys.
    Store,
    /// Only for a control bucket that the provider makes.
    Bucket,
    /// Roles of nodes and users' secrets.
    Identities,
    /// Only for names in a private zone.
    Names,
}

/// What an action is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The action takes no resource.
    Any,
    /// A kind of EC2's objects in this account and Region.
    Ec2(&'static str),
    /// A kind whose ARN names no account: images and snapshots.
    Shared(&'static str),
    /// The Auto Scaling groups of nodes.
    Group,
    /// The roles of nodes.
    Role,
    /// The instance profiles of nodes.
    Profile,
    /// The same by name alone: what is not there has no path.
    RoleByName,
    /// The same by name alone.
    ProfileByName,
    /// Every instance profile of the account: the user's own is among them.
    AnyProfile,
    /// Every policy of the account: the permissions boundary is among them.
    AnyPolicy,
    /// The role that Auto Scaling has for itself.
    AutoScalingsRole,
    /// The control bucket.
    Bucket,
    /// Objects in the control bucket below the prefix, by pattern.
    Objects(&'static str),
    /// The keys of volumes, control store and secrets.
    Keys,
    /// Users' secrets, by name.
    Secrets,
    /// Hosted zones of Route 53: they have no account in their ARN, and no Region.
    Zones,
    /// Changes of their records.
    ZoneChanges,
}

/// When the action is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Always.
    Always,
    /// What is made gets our tag in the same call.
    Tagging,
    /// The object has our tag.
    Tagged,
    /// The object has our tag, and is no node's: the last snapshots of volumes are, copies of images are not.
    TaggedOfNoNode,
    /// EC2's tags that are given in the call that makes the object.
    TaggingOnCreate,
    /// The role is given to EC2 alone.
    PassedToEc2,
    /// For Auto Scaling alone.
    ForAutoScaling,
    /// The role gets the permissions boundary, if the account demands one.
    Bounded,
    /// As [`Bounded`](Self::Bounded), and the role gets our tag.
    BoundedTagging,
    /// Through EC2 alone.
    ThroughEc2,
    /// Through EC2, for a service of AWS.
    GrantThroughEc2,
    /// Through EC2, S3 or Secrets Manager.
    ThroughServices,
    /// Through S3 alone.
    ThroughS3,
}

/// On what, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The resources.
    pub targets: &'static [Target],
    /// The condition.
    pub condition: Condition,
}

/// One IAM action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Such as `ec2:CreateVolume`.
    pub action: &'static str,
    /// Who needs it.
    pub who: Who,
    /// The document.
    pub part: Part,
    /// What is allowed.
    pub grants: &'static [Grant],
    /// The API calls of the code that need it, as `service:Operation`. Several actions may be asked for one call, and
    /// several calls need one action.
    pub calls: &'static [&'static str],
    /// What it is for.
    pub why: &'static str,
}

#[cfg(test)]
mod tests;
