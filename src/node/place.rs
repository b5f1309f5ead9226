//! Where a node finds the control store.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::store::Home;

/// Where the control store lies, as `node.json` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StorePlace {
    /// A directory of this machine.
    #[serde(rename = "store_root")]
    Directory(Utf8PathBuf),
    /// Below a prefix of a bucket.
    #[serde(rename = "store_bucket")]
    Bucket(BucketPlace),
}

/// A prefix of a bucket; credentials come from the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketPlace {
    /// The Region.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// Empty, or with a `/` at its end.
    pub prefix: String,
    /// The account that must own the bucket.
    pub owner: String,
}

/// Why a place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// There are no clients.
    #[error("reach the account")]
    Connection(#[from] crate::aws::ConnectionError),
    /// The prefix is none.
    #[error("the prefix of the control store cannot be")]
    Prefix(#[from] crate::store::KeyError),
}

impl StorePlace {
    /// Whether each look at the store is a call that costs.
    pub const fn is_far(&self) -> bool {
        matches!(self, Self::Bucket(_))
    }

    /// The way to the store; nothing is contacted yet but, for credentials, the machine itself.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub async fn home(&self) -> Result<Home, PlaceError> {
        match self {
            Self::Directory(root) => Ok(Home::Directory(root.clone())),
            Self::Bucket(place) => {
                let connection = crate::aws::Connection::of_instance(&place.settings()).await?;
                Ok(place.home(&connection)?)
            }
        }
    }
}

impl BucketPlace {
    /// How an agent calls AWS: in the name of its machine's role, and never stubbornly, since its own loops try again.
    pub(crate) fn settings(&self) -> crate::aws::Settings {
        crate::aws::Settings {
            region: Some(self.region.clone()),
            attempts: 2,
            skips_account: true,
            // No certificate fits a host name with dots of the bucket's own.
            uses_path_style: self.bucket.contains('.'),
            ..crate::aws::Settings::default()
        }
    }

    /// The store's home with clients that are there.
    pub(crate) fn home(&self, connection: &crate::aws::Connection) -> Result<Home, crate::store::KeyError> {
        use std::time::Duration;
        Ok(Home::S3(crate::store::S3Home {
            client: connection.s3(),
            bucket: self.bucket.clone(),
            prefix: crate::store::Prefix::parse(self.prefix.clone())?,
            owner: Some(self.owner.clone()),
            kms_key: None,
            // A store that is away must not keep an agent from looking after Kafka.
            patience: crate::store::Patience {
                no_answer: Duration::from_secs(2),
                throttled: Duration::from_secs(10),
            },
        }))
    }
}
