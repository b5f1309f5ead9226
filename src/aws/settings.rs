//! What `aws = { … }` of the provider block says about the account. Names and meaning are those of
//! hashicorp/aws 6.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use camino::Utf8PathBuf;

use crate::secret::Secret;

/// How the account is reached. Every default is filled in; `Default` is the settings of an empty block.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The Region, if not from the environment or the profile.
    pub region: Option<String>,
    /// The profile in the shared files, if not from the environment.
    pub profile: Option<String>,
    /// Keys that stand in the block itself.
    pub access_key: Option<AccessKey>,
    /// Shared configuration files, if not the usual one.
    pub config_files: Vec<Utf8PathBuf>,
    /// Shared credentials files, if not the usual one.
    pub credentials_files: Vec<Utf8PathBuf>,
    /// Roles to assume, one with the credentials of the one before.
    pub assume_roles: Vec<AssumeRole>,
    /// The role to assume with a token, instead of any other credentials.
    pub web_identity: Option<WebIdentity>,
    /// URLs of services.
    pub endpoints: BTreeMap<Service, String>,
    /// The only accounts to work in; empty: any.
    pub allowed_accounts: BTreeSet<String>,
    /// Accounts never to work in.
    pub forbidden_accounts: BTreeSet<String>,
    /// How often a call is tried, the first time included.
    pub attempts: u32,
    /// Whether retries slow down what else is sent.
    pub is_adaptive: bool,
    /// Whether a bucket stands in the path of a URL and not in the host name.
    pub uses_path_style: bool,
    /// Whether the account's id is not asked for.
    pub skips_account: bool,
    /// Whether the credentials of the instance's metadata service are not asked for.
    pub skips_metadata: bool,
    /// Whether FIPS endpoints are used.
    pub uses_fips: bool,
    /// Whether dual-stack endpoints are used.
    pub uses_dual_stack: bool,
    /// A PEM file with authorities to trust besides the system's.
    pub authorities: Option<Utf8PathBuf>,
    /// The proxy; else that of the environment.
    pub proxy: Option<Proxy>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: None,
            profile: None,
            access_key: None,
            config_files: Vec::new(),
            credentials_files: Vec::new(),
            assume_roles: Vec::new(),
            web_identity: None,
            endpoints: BTreeMap::new(),
            allowed_accounts: BTreeSet::new(),
            forbidden_accounts: BTreeSet::new(),
            attempts: 25,
            is_adaptive: false,
            uses_path_style: false,
            skips_account: false,
            skips_metadata: false,
            uses_fips: false,
            uses_dual_stack: false,
            authorities: None,
            proxy: None,
        }
    }
}

/// Keys that stand in the provider block.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// `access_key`.
    pub id: String,
    /// `secret_key`.
    pub secret: Secret<String>,
    /// `token`.
    pub token: Option<Secret<String>>,
}

/// A role to assume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssumeRole {
    /// The role.
    pub role_arn: String,
    /// The session's name; `None`: drawn.
    pub session_name: Option<String>,
    /// What the role's owner may ask for.
    pub external_id: Option<String>,
    /// How long the session lasts, 15 min to 12 h; `None`: an hour.
    pub duration: Option<Duration>,
    /// A policy that narrows the role, as JSON.
    pub policy: Option<String>,
    /// Tags of the session.
    pub tags: BTreeMap<String, String>,
}

/// A role to assume with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebIdentity {
    /// The role.
    pub role_arn: String,
    /// The session's name.
    pub session_name: String,
    /// The file with the token, read whenever new credentials are needed.
    pub token_file: Utf8PathBuf,
}

/// How HTTP leaves the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The proxy for `http` URLs.
    pub http: Option<String>,
    /// The proxy for `https` URLs.
    pub https: Option<String>,
    /// Hosts that are reached without it, as in the environment variable `NO_PROXY`.
    pub except: Option<String>,
}

/// A service with an endpoint of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Service {
    Ec2,
    AutoScaling,
    S3,
    Kms,
    Iam,
    SecretsManager,
    Ssm,
    Sts,
    CloudWatch,
    Logs,
    Kinesis,
    Firehose,
    Route53,
    ServiceQuotas,
}

impl Service {
    /// Every service, in the order of the contract; the last one is an addition to it.
    pub const ALL: [Self; 14] = [
        Self::Ec2,
        Self::AutoScaling,
        Self::S3,
        Self::Kms,
        Self::Iam,
        Self::SecretsManager,
        Self::Ssm,
        Self::Sts,
        Self::CloudWatch,
        Self::Logs,
        Self::Kinesis,
        Self::Firehose,
        Self::Route53,
        Self::ServiceQuotas,
    ];

    /// The name in `endpoints`, which is also the prefix of its IAM actions where `iam_prefix` has no other.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::AutoScaling => "autoscaling",
            Self::S3 => "s3",
            Self::Kms => "kms",
            Self::Iam => "iam",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
            Self::CloudWatch => "cloudwatch",
            Self::Logs => "logs",
            Self::Kinesis => "kinesis",
            Self::Firehose => "firehose",
            Self::Route53 => "route53",
            Self::ServiceQuotas => "servicequotas",
        }
    }
}
