//! Reading one object and listing many.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::{Bytes, BytesMut};

use super::Bucket;
use super::call::{Refusal, Retries};
use super::error::S3Error;
use super::version::{self, Writes};
use crate::clock::Timestamp;
use crate::store::backend::{Backend, Look, Page, Stored, Version};
use crate::store::{Error, Key, MAX_DOCUMENT_BYTES, MAX_PAGE, Prefix, identity};

/// More pages than this for one page of ours: empty ones for ever, or a pile of foreign objects.
const MAX_REQUESTS: usize = 10_000;

/// What reading a body gave.
enum Body {
    Whole(Bytes),
    /// The connection broke.
    Cut,
}

impl Bucket {
    /// Reads an object unless it is known; absent is absent, also in a store that is gone.
    pub(super) async fn look_at(&self, key: &Key, known: Option<&Version>) -> Result<Look<Stored>, Error> {
        let call = self.call("GetObject", key);
        let home = &self.home;
        let mut retries = Retries::new(home.patience);
        loop {
            let outcome = call
                .send(|| {
                    let request = home.client.get_object();
                    request
                        .bucket(&home.bucket)
                        .key(self.object(key))
                        .set_expected_bucket_owner(home.owner.clone())
                        .set_if_none_match(known.map(|version| version::etag(version).to_owned()))
                        .send()
                })
                .await;
            let outcome = match outcome {
                Err(error) if is_denied(&error) && self.is_unlisted(key).await => return Ok(Look::Absent),
                outcome => outcome?,
            };
            let answer = match outcome.answer {
                Ok(answer) => answer,
                Err(Refusal::Unchanged) if known.is_some() => return Ok(Look::Unchanged),
                Err(Refusal::Absent) => return Ok(Look::Absent),
                Err(_) => return Err(call.not_s3()),
            };
            let (Some(etag), Some(modified_at)) = (answer.e_tag.clone(), modified_at(&answer)) else {
                return Err(call.not_s3());
            };
            let writes = Writes::of(answer.metadata.as_ref());
            match self.body(key, answer).await? {
                Body::Whole(bytes) => {
                    return Ok(Look::Changed(Stored {
                        bytes: version::unmarked(bytes, &writes),
                        version: writes.version(&etag),
                        modified_at,
                    }));
                }
                Body::Cut if retries.pause(home.patience.no_answer).await? => {}
                Body::Cut => {
                    return Err(S3Error::CutOff {
                        location: self.location(key),
                    }
                    .into());
                }
            }
        }
    }

    /// Whether S3 lists no such object. For a role that may list only below a prefix, as nodes may, an object that is not
    /// there reads as forbidden: the read itself names no prefix (S3 user guide, `s3:ListBucket` and 403 instead of 404).
    async fn is_unlisted(&self, key: &Key) -> bool {
        let (home, name) = (&self.home, self.object(key));
        let call = self.call("ListBucket", key);
        let listed = call
            .send(|| {
                let request = home.client.list_objects_v2();
                request
                    .bucket(&home.bucket)
                    .prefix(&name)
                    .set_expected_bucket_owner(home.owner.clone())
                    .send()
            })
            .await;
        match listed.map(|outcome| outcome.answer) {
            Ok(Ok(answer)) => {
                let is_whole = answer.name.is_some() && answer.is_truncated != Some(true);
                is_whole && answer.contents().iter().all(|object| object.key() != Some(&name))
            }
            _ => false,
        }
    }

    async fn body(&self, key: &Key, answer: GetObjectOutput) -> Result<Body, Error> {
        let too_large = |length| Error::TooLarge {
            location: self.location(key),
            length,
        };
        let longest = MAX_DOCUMENT_BYTES + version::MARK;
        let length = u64::try_from(answer.content_length.unwrap_or(0)).unwrap_or(0);
        if length > longest {
            return Err(too_large(length));
        }
        let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
        let mut body = answer.body;
        loop {
            match body.try_next().await {
                Ok(None) => return Ok(Body::Whole(bytes.freeze())),
                Ok(Some(part)) => bytes.extend_from_slice(&part),
                Err(error) => {
                    tracing::debug!(location = self.location(key), %error, "a document broke off");
                    return Ok(Body::Cut);
                }
            }
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if length > longest {
                return Err(too_large(length));
            }
        }
    }

