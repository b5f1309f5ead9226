//! Why something in the account could not be done.

use crate::aws::{CallError, ConnectionError};
use crate::store::{DocumentError, KeyError, OpenError};

/// Why the engine for AWS could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Ec2Error {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The way to the account.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The control bucket.
    #[error(transparent)]
    Bucket(#[from] super::bucket::BucketError),
    /// What the nodes run.
    #[error(transparent)]
    Artifact(#[from] super::artifacts::ArtifactError),
    /// Users' secrets.
    #[error(transparent)]
    Secret(#[from] super::secret::SecretError),
    /// What is private to the cluster.
    #[error(transparent)]
    Vault(#[from] crate::vault::VaultError),
    /// The control store does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The control store.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Kafka's ids.
    #[error(transparent)]
    Format(#[from] crate::kafka::format::Error),
    /// A key could not be named.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The account cannot be named, and policies name it.
    #[error(
        "`aws.skip_requesting_account_id` is set, and the roles of nodes name the account; take it out of the provider \
         block"
    )]
    UnknownAccount,
    /// A task ended in a way that it never should.
    #[error("internal: a task broke off; please report this")]
    Broken,
    /// Another run works on the cluster.
    #[error("another run has taken the cluster over; apply again when it has ended")]
    TakenOver,
    /// A document that an earlier step writes.
    #[error("internal: the {what} is missing; please report this")]
    Missing {
        /// What.
        what: &'static str,
    },
    /// A subnet is gone since the plan.
    #[error("the subnet `{subnet}` is not in this Region of the account; name one that is")]
    NoSubnet {
        /// The subnet.
        subnet: String,
    },
    /// An instance type that the Region does not have.
    #[error(
        "the instance type `{name}` is not offered in this Region, or is neither x86_64 nor arm64; name another"
    )]
    NoInstanceType {
        /// As written.
        name: String,
    },
    /// EBS gave up.
    #[error("EBS could not change the volume {volume}: {message}; the volume is as it was")]
    Modification {
        /// The volume.
        volume: String,
        /// EBS's words.
        message: String,
    },
    /// A volume was taken for lost and is there.
    #[error(
        "the volume {volume} is there after all; nothing was replaced. Take the node out of `replace_volumes`"
    )]
    NotLost {
        /// The volume.
        volume: String,
    },
    /// Something has our name and is not ours.
    #[error(
        "the {what} `{name}` ({id}) exists and is not tagged as this cluster's; it was not touched. Remove or rename it"
    )]
    NotOurs {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
        /// Its id.
        id: String,
    },
    /// A name of a node leads elsewhere.
    #[error(
        "the name `{name}` stands in the private zone {zone} already and leads to {values}; it was not touched. Remove the \
         record, or name the cluster otherwise"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The zone.
        zone: String,
        /// Where it leads.
        values: String,
    },
    /// The private zone went away between plan and apply.
    #[error("the private zone `{zone}` is not there; name one that is in `private_zone_id`")]
    NoZone {
        /// The zone.
        zone: String,
    },
    /// AWS answered without what it promises.
    #[error("{service} {action} answered without {what}; please report this")]
    Incomplete {
        /// The service.
        service: &'static str,
        /// The action.
        action: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// More inbound rules than a group may have.
    #[error(
        "the security group needs {count}, and {foreign} more stand in it that others made; a group may have {quota}. \
         Name address ranges that hold several of yours, or give the clients one common security group"
    )]
    TooManyRules {
        /// What is wanted.
        count: crate::planner::firewall::Count,
        /// How many others made.
        foreign: usize,
        /// The quota.
        quota: usize,
    },
    /// Longer than EC2 takes.
    #[error("internal: user data of {length} bytes; EC2 takes 16384; please report this")]
    UserData {
        /// Bytes.
        length: usize,
    },
    /// A value of a boot file that cannot be.
    #[error("internal: a machine cannot be told what it is; please report this")]
    Boot(#[from] crate::store::boot::BootError),
    /// There is no image to start from.
    #[error("the image `{image}` {why}")]
    NoImage {
        /// Its id or name.
        image: String,
        /// What is wrong, and the way out.
        why: String,
    },
    /// EBS could not use the key.
    #[error(
        "the volume {volume} is {state}: EC2 may not use the key {key}. The key's policy, or that of who runs Terraform, \
         must allow kms:DescribeKey, kms:Decrypt, kms:GenerateDataKeyWithoutPlaintext, kms:ReEncrypt* and kms:CreateGrant (with \
         kms:GrantIsForAWSResource) through ec2; the key must be enabled"
    )]
    KeyRefused {
        /// The volume.
        volume: String,
        /// What became of it.
        state: String,
        /// The key as written.
        key: String,
    },
    /// Something did not come to be in time.
    #[error("{what} was still {state} after {seconds} s")]
    TooLate {
        /// What was waited for.
        what: String,
        /// Its last state.
        state: String,
        /// How long.
        seconds: u64,
    },
}
