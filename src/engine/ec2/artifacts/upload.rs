//! Sending an artefact to the bucket, unless it is there.

use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{ArtifactError, Local, io_error};
use crate::aws::{CallError, Kind, Service};
use crate::store::S3Home;

/// The slowest way to S3 that is waited for, in bytes per second.
const SLOWEST: u64 = 50_000;
/// S3's own time on top.
const ANSWER: Duration = Duration::from_mins(2);

/// Puts a file where its digest says. An object is never changed once it is there, so one of the right length is right.
pub(super) async fn ensure(
    home: &S3Home,
    file: &Local,
    say: &(dyn Fn(String) + Send + Sync),
) -> Result<(), ArtifactError> {
    let key = format!("{}{}", home.prefix, file.artifact.key);
    let metadata = tokio::fs::metadata(&file.path)
        .await
        .map_err(io_error("look at", &file.path))?;
    let length = metadata.len();
    if length_of(home, &key).await? == Some(length) {
        return Ok(());
    }
    say(format!(
        "uploads {} ({} MB) to {}",
        file.title,
        length.div_ceil(1_000_000),
        home.bucket
    ));
    let body = ByteStream::from_path(&file.path).await;
    let body = body.map_err(|error| io_error("read", &file.path)(std::io::Error::other(error)))?;
    let mut request = home
        .client
        .put_object()
        .bucket(&home.bucket)
        .key(&key)
        .set_expected_bucket_owner(home.owner.clone())
        // S3 compares it with what arrives.
        .checksum_sha256(STANDARD.encode(digits(file.artifact.sha256.as_str())))
        .body(body);
    if let Some(kms_key) = &home.kms_key {
        request = request
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .ssekms_key_id(kms_key)
            .bucket_key_enabled(true);
    }
    // The SDK counts the whole upload as waiting for an answer.
    let limit = ANSWER + Duration::from_secs(length / SLOWEST);
    let patient = aws_sdk_s3::config::Builder::new()
        .timeout_config(TimeoutConfig::builder().read_timeout(limit).build());
    request
        .customize()
        .config_override(patient)
        .send()
        .await
        .map_err(|error| failed("PutObject", &key, &error))?;
    Ok(())
}

/// The length of an object; `None` if it is not there.
async fn length_of(home: &S3Home, key: &str) -> Result<Option<u64>, ArtifactError> {
    let asked = home
        .client
        .head_object()
        .bucket(&home.bucket)
        .key(key)
        .set_expected_bucket_owner(home.owner.clone())
        .send()
        .await;
    match asked {
        Ok(found) => Ok(found.content_length.and_then(|length| u64::try_from(length).ok())),
        // A refusal of a question for the head has no text.
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(failed("GetObject", key, &error)),
    }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

fn failed<E>(action: &'static str, key: &str, error: &SdkError<E, HttpResponse>) -> ArtifactError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let cause = CallError::new(Service::S3, action, error);
    if status(error) == Some(403) && cause.kind() == Kind::NotAws {
        return ArtifactError::Refused { key: key.to_owned() };
    }
    ArtifactError::Send {
        key: key.to_owned(),
        cause,
    }
}

/// The bytes of a digest.
fn digits(hex: &str) -> Vec<u8> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    hex.as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn digits_become_bytes() {
        assert_eq!(digits("00ff1a"), [0, 255, 26]);
    }
}
