//! The end of a bucket that we made: when the last cluster and the last configuration in it are gone.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::calls::{Head, s3};
use super::{BucketError, ControlBucket, IN_USE_FOR, is_in_use};
use crate::aws::Kind;
use crate::engine::ec2::calls::insist;

/// S3 takes and gives this many at once.
const AT_ONCE: i32 = 1_000;
/// Rounds of removal; more than any store of ours has.
const MAX_ROUNDS: usize = 10_000;

/// What became of the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// It is gone, or was.
    Gone,
    /// It is the user's, and stays.
    Users,
    /// Something else is in it: one such key.
    InUse(String),
}

/// A page of the list.
struct Found {
    versions: Vec<ObjectIdentifier>,
    markers: Vec<ObjectIdentifier>,
    /// A key that is in use.
    foreign: Option<String>,
}

/// What is done with each page.
#[derive(Debug, Clone, Copy)]
enum Pass {
    Look,
    Versions,
    Markers,
}

fn identifier(key: String, version: Option<String>) -> Result<ObjectIdentifier, BucketError> {
    let one = ObjectIdentifier::builder().key(key).set_version_id(version);
    one.build().map_err(|_| BucketError::Internal {
        what: "a version to delete",
    })
}

impl ControlBucket<'_> {
    /// Removes a bucket that we made, if it holds nothing that is in use: the store's identity, artefacts and the marks
    /// of what is gone do not count. Run it again after an error: it goes on.
    ///
    /// Who makes a cluster in the same bucket at this very moment gets an error and makes it again.
    ///
    /// # Errors
    /// [`BucketError`].
    pub async fn remove(&self) -> Result<Removed, BucketError> {
        match self.head().await {
            Ok(Head::Absent) => return Ok(Removed::Gone),
            // Not ours for sure.
            Err(BucketError::Foreign { .. } | BucketError::OtherRegion { .. }) => return Ok(Removed::Users),
            head => head?,
        };
        if !self.is_ours().await? {
            return Ok(Removed::Users);
        }
        if let Some(key) = self.pages(Pass::Look).await? {
            return Ok(Removed::InUse(key));
        }
        // In this order: without its marker what was deleted would be there again, and a run that is cut off then
        // would leave a record of a cluster that is gone.
        for pass in [Pass::Versions, Pass::Markers] {
            if let Some(key) = self.pages(pass).await? {
                return Ok(Removed::InUse(key));
            }
        }
        self.delete().await
    }

    /// Goes through all pages; answers a key that is in use.
    async fn pages(&self, pass: Pass) -> Result<Option<String>, BucketError> {
        let mut after = None;
        for _ in 0..MAX_ROUNDS {
            let (found, next) = self.page(after).await?;
            if found.foreign.is_some() {
                return Ok(found.foreign);
            }
            let doomed = match pass {
                Pass::Look => Vec::new(),
                Pass::Versions => found.versions,
                Pass::Markers => found.markers,
            };
            if !doomed.is_empty() {
                self.delete_versions(doomed).await?;
                // What the next page would begin behind is gone.
                after = None;
                continue;
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(None),
            }
        }
        Err(BucketError::Internal {
            what: "the end of a list of versions",
        })
    }

    /// A page of versions and markers, and where the next one begins.
    async fn page(
        &self,
        after: Option<(String, Option<String>)>,
    ) -> Result<(Found, Option<(String, Option<String>)>), BucketError> {
        let (key, version) = after.unzip();
        let answer = self
            .client
            .list_object_versions()
            .bucket(self.name)
            .set_expected_bucket_owner(self.owner())
            .set_key_marker(key)
            .set_version_id_marker(version.flatten())
            .max_keys(AT_ONCE)
            .send()
            .await
            .map_err(s3("ListBucketVersions"))?;
        let mut found = Found {
            versions: Vec::new(),
            markers: Vec::new(),
            foreign: None,
        };
        for one in answer.versions.unwrap_or_default() {
            let key = one.key.unwrap_or_default();
            if self.is_in_use(&key, one.is_latest == Some(true)) {
                found.foreign.get_or_insert_with(|| key.clone());
            }
            found.versions.push(identifier(key, one.version_id)?);
        }
        for one in answer.delete_markers.unwrap_or_default() {
            let key = one.key.unwrap_or_default();
            if self.is_in_use(&key, false) {
                found.foreign.get_or_insert_with(|| key.clone());
            }
            found.markers.push(identifier(key, one.version_id)?);
        }
        let next = (answer.is_truncated == Some(true))
            .then_some(answer.next_key_marker)
            .flatten()
            .map(|key| (key, answer.next_version_id_marker));
        Ok((found, next))
    }

    fn is_in_use(&self, key: &str, is_live: bool) -> bool {
        let Some(rest) = key.strip_prefix(self.prefix) else {
            // Not even old: somebody else's.
            return true;
        };
        let is_passing = rest == "store.json" || rest.starts_with("artifacts/") || rest.starts_with("gone/");
        is_live && !is_passing
    }

    async fn delete_versions(&self, versions: Vec<ObjectIdentifier>) -> Result<(), BucketError> {
        let all = Delete::builder().set_objects(Some(versions)).quiet(true).build();
        let all = all.map_err(|_| BucketError::Internal {
            what: "versions to delete",
        })?;
        let answer = self
            .client
            .delete_objects()
            .bucket(self.name)
            .set_expected_bucket_owner(self.owner())
            .delete(all)
            .send()
            .await
            .map_err(s3("DeleteObjectVersion"))?;
        match answer.errors.unwrap_or_default().into_iter().next() {
            None => Ok(()),
            Some(error) => Err(BucketError::Unfit {
                bucket: self.name.to_owned(),
                findings: vec![format!(
                    "A version of `{}` could not be removed ({}). Look for object locks and a denied \
                     `s3:DeleteObjectVersion`.",
                    error.key.unwrap_or_default(),
                    error.code.unwrap_or_default()
                )],
            }),
        }
    }

    async fn delete(&self) -> Result<Removed, BucketError> {
        let deleted = insist(IN_USE_FOR, is_in_use, || async {
            self.client
                .delete_bucket()
                .bucket(self.name)
                .set_expected_bucket_owner(self.owner())
                .send()
                .await
                .map_err(s3("DeleteBucket"))
        });
        match deleted.await {
            Ok(_) => Ok(Removed::Gone),
            Err(error) if error.kind() == Kind::NotFound => Ok(Removed::Gone),
            Err(error) if error.code() == "BucketNotEmpty" => {
                Ok(Removed::InUse("something that was just written".to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }
}
