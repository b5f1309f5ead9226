//! What a machine knows at its first boot: which node it is, where the store lies, what it may execute.
//!
//! The provider puts it into user data, which lands as `/etc/msk/boot.json`. No secret is in it: whoever can describe
//! an instance reads it. The agent trusts it more than anything in the bucket, since only the operator can change it.

use serde::{Deserialize, Serialize};

use super::key::{Key, KeyError, Prefix};
use super::release::{Artifact, ReleaseKey};
use crate::spec::ids::{ClusterName, ClusterUid, NodeId, StoreId};

/// The only form there is.
pub const FORMAT: u32 = 1;

/// The longest file that is read; ours have a third of it.
pub const MAX_BYTES: usize = 4 << 10;

/// The longest Region, as far as EC2 names them.
const MAX_REGION_BYTES: usize = 32;
/// S3's limit for the name of a bucket.
const MAX_BUCKET_BYTES: usize = 63;
/// The longest prefix: with more, user data would outgrow its bound.
pub const MAX_PREFIX_BYTES: usize = 256;
/// `vol-` and 17 hex digits are 21; room for what EC2 may come to.
const MAX_ID_BYTES: usize = 40;

/// Why a boot file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// Longer than any of ours.
    #[error("the boot file has {length} bytes; {MAX_BYTES} are the most that is read")]
    TooLong {
        /// Bytes.
        length: usize,
    },
    /// Not what the provider wrote.
    #[error("the boot file is damaged")]
    Damaged(#[source] serde_json::Error),
    /// A form that there is not.
    #[error("the boot file has format {found}; this agent reads {FORMAT} only")]
    OtherFormat {
        /// As found.
        found: u32,
    },
    /// A value that none of ours has.
    #[error("`{member}` of the boot file is `{value}`, which cannot be")]
    Value {
        /// Its name.
        member: &'static str,
        /// Its beginning.
        value: String,
    },
}

/// `/etc/msk/boot.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootFile {
    /// [`FORMAT`].
    pub format: u32,
    /// The Region of everything.
    pub region: String,
    /// The control bucket.
    pub bucket: String,
    /// Where in the bucket the store lies: empty, or with a `/` at its end.
    pub prefix: String,
    /// The account that must own the bucket.
    pub bucket_owner: String,
    /// The store's identity; another store in that place is not obeyed.
    pub store_id: StoreId,
    /// The cluster's identity.
    pub cluster_uid: ClusterUid,
    /// The cluster's name.
    pub cluster_name: ClusterName,
    /// Which node of it this machine is.
    pub node_id: NodeId,
    /// The interface that the machine must have been launched with.
    pub interface_id: String,
    /// The volume that it attaches.
    pub volume_id: String,
    /// The agent that it starts.
    pub agent: Artifact,
    /// Whose signature makes a release one.
    pub release_key: ReleaseKey,
}

impl BootFile {
    /// Reads a file; every value is checked.
    ///
    /// # Errors
    /// [`BootError`].
    pub fn read(bytes: &[u8]) -> Result<Self, BootError> {
        if bytes.len() > MAX_BYTES {
            return Err(BootError::TooLong { length: bytes.len() });
        }
        // The format first: another one need not have the other members.
        let Format { format } = serde_json::from_slice(bytes).map_err(BootError::Damaged)?;
        if format != FORMAT {
            return Err(BootError::OtherFormat { found: format });
        }
        let boot: Self = serde_json::from_slice(bytes).map_err(BootError::Damaged)?;
        boot.check()?;
        Ok(boot)
    }

    /// Checks what no type keeps: these values go into a shell script and into a unit file.
    ///
    /// # Errors
    /// [`BootError::Value`] with the first one that cannot be.
    pub fn check(&self) -> Result<(), BootError> {
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        must("region", &self.region, MAX_REGION_BYTES, lower)?;
        must("bucket", &self.bucket, MAX_BUCKET_BYTES, |byte| {
            lower(byte) || byte == b'.'
        })?;
        must("bucket_owner", &self.bucket_owner, 12, |byte| {
            byte.is_ascii_digit()
        })?;
        must("store_id", self.store_id.as_str(), 64, name)?;
        must("cluster_uid", self.cluster_uid.as_str(), 64, name)?;
        must("cluster_name", self.cluster_name.as_str(), 64, name)?;
        let id = |member, value: &str, kind| {
            let digits = value.strip_prefix(kind).unwrap_or_default();
            must(member, digits, MAX_ID_BYTES, hex).map_err(|_| wrong(member, value))
        };
        id("interface_id", &self.interface_id, "eni-")?;
        id("volume_id", &self.volume_id, "vol-")?;
        self.place().map_err(|_| wrong("prefix", &self.prefix))?;
        if self.prefix.len() > MAX_PREFIX_BYTES {
            return Err(wrong("prefix", &self.prefix));
        }
        Ok(())
    }

