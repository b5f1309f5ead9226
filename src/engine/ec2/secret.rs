//! Users' secrets in Secrets Manager: ours, found by name and tag; and those that the user brings.
//!
//! A secret is made empty, so that its ARN can stand in the desired document before it has a value; the value comes
//! with a client token of ours, which is then the version's id. A secret that goes with its user is deleted for good:
//! a password without a user opens nothing, and the name is free at once. One that somebody put into its deletion
//! window is restored.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, Tag};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::calls::{KNOWN_WITHIN, Patience, gone};
use super::names::Names;
use super::tag::Change;
use crate::aws::{CallError, Kind, Service};
use crate::engine::ClusterPlace;
use crate::secret::Secret;
use crate::spec::ids::{ClusterName, ClusterUid};

/// What MSK demands of a secret's name.
pub const PREFIX: &str = "AmazonMSK_";
/// The part of the uid in names; the whole uid is in the tag.
const UID_PART: usize = 8;
/// A name has at most 512 characters, with up to 83 before the user's.
const LONGEST_USER: usize = 400;
/// Secrets Manager takes 64 KiB.
const LONGEST_VALUE: usize = 64 << 10;

/// Why a secret could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Something has our name and is not ours.
    #[error(
        "the secret `{name}` ({arn}) exists and is not tagged as this cluster's; it was not touched. Remove or rename it"
    )]
    NotOurs {
        /// Its name.
        name: String,
        /// Its ARN.
        arn: String,
    },
    /// A secret that the user brings does not fit.
    #[error("the secret `{arn}` cannot be used: {why}")]
    Unfit {
        /// Its ARN.
        arn: String,
        /// What to change.
        why: String,
    },
    /// AWS answered without what it promises.
    #[error("secretsmanager {action} answered without {what}; please report this")]
    Incomplete {
        /// The action.
        action: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// A value that is no JSON, or a tag that cannot be.
    #[error("internal: a secret without a value; please report this")]
    Value,
}

fn failed<E>(action: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| CallError::new(Service::SecretsManager, action, &error)
}

/// The beginning of the names of all secrets of a cluster.
pub fn name_prefix(cluster: &ClusterName, uid: &ClusterUid) -> String {
    let uid: String = uid.as_str().chars().take(UID_PART).collect();
    format!("{PREFIX}{cluster}_{uid}_")
}

/// The name of a user's secret. The user's name is encoded: `=` stands in no user's name.
pub fn name(cluster: &ClusterName, uid: &ClusterUid, username: &str) -> String {
    let mut encoded = String::new();
    for byte in username.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-' | b'.' | b'@' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.extend(["=", &crate::hex::hex(&[byte])]),
        }
    }
    let encoded = if encoded.len() > LONGEST_USER {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, username.as_bytes());
        format!("=sha256={}", crate::hex::hex(digest.as_ref()))
    } else {
        encoded
    };
    format!("{}{encoded}", name_prefix(cluster, uid))
}

/// The tag that lets a cluster's nodes read a secret that the user brings. One for each cluster, since several may
/// share a secret.
pub fn reader_tag(uid: &ClusterUid) -> String {
    let uid: String = uid.as_str().chars().take(UID_PART).collect();
    format!("tfmsk-scram-{uid}")
}

/// A secret's value. Cleared on drop.
#[derive(Serialize, Deserialize)]
struct Content {
    username: String,
    password: String,
}

impl Drop for Content {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// The secrets of one cluster.
#[derive(Clone)]
pub struct Secrets {
    client: Client,
    region: String,
    place: ClusterPlace,
    names: Names,
}

/// The cluster alone; the client is full of credentials.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", name_prefix(&self.place.name, &self.place.uid))
    }
}

/// A secret that is there, with or without a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its ARN.
    pub arn: String,
    /// Whether this call made it.
    pub is_new: bool,
}

impl Secrets {
    /// Those of a cluster; contacts nobody.
    pub const fn new(client: Client, region: String, place: ClusterPlace, names: Names) -> Self {
        Self {
            client,
            region,
            place,
            names,
        }
    }

    fn name(&self, username: &str) -> String {
        name(&self.place.name, &self.place.uid, username)
    }

