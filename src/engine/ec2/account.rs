//! The engine: its connection to the account, and the control store in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::bucket::{self, BucketError, ControlBucket};
use super::error::Ec2Error;
use super::names::Names;
use super::policy::Scope;
use super::provisions::Provisions;
use super::secret::Secrets;
use super::settings::Settings;
use crate::aws::Connection;
use crate::aws::connection::Identity;
use crate::engine::ClusterPlace;
use crate::planner::account::open_ports;
use crate::planner::preflight::{self, Finding, Severity};
use crate::spec::cluster::ClusterSpec;
use crate::spec::ids::{ClusterUid, NodeId, StoreId};
use crate::store::identity::Home;
use crate::store::{Patience, Prefix, S3Home, Store};

/// The engine for an AWS account. Making it contacts nobody.
#[derive(Debug)]
pub struct Ec2Engine {
    pub(super) settings: Settings,
    connection: OnceCell<Connection>,
    /// The instance of each node, as last seen: what an agent on another one says is of the past.
    pub(super) instances: Mutex<BTreeMap<(ClusterUid, NodeId), String>>,
    /// What the nodes of a cluster run, once it is in the bucket.
    pub(super) provisions: tokio::sync::Mutex<BTreeMap<ClusterUid, Arc<Provisions>>>,
    /// What the groups last tried, for nodes without an instance.
    pub(super) words: Mutex<BTreeMap<(ClusterUid, NodeId), String>>,
}

