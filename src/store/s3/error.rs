//! Why a call of S3 failed: where, why, and the way out.

use crate::aws::CallError;
use crate::store::Error;

/// Why a call of S3 failed.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// The credentials may not do it.
    #[error(
        "no permission for `{location}`: the policy of this role must allow `s3:{action}` on it, and the use of the \
         bucket's KMS key{hint}"
    )]
    Denied {
        /// The action, as policies name it.
        action: &'static str,
        /// The object.
        location: String,
        /// What else it may come from.
        hint: String,
        /// AWS's words.
        #[source]
        cause: CallError,
    },
    /// There is no such bucket.
    #[error("there is no bucket `{bucket}`; name the right bucket, Region and account")]
    NoBucket {
        /// The bucket.
        bucket: String,
    },
    /// The bucket lies elsewhere.
    #[error(
        "the bucket `{bucket}` is in another Region ({region}); set this Region, or name a bucket of this one"
    )]
    OtherRegion {
        /// The bucket.
        bucket: String,
        /// Its Region, if the answer tells.
        region: String,
    },
    /// No valid credentials.
    #[error("no valid credentials for `{location}`; sign in again, or check profile and role")]
    Credentials {
        /// The object.
        location: String,
        /// AWS's words.
        #[source]
        cause: CallError,
    },
    /// This machine's clock.
    #[error("S3 refuses requests since the clock of this machine is wrong by more than 15 minutes; set it")]
    ClockSkew {
        /// AWS's words.
        #[source]
        cause: CallError,
    },
    /// Another server answered.
    #[error("what answers for `{location}` is not S3; check proxy and `endpoints`")]
    NotS3 {
        /// The object.
        location: String,
        /// What was wrong; `None` if an answer lacked what all of S3 have.
        #[source]
        cause: Option<CallError>,
    },
    /// Nobody answered, or with troubles of its own, for the whole time.
    #[error(
        "no answer from S3 for `{location}`; check network, VPC endpoint, proxy and Region, and run again"
    )]
    NoAnswer {
        /// The object.
        location: String,
        /// The last failure.
        #[source]
        cause: CallError,
    },
    /// Too many calls for the whole time.
    #[error("S3 asked for fewer calls all the time, for `{location}`; run again later")]
    Throttled {
        /// The object.
        location: String,
        /// The last failure.
        #[source]
        cause: CallError,
    },
    /// A write without an answer whose fate cannot be told any more.
    #[error(
        "whether `{location}` was written is not known: there was no answer, and others have written since; run again"
    )]
    Uncertain {
        /// The object.
        location: String,
    },
    /// There is no `store.json`.
    #[error(
        "the control store `{location}` is not there (no `store.json` in it); restore its objects, or name the right \
         bucket and prefix"
    )]
    Gone {
        /// Bucket and prefix.
        location: String,
    },
    /// Other people's objects.
    #[error(
        "`{location}` is no control store but holds other objects (`{found}`); name an empty or new prefix"
    )]
    NotOurs {
        /// Bucket and prefix.
        location: String,
        /// One of the objects.
        found: String,
    },
    /// No answer has a date.
    #[error("the answers for `{location}` do not tell S3's time; check proxy and `endpoints`")]
    NoTime {
        /// Bucket and prefix.
        location: String,
    },
    /// Some versions resist.
    #[error(
        "a version of `{location}` could not be removed ({code}); look for object locks and denied `s3:DeleteObjectVersion`"
    )]
    Kept {
        /// The first such object.
        location: String,
        /// S3's code.
        code: String,
    },
    /// A list without an end.
    #[error("the list of `{location}` does not end; look into the bucket")]
    Endless {
        /// Bucket and prefix.
        location: String,
    },
    /// A document broke off in the middle each time.
    #[error(
        "`{location}` broke off in the middle each time it was read; check network and proxy, and run again"
    )]
    CutOff {
        /// The object.
        location: String,
    },
    /// Anything else.
    #[error("S3 refused {action} of `{location}`")]
    Other {
        /// The action.
        action: &'static str,
        /// The object.
        location: String,
        /// AWS's words.
        #[source]
        cause: CallError,
    },
}

impl From<S3Error> for Error {
    fn from(cause: S3Error) -> Self {
        Self::S3(Box::new(cause))
    }
}