    /// The writes of an object and its `ETag`, after a write whose answer was lost.
    pub(super) async fn writes(&self, key: &Key) -> Result<Option<(Writes, Version)>, Error> {
        Ok(match self.look_at(key, None).await? {
            Look::Changed(stored) => Some((Writes::of_version(&stored.version), stored.version)),
            Look::Absent | Look::Unchanged => None,
        })
    }

    /// One page of ours, made of as many of S3's as it takes: these may be short, or empty.
    pub(super) async fn page(
        &self,
        prefix: &Prefix,
        after: Option<&Key>,
        page_size: usize,
    ) -> Result<Page, Error> {
        let mut keys = Vec::new();
        let mut token = None;
        for _ in 0..MAX_REQUESTS {
            let start = after.map(|after| self.object(after));
            let (objects, next) = self.objects(prefix, start, token).await?;
            // What no key can name is not ours.
            let ours = objects
                .iter()
                .filter_map(|object| object.strip_prefix(self.home.prefix.as_str()))
                .filter_map(|name| Key::parse(name).ok())
                .filter(|key| prefix.holds(key) && after.is_none_or(|after| key > after));
            keys.extend(ours);
            if keys.len() > page_size || next.is_none() {
                let more = keys.len() > page_size;
                keys.sort_unstable();
                keys.truncate(page_size);
                return Ok(Page { keys, more });
            }
            token = next;
        }
        Err(self.endless(prefix))
    }

    /// An object below the home that is not the identity.
    pub(super) async fn any_other_object(&self) -> Result<Option<String>, Error> {
        let (objects, _) = self.objects(&Prefix::all(), None, None).await?;
        let identity = self.object(&identity::key()?);
        let has_identity = objects.contains(&identity);
        Ok(objects.into_iter().find(|_| !has_identity))
    }

    async fn objects(
        &self,
        prefix: &Prefix,
        start: Option<String>,
        token: Option<String>,
    ) -> Result<(Vec<String>, Option<String>), Error> {
        let home = &self.home;
        let call = self.call_at("ListBucket", self.folder_location(prefix));
        let outcome = call
            .send(|| {
                let request = home.client.list_objects_v2();
                request
                    .bucket(&home.bucket)
                    .prefix(format!("{}{prefix}", home.prefix))
                    .set_expected_bucket_owner(home.owner.clone())
                    .set_start_after(start.clone())
                    .set_continuation_token(token.clone())
                    .max_keys(i32::try_from(MAX_PAGE).unwrap_or(i32::MAX))
                    .send()
            })
            .await?;
        let Ok(answer) = outcome.answer else {
            return Err(call.not_s3());
        };
        // A page of HTML that happens to be XML names no bucket.
        if answer.name.is_none() {
            return Err(call.not_s3());
        }
        let next = answer.next_continuation_token.clone();
        let next = next.filter(|_| answer.is_truncated == Some(true));
        if next.is_some() && next == token {
            return Err(self.endless(prefix));
        }
        let objects = answer.contents.unwrap_or_default();
        Ok((
            objects.into_iter().filter_map(|object| object.key).collect(),
            next,
        ))
    }

    fn endless(&self, prefix: &Prefix) -> Error {
        let location = self.folder_location(prefix);
        S3Error::Endless { location }.into()
    }
}

fn is_denied(error: &Error) -> bool {
    matches!(error, Error::S3(failure) if matches!(**failure, S3Error::Denied { .. }))
}

fn modified_at(answer: &GetObjectOutput) -> Option<Timestamp> {
    let seconds = u64::try_from(answer.last_modified?.secs()).ok()?;
    Some(Timestamp::from_millis(seconds.saturating_mul(1_000)))
}
