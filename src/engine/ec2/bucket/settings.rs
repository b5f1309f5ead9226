//! How a bucket that we made has to be. Each setting is read first, so that an apply without changes writes nothing.

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, VersioningConfiguration,
};
use serde_json::{Value, json};

use super::calls::{s3, unset};
use super::{BucketError, ControlBucket};
use crate::engine::ec2::names::IAM_PATH;

/// Days after which former versions of anything end.
const KEPT_DAYS: i32 = 90;
/// Days after which former versions end of what is written all the time: status documents.
const OFTEN_DAYS: i32 = 7;
/// What has had more later versions than this within [`OFTEN_DAYS`] is written all the time. S3 takes up to 100.
const OFTEN: i32 = 100;
/// Days after which parts of an upload end that nobody finished.
const UPLOAD_DAYS: i32 = 7;

fn internal(what: &'static str) -> impl Fn(aws_sdk_s3::error::BuildError) -> BucketError {
    move |_| BucketError::Internal { what }
}

impl ControlBucket<'_> {
    /// Puts every setting right; answers the names of those that were not.
    pub(super) async fn put_right(&self) -> Result<Vec<&'static str>, BucketError> {
        let mut changed = Vec::new();
        let mut note = |is_changed: bool, name: &'static str| {
            if is_changed {
                changed.push(name);
            }
        };
        note(self.block_public_access().await?, "public access");
        note(self.keep_versions().await?, "versioning");
        note(self.encrypt().await?, "encryption");
        note(self.end_old_versions().await?, "lifecycle rules");
        note(self.set_policy().await?, "bucket policy");
        Ok(changed)
    }

    async fn block_public_access(&self) -> Result<bool, BucketError> {
        let wanted = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let asked = self
            .client
            .get_public_access_block()
            .bucket(self.name)
            .set_expected_bucket_owner(self.owner())
            .send()
            .await
            .map_err(s3("GetBucketPublicAccessBlock"));
        let found = unset(asked, &["NoSuchPublicAccessBlockConfiguration", "NoSuchBucket"])?;
        if found
            .and_then(|found| found.public_access_block_configuration)
            .as_ref()
            == Some(&wanted)
        {
            return Ok(false);
        }
        let put = self.settled(|| async {
            self.client
                .put_public_access_block()
                .bucket(self.name)
                .set_expected_bucket_owner(self.owner())
                .public_access_block_configuration(wanted.clone())
                .send()
                .await
                .map_err(s3("PutBucketPublicAccessBlock"))
        });
        put.await?;
        Ok(true)
    }

    async fn keep_versions(&self) -> Result<bool, BucketError> {
        if self.versioning().await? == Some(true) {
            return Ok(false);
        }
        let wanted = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        let put = self.settled(|| async {
            self.client
                .put_bucket_versioning()
                .bucket(self.name)
                .set_expected_bucket_owner(self.owner())
                .versioning_configuration(wanted.clone())
                .send()
                .await
                .map_err(s3("PutBucketVersioning"))
        });
        put.await?;
        Ok(true)
    }

    async fn encrypt(&self) -> Result<bool, BucketError> {
        let algorithm = match self.kms_key {
            Some(_) => ServerSideEncryption::AwsKms,
            None => ServerSideEncryption::Aes256,
        };
        let by_default = ServerSideEncryptionByDefault::builder()
            .sse_algorithm(algorithm)
            .set_kms_master_key_id(self.kms_key.map(str::to_owned))
            .build()
            .map_err(internal("a bucket's encryption"))?;
        let asked = self
            .client
            .get_bucket_encryption()
            .bucket(self.name)
            .set_expected_bucket_owner(self.owner())
            .send()
            .await
            .map_err(s3("GetEncryptionConfiguration"));
        let found = unset(asked, &["ServerSideEncryptionConfigurationNotFoundError"])?;
        let rules = found
            .and_then(|found| found.server_side_encryption_configuration)
            .map(|found| found.rules)
            .unwrap_or_default();
        // The bucket key saves a call of KMS for each object; without a key of KMS it means nothing.
        let is_right = |rule: &ServerSideEncryptionRule| {
            rule.apply_server_side_encryption_by_default() == Some(&by_default)
                && (self.kms_key.is_none() || rule.bucket_key_enabled == Some(true))
        };
        if rules.iter().any(is_right) {
            return Ok(false);
        }
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(by_default.clone())
            .bucket_key_enabled(self.kms_key.is_some())
            .build();
        let wanted = ServerSideEncryptionConfiguration::builder()
            .rules(rule)
            .build()
            .map_err(internal("a bucket's encryption"))?;
        let put = self.settled(|| async {
            self.client
                .put_bucket_encryption()
                .bucket(self.name)
                .set_expected_bucket_owner(self.owner())
                .server_side_encryption_configuration(wanted.clone())
                .send()
                .await
                .map_err(s3("PutEncryptionConfiguration"))
        });
        put.await?;
        Ok(true)
    }

    /// Rules of others in the same bucket stay; ours are known by their names.
    async fn end_old_versions(&self) -> Result<bool, BucketError> {
        let ours = lifecycle(self.prefix)?;
        let found = self.rules().await?.unwrap_or_default();
        let mut all: Vec<LifecycleRule> = found.clone();
        for rule in ours {
            match all.iter_mut().find(|other| other.id() == rule.id()) {
                Some(other) => *other = rule,
                None => all.push(rule),
            }
        }
        if all == found {
            return Ok(false);
        }
        let wanted = BucketLifecycleConfiguration::builder()
            .set_rules(Some(all))
            .build()
            .map_err(internal("a bucket's lifecycle"))?;
        let put = self.settled(|| async {
            self.client
                .put_bucket_lifecycle_configuration()
                .bucket(self.name)
                .set_expected_bucket_owner(self.owner())
                .lifecycle_configuration(wanted.clone())
                .send()
                .await
                .map_err(s3("PutLifecycleConfiguration"))
        });
        put.await?;
        Ok(true)
    }

    async fn set_policy(&self) -> Result<bool, BucketError> {
        let wanted = policy(
            self.partition,
            self.account,
            (self.name, self.prefix),
            self.is_plain,
        );
        let asked = self
            .client
            .get_bucket_policy()
            .bucket(self.name)
            .set_expected_bucket_owner(self.owner())
            .send()
            .await
            .map_err(s3("GetBucketPolicy"));
        let found = unset(asked, &["NoSuchBucketPolicy"])?.and_then(|found| found.policy);
        let found = found.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        if found.as_ref() == Some(&wanted) {
            return Ok(false);
        }
        let put = self.settled(|| async {
            self.client
                .put_bucket_policy()
                .bucket(self.name)
                .set_expected_bucket_owner(self.owner())
                .policy(wanted.to_string())
                .send()
                .await
                .map_err(s3("PutBucketPolicy"))
        });
        put.await?;
        Ok(true)
    }
}

