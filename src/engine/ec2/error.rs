//! Why something in the account could not be done.

use crate::aws::CallError;

/// Why the engine for AWS could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Ec2Error {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
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
    /// EBS could not use the key.
    #[error(
        "the volume {volume} is {state}: EC2 may not use the key {key}. The key's policy, or that of who runs Terraform, \
         must allow kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext, kms:ReEncrypt* and kms:CreateGrant (with \
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