    /// Where in the bucket the store lies.
    ///
    /// # Errors
    /// [`KeyError`] if it was never checked.
    pub fn place(&self) -> Result<Prefix, KeyError> {
        Prefix::parse(self.prefix.clone())
    }

    /// The name of an object in the bucket.
    pub fn object(&self, key: &Key) -> String {
        format!("{}{key}", self.prefix)
    }
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

fn must(
    member: &'static str,
    value: &str,
    longest: usize,
    is_good: impl Fn(u8) -> bool,
) -> Result<(), BootError> {
    if value.is_empty() || value.len() > longest || !value.bytes().all(is_good) {
        return Err(wrong(member, value));
    }
    Ok(())
}

fn wrong(member: &'static str, value: &str) -> BootError {
    BootError::Value {
        member,
        value: value.chars().take(80).collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::store::release::Sha256;

    /// One with names as long as they can be.
    pub(crate) fn longest() -> BootFile {
        let sha256 = Sha256::of(b"agent");
        BootFile {
            format: FORMAT,
            region: "ap-southeast-1".to_owned(),
            bucket: "b".repeat(MAX_BUCKET_BYTES),
            prefix: format!("{}/", "p".repeat(MAX_PREFIX_BYTES / 2 - 1)),
            bucket_owner: "123456789012".to_owned(),
            store_id: StoreId::new("0".repeat(32)),
            cluster_uid: ClusterUid::new("1".repeat(32)),
            cluster_name: ClusterName::new("n".repeat(64)),
            node_id: NodeId(10_003),
            interface_id: format!("eni-{}", "a".repeat(17)),
            volume_id: format!("vol-{}", "b".repeat(17)),
            agent: Artifact::new("msk-node", sha256).unwrap(),
            release_key: ReleaseKey::parse("A".repeat(43) + "=").unwrap(),
        }
    }

    #[test]
    fn a_boot_file_reads_back_and_members_of_the_future_are_passed_over() {
        let boot = longest();
        let mut text = serde_json::to_value(&boot).unwrap();
        assert_eq!(BootFile::read(text.to_string().as_bytes()).unwrap(), boot);
        text["later"] = serde_json::json!({ "a": 1 });
        assert_eq!(BootFile::read(text.to_string().as_bytes()).unwrap(), boot);
        assert!(text.to_string().len() < MAX_BYTES / 2);
    }

    #[test]
    fn a_boot_file_with_anything_that_a_shell_could_read_is_refused() {
        let change: [fn(&mut BootFile); 10] = [
            |boot| boot.region = "eu-central-1;reboot".to_owned(),
            |boot| boot.region.clear(),
            |boot| boot.bucket = "a\"b".to_owned(),
            |boot| boot.prefix = "no-slash".to_owned(),
            |boot| boot.prefix = "$(id)/".to_owned(),
            |boot| boot.prefix = "p/".repeat(200),
            |boot| boot.bucket_owner = "12345678901x".to_owned(),
            |boot| boot.cluster_name = ClusterName::new("a\nb"),
            |boot| boot.interface_id = "vol-0123".to_owned(),
            |boot| boot.volume_id = "vol-".to_owned(),
        ];
        for (number, change) in change.into_iter().enumerate() {
            let mut boot = longest();
            change(&mut boot);
            assert!(matches!(boot.check(), Err(BootError::Value { .. })), "{number}");
            let text = serde_json::to_vec(&boot).unwrap();
            assert!(BootFile::read(&text).is_err(), "{number}");
        }
    }

    #[test]
    fn damaged_foreign_and_long_files_are_told_apart() {
        assert!(matches!(BootFile::read(b"{"), Err(BootError::Damaged(_))));
        assert!(matches!(
            BootFile::read(b"{\"format\":1}"),
            Err(BootError::Damaged(_))
        ));
        assert!(matches!(
            BootFile::read(b"{\"format\":2}"),
            Err(BootError::OtherFormat { found: 2 })
        ));
        let long = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(BootFile::read(&long), Err(BootError::TooLong { .. })));
    }
}