    /// Makes a user's secret without a value, or finds the one that is there; one that is in its deletion window is
    /// restored.
    ///
    /// # Errors
    /// [`SecretError`]; [`SecretError::NotOurs`] if the name is taken by another's.
    pub async fn ensure(&self, username: &str, kms_key: Option<&str>) -> Result<Container, SecretError> {
        let name = self.name(username);
        let mut patience = Patience::of(KNOWN_WITHIN);
        loop {
            let made = self
                .client
                .create_secret()
                .name(&name)
                .description(format!("Kafka user of the cluster {}", self.place.name))
                .set_kms_key_id(kms_key.map(str::to_owned))
                .set_tags(Some(self.tags()))
                .send()
                .await
                .map_err(failed("CreateSecret"));
            let refused = match made {
                Ok(made) => {
                    let arn = made.arn.ok_or(SecretError::Incomplete {
                        action: "CreateSecret",
                        what: "an ARN",
                    })?;
                    return Ok(Container { arn, is_new: true });
                }
                Err(error) if is_name_taken(&error) => error,
                Err(error) => return Err(error.into()),
            };
            match self.adopt(&name, kms_key).await {
                Ok(arn) => return Ok(Container { arn, is_new: false }),
                // One that is being deleted for good is neither there nor gone for a moment.
                Err(SecretError::Call(error)) if error.kind() == Kind::NotFound => {
                    if !patience.pause().await {
                        return Err(refused.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn adopt(&self, name: &str, kms_key: Option<&str>) -> Result<String, SecretError> {
        let found = self.describe(name).await?;
        let arn = arn_of(&found)?;
        if !self.names.is_ours(&tags_of(&found), None) {
            return Err(SecretError::NotOurs {
                name: name.to_owned(),
                arn,
            });
        }
        if found.deleted_date.is_some() {
            let restored = self.client.restore_secret().secret_id(&arn).send().await;
            restored.map_err(failed("RestoreSecret"))?;
        }
        if kms_key.is_some() && found.kms_key_id.as_deref() != kms_key {
            self.set_key(&arn, kms_key).await?;
        }
        Ok(arn)
    }

    async fn describe(&self, secret: &str) -> Result<DescribeSecretOutput, SecretError> {
        let found = self.client.describe_secret().secret_id(secret).send().await;
        Ok(found.map_err(failed("DescribeSecret"))?)
    }

    fn tags(&self) -> Vec<Tag> {
        let all = self.names.tags(None, &BTreeMap::new());
        let tag = |(key, value): (String, String)| Tag::builder().key(key).value(value).build();
        all.into_iter().map(tag).collect()
    }

    /// Encrypts a secret with another key; `None`: the account's own for Secrets Manager.
    ///
    /// # Errors
    /// [`SecretError::Call`].
    pub async fn set_key(&self, arn: &str, kms_key: Option<&str>) -> Result<(), SecretError> {
        let changed = self.client.update_secret().secret_id(arn);
        let changed = changed.kms_key_id(kms_key.unwrap_or("alias/aws/secretsmanager"));
        changed.send().await.map_err(failed("UpdateSecret"))?;
        Ok(())
    }

    /// Sets the value, as the version `token`. The second time nothing happens.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn put(
        &self,
        arn: &str,
        username: &str,
        password: &Secret<String>,
        token: &str,
    ) -> Result<(), SecretError> {
        let content = Content {
            username: username.to_owned(),
            password: password.expose().clone(),
        };
        let text = serde_json::to_string(&content).map_err(|_| SecretError::Value)?;
        let put = self.client.put_secret_value().secret_id(arn);
        let put = put.client_request_token(token).secret_string(text);
        put.send().await.map_err(failed("PutSecretValue"))?;
        Ok(())
    }

    /// Whether a secret has the name of this user's own.
    pub fn is_named(&self, arn: &str, username: &str) -> bool {
        let suffix = arn.rsplit(':').next().unwrap_or_default();
        // Secrets Manager adds a hyphen and six characters.
        suffix
            .strip_prefix(&self.name(username))
            .is_some_and(|rest| rest.len() == 7 && rest.starts_with('-'))
    }

    /// Deletes a user's own secret for good, if it is ours; what is gone is fine.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn remove(&self, arn: &str) -> Result<(), SecretError> {
        let found = match self.describe(arn).await {
            Err(SecretError::Call(error)) if error.kind() == Kind::NotFound => return Ok(()),
            found => found?,
        };
        if !self.names.is_ours(&tags_of(&found), None) {
            return Err(SecretError::NotOurs {
                name: found.name.unwrap_or_default(),
                arn: arn.to_owned(),
            });
        }
        let deleted = self.client.delete_secret().secret_id(arn);
        let deleted = deleted.force_delete_without_recovery(true).send().await;
        Ok(gone(deleted.map_err(failed("DeleteSecret")))?)
    }

    /// Changes the tags of a cluster's secrets. One that was made minutes ago has the new ones already, or is not listed
    /// yet and keeps the old ones.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn change_tags(&self, change: &Change<'_>) -> Result<(), SecretError> {
        for arn in self.all().await? {
            let tagged = self
                .client
                .tag_resource()
                .secret_id(&arn)
                .set_tags(Some(self.tags()));
            gone(tagged.send().await.map_err(failed("TagResource")))?;
            if !change.removed.is_empty() {
                let keys = change.removed.iter().cloned().collect();
                let untagged = self
                    .client
                    .untag_resource()
                    .secret_id(&arn)
                    .set_tag_keys(Some(keys));
                gone(untagged.send().await.map_err(failed("UntagResource")))?;
            }
        }
        Ok(())
    }

    /// Deletes what is left of a cluster's secrets; answers how many. Lists know of a new one after some minutes only.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn remove_all(&self) -> Result<usize, SecretError> {
        let all = self.all().await?;
        for arn in &all {
            self.remove(arn).await?;
        }
        Ok(all.len())
    }

    /// The ARNs of a cluster's own secrets.
    async fn all(&self) -> Result<Vec<String>, SecretError> {
        let prefix = name_prefix(&self.place.name, &self.place.uid);
        let filter = Filter::builder().key(FilterNameStringType::Name).values(&prefix);
        let mut pages = self
            .client
            .list_secrets()
            .filters(filter.build())
            .include_planned_deletion(true)
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed("ListSecrets"))?;
            found.extend(page.secret_list.unwrap_or_default());
        }
        let ours = found.into_iter().filter_map(|secret| {
            let is_named = secret.name.as_ref().is_some_and(|name| name.starts_with(&prefix));
            let is_ours = self.names.is_ours(&pairs(secret.tags.as_deref()), None);
            secret.arn.filter(|_| is_named && is_ours)
        });
        Ok(ours.collect())
    }