impl Ec2Engine {
    /// An engine with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: OnceCell::new(),
            instances: Mutex::default(),
            words: Mutex::default(),
            provisions: tokio::sync::Mutex::default(),
        }
    }

    /// The clients; made with the first question.
    ///
    /// # Errors
    /// [`Ec2Error::Connection`]: no Region, no credentials, a forbidden account.
    pub async fn connection(&self) -> Result<&Connection, Ec2Error> {
        let opened = self
            .connection
            .get_or_try_init(|| async {
                let connection = Connection::open(&self.settings.account).await?;
                connection.identity().await?;
                Ok::<Connection, crate::aws::ConnectionError>(connection)
            })
            .await;
        Ok(opened?)
    }

    /// The account, 12 digits.
    pub(super) async fn account(&self) -> Result<(String, String), Ec2Error> {
        let identity = self.connection().await?.identity().await?;
        let identity = identity.ok_or(Ec2Error::UnknownAccount)?;
        Ok((identity.account.clone(), identity.partition().to_owned()))
    }

    /// Opens the control store for a refresh: nothing is made or changed.
    ///
    /// # Errors
    /// [`Ec2Error`]: no bucket, no store in it, another store than the expected one.
    pub async fn open_existing(&self, expected: Option<&StoreId>) -> Result<Store, Ec2Error> {
        Ok(Store::open_existing(&self.home().await?, expected).await?)
    }

    /// Opens the control store for a create: bucket and store are made if nothing is there and the block says so.
    ///
    /// # Errors
    /// [`Ec2Error`]: no bucket, or one that cannot hold a control store.
    pub async fn open_or_create(&self) -> Result<Store, Ec2Error> {
        let connection = self.connection().await?;
        let client = connection.s3();
        let bucket = self.bucket(connection, &client).await?;
        let done = Box::pin(bucket.ensure()).await?;
        tracing::debug!(?done, "looked at the control bucket");
        Ok(Store::open_or_create(&self.home().await?).await?)
    }

    async fn bucket<'a>(
        &'a self,
        connection: &'a Connection,
        client: &'a aws_sdk_s3::Client,
    ) -> Result<ControlBucket<'a>, Ec2Error> {
        let identity = connection.identity().await?;
        let settings = &self.settings;
        let s3 = settings.account.endpoints.get(&crate::aws::Service::S3);
        Ok(ControlBucket {
            client,
            name: &settings.control_bucket,
            region: connection.region(),
            partition: identity.map_or("aws", Identity::partition),
            account: identity.map(|identity| identity.account.as_str()),
            prefix: &settings.control_prefix,
            kms_key: settings.control_kms_key_id.as_deref(),
            creates: settings.creates_control_bucket,
            is_plain: s3.is_some_and(|url| url.starts_with("http://")),
            tags: &settings.default_tags,
        })
    }

    /// Removes the control bucket, if the provider made it and nothing in it is in use.
    ///
    /// # Errors
    /// [`Ec2Error`]; run it again, it goes on.
    pub async fn remove_bucket(&self) -> Result<bucket::Removed, Ec2Error> {
        let connection = self.connection().await?;
        let client = connection.s3();
        let bucket = self.bucket(connection, &client).await?;
        Ok(Box::pin(bucket.remove()).await?)
    }

    /// Whether the account can carry a cluster: every finding at once.
    ///
    /// # Errors
    /// What could not be asked; a missing permission names its action.
    pub async fn preflight(&self, wanted: &ClusterSpec) -> Result<Vec<Finding>, Ec2Error> {
        let connection = self.connection().await?;
        let client = connection.s3();
        let bucket = self.bucket(connection, &client).await?;
        let mut found = of_bucket(bucket.look().await)?;
        let account = Box::pin(super::survey::survey(connection, wanted)).await?;
        found.extend(preflight::check(wanted, &open_ports(wanted), &account));
        Ok(found)
    }

    async fn home(&self) -> Result<Home, Ec2Error> {
        Ok(Home::S3(self.s3_home().await?))
    }

    /// Where the control store lies.
    pub(super) async fn s3_home(&self) -> Result<S3Home, Ec2Error> {
        let connection = self.connection().await?;
        let owner = connection
            .identity()
            .await?
            .map(|identity| identity.account.clone());
        let prefix = Prefix::parse(self.settings.control_prefix.as_str())?;
        Ok(S3Home {
            client: connection.s3(),
            bucket: self.settings.control_bucket.clone(),
            prefix,
            owner,
            kms_key: self.settings.control_kms_key_id.clone(),
            patience: Patience::default(),
        })
    }

    pub(super) fn names(&self, place: &ClusterPlace, store: &Store) -> Names {
        Names::new(place, store.id(), &self.settings.default_tags)
    }

    /// What the role of a node is scoped to.
    pub(super) async fn scope(&self, place: &ClusterPlace, wanted: &ClusterSpec) -> Result<Scope, Ec2Error> {
        let connection = self.connection().await?;
        let (account, partition) = self.account().await?;
        let key_arn = async |key: Option<&str>| match key {
            Some(key) => super::survey::key_arn(connection, key).await.map(Some),
            None => Ok(None),
        };
        Ok(Scope {
            partition,
            region: connection.region().to_owned(),
            account,
            bucket: self.settings.control_bucket.clone(),
            prefix: self.settings.control_prefix.clone(),
            store_key_arn: key_arn(self.settings.control_kms_key_id.as_deref()).await?,
            volume_key_arn: key_arn(wanted.size.kms_key_id.as_deref()).await?,
            uid: place.uid.clone(),
            name: place.name.clone(),
        })
    }

    /// The users' secrets of a cluster.
    ///
    /// # Errors
    /// [`Ec2Error::Connection`].
    pub async fn secrets(&self, place: &ClusterPlace, store: &Store) -> Result<Secrets, Ec2Error> {
        let connection = self.connection().await?;
        Ok(Secrets::new(
            connection.secrets_manager(),
            connection.region().to_owned(),
            place.clone(),
            self.names(place, store),
        ))
    }

    pub(super) fn note_instance(&self, place: &ClusterPlace, node: NodeId, instance: Option<&str>) {
        let mut instances = self.instances.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (place.uid.clone(), node);
        match instance {
            Some(instance) => instances.insert(key, instance.to_owned()),
            None => instances.remove(&key),
        };
    }
}

/// What is wrong with the bucket is told with everything else; what could not be asked ends the look.
fn of_bucket(looked: Result<Option<Vec<bucket::Finding>>, BucketError>) -> Result<Vec<Finding>, Ec2Error> {
    let (severity, texts): (Severity, Vec<String>) = match looked {
        Ok(found) => {
            let found = found.unwrap_or_default().into_iter();
            (Severity::Warning, found.map(|finding| finding.text).collect())
        }
        Err(error @ (BucketError::Missing { .. } | BucketError::Unfit { .. })) => {
            (Severity::Error, vec![error.to_string()])
        }
        Err(error) => return Err(error.into()),
    };
    let finding = |text| Finding {
        severity,
        attribute: "",
        text,
    };
    Ok(texts.into_iter().map(finding).collect())
}
