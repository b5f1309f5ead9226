//! The bucket of the control store: made and kept in shape by us, or the user's, which is looked at and never changed.
//!
//! Bucket names are taken once in the whole world, so the name alone makes a second call harmless. A bucket is ours by
//! its tag. What a creation leaves that was cut off before the tag is known by its bareness: nothing in it, and nothing
//! about it was ever set.

mod calls;
mod check;
mod remove;
mod settings;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use super::calls::{KNOWN_WITHIN, insist};
use crate::aws::{CallError, Kind};
use calls::{Head, s3};
pub use check::{Finding, Lifecycle, Rule, judge};
pub use remove::Removed;
pub(super) use settings::policy;

/// The tag of a bucket that was made by us.
pub const MADE_TAG: &str = "tfmsk-control-bucket";
/// Names of deleted buckets, and settings that are being changed, are in use for a while.
const IN_USE_FOR: Duration = Duration::from_mins(2);

/// Why the control bucket could not be made, looked at or removed.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// There is no such bucket.
    #[error(
        "there is no bucket `{bucket}`; make it, with versioning, in {region}, or set `create_control_bucket = true`"
    )]
    Missing {
        /// The bucket.
        bucket: String,
        /// Where it must be.
        region: String,
    },
    /// Somebody else's.
    #[error(
        "the bucket `{bucket}` belongs to another account, or the credentials may not call `s3:ListBucket` on it; names of \
         buckets are taken in the whole world: choose another one, or allow the action"
    )]
    Foreign {
        /// The bucket.
        bucket: String,
    },
    /// In another Region.
    #[error(
        "the bucket `{bucket}` is in {found}, the provider works in {region}; name a bucket of {region}, or set `region`"
    )]
    OtherRegion {
        /// The bucket.
        bucket: String,
        /// Where it is.
        found: String,
        /// Where it must be.
        region: String,
    },
    /// Its settings would lose what is in it.
    #[error("the bucket `{bucket}` cannot hold the control store: {}", findings.join(" "))]
    Unfit {
        /// The bucket.
        bucket: String,
        /// Sentences, each with the way out.
        findings: Vec<String>,
    },
    /// The SDK refused what was put together.
    #[error("internal: {what} could not be put together; please report this")]
    Internal {
        /// What.
        what: &'static str,
    },
}

/// The bucket that the provider block names.
#[derive(Debug, Clone)]
pub struct ControlBucket<'a> {
    /// The client.
    pub client: &'a Client,
    /// The bucket's name.
    pub name: &'a str,
    /// The Region.
    pub region: &'a str,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// The account, 12 digits; `None` where the provider does not ask for it.
    pub account: Option<&'a str>,
    /// The prefix of the control store in it; ends with `/`.
    pub prefix: &'a str,
    /// The key of its objects; `None`: S3's own.
    pub kms_key: Option<&'a str>,
    /// Whether it is made if it is not there.
    pub creates: bool,
    /// Whether S3 is reached without TLS, as an emulator is: the policy does not ask for TLS then.
    pub is_plain: bool,
    /// Tags of the provider block.
    pub tags: &'a BTreeMap<String, String>,
}

/// What [`ControlBucket::ensure`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ensured {
    /// Made.
    Created,
    /// Ours, and some settings were put right: their names.
    Changed(Vec<&'static str>),
    /// Ours, and as it should be.
    AlreadyRight,
    /// The user's, and fit; with what could be better.
    Users(Vec<Finding>),
}

impl ControlBucket<'_> {
    /// Looks without changing anything: `None` if it is not there and would be made.
    ///
    /// # Errors
    /// [`BucketError`]: it is not there, not reachable or not fit.
    pub async fn look(&self) -> Result<Option<Vec<Finding>>, BucketError> {
        match self.head().await? {
            Head::Absent if self.creates => Ok(None),
            Head::Absent => Err(self.missing()),
            Head::There if self.is_ours().await? => Ok(Some(Vec::new())),
            Head::There if self.creates && self.is_bare().await? => Ok(None),
            Head::There => Ok(Some(self.checked().await?)),
        }
    }

    /// Makes the bucket, or puts one that we made right, or checks the user's. Goes on where a run was cut off.
    ///
    /// # Errors
    /// [`BucketError`].
    pub async fn ensure(&self) -> Result<Ensured, BucketError> {
        match self.head().await? {
            Head::Absent if !self.creates => Err(self.missing()),
            Head::Absent => {
                self.create().await?;
                self.tag().await?;
                self.put_right().await?;
                Ok(Ensured::Created)
            }
            Head::There if self.is_ours().await? => {
                let changed = self.put_right().await?;
                if changed.is_empty() {
                    return Ok(Ensured::AlreadyRight);
                }
                Ok(Ensured::Changed(changed))
            }
            Head::There if self.creates && self.is_bare().await? => {
                self.tag().await?;
                self.put_right().await?;
                Ok(Ensured::Created)
            }
            Head::There => Ok(Ensured::Users(self.checked().await?)),
        }
    }

    fn missing(&self) -> BucketError {
        BucketError::Missing {
            bucket: self.name.to_owned(),
            region: self.region.to_owned(),
        }
    }

    async fn create(&self) -> Result<(), BucketError> {
        // The Region in which the service began has no name here.
        let place = (self.region != "us-east-1").then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(self.region))
                .build()
        });
        let made = insist(IN_USE_FOR, is_in_use, || async {
            self.client
                .create_bucket()
                .bucket(self.name)
                .set_create_bucket_configuration(place.clone())
                .send()
                .await
                .map_err(s3("CreateBucket"))
        });
        match made.await {
            Err(error) if error.code() == "BucketAlreadyOwnedByYou" => Ok(()),
            Err(error) if error.code() == "BucketAlreadyExists" => Err(BucketError::Foreign {
                bucket: self.name.to_owned(),
            }),
            made => Ok(made.map(|_| ())?),
        }
    }

    /// Repeats a call that a bucket refuses which was just made, or is being changed.
    async fn settled<T, F>(&self, call: impl FnMut() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        insist(
            KNOWN_WITHIN,
            |error| is_in_use(error) || error.kind() == Kind::NotFound,
            call,
        )
        .await
    }

    /// Looks at the user's bucket: fit, or [`BucketError::Unfit`].
    async fn checked(&self) -> Result<Vec<Finding>, BucketError> {
        let versioning = self.versioning().await?;
        let found = judge(self.prefix, versioning, &self.lifecycle().await?);
        let (errors, rest): (Vec<Finding>, Vec<Finding>) =
            found.into_iter().partition(|finding| finding.is_error);
        if errors.is_empty() {
            return Ok(rest);
        }
        Err(BucketError::Unfit {
            bucket: self.name.to_owned(),
            findings: errors.into_iter().map(|finding| finding.text).collect(),
        })
    }
}

fn is_in_use(error: &CallError) -> bool {
    error.code() == "OperationAborted"
}
