//! The schema of `msk_scram_secret`. The descriptions are the pages of the registry.

use crate::resource::access::cluster_id;
use crate::spec::objects::SCRAM_MECHANISM;
use crate::tfplugin::schema::{Schema, number, string, whole_number};

const ABOUT: &str = "\
A user with a password (SASL/SCRAM), and the secret from which its clients fetch it.

The password comes from one of three sources: `password_wo`, which is never stored (Terraform 1.11 or OpenTofu 1.11 and \
newer) and is set again when `password_wo_version` changes; on AWS `secret_arn`, a secret of yours; or, without both, a \
random password is made, and made anew when `password_wo_version` changes. No password is in plan, state or log.

On AWS the secret lies in Secrets Manager as `AmazonMSK_<cluster>_<8 characters>_<username>`. A value that is changed \
there reaches the brokers by itself: within a minute for up to 20 users, within five for 1,000. With the user its \
secret is deleted at once, without a recovery window; a secret of yours stays.

A user may do nothing until an `msk_acl` allows it, with the principal `User:<username>`. Deleting removes the user; \
connections that are open live on until they end.";

pub(super) fn resource() -> Schema {
    Schema::new(ABOUT)
        .attribute("cluster_id", cluster_id())
        .attribute("username", string().required().requires_replace().description(
            "The user's name: 1 to 128 characters, without control characters, `,` and `=`. Names that start with \
             `__msk` are reserved.",
        ))
        .attribute("password_wo", string().write_only().description(
            "The password, such as `ephemeral.random_password.app.result`. Needs `password_wo_version`.",
        ))
        .attribute("password_wo_version", number().optional().validate(whole_number()).description(
            "Counts the passwords: any change sets `password_wo` again, or makes another random password.",
        ))
        .attribute("secret_arn", string().optional_computed().description(
            "AWS: the ARN of the secret from which clients fetch `{\"username\", \"password\"}`. Written, it is a secret \
             of yours: in the cluster's Region and account, its name begins with `AmazonMSK_`, its `username` is the \
             one here; the provider tags it, so that the brokers may read it. Null on one machine.",
        ))
        .attribute("mechanism", string().default(SCRAM_MECHANISM).requires_replace().description(
            "`SCRAM-SHA-512`, the one that is offered.",
        ))
        .attribute("iterations", number().default(8192).description(
            "SCRAM iterations, 4096 to 16384. Changed in place, with the same password.",
        ))
        .attribute("kms_key_id", string().optional().description(
            "AWS: the key of the secret that is made; changed in place. Without one the account's own key for Secrets \
             Manager is taken, with which Amazon MSK itself would refuse the secret. Recorded, not enforced, on one \
             machine.",
        ))
        .attribute("id", string().computed().keep_prior().description(
            "`<cluster>/<username>`, also for `terraform import`.",
        ))
        .attribute("secret_file", string().computed().keep_prior().description(
            "One machine: the file, readable only by its owner, with `{\"username\", \"password\"}` as JSON.",
        ))
        .attribute("password_source", string().computed().keep_prior().description(
            "Where the password comes from: `WRITTEN` with `password_wo`, `GIVEN` with `secret_arn`, else `RANDOM`. A \
             change sets a new password.",
        ))
}
