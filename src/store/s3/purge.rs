//! Removing every version and marker below a prefix, for a destroy that leaves nothing.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::Bucket;
use super::call::Retries;
use super::error::S3Error;
use crate::store::backend::Backend;
use crate::store::{Error, Prefix};

/// S3 takes this many in one call.
const AT_ONCE: i32 = 1_000;
/// Rounds that remove something; more than any store of ours has.
const MAX_ROUNDS: usize = 10_000;

impl Bucket {
    /// Lists from the beginning in each round, since what was removed no longer stands there.
    pub(super) async fn remove_versions(&self, prefix: &Prefix) -> Result<u64, Error> {
        let mut removed = 0;
        let mut retries = Retries::new(self.home.patience);
        for _ in 0..MAX_ROUNDS {
            let versions = self.versions(prefix).await?;
            if versions.is_empty() {
                return Ok(removed);
            }
            let count = versions.len();
            let kept = self.remove_all(prefix, versions).await?;
            removed += u64::try_from(count.saturating_sub(kept.len())).unwrap_or(u64::MAX);
            let Some((key, code)) = kept.first() else { continue };
            let is_stuck = kept.len() == count && !retries.pause(self.home.patience.no_answer).await?;
            if is_stuck || code == "AccessDenied" {
                let location = format!("s3://{}/{key}", self.home.bucket);
                let code = code.clone();
                return Err(S3Error::Kept { location, code }.into());
            }
        }
        let location = self.folder_location(prefix);
        Err(S3Error::Endless { location }.into())
    }

    async fn versions(&self, prefix: &Prefix) -> Result<Vec<ObjectIdentifier>, Error> {
        let home = &self.home;
        let (mut key_marker, mut version_marker) = (None::<String>, None::<String>);
        for _ in 0..MAX_ROUNDS {
            let call = self.call_at("ListBucketVersions", self.folder_location(prefix));
            let outcome = call
                .send(|| {
                    let request = home.client.list_object_versions();
                    request
                        .bucket(&home.bucket)
                        .prefix(format!("{}{prefix}", home.prefix))
                        .set_expected_bucket_owner(home.owner.clone())
                        .set_key_marker(key_marker.clone())
                        .set_version_id_marker(version_marker.clone())
                        .max_keys(AT_ONCE)
                        .send()
                })
                .await?;
            let Ok(answer) = outcome.answer else {
                return Err(call.not_s3());
            };
            let markers = answer.delete_markers.unwrap_or_default().into_iter();
            let versions = answer.versions.unwrap_or_default().into_iter();
            let found: Vec<_> = markers
                .map(|marker| (marker.key, marker.version_id))
                .chain(versions.map(|version| (version.key, version.version_id)))
                .filter_map(|(key, id)| {
                    ObjectIdentifier::builder()
                        .key(key?)
                        .set_version_id(id)
                        .build()
                        .ok()
                })
                .collect();
            if !found.is_empty() || answer.is_truncated != Some(true) {
                return Ok(found);
            }
            (key_marker, version_marker) = (answer.next_key_marker, answer.next_version_id_marker);
        }
        let location = self.folder_location(prefix);
        Err(S3Error::Endless { location }.into())
    }

    /// Answers with what stayed, and why.
    async fn remove_all(
        &self,
        prefix: &Prefix,
        versions: Vec<ObjectIdentifier>,
    ) -> Result<Vec<(String, String)>, Error> {
        let home = &self.home;
        let all = Delete::builder().set_objects(Some(versions)).quiet(true).build();
        let all = all.map_err(|_| Error::Internal {
            what: "a deletion names no object",
        })?;
        let call = self.call_at("DeleteObjectVersion", self.folder_location(prefix));
        let outcome = call
            .send(|| {
                let request = home.client.delete_objects();
                request
                    .bucket(&home.bucket)
                    .set_expected_bucket_owner(home.owner.clone())
                    .delete(all.clone())
                    .send()
            })
            .await?;
        let Ok(answer) = outcome.answer else {
            return Err(call.not_s3());
        };
        let kept = answer.errors.unwrap_or_default().into_iter();
        Ok(kept
            .map(|error| (error.key.unwrap_or_default(), error.code.unwrap_or_default()))
            .collect())
    }
}
