//! SCRAM users. Kafka tells mechanism and iterations of a user, never anything of the password.

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::{AlterUserScramCredentialsRequest, DescribeUserScramCredentialsRequest};

use super::{Admin, MAX_ITEMS, not_answered, text};
use crate::kafka::client::error::{Error, KafkaError};
use crate::kafka::client::sasl::ScramMechanism;
use crate::secret::Secret;

/// One credential that a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScramCredential {
    /// The hash it was made with.
    pub mechanism: ScramMechanism,
    /// How often it was hashed.
    pub iterations: i32,
}

/// A credential to create or to replace.
#[derive(Debug, Clone)]
pub struct ScramUpsert {
    /// The user's name.
    pub user: String,
    /// The hash.
    pub mechanism: ScramMechanism,
    /// Within [`SCRAM_ITERATIONS`](crate::kafka::client::SCRAM_ITERATIONS).
    pub iterations: i32,
    /// Random bytes.
    pub salt: Vec<u8>,
    /// What [`ScramMechanism::salt`] gives for the password.
    pub salted_password: Secret<Vec<u8>>,
}

/// A credential to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScramDeletion {
    /// The user's name.
    pub user: String,
    /// The hash.
    pub mechanism: ScramMechanism,
}

/// Lends a secret to the codec without another copy; cleared when the request is dropped.
struct Lent(Secret<Vec<u8>>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

impl Admin {
    /// Lists the users with their credentials, sorted by name; `None` asks for all.
    ///
    /// # Errors
    /// [`Error`]; per user `RESOURCE_NOT_FOUND` if there is none of that name.
    pub async fn describe_scram_users(
        &self,
        users: Option<&[String]>,
    ) -> Result<Vec<(String, Result<Vec<ScramCredential>, KafkaError>)>, Error> {
        // An empty list asks Kafka for all.
        if users.is_some_and(<[String]>::is_empty) {
            return Ok(Vec::new());
        }
        let parts: Vec<Option<&[String]>> = match users {
            None => vec![None],
            Some(users) => users.chunks(MAX_ITEMS).map(Some).collect(),
        };
        let mut found = Vec::new();
        for part in parts {
            let answer = self
                .session
                .call(|_| {
                    let names = part.map(|users| {
                        users
                            .iter()
                            .map(|user| UserName::default().with_name(text(user)))
                            .collect()
                    });
                    DescribeUserScramCredentialsRequest::default().with_users(names)
                })
                .await?;
            let body = answer.body;
            self.check::<DescribeUserScramCredentialsRequest>(
                body.error_code,
                body.error_message.as_deref(),
            )?;
            for result in &body.results {
                let credentials = KafkaError::check(result.error_code, result.error_message.as_deref());
                let credentials = credentials.map(|()| {
                    let infos = result.credential_infos.iter();
                    infos
                        .filter_map(|info| {
                            let mechanism = ScramMechanism::from_code(info.mechanism)?;
                            Some(ScramCredential {
                                mechanism,
                                iterations: info.iterations,
                            })
                        })
                        .collect()
                });
                found.push((result.user.as_str().to_owned(), credentials));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    /// Creates, replaces and removes credentials. Kafka makes all changes of one request that it finds right,
    /// and answers per user. Two changes of one credential are refused.
    ///
    /// # Errors
    /// [`Error`]; per user `RESOURCE_NOT_FOUND` for the removal of what is not there,
    /// `UNACCEPTABLE_CREDENTIAL` for iterations out of range, `DUPLICATE_RESOURCE`.
    pub async fn alter_scram_users(
        &self,
        upserts: &[ScramUpsert],
        deletions: &[ScramDeletion],
    ) -> Result<Vec<(String, Result<(), KafkaError>)>, Error> {
        let mut results = Vec::with_capacity(upserts.len() + deletions.len());
        for part in deletions.chunks(MAX_ITEMS) {
            let request = AlterUserScramCredentialsRequest::default().with_deletions(
                part.iter()
                    .map(|deletion| {
                        ScramCredentialDeletion::default()
                            .with_name(text(&deletion.user))
                            .with_mechanism(deletion.mechanism.code())
                    })
                    .collect(),
            );
            self.alter_users(
                request,
                part.iter().map(|deletion| deletion.user.as_str()),
                &mut results,
            )
            .await?;
        }
        for part in upserts.chunks(MAX_ITEMS) {
            let request = AlterUserScramCredentialsRequest::default().with_upsertions(
                part.iter()
                    .map(|upsert| {
                        ScramCredentialUpsertion::default()
                            .with_name(text(&upsert.user))
                            .with_mechanism(upsert.mechanism.code())
                            .with_iterations(upsert.iterations)
                            .with_salt(Bytes::copy_from_slice(&upsert.salt))
                            .with_salted_password(Bytes::from_owner(Lent(upsert.salted_password.clone())))
                    })
                    .collect(),
            );
            self.alter_users(
                request,
                part.iter().map(|upsert| upsert.user.as_str()),
                &mut results,
            )
            .await?;
        }
        Ok(results)
    }

    async fn alter_users(
        &self,
        request: AlterUserScramCredentialsRequest,
        users: impl Iterator<Item = &str> + Send,
        results: &mut Vec<(String, Result<(), KafkaError>)>,
    ) -> Result<(), Error> {
        let answer = self.session.call(|_| request.clone()).await?;
        let throttle = answer.body.throttle_time_ms;
        let mut answers = HashMap::new();
        for result in &answer.body.results {
            let outcome = KafkaError::check(result.error_code, result.error_message.as_deref())
                .map_err(|error| error.with_throttle(throttle));
            answers.insert(result.user.as_str(), outcome);
        }
        results.extend(users.map(|user| {
            let outcome = answers.get(user).cloned().unwrap_or_else(|| Err(not_answered()));
            (user.to_owned(), outcome)
        }));
        Ok(())
    }
}
