//! What an instance may know of itself: version 2 of its metadata service.

use aws_config::imds::client::Client;
use aws_config::provider_config::ProviderConfig;

use super::connection::ConnectionError;
use super::http;
use super::settings::Settings;
use crate::engine::BoxError;

/// An instance, by its own metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceIdentity {
    /// `i-…`.
    pub instance_id: String,
    /// Its primary network interface, `eni-…`.
    pub interface_id: String,
}

/// Why an instance could not learn who it is.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The HTTP client.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The service.
    #[error("ask the instance's metadata for `{path}`")]
    Ask {
        /// What was asked.
        path: String,
        /// What went wrong.
        #[source]
        cause: BoxError,
    },
    /// The answer is none.
    #[error("the instance's metadata answers `{path}` with what cannot be: `{answer}`")]
    Answer {
        /// What was asked.
        path: String,
        /// The beginning of the answer.
        answer: String,
    },
}

/// Asks the instance on which this program runs.
///
/// # Errors
/// [`MetadataError`].
pub async fn instance(settings: &Settings) -> Result<InstanceIdentity, MetadataError> {
    let about = ProviderConfig::without_region().with_http_client(http::client(settings).await?);
    let client = Client::builder().configure(&about).build();
    let instance_id = ask(&client, "instance-id", |c| c.is_ascii_alphanumeric() || c == '-').await?;
    let mac = ask(&client, "mac", |c| c.is_ascii_hexdigit() || c == ':').await?;
    let path = format!("network/interfaces/macs/{mac}/interface-id");
    let interface_id = ask(&client, &path, |c| c.is_ascii_alphanumeric() || c == '-').await?;
    Ok(InstanceIdentity {
        instance_id,
        interface_id,
    })
}

async fn ask(client: &Client, name: &str, is_good: impl Fn(char) -> bool) -> Result<String, MetadataError> {
    let path = format!("/latest/meta-data/{name}");
    let answer = client
        .get(path.clone())
        .await
        .map_err(|cause| MetadataError::Ask {
            path: path.clone(),
            cause: cause.into(),
        })?;
    let answer = answer.as_ref().trim();
    if answer.is_empty() || answer.len() > 64 || !answer.chars().all(is_good) {
        return Err(MetadataError::Answer {
            path,
            answer: answer.chars().take(80).collect(),
        });
    }
    Ok(answer.to_owned())
}
