//! The role of a node and the instance profile that gives it to a machine. IAM keeps names unique, so the name is what
//! makes a second call harmless.

use std::collections::BTreeMap;

use aws_sdk_iam::Client;
use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::{Role, Tag};
use serde_json::Value;

use super::calls::{KNOWN_WITHIN, gone, insist};
use super::error::Ec2Error;
use super::names::{IAM_PATH, Names};
use super::tag::Change;
use crate::aws::{CallError, Kind, Service};
use crate::spec::ids::NodeId;

/// The name of the one inline policy of a role.
const POLICY: &str = "node";

fn failed<E>(action: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| CallError::new(Service::Iam, action, &error)
}

fn is_there(error: &CallError) -> bool {
    error.code() == "EntityAlreadyExists" || error.code() == "EntityAlreadyExistsException"
}

fn is_passing(error: &CallError) -> bool {
    matches!(
        error.code(),
        "ConcurrentModification"
            | "ConcurrentModificationException"
            | "ServiceFailure"
            | "ServiceFailureException"
    ) || error.kind() == Kind::NotFound
}

fn iam_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, Ec2Error> {
    let build = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let tags: Result<Vec<Tag>, _> = tags.iter().map(build).collect();
    tags.map_err(|_| Ec2Error::Incomplete {
        service: "iam",
        action: "TagRole",
        what: "a whole tag",
    })
}

/// What a node's role should be.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The node.
    pub node: NodeId,
    /// Who may take the role.
    pub trust: &'a Value,
    /// What it may do.
    pub policy: &'a Value,
    /// The ARN of a policy that bounds it, if the account demands one.
    pub permissions_boundary: Option<&'a str>,
    /// Tags of the user.
    pub tags: &'a BTreeMap<String, String>,
}

/// Makes role and instance profile, both with the name of the node, and puts the policy in force. Answers the name.
///
/// # Errors
/// [`Ec2Error::NotOurs`]; other [`Ec2Error`].
pub async fn ensure(client: &Client, names: &Names, wanted: &Wanted<'_>) -> Result<String, Ec2Error> {
    let name = names.node(wanted.node);
    let tags = iam_tags(&names.tags(Some(wanted.node), wanted.tags))?;
    let made = client
        .create_role()
        .role_name(&name)
        .path(IAM_PATH)
        .assume_role_policy_document(wanted.trust.to_string())
        .set_permissions_boundary(wanted.permissions_boundary.map(str::to_owned))
        .set_tags(Some(tags.clone()))
        .send()
        .await
        .map_err(failed("CreateRole"));
    match made {
        Err(error) if is_there(&error) => must_be_ours(client, names, wanted.node, &name).await?,
        made => {
            made?;
        }
    }
    let put = insist(KNOWN_WITHIN, is_passing, || async {
        client
            .put_role_policy()
            .role_name(&name)
            .policy_name(POLICY)
            .policy_document(wanted.policy.to_string())
            .send()
            .await
            .map_err(failed("PutRolePolicy"))
    });
    put.await?;
    let made = client
        .create_instance_profile()
        .instance_profile_name(&name)
        .path(IAM_PATH)
        .set_tags(Some(tags))
        .send()
        .await
        .map_err(failed("CreateInstanceProfile"));
    match made {
        Err(error) if !is_there(&error) => return Err(error.into()),
        _ => {}
    }
    let added = insist(KNOWN_WITHIN, is_passing, || async {
        client
            .add_role_to_instance_profile()
            .instance_profile_name(&name)
            .role_name(&name)
            .send()
            .await
            .map_err(failed("AddRoleToInstanceProfile"))
    });
    match added.await {
        // A profile holds one role: the second time it is full, of this one.
        Err(error) if error.code().starts_with("LimitExceeded") => Ok(name),
        Err(error) if is_there(&error) => Ok(name),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(name),
    }
}

async fn must_be_ours(client: &Client, names: &Names, node: NodeId, name: &str) -> Result<(), Ec2Error> {
    let there = client
        .get_role()
        .role_name(name)
        .send()
        .await
        .map_err(failed("GetRole"))?;
    let tags = there.role().map(Role::tags).unwrap_or_default();
    let tags = tags
        .iter()
        .map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect();
    if names.is_ours(&tags, Some(node)) {
        return Ok(());
    }
    Err(Ec2Error::NotOurs {
        what: "role",
        name: name.to_owned(),
        id: there.role().map(|role| role.arn.clone()).unwrap_or_default(),
    })
}

/// Changes the tags of role and instance profile.
///
/// # Errors
/// [`Ec2Error`].
pub async fn change_tags(client: &Client, node: NodeId, change: &Change<'_>) -> Result<(), Ec2Error> {
    let name = change.names.node(node);
    let tags = iam_tags(&change.wanted(Some(node)))?;
    let tagged = client.tag_role().role_name(&name).set_tags(Some(tags.clone()));
    tagged.send().await.map_err(failed("TagRole"))?;
    let tagged = client
        .tag_instance_profile()
        .instance_profile_name(&name)
        .set_tags(Some(tags));
    tagged.send().await.map_err(failed("TagInstanceProfile"))?;
    if change.removed.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = change.removed.iter().cloned().collect();
    let untagged = client
        .untag_role()
        .role_name(&name)
        .set_tag_keys(Some(keys.clone()));
    untagged.send().await.map_err(failed("UntagRole"))?;
    let untagged = client
        .untag_instance_profile()
        .instance_profile_name(&name)
        .set_tag_keys(Some(keys));
    untagged.send().await.map_err(failed("UntagInstanceProfile"))?;
    Ok(())
}

/// Removes instance profile and role, if the role is ours.
///
/// # Errors
/// [`Ec2Error`].
pub async fn remove(client: &Client, names: &Names, node: NodeId) -> Result<(), Ec2Error> {
    let name = names.node(node);
    let is_there = match must_be_ours(client, names, node, &name).await {
        Err(Ec2Error::Call(error)) if error.kind() == Kind::NotFound => false,
        ours => ours.map(|()| true)?,
    };
    let taken_out = client
        .remove_role_from_instance_profile()
        .instance_profile_name(&name)
        .role_name(&name)
        .send()
        .await;
    gone(taken_out.map_err(failed("RemoveRoleFromInstanceProfile")))?;
    let deleted = client
        .delete_instance_profile()
        .instance_profile_name(&name)
        .send()
        .await;
    gone(deleted.map_err(failed("DeleteInstanceProfile")))?;
    let deleted = client
        .delete_role_policy()
        .role_name(&name)
        .policy_name(POLICY)
        .send()
        .await;
    gone_or_hidden(deleted.map_err(failed("DeleteRolePolicy")), is_there)?;
    let deleted = insist(
        KNOWN_WITHIN,
        |error| error.code().starts_with("DeleteConflict"),
        || async {
            client
                .delete_role()
                .role_name(&name)
                .send()
                .await
                .map_err(failed("DeleteRole"))
        },
    );
    Ok(gone_or_hidden(deleted.await, is_there)?)
}

/// A role that is not there has no path, and a policy that is bound to the path refuses to speak of it.
fn gone_or_hidden<T>(result: Result<T, CallError>, is_there: bool) -> Result<(), CallError> {
    match result {
        Err(error) if !is_there && error.kind() == Kind::Denied => Ok(()),
        result => gone(result),
    }
}
