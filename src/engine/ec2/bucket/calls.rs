//! What is asked about a bucket.

use std::collections::BTreeMap;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{BucketVersioningStatus, ExpirationStatus, LifecycleRule, Tag, Tagging};

use super::check::{Lifecycle, Rule};
use super::{BucketError, ControlBucket, MADE_TAG};
use crate::aws::{CallError, Service};

/// Turns the SDK's error of an S3 call into ours.
pub(super) fn s3<E>(action: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| CallError::new(Service::S3, action, &error)
}

/// Whether there is a bucket that these credentials can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Absent,
    There,
}

/// `None` for one of the codes with which S3 says that something was never set.
pub(super) fn unset<T>(result: Result<T, CallError>, codes: &[&str]) -> Result<Option<T>, CallError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if codes.contains(&error.code()) => Ok(None),
        Err(error) => Err(error),
    }
}

impl ControlBucket<'_> {
    pub(super) fn owner(&self) -> Option<String> {
        self.account.map(str::to_owned)
    }

    /// A refusal of `HeadBucket` has no text: status and header tell what it means.
    pub(super) async fn head(&self) -> Result<Head, BucketError> {
        let asked = self
            .client
            .head_bucket()
            .bucket(self.name)
            .set_expected_bucket_owner(self.owner())
            .send()
            .await;
        let error = match asked {
            Ok(answer) => {
                return match answer.bucket_region {
                    Some(found) if found != self.region => Err(self.in_region(&found)),
                    _ => Ok(Head::There),
                };
            }
            Err(error) => error,
        };
        let answer = error.raw_response();
        let region = answer.and_then(|answer| answer.headers().get("x-amz-bucket-region"));
        match answer.map(|answer| answer.status().as_u16()) {
            Some(404) => Ok(Head::Absent),
            Some(_) if region.is_some_and(|region| region != self.region) => {
                Err(self.in_region(region.unwrap_or_default()))
            }
            Some(301) => Err(self.in_region("another Region")),
            Some(403) => Err(BucketError::Foreign {
                bucket: self.name.to_owned(),
            }),
            _ => Err(CallError::new(Service::S3, "HeadBucket", &error).into()),
        }
    }

    fn in_region(&self, found: &str) -> BucketError {
        let is_name = (1..=40).contains(&found.len())
            && found
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "- ".contains(letter));
        BucketError::OtherRegion {
            bucket: self.name.to_owned(),
            found: if is_name { found } else { "another Region" }.to_owned(),
            region: self.region.to_owned(),
        }
    }

    pub(super) async fn tags(&self) -> Result<BTreeMap<String, String>, BucketError> {
        let asked = self
            .client
            .get_bucket_tagging()
            .bucket(self.name)
            .set_expected_bucket_owner(self.owner())
            .send()
            .await;
        let found = unset(asked.map_err(s3("GetBucketTagging")), &["NoSuchTagSet"])?;
        let tags = found.map(|found| found.tag_set).unwrap_or_default();
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    pub(super) async fn is_ours(&self) -> Result<bool, BucketError> {
        Ok(self.tags().await?.contains_key(MADE_TAG))
    }

    /// Whether nothing lies in it, and nothing about it was ever set: what is left of a creation that was cut off.
    pub(super) async fn is_bare(&self) -> Result<bool, BucketError> {
        if !self.tags().await?.is_empty()
            || self.versioning().await?.is_some()
            || self.lifecycle().await?.is_some()
        {
            return Ok(false);
        }
        let asked = self
            .client
            .list_objects_v2()
            .bucket(self.name)
            .max_keys(1)
            .set_expected_bucket_owner(self.owner())
            .send()
            .await
            .map_err(s3("ListBucket"))?;
        Ok(asked.contents().is_empty())
    }

    pub(super) async fn tag(&self) -> Result<(), BucketError> {
        let mut all = self.tags.clone();
        all.insert(MADE_TAG.to_owned(), "true".to_owned());
        let tags: Result<Vec<Tag>, _> = all
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect();
        let tagging = tags.and_then(|tags| Tagging::builder().set_tag_set(Some(tags)).build());
        let tagging = tagging.map_err(|_| BucketError::Internal {
            what: "a bucket's tags",
        })?;
        let put = self.settled(|| async {
            self.client
                .put_bucket_tagging()
                .bucket(self.name)
                .set_expected_bucket_owner(self.owner())
                .tagging(tagging.clone())
                .send()
                .await
                .map_err(s3("PutBucketTagging"))
        });
        put.await?;
        Ok(())
    }

    /// `None` if it was never switched on; `Some(false)` if it was switched off again.
    pub(super) async fn versioning(&self) -> Result<Option<bool>, BucketError> {
        let asked = self
            .client
            .get_bucket_versioning()
            .bucket(self.name)
            .set_expected_bucket_owner(self.owner())
            .send()
            .await
            .map_err(s3("GetBucketVersioning"))?;
        Ok(asked
            .status
            .map(|status| status == BucketVersioningStatus::Enabled))
    }

    pub(super) async fn rules(&self) -> Result<Option<Vec<LifecycleRule>>, BucketError> {
        let asked = self
            .client
            .get_bucket_lifecycle_configuration()
            .bucket(self.name)
            .set_expected_bucket_owner(self.owner())
            .send()
            .await
            .map_err(s3("GetLifecycleConfiguration"));
        let found = unset(asked, &["NoSuchLifecycleConfiguration"])?;
        Ok(found.map(|found| found.rules.unwrap_or_default()))
    }

    pub(super) async fn lifecycle(&self) -> Result<Lifecycle, BucketError> {
        let rules = self.rules().await?;
        Ok(rules.map(|rules| rules.iter().map(read).collect()))
    }
}

/// A rule, as far as it can do harm.
#[allow(
    deprecated,
    reason = "old rules have their prefix outside of the filter, and still count"
)]
fn read(rule: &LifecycleRule) -> Rule {
    let filter = rule.filter();
    let and = filter.and_then(|filter| filter.and());
    let prefix = filter
        .and_then(|filter| filter.prefix())
        .or_else(|| and.and_then(|and| and.prefix()))
        .or_else(|| rule.prefix())
        .unwrap_or_default();
    let has_tags =
        filter.is_some_and(|filter| filter.tag().is_some()) || and.is_some_and(|and| !and.tags().is_empty());
    let expires = rule
        .expiration()
        .is_some_and(|end| end.days.is_some() || end.date.is_some());
    let archives = rule.transitions().iter().any(|transition| {
        transition
            .storage_class()
            .is_some_and(|class| matches!(class.as_str(), "GLACIER" | "DEEP_ARCHIVE"))
    });
    Rule {
        id: rule.id().unwrap_or_default().to_owned(),
        is_enabled: *rule.status() == ExpirationStatus::Enabled,
        prefix: prefix.to_owned(),
        has_tags,
        expires_current: expires,
        archives_current: archives,
        ends_noncurrent: rule.noncurrent_version_expiration().is_some(),
    }
}