    /// Checks a secret that the user brings, and lets the cluster's nodes read it. Answers the version's id.
    ///
    /// # Errors
    /// [`SecretError::Unfit`] with what to change.
    pub async fn accept(&self, arn: &str, username: &str) -> Result<String, SecretError> {
        let unfit = |why: String| SecretError::Unfit {
            arn: arn.to_owned(),
            why,
        };
        let mut parts = arn.splitn(7, ':');
        let (kind, region, name) = (parts.nth(2), parts.next(), parts.nth(2));
        if kind != Some("secretsmanager") || !name.is_some_and(|name| name.starts_with(PREFIX)) {
            return Err(unfit(format!(
                "it has to be the ARN of a secret whose name starts with `{PREFIX}`, as MSK demands"
            )));
        }
        if region != Some(&self.region) {
            return Err(unfit(format!(
                "it has to be in the cluster's Region, {}",
                self.region
            )));
        }
        let read = self.client.get_secret_value().secret_id(arn).send().await;
        let mut read = match read.map_err(failed("GetSecretValue")) {
            Err(error) if error.kind() == Kind::NotFound => {
                return Err(unfit("it is not there, or has no value".to_owned()));
            }
            read => read?,
        };
        let text = read.secret_string.take().map(Secret::new);
        let content = text.filter(|text| text.expose().len() <= LONGEST_VALUE);
        // The reader's own message could quote the text.
        let content: Option<Content> = content.and_then(|text| serde_json::from_str(text.expose()).ok());
        let Some(content) = content else {
            return Err(unfit(
                "its value has to be the JSON object `{\"username\": …, \"password\": …}`".to_owned(),
            ));
        };
        if content.username != username {
            return Err(unfit(format!(
                "its `username` is not `{username}`; set `username` to the one in the secret"
            )));
        }
        if content.password.is_empty() {
            return Err(unfit("its `password` is empty".to_owned()));
        }
        let tag = Tag::builder().key(reader_tag(&self.place.uid));
        let tag = tag.value(self.place.uid.as_str()).build();
        let tagged = self.client.tag_resource().secret_id(arn).tags(tag).send().await;
        tagged.map_err(failed("TagResource"))?;
        read.version_id.ok_or(SecretError::Incomplete {
            action: "GetSecretValue",
            what: "a version",
        })
    }

    /// Lets go of a secret: one of ours is deleted, one that the user brought loses our tag.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn discard(&self, arn: &str, username: &str) -> Result<(), SecretError> {
        if self.is_named(arn, username) {
            return self.remove(arn).await;
        }
        let untagged = self.client.untag_resource().secret_id(arn);
        let untagged = untagged.tag_keys(reader_tag(&self.place.uid)).send().await;
        Ok(gone(untagged.map_err(failed("UntagResource")))?)
    }
}

fn is_name_taken(error: &CallError) -> bool {
    error.code() == "ResourceExistsException"
        || (error.code() == "InvalidRequestException" && error.message().contains("scheduled for deletion"))
}

fn arn_of(found: &DescribeSecretOutput) -> Result<String, SecretError> {
    found.arn.clone().ok_or(SecretError::Incomplete {
        action: "DescribeSecret",
        what: "an ARN",
    })
}

fn tags_of(found: &DescribeSecretOutput) -> BTreeMap<String, String> {
    pairs(found.tags.as_deref())
}

fn pairs(tags: Option<&[Tag]>) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.unwrap_or_default().iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_user_has_a_name_of_its_own_that_secrets_manager_takes() {
        let cluster = ClusterName::new("c".repeat(64));
        let uid = ClusterUid::new("0123456789abcdef0123456789abcdef");
        let users = [
            "app",
            "../app",
            "a/b",
            "a=2Fb",
            "ä",
            ".",
            "App",
            "a b",
            "a+b",
            &"x".repeat(128),
            &"ü".repeat(128),
            &"€".repeat(128),
            &"𝄞".repeat(128),
        ];
        let names: BTreeSet<String> = users.iter().map(|user| name(&cluster, &uid, user)).collect();
        assert_eq!(names.len(), users.len());
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
        for name in names {
            assert!(
                name.starts_with(&format!("AmazonMSK_{cluster}_01234567_")),
                "{name}"
            );
            assert!(name.len() <= 512 && name.chars().all(is_allowed), "{name}");
        }
    }
}
