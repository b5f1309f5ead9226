//! The clients of all services, made of the settings once and shared.

use std::time::Duration;

use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::SharedCredentialsProvider;
use camino::Utf8PathBuf;
use tokio::sync::OnceCell;

use super::counted::Counted;
use super::error::CallError;
use super::settings::{Service, Settings};
use super::{credentials, http};
use crate::engine::BoxError;

/// No TCP connection within this time is a host that cannot be reached.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest pause between two bytes of an answer.
const READ: Duration = Duration::from_secs(30);
/// Of calls without whose answer all goes on.
const ADVICE_ATTEMPTS: u32 = 3;
/// What instances call, and where the environment may say that it is, as the SDK names it.
const OF_INSTANCES: [(Service, &str); 3] = [
    (Service::Ec2, "AWS_ENDPOINT_URL_EC2"),
    (Service::S3, S3_URL),
    (Service::SecretsManager, "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
];
const S3_URL: &str = "AWS_ENDPOINT_URL_S3";

/// Why there are no clients.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// Neither settings, environment nor profile name one.
    #[error(
        "no Region is known; set `aws.region` of the provider block, `AWS_REGION`, or `region` in the profile"
    )]
    NoRegion,
    /// The file with authorities.
    #[error("read the authorities in `{path}` (`aws.custom_ca_bundle` or `AWS_CA_BUNDLE`)")]
    Authorities {
        /// The file.
        path: Utf8PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// The file holds none.
    #[error("`{path}` (`aws.custom_ca_bundle` or `AWS_CA_BUNDLE`) holds no certificate in PEM form")]
    NoAuthority {
        /// The file.
        path: Utf8PathBuf,
    },
    /// One client has one proxy.
    #[error(
        "`aws.http_proxy` and `aws.https_proxy` differ; in this version they must be the same, or one of them unset"
    )]
    TwoProxies,
    /// The HTTP client.
    #[error("make an HTTP client")]
    Http(#[source] BoxError),
    /// Who we are could not be asked.
    #[error("ask for the account")]
    Identity(#[source] CallError),
    /// Not in this account.
    #[error(
        "the credentials are of the account {account}, which is not in `aws.allowed_account_ids`; take another profile \
         or role, or add the account"
    )]
    NotAllowed {
        /// The account.
        account: String,
    },
    /// Never in this account.
    #[error(
        "the credentials are of the account {account}, which stands in `aws.forbidden_account_ids`; take another profile \
         or role"
    )]
    Forbidden {
        /// The account.
        account: String,
    },
}

/// Who calls, and in which account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account, 12 digits.
    pub account: String,
    /// The caller.
    pub arn: String,
}

impl Identity {
    /// The partition: `aws`, `aws-cn`, `aws-us-gov`.
    pub fn partition(&self) -> &str {
        self.arn.split(':').nth(1).unwrap_or("aws")
    }
}

/// The clients. Opening contacts AWS only for a Region or credentials that come from an instance.
#[derive(Debug)]
pub struct Connection {
    config: SdkConfig,
    settings: Settings,
    region: String,
    identity: OnceCell<Identity>,
}

impl Connection {
    /// Makes the clients.
    ///
    /// # Errors
    /// [`ConnectionError`]: no Region, no usable file of authorities or proxy.
    pub async fn open(settings: &Settings) -> Result<Self, ConnectionError> {
        let client = http::client(settings).await?;
        let mut loader = aws_config::defaults(behavior())
            .http_client(client.clone())
            .retry_config(retries(settings))
            .timeout_config(timeouts());
        if let Some(name) = app_name() {
            loader = loader.app_name(name);
        }
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(files) = credentials::profile_files(settings) {
            loader = loader.profile_files(files);
        }
        if settings.uses_fips {
            loader = loader.use_fips(true);
        }
        if settings.uses_dual_stack {
            loader = loader.use_dual_stack(true);
        }
        let config = loader.load().await;
        let region = config.region().ok_or(ConnectionError::NoRegion)?.to_string();
        let about = ProviderConfig::without_region()
            .with_region(config.region().cloned())
            .with_http_client(client);
        let mut config = config
            .into_builder()
            .credentials_provider(credentials::base(settings, &about).await)
            .build();
        for role in &settings.assume_roles {
            let assumed = credentials::assume(role, &with_endpoint(&config, settings, Service::Sts)).await;
            config = config
                .into_builder()
                .credentials_provider(SharedCredentialsProvider::new(assumed))
                .build();
        }
        Ok(Self {
            config,
            settings: settings.clone(),
            region,
            identity: OnceCell::new(),
        })
    }

    /// Makes the clients of an instance, which act in its role alone, whatever the environment says; of that only the URLs
    /// of the services are taken. A program that only ever opens this one carries none of the code for other credentials.
    ///
    /// # Errors
    /// [`ConnectionError`]: no Region, no usable file of authorities.
    pub async fn of_instance(settings: &Settings) -> Result<Self, ConnectionError> {
        let region = settings.region.clone().ok_or(ConnectionError::NoRegion)?;
        let client = http::client(settings).await?;
        let mut config = SdkConfig::builder()
            .behavior_version(behavior())
            .region(Region::new(region.clone()))
            .credentials_provider(credentials::of_instance(&client))
            .http_client(client)
            .retry_config(retries(settings))
            .timeout_config(timeouts());
        config.set_app_name(app_name());
        let mut settings = settings.clone();
        for (service, variable) in OF_INSTANCES {
            if let Ok(url) = std::env::var(variable) {
                settings.endpoints.entry(service).or_insert(url);
            }
        }
        Ok(Self {
            config: config.build(),
            settings,
            region,
            identity: OnceCell::new(),
        })
    }