/// Prefixes cannot say "below `status/` of each cluster", and a rule for each cluster would make clusters write the same
/// configuration at once. What tells a status document is that it is written every minute: of a document that has a
/// hundred later versions, those older than a week go; of all others those older than 90 days.
fn lifecycle(prefix: &str) -> Result<Vec<LifecycleRule>, BucketError> {
    let rule = |id: String, prefix: &str| {
        LifecycleRule::builder()
            .id(id)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
    };
    let noncurrent = NoncurrentVersionExpiration::builder();
    let old = rule("tfmsk-old".to_owned(), "")
        .noncurrent_version_expiration(noncurrent.clone().noncurrent_days(KEPT_DAYS).build())
        // Of what was deleted, in the end nothing but the marker is left.
        .expiration(
            LifecycleExpiration::builder()
                .expired_object_delete_marker(true)
                .build(),
        )
        .abort_incomplete_multipart_upload(
            AbortIncompleteMultipartUpload::builder()
                .days_after_initiation(UPLOAD_DAYS)
                .build(),
        );
    let often = rule(format!("tfmsk-often-{prefix}"), prefix).noncurrent_version_expiration(
        noncurrent
            .noncurrent_days(OFTEN_DAYS)
            .newer_noncurrent_versions(OFTEN)
            .build(),
    );
    [old, often]
        .into_iter()
        .map(|rule| rule.build().map_err(internal("a lifecycle rule")))
        .collect()
}

/// A second fence behind the policies of the roles: a node writes nothing but its status, locks, and what a controller
/// signs; and never sees what is the operator's alone. Who else in the account may write is not ours to say.
pub(in crate::engine::ec2) fn policy(
    partition: &str,
    account: Option<&str>,
    (name, prefix): (&str, &str),
    is_plain: bool,
) -> Value {
    let bucket = format!("arn:{partition}:s3:::{name}");
    let below = |rest: &str| format!("{bucket}/{prefix}{rest}");
    let nodes = json!({ "ArnLike": {
        "aws:PrincipalArn": format!("arn:{partition}:iam::{}:role{IAM_PATH}*", account.unwrap_or("*"))
    } });
    let mut statements = vec![
        json!({
            "Sid": "NodesWriteTheirOwn", "Effect": "Deny", "Principal": "*",
            "Action": ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"],
            "NotResource": [below("*/status/*"), below("*/locks/*"), below("*/public/certificates/*")],
            "Condition": nodes,
        }),
        json!({
            "Sid": "NodesSeeNoKeysOfTheOperator", "Effect": "Deny", "Principal": "*",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": below("*/operator/*"),
            "Condition": nodes,
        }),
    ];
    if !is_plain {
        statements.push(json!({
            "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": [bucket, format!("{bucket}/*")],
            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        }));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}
