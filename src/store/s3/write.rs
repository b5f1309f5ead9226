//! Conditional writes and deletions, and what became of those that were not answered.
//!
//! A request without an answer is sent again with the same condition. S3 then carries it out, or refuses it: since
//! somebody else was faster, or since the first one did take place. The ids of `version` tell the two apart.
//!
//! An unconditional write is sent again, too; documents written so have one writer, which writes them again and
//! again. If a first attempt should arrive after a later write of that writer, its next one mends it.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use bytes::Bytes;

use super::Bucket;
use super::call::Refusal;
use super::error::S3Error;
use super::version::{self, Trace, WRITES, Writes};
use crate::store::backend::{Backend, Condition, Deleted, Version, Written};
use crate::store::{Error, Key};

impl Bucket {
    pub(super) async fn write(
        &self,
        key: &Key,
        bytes: Bytes,
        condition: Condition,
    ) -> Result<Written, Error> {
        let base = match &condition {
            Condition::Matches(version) => Some(version),
            Condition::Absent | Condition::None => None,
        };
        let (writes, mark) = Writes::after(base)?;
        let bytes = version::marked(&bytes, &mark);
        let home = &self.home;
        let call = self.call("PutObject", key);
        let outcome = call
            .send(|| {
                let mut request = home.client.put_object();
                request = match &condition {
                    Condition::Absent => request.if_none_match("*"),
                    Condition::Matches(version) => request.if_match(version::etag(version)),
                    Condition::None => request,
                };
                if let Some(key) = &home.kms_key {
                    request = request
                        .server_side_encryption(ServerSideEncryption::AwsKms)
                        .ssekms_key_id(key)
                        .bucket_key_enabled(true);
                }
                request
                    .bucket(&home.bucket)
                    .key(self.object(key))
                    .set_expected_bucket_owner(home.owner.clone())
                    .metadata(WRITES, writes.as_str())
                    .content_type("application/json")
                    .body(ByteStream::from(bytes.clone()))
                    .send()
            })
            .await?;
        match outcome.answer {
            Ok(answer) => match answer.e_tag {
                Some(etag) => Ok(Written::Written(writes.version(&etag))),
                None => Err(call.not_s3()),
            },
            Err(_) if condition == Condition::None => Err(call.not_s3()),
            Err(Refusal::Unchanged) => Err(call.not_s3()),
            Err(Refusal::Absent | Refusal::Condition) if !outcome.is_repeated => Ok(Written::Conflict),
            Err(Refusal::Absent | Refusal::Condition) => self.settle(key, &writes, base).await,
        }
    }

    /// Finds out whether a write without an answer took place.
    async fn settle(&self, key: &Key, own: &Writes, base: Option<&Version>) -> Result<Written, Error> {
        let uncertain = || S3Error::Uncertain {
            location: self.location(key),
        };
        let (found, version) = self.writes(key).await?.ok_or_else(uncertain)?;
        match found.trace(own, base) {
            Trace::Newest => Ok(Written::Written(version)),
            Trace::Followed => Ok(Written::Written(own.unknown_version())),
            Trace::Lost => Ok(Written::Conflict),
            Trace::Unknown => Err(uncertain().into()),
        }
    }

    /// In a bucket with versions this leaves a marker, and what was there until its lifecycle rules end it.
    pub(super) async fn remove(&self, key: &Key, version: Option<&Version>) -> Result<Deleted, Error> {
        let home = &self.home;
        let call = self.call("DeleteObject", key);
        let outcome = call
            .send(|| {
                let request = home.client.delete_object();
                request
                    .bucket(&home.bucket)
                    .key(self.object(key))
                    .set_expected_bucket_owner(home.owner.clone())
                    .set_if_match(version.map(|version| version::etag(version).to_owned()))
                    .send()
            })
            .await?;
        match outcome.answer {
            Ok(_) => Ok(Deleted::Deleted),
            // What was to go is gone; that it was this call which did it is as good as certain.
            Err(Refusal::Absent) if outcome.is_repeated => Ok(Deleted::Deleted),
            Err(Refusal::Absent) => Ok(Deleted::Absent),
            Err(Refusal::Condition) if version.is_some() => Ok(Deleted::Conflict),
            Err(_) => Err(call.not_s3()),
        }
    }
}