    /// The Region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Who calls; asked once, and checked against the accounts that the settings allow and forbid. `None` where the
    /// settings skip the question.
    ///
    /// # Errors
    /// [`ConnectionError::Identity`], [`ConnectionError::NotAllowed`], [`ConnectionError::Forbidden`].
    pub async fn identity(&self) -> Result<Option<&Identity>, ConnectionError> {
        if self.settings.skips_account {
            return Ok(None);
        }
        self.identity.get_or_try_init(|| self.ask()).await.map(Some)
    }

    async fn ask(&self) -> Result<Identity, ConnectionError> {
        let config = with_endpoint(&self.config, &self.settings, Service::Sts);
        let asked = aws_sdk_sts::Client::new(&config)
            .get_caller_identity()
            .send()
            .await;
        let answer = asked.map_err(|error| {
            ConnectionError::Identity(CallError::new(Service::Sts, "GetCallerIdentity", &error))
        })?;
        let identity = Identity {
            account: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
        };
        let account = identity.account.clone();
        if self.settings.forbidden_accounts.contains(&account) {
            return Err(ConnectionError::Forbidden { account });
        }
        if !self.settings.allowed_accounts.is_empty() && !self.settings.allowed_accounts.contains(&account) {
            return Err(ConnectionError::NotAllowed { account });
        }
        Ok(identity)
    }

    /// EC2.
    pub fn ec2(&self) -> aws_sdk_ec2::Client {
        let config = aws_sdk_ec2::config::Builder::from(&self.of(Service::Ec2)).interceptor(Counted);
        aws_sdk_ec2::Client::from_conf(config.build())
    }

    /// Auto Scaling.
    pub fn auto_scaling(&self) -> aws_sdk_autoscaling::Client {
        let config =
            aws_sdk_autoscaling::config::Builder::from(&self.of(Service::AutoScaling)).interceptor(Counted);
        aws_sdk_autoscaling::Client::from_conf(config.build())
    }

    /// IAM.
    pub fn iam(&self) -> aws_sdk_iam::Client {
        let config = aws_sdk_iam::config::Builder::from(&self.of(Service::Iam)).interceptor(Counted);
        aws_sdk_iam::Client::from_conf(config.build())
    }

    /// KMS.
    pub fn kms(&self) -> aws_sdk_kms::Client {
        let config = aws_sdk_kms::config::Builder::from(&self.of(Service::Kms)).interceptor(Counted);
        aws_sdk_kms::Client::from_conf(config.build())
    }

    /// Route 53.
    pub fn route53(&self) -> aws_sdk_route53::Client {
        let config = aws_sdk_route53::config::Builder::from(&self.of(Service::Route53)).interceptor(Counted);
        aws_sdk_route53::Client::from_conf(config.build())
    }

    /// Service Quotas. What it says is an advice: a network that does not lead there costs seconds, and no minutes.
    pub fn service_quotas(&self) -> aws_sdk_servicequotas::Client {
        let few = retries(&self.settings).with_max_attempts(self.settings.attempts.clamp(1, ADVICE_ATTEMPTS));
        let config = aws_sdk_servicequotas::config::Builder::from(&self.of(Service::ServiceQuotas));
        let config = config.retry_config(few).interceptor(Counted);
        aws_sdk_servicequotas::Client::from_conf(config.build())
    }

    /// S3.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.of(Service::S3));
        let config = config.force_path_style(self.settings.uses_path_style);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Whether S3 is reached without TLS, as an emulator is.
    pub fn is_s3_plain(&self) -> bool {
        let written = self.settings.endpoints.get(&Service::S3).cloned();
        let of_environment = || std::env::var(S3_URL).ok();
        let url = written
            .or_else(of_environment)
            .or_else(|| self.config.endpoint_url().map(str::to_owned));
        url.is_some_and(|url| url.starts_with("http://"))
    }

    /// Secrets Manager.
    pub fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::config::Builder::from(&self.of(Service::SecretsManager))
            .interceptor(Counted);
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    fn of(&self, service: Service) -> SdkConfig {
        with_endpoint(&self.config, &self.settings, service)
    }
}

/// The configuration of one service: its URL in the block, else those of environment and profile.
fn with_endpoint(config: &SdkConfig, settings: &Settings, service: Service) -> SdkConfig {
    match settings.endpoints.get(&service) {
        Some(url) => config.clone().into_builder().endpoint_url(url).build(),
        None => config.clone(),
    }
}

/// How the SDK behaves where nothing is said, frozen at a date so that a newer SDK changes nothing unasked.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

fn app_name() -> Option<AppName> {
    AppName::new("terraform-provider-msk").ok()
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .build()
}

fn retries(settings: &Settings) -> RetryConfig {
    let mode = if settings.is_adaptive {
        RetryConfig::adaptive()
    } else {
        RetryConfig::standard()
    };
    mode.with_max_attempts(settings.attempts.max(1))
}
