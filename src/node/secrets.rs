//! Reads users' secrets in Secrets Manager, with the role of the machine.
//!
//! One call brings 20 of them with their versions: less than to ask first what has changed, since lists may know of a
//! change minutes later only.

use std::fmt;

use crate::secret::Secret;

/// What Secrets Manager gives at once.
pub(crate) const PAGE: usize = 20;
/// No secret is longer.
const LONGEST: usize = 64 << 10;

/// The way to the secrets; none on one machine.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    client: Option<aws_sdk_secretsmanager::Client>,
}

/// Nothing of the credentials.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

/// A secret as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    /// The id of its current version.
    pub(crate) version: String,
    /// `{"username", "password"}`.
    pub(crate) text: Secret<String>,
}

/// What came of one secret.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The secret.
    pub(crate) arn: String,
    /// Its value, or why there is none, for people.
    pub(crate) read: Result<Read, String>,
}

impl Secrets {
    /// With these clients.
    pub(crate) const fn new(client: aws_sdk_secretsmanager::Client) -> Self {
        Self { client: Some(client) }
    }

    /// Reads up to [`PAGE`] secrets; in the order of AWS, some may be missing.
    ///
    /// # Errors
    /// Why none could be read, for people.
    pub(crate) async fn read(&self, arns: &[&str]) -> Result<Vec<Answer>, String> {
        if let Some(client) = &self.client {
            return read(client, arns).await;
        }
        Err("this node has no way to AWS Secrets Manager".to_owned())
    }
}

async fn read(client: &aws_sdk_secretsmanager::Client, arns: &[&str]) -> Result<Vec<Answer>, String> {
    use crate::aws::{CallError, Service};
    use crate::node::problem::with_causes;

    let ids = arns.iter().take(PAGE).map(|arn| (*arn).to_owned());
    let asked = client
        .batch_get_secret_value()
        .set_secret_id_list(Some(ids.collect()));
    let answer = asked.send().await.map_err(|error| {
        with_causes(&CallError::new(
            Service::SecretsManager,
            "BatchGetSecretValue",
            &error,
        ))
    })?;
    let mut answers = Vec::new();
    for value in answer.secret_values.unwrap_or_default() {
        let (Some(arn), text) = (value.arn, value.secret_string.map(Secret::new)) else {
            continue;
        };
        let read = match (value.version_id, text) {
            (Some(version), Some(text)) if text.expose().len() <= LONGEST => Ok(Read { version, text }),
            _ => Err("its value is no text".to_owned()),
        };
        answers.push(Answer { arn, read });
    }
    for error in answer.errors.unwrap_or_default() {
        let code = error.error_code.unwrap_or_default();
        let words: String = error.message.unwrap_or_default().chars().take(400).collect();
        answers.push(Answer {
            arn: error.secret_id.unwrap_or_default(),
            read: Err(format!("{code}: {words}")),
        });
    }
    Ok(answers)
}
