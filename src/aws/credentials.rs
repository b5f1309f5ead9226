//! In whose name calls are made: the first source that has credentials, and the roles assumed with them.

use aws_config::SdkConfig;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::web_identity_token::{StaticConfiguration, WebIdentityTokenCredentialsProvider};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};

use super::settings::{AccessKey, AssumeRole, Settings};

/// Where the credentials come from that need no role: keys in the block, the block's profile, else the
/// environment, the default profile, a web identity, the container, the instance.
pub(super) async fn base(settings: &Settings, about: &ProviderConfig) -> SharedCredentialsProvider {
    if let Some(AccessKey { id, secret, token }) = &settings.access_key {
        let token = token.as_ref().map(|token| token.expose().clone());
        let keys = Credentials::new(id, secret.expose(), token, None, "the provider block");
        return SharedCredentialsProvider::new(keys);
    }
    if let Some(web) = &settings.web_identity {
        let web = StaticConfiguration {
            web_identity_token_file: web.token_file.clone().into(),
            role_arn: web.role_arn.clone(),
            session_name: web.session_name.clone(),
        };
        let provider = WebIdentityTokenCredentialsProvider::builder()
            .configure(about)
            .static_configuration(web)
            .build();
        return SharedCredentialsProvider::new(provider);
    }
    // As with hashicorp/aws, a profile that the block names wins over keys in the environment.
    if settings.profile.is_some() {
        return SharedCredentialsProvider::new(profile(settings, about));
    }
    if !settings.skips_metadata && settings.config_files.is_empty() && settings.credentials_files.is_empty() {
        let chain = DefaultCredentialsChain::builder().configure(about.clone());
        return SharedCredentialsProvider::new(chain.build().await);
    }
    let chain =
        CredentialsProviderChain::first_try("environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("profile", profile(settings, about))
            .or_else(
                "web identity",
                WebIdentityTokenCredentialsProvider::builder()
                    .configure(about)
                    .build(),
            )
            .or_else(
                "container",
                EcsCredentialsProvider::builder().configure(about).build(),
            );
    if settings.skips_metadata {
        return SharedCredentialsProvider::new(chain);
    }
    let instance = ImdsCredentialsProvider::builder().configure(about).build();
    SharedCredentialsProvider::new(chain.or_else("instance", instance))
}

/// The credentials of the role of the instance on which this program runs.
pub(super) fn of_instance(client: &SharedHttpClient) -> SharedCredentialsProvider {
    let about = ProviderConfig::without_region().with_http_client(client.clone());
    SharedCredentialsProvider::new(ImdsCredentialsProvider::builder().configure(&about).build())
}

fn profile(settings: &Settings, about: &ProviderConfig) -> ProfileFileCredentialsProvider {
    let mut builder = ProfileFileCredentialsProvider::builder().configure(about);
    if let Some(name) = &settings.profile {
        builder = builder.profile_name(name);
    }
    if let Some(files) = profile_files(settings) {
        builder = builder.profile_files(files);
    }
    builder.build()
}

/// The shared files that the block names; of a kind that it does not name, the usual one.
pub(super) fn profile_files(settings: &Settings) -> Option<EnvConfigFiles> {
    if settings.config_files.is_empty() && settings.credentials_files.is_empty() {
        return None;
    }
    let mut files = EnvConfigFiles::builder()
        .include_default_config_file(settings.config_files.is_empty())
        .include_default_credentials_file(settings.credentials_files.is_empty());
    for path in &settings.config_files {
        files = files.with_file(EnvConfigFileKind::Config, path);
    }
    for path in &settings.credentials_files {
        files = files.with_file(EnvConfigFileKind::Credentials, path);
    }
    Some(files.build())
}

/// The credentials of a role, got with those of `config`.
pub(super) async fn assume(role: &AssumeRole, config: &SdkConfig) -> AssumeRoleProvider {
    let tags = role.tags.iter().map(|(key, value)| (key.clone(), value.clone()));
    let mut builder = AssumeRoleProvider::builder(&role.role_arn).configure(config);
    if !role.tags.is_empty() {
        builder = builder.tags(tags);
    }
    if let Some(name) = &role.session_name {
        builder = builder.session_name(name);
    }
    if let Some(id) = &role.external_id {
        builder = builder.external_id(id);
    }
    if let Some(policy) = &role.policy {
        builder = builder.policy(policy);
    }
    if let Some(duration) = role.duration {
        builder = builder.session_length(duration);
    }
    builder.build().await
}
