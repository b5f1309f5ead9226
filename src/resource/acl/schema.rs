//! The schema of `msk_acl`. The descriptions are the pages of the registry.

use crate::resource::access::cluster_id;
use crate::tfplugin::Type;
use crate::tfplugin::schema::{Schema, set, string};

const ABOUT: &str = "\
What one principal may do with one resource of a cluster, or what it may not.

~> **Access is denied unless an ACL allows it.** This is other than on Amazon MSK, where a cluster without ACLs lets \
everybody in.

Everything but `operations` names the ACL: a change of it makes another one. Of its operations this resource has the \
last word: what others add to the same principal, host, resource and permission shows as drift and is taken away. A \
deny always wins over an allow.";

pub(super) fn resource() -> Schema {
    Schema::new(ABOUT)
        .attribute("cluster_id", cluster_id())
        .attribute("principal", string().required().requires_replace().description(
            "Whom it speaks of: `User:<name>` of a SCRAM user, `User:<distinguished name>` of a client certificate (the \
             whole name, such as `User:CN=app,O=Example`), `User:ANONYMOUS`, or `User:*` for everyone.",
        ))
        .attribute("host", string().default("*").requires_replace().description(
            "From where: one IP address, or `*`. Kafka knows no address ranges.",
        ))
        .attribute("resource_type", string().required().requires_replace().description(
            "`CLUSTER`, `TOPIC`, `GROUP`, `TRANSACTIONAL_ID`, `DELEGATION_TOKEN` or `USER`.",
        ))
        .attribute("resource_name", string().required().requires_replace().description(
            "The resource's name, or its beginning with `pattern_type = \"PREFIXED\"`, or `*` for all. \
             `kafka-cluster` for `CLUSTER`.",
        ))
        .attribute("pattern_type", string().default("LITERAL").requires_replace().description(
            "`LITERAL`: exactly this name. `PREFIXED`: every name that begins so.",
        ))
        .attribute("operations", set(Type::String).required().description(
            "Kafka's names, such as `READ`, `WRITE`, `DESCRIBE`, `ALL`. An operation that Kafka does not check on \
             this type of resource is an error. Changed in place.",
        ))
        .attribute("permission", string().default("ALLOW").requires_replace().description("`ALLOW` or `DENY`."))
        .attribute("id", string().computed().keep_prior().description(
            "`cluster|principal|host|resource_type|pattern_type|resource_name|permission`, with `%` written as `%25` \
             and `|` as `%7C`; also for `terraform import`.",
        ))
}
