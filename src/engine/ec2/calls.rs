//! What calls of EC2 have in common: errors, tags, patience with what AWS knows late.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use tokio::time::{Instant, sleep};

use super::error::Ec2Error;
use crate::aws::{CallError, Kind, Service};

/// What was just made may be unknown to the next call for so long (reference: EC2 API, eventual consistency).
pub(super) const KNOWN_WITHIN: Duration = Duration::from_mins(1);
/// The first pause between two looks; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Turns the SDK's error of an EC2 call into ours.
pub(super) fn ec2<E>(action: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| CallError::new(Service::Ec2, action, &error)
}

/// The filter `name = value`.
pub(super) fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// The filter "`name` is one of these".
pub(super) fn one_of(name: &str, values: &[String]) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.to_vec()))
        .build()
}

/// Tags to be put on what a call makes, in the same call: nothing of ours is ever without them.
pub(super) fn tag_specification(kind: ResourceType, tags: &BTreeMap<String, String>) -> TagSpecification {
    let tags = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(tags.collect()))
        .build()
}

/// The tags of an answer.
pub(super) fn tags(of: &[Tag]) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    of.iter().filter_map(pair).collect()
}

/// Pauses that grow, up to a limit.
pub(super) struct Patience {
    begun: Instant,
    limit: Duration,
    pause: Duration,
}

impl Patience {
    pub(super) fn of(limit: Duration) -> Self {
        Self {
            begun: Instant::now(),
            limit,
            pause: FIRST_PAUSE,
        }
    }

    /// Pauses; `false` if the limit is reached.
    pub(super) async fn pause(&mut self) -> bool {
        if self.begun.elapsed() >= self.limit {
            return false;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }

    pub(super) fn too_late(&self, what: impl Into<String>, state: impl Into<String>) -> Ec2Error {
        Ec2Error::TooLate {
            what: what.into(),
            state: state.into(),
            seconds: self.limit.as_secs(),
        }
    }
}

/// Repeats a call while `is_passing` says that its error passes, for at most `limit`.
pub(super) async fn insist<T, F>(
    limit: Duration,
    is_passing: impl Fn(&CallError) -> bool,
    mut call: impl FnMut() -> F,
) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    let mut patience = Patience::of(limit);
    loop {
        match call().await {
            Err(error) if is_passing(&error) && patience.pause().await => {}
            result => return result,
        }
    }
}

/// Success of a removal: it is gone, by whomever.
pub(super) fn gone<T>(result: Result<T, CallError>) -> Result<(), CallError> {
    match result {
        Err(error) if error.kind() != Kind::NotFound => Err(error),
        _ => Ok(()),
    }
}
