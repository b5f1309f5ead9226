//! S3's clock, read from the `Date` of every answer and counted on in between.
//!
//! `Date` and `Last-Modified` are whole seconds, cut off. An answer's time is therefore up to a second early, and
//! so is the time at which a document was written: an age may be wrong by a second in either direction, and a
//! document written in the second in which a step began looks older than the step. That is the safe side: a
//! status is waited for once more, never believed although it is old.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};

use crate::clock::Timestamp;

/// An earlier time than the one counted on is taken for a late answer within this time, and believed after it.
const TRUSTED_FOR: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy)]
struct Told {
    time: Timestamp,
    at: Instant,
}

impl Told {
    fn counted_on(self, at: Instant) -> Timestamp {
        self.time.after(at.saturating_duration_since(self.at))
    }
}

/// The last time that S3 told. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<Mutex<Option<Told>>>);

impl Clock {
    /// The time, if an answer told it at most this long ago.
    pub(super) fn now(&self, at_most: Duration) -> Option<Timestamp> {
        let told = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        (told.at.elapsed() <= at_most).then(|| told.counted_on(Instant::now()))
    }

    /// Takes the time of an answer. One that was long under way tells an old time, so an earlier time than the
    /// counted one is left alone for a while.
    fn hear(&self, time: Timestamp, at: Instant) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_better = told.is_none_or(|told| {
            time >= told.counted_on(at) || at.saturating_duration_since(told.at) > TRUSTED_FOR
        });
        if is_better {
            *told = Some(Told { time, at });
        }
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "StoreClock"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        // Only what S3 itself says: a proxy's own answers have a date, too.
        let is_of_s3 = ["x-amz-request-id", "x-amzn-requestid"].map(|name| headers.get(name).is_some());
        if is_of_s3.contains(&true)
            && let Some(date) = headers.get("date")
            && let Ok(date) = DateTime::from_str(date, DateTimeFormat::HttpDate)
            && let Ok(seconds) = u64::try_from(date.secs())
        {
            self.hear(
                Timestamp::from_millis(seconds.saturating_mul(1_000)),
                Instant::now(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_answer_does_not_turn_the_clock_back_and_a_wrong_one_does_not_stay() {
        let clock = Clock::default();
        assert_eq!(clock.now(TRUSTED_FOR), None);
        let began = Instant::now();
        let second = |s: u64| Timestamp::from_millis(s * 1_000);
        let at = |s: u64| began + Duration::from_secs(s);
        let counted = |s: u64| clock.0.lock().unwrap().unwrap().counted_on(at(s));
        clock.hear(second(1_000), at(0));
        clock.hear(second(1_001), at(10));
        assert_eq!(counted(10), second(1_010), "an answer that was nine seconds late");
        clock.hear(second(1_011), at(10));
        assert_eq!(counted(12), second(1_013), "the clocks of S3 differ by a second");
        clock.hear(second(9_000), at(13));
        assert_eq!(counted(13), second(9_000));
        clock.hear(second(1_075), at(75));
        assert_eq!(counted(75), second(1_075), "a wrong time is forgotten");
    }
}
