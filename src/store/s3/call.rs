//! One call of S3 with its retries, and what its refusals mean.

use std::time::{Duration, Instant};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::S3Home;
use super::error::S3Error;
use crate::aws::{CallError, Kind, Service};
use crate::store::{Error, identity};

/// The pause after the first failure; it doubles with each further one, and a random part of it is waited.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a call is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// While there is no answer, or S3 has a trouble of its own.
    pub no_answer: Duration,
    /// While S3 asks for fewer calls, or two writers meet.
    pub throttled: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            no_answer: Duration::from_secs(20),
            throttled: Duration::from_secs(90),
        }
    }
}

/// An answer that is no failure but not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 304: it still is what the caller knows.
    Unchanged,
    /// 404: there is no such object.
    Absent,
    /// 412: it is not what the condition says.
    Condition,
}

/// A call's last answer.
#[derive(Debug)]
pub(super) struct Outcome<T> {
    pub(super) answer: Result<T, Refusal>,
    /// Whether an earlier attempt may have been carried out although it was not answered.
    pub(super) is_repeated: bool,
}

/// What is called, for errors.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) action: &'static str,
    pub(super) location: String,
    pub(super) home: &'a S3Home,
}

impl Call<'_> {
    /// Sends a request until there is an answer, or patience ends.
    pub(super) async fn send<T, E, F>(&self, mut request: impl FnMut() -> F) -> Result<Outcome<T>, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut retries = Retries::new(self.home.patience);
        let mut is_repeated = false;
        loop {
            let error = match request().await {
                Ok(answer) => {
                    let answer = Ok(answer);
                    return Ok(Outcome { answer, is_repeated });
                }
                Err(error) => error,
            };
            let status = error
                .raw_response()
                .map_or(0, |response| response.status().as_u16());
            let code = error.code().unwrap_or_default();
            let refusal = match (status, code) {
                (304, _) => Some(Refusal::Unchanged),
                (412, _) => Some(Refusal::Condition),
                (404, "NoSuchKey" | "NotFound" | "") => Some(Refusal::Absent),
                _ => None,
            };
            if let Some(refusal) = refusal {
                let answer = Err(refusal);
                return Ok(Outcome { answer, is_repeated });
            }
            let cause = CallError::new(Service::S3, self.action, &error);
            let is_collision = matches!(code, "ConditionalRequestConflict" | "OperationAborted");
            let kind = kind(&error, &cause);
            let may_be_done = !is_collision && kind != Kind::Throttled;
            let patience = match kind {
                Kind::Throttled => retries.patience.throttled,
                _ if is_collision => retries.patience.throttled,
                _ if status == 503 => retries.patience.throttled,
                Kind::Unreachable | Kind::Server => retries.patience.no_answer,
                _ if code == "RequestTimeout" => retries.patience.no_answer,
                _ => return Err(self.failed(&error, kind, cause)),
            };
            is_repeated |= may_be_done;
            tracing::debug!(location = self.location, error = %cause, "asks S3 again");
            if !retries.pause(patience).await? {
                return Err(self.failed(&error, kind, cause));
            }
        }
    }

    /// What a failure means.
    fn failed<E>(&self, error: &SdkError<E, HttpResponse>, kind: Kind, cause: CallError) -> Error {
        let (location, action) = (self.location.clone(), self.action);
        let bucket = self.home.bucket.clone();
        let failure = match (cause.code(), kind) {
            ("NoSuchBucket", _) => S3Error::NoBucket { bucket },
            (
                "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "TemporaryRedirect"
                | "IllegalLocationConstraintException",
                _,
            ) => {
                let header = error
                    .raw_response()
                    .and_then(|response| response.headers().get("x-amz-bucket-region"));
                let region = header.or_else(|| expected_region(cause.message()));
                let region = region
                    .filter(|text| is_region(text))
                    .unwrap_or("another one")
                    .to_owned();
                S3Error::OtherRegion { bucket, region }
            }
            (_, Kind::Denied) => S3Error::Denied {
                action,
                location,
                hint: self.hint(),
                cause,
            },
            (_, Kind::Credentials) => S3Error::Credentials { location, cause },
            (_, Kind::ClockSkew) => S3Error::ClockSkew { cause },
            (_, Kind::NotAws) => S3Error::NotS3 {
                location,
                cause: Some(cause),
            },
            (_, Kind::Throttled) => S3Error::Throttled { location, cause },
            (_, Kind::Unreachable | Kind::Server) => S3Error::NoAnswer { location, cause },
            _ => S3Error::Other {
                action,
                location,
                cause,
            },
        };
        failure.into()
    }

    /// What else a refusal may come from.
    fn hint(&self) -> String {
        let mut hint = String::new();
        if self.action == "GetObject" {
            hint.push_str("; without `s3:ListBucket` an object that is not there looks forbidden, too");
        }
        if let Some(owner) = &self.home.owner {
            hint.push_str("; or the bucket does not belong to the account ");
            hint.push_str(owner);
        }
        hint
    }

    /// An answer without what every answer of S3 has.
    pub(super) fn not_s3(&self) -> Error {
        let location = self.location.clone();
        S3Error::NotS3 {
            location,
            cause: None,
        }
        .into()
    }
}

/// What a failure is. A connection that was closed before the answer is one that the HTTP client calls transient.
fn kind<E>(error: &SdkError<E, HttpResponse>, cause: &CallError) -> Kind {
    match error {
        SdkError::DispatchFailure(failure) if failure.as_other().is_some() => Kind::Unreachable,
        _ => cause.kind(),
    }
}

/// `… the region 'a' is wrong; expecting 'b'`.
fn expected_region(message: &str) -> Option<&str> {
    message.split("expecting '").nth(1)?.split('\'').next()
}

fn is_region(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Pauses between attempts.
#[derive(Debug)]
pub(super) struct Retries {
    pub(super) patience: Patience,
    began: Instant,
    pause: Duration,
}

impl Retries {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            began: Instant::now(),
            pause: FIRST_PAUSE,
        }
    }

    /// Waits a random part of a pause; answers whether to go on.
    pub(super) async fn pause(&mut self, at_most: Duration) -> Result<bool, Error> {
        if self.began.elapsed() >= at_most {
            return Ok(false);
        }
        let [random] = identity::random_bytes::<1>()?;
        tokio::time::sleep(self.pause * (u32::from(random) + 1) / 256).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(true)
    }
}
