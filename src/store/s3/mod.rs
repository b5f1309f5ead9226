//! The store below a prefix of an S3 bucket.
//!
//! A document is an object. Conditional requests are the only locking, as everywhere in the store. The SDK's
//! own retries are off here: after a lost answer it would send a conditional write again and take the refusal
//! of the second for a lost race (`write` tells better).

mod call;
mod clock;
mod error;
mod purge;
mod read;
mod version;
mod write;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use bytes::Bytes;

use super::backend::{Answer, Backend, Condition, Deleted, Durability, Look, Page, Stored, Version, Written};
use super::changes::Changes;
use super::{Error, Key, Prefix, identity};
use crate::clock::Timestamp;
use call::Call;
pub use call::Patience;
use clock::Clock;
pub use error::S3Error;

/// For how long it is believed that the store is there, once it was seen.
const PRESENT_FOR: Duration = Duration::from_secs(1);
/// Who waits looks this often: every look is a call for each node.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For how long the time is counted on from one answer of S3. At most this often a question is asked for its
/// sake alone.
const ASK_TIME_EVERY: Duration = Duration::from_mins(1);

/// A prefix of a bucket as a home of the store.
#[derive(Clone)]
pub struct S3Home {
    /// The client: credentials, Region, endpoint, time-outs.
    pub client: Client,
    /// The bucket's name.
    pub bucket: String,
    /// Where in the bucket; the whole bucket if it is empty.
    pub prefix: Prefix,
    /// The account that must own the bucket, 12 digits; sent with every call where it is known.
    pub owner: Option<String>,
    /// The KMS key for what is written; without one the bucket's own settings count.
    pub kms_key: Option<String>,
    /// How long calls are tried.
    pub patience: Patience,
}

/// The place alone; the client is full of credentials.
impl fmt::Debug for S3Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// A home that is in use.
#[derive(Debug)]
pub(super) struct Bucket {
    home: S3Home,
    clock: Clock,
    seen_at: Mutex<Option<Instant>>,
}

impl Bucket {
    /// Looks at nothing yet.
    pub(super) fn new(home: &S3Home) -> Self {
        let clock = Clock::default();
        let config = home.client.config().to_builder();
        let config = config
            .retry_config(RetryConfig::disabled())
            .interceptor(clock.clone());
        let client = Client::from_conf(config.build());
        Self {
            home: S3Home {
                client,
                ..home.clone()
            },
            clock,
            seen_at: Mutex::new(None),
        }
    }

    /// Refuses a prefix without `store.json` in which something else lies.
    pub(super) async fn existing_or_new(home: &S3Home) -> Result<Self, Error> {
        let bucket = Self::new(home);
        let identity = identity::key()?;
        if bucket.look_at(&identity, None).await? == Look::Absent {
            // Another process may be making the store right now.
            let found = bucket.any_other_object().await?;
            if let Some(found) = found {
                let location = bucket.folder_location(&Prefix::all());
                return Err(S3Error::NotOurs { location, found }.into());
            }
        }
        Ok(bucket)
    }

    fn object(&self, key: &Key) -> String {
        format!("{}{key}", self.home.prefix)
    }

    fn call(&self, action: &'static str, key: &Key) -> Call<'_> {
        self.call_at(action, self.location(key))
    }

    fn call_at(&self, action: &'static str, location: String) -> Call<'_> {
        Call {
            action,
            location,
            home: &self.home,
        }
    }

    /// Checks that the store is still there, so that "no such key" can be believed.
    async fn ensure_present(&self) -> Result<(), Error> {
        let seen_at = *self.seen_at.lock().unwrap_or_else(PoisonError::into_inner);
        if seen_at.is_some_and(|at| at.elapsed() < PRESENT_FOR) {
            return Ok(());
        }
        let identity = identity::key()?;
        let asked_at = Instant::now();
        if self.look_at(&identity, None).await? == Look::Absent {
            return Err(self.gone());
        }
        *self.seen_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked_at);
        Ok(())
    }

    pub(super) fn gone(&self) -> Error {
        let location = self.folder_location(&Prefix::all());
        S3Error::Gone { location }.into()
    }

    async fn time(&self) -> Result<Timestamp, Error> {
        if let Some(now) = self.clock.now(ASK_TIME_EVERY) {
            return Ok(now);
        }
        // Any answer tells the time, also that there is no such object.
        self.look_at(&identity::key()?, None).await?;
        let told = self.clock.now(ASK_TIME_EVERY);
        let location = self.folder_location(&Prefix::all());
        told.ok_or_else(|| S3Error::NoTime { location }.into())
    }
}

impl Backend for Bucket {
    fn location(&self, key: &Key) -> String {
        format!("s3://{}/{}", self.home.bucket, self.object(key))
    }

    fn folder_location(&self, prefix: &Prefix) -> String {
        format!("s3://{}/{}{prefix}", self.home.bucket, self.home.prefix)
    }

    fn look<'a>(&'a self, key: &'a Key, known: Option<&'a Version>) -> Answer<'a, Look<Stored>> {
        Box::pin(async move {
            let look = self.look_at(key, known).await?;
            if look == Look::Absent && key.as_str() != identity::FILE {
                self.ensure_present().await?;
            }
            Ok(look)
        })
    }

    /// S3 has answered only when the object is safe, whatever `durability` asks for.
    fn put<'a>(
        &'a self,
        key: &'a Key,
        bytes: Bytes,
        condition: Condition,
        _durability: Durability,
    ) -> Answer<'a, Written> {
        Box::pin(async move {
            if key.as_str() != identity::FILE {
                self.ensure_present().await?;
            }
            self.write(key, bytes, condition).await
        })
    }

    fn delete<'a>(&'a self, key: &'a Key, version: Option<&'a Version>) -> Answer<'a, Deleted> {
        Box::pin(async move {
            self.ensure_present().await?;
            self.remove(key, version).await
        })
    }

    fn list<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a Key>, page_size: usize) -> Answer<'a, Page> {
        Box::pin(async move {
            self.ensure_present().await?;
            self.page(prefix, after, page_size).await
        })
    }

    fn purge<'a>(&'a self, prefix: &'a Prefix) -> Answer<'a, u64> {
        Box::pin(self.remove_versions(prefix))
    }

    fn now(&self) -> Answer<'_, Timestamp> {
        Box::pin(self.time())
    }

    fn pace(&self) -> Duration {
        LOOK_EVERY
    }

    fn changes(&self, _prefix: &Prefix) -> Changes {
        Changes::polled()
    }
}

#[cfg(test)]
mod tests;
