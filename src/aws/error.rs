//! An AWS error for people: which call, what AWS said, what it means, and the way out.

use std::fmt;

use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::settings::Service;

/// What an error means to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The object is not there, or not yet.
    NotFound,
    /// The credentials may not do this.
    Denied,
    /// The credentials are missing, expired or wrong.
    Credentials,
    /// Too many calls for the moment.
    Throttled,
    /// The clocks differ too much.
    ClockSkew,
    /// No answer: no connection, or too late. A call that changes something may have been carried out.
    Unreachable,
    /// The answer is not one of AWS: a proxy, a portal, another server.
    NotAws,
    /// AWS had a trouble of its own.
    Server,
    /// Anything else; the code tells.
    Other,
}

/// One failed call.
#[derive(Debug)]
pub struct CallError {
    service: Service,
    action: &'static str,
    kind: Kind,
    code: String,
    message: String,
    request_id: Option<String>,
}

impl CallError {
    /// Of what the SDK says about a call of an action.
    pub fn new<E>(service: Service, action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let code = error.code().unwrap_or_default().to_owned();
        let status = error.raw_response().map(|response| response.status().as_u16());
        let request_id = error.raw_response().and_then(|response| {
            let headers = response.headers();
            let id = headers
                .get("x-amzn-requestid")
                .or_else(|| headers.get("x-amz-request-id"));
            id.map(str::to_owned)
        });
        let message = match error.message() {
            Some(message) if !message.is_empty() => message.to_owned(),
            _ => shortened(&DisplayErrorContext(error).to_string()),
        };
        let kind = kind(error, &code, &message, status);
        Self {
            service,
            action,
            kind,
            code,
            message,
            request_id,
        }
    }

    /// What it means.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// AWS's code, such as `InvalidVolume.NotFound`; empty if there is none.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// AWS's own words.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl std::error::Error for CallError {}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, action, .. } = self;
        let service = service.name();
        match (self.kind, refused_action(&self.message)) {
            // One call may need several permissions: AWS says which one is missing.
            (Kind::Denied, Some(refused)) if refused != format!("{service}:{action}") => write!(
                f,
                "the credentials may not do `{refused}`, which {service} {action} needs; allow this action, or take \
                 another role"
            )?,
            _ => self.about(f)?,
        }
        match self.code.as_str() {
            "" => write!(f, ": {}", self.message)?,
            code => write!(f, ": {code}: {}", self.message)?,
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl CallError {
    /// What an error means, before AWS's own words.
    fn about(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, action, .. } = self;
        let service = service.name();
        match self.kind {
            Kind::Denied => write!(
                f,
                "the credentials may not call `{service}:{action}`; allow this action, or take another role"
            )?,
            Kind::Credentials => write!(
                f,
                "{service} {action}: there are no valid credentials; sign in again (`aws sso login`, new keys), or check \
                 profile and role"
            )?,
            Kind::Throttled => write!(
                f,
                "{service} {action} was throttled all the time; try again later"
            )?,
            Kind::ClockSkew => write!(
                f,
                "{service} {action}: the clock of this machine is wrong; set it"
            )?,
            Kind::Unreachable => write!(
                f,
                "{service} {action}: no answer; check the network, proxy, Region and `endpoints`"
            )?,
            Kind::NotAws => write!(
                f,
                "{service} {action}: what answers is not AWS; check proxy and `endpoints`"
            )?,
            Kind::NotFound | Kind::Server | Kind::Other => write!(f, "{service} {action}")?,
        }
        Ok(())
    }
}

/// The action that AWS says is not allowed: not always that of the call.
fn refused_action(message: &str) -> Option<&str> {
    let rest = message.split("not authorized to perform: ").nth(1)?;
    let action = rest.split_whitespace().next()?;
    let (service, name) = action.split_once(':')?;
    let is_word = |text: &str, more: &str| {
        (1..=64).contains(&text.len())
            && text
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
    };
    (is_word(service, "-") && is_word(name, "")).then_some(action)
}

fn kind<E>(error: &SdkError<E, HttpResponse>, code: &str, message: &str, status: Option<u16>) -> Kind {
    match error {
        SdkError::TimeoutError(_) => return Kind::Unreachable,
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            return Kind::Unreachable;
        }
        // Credentials are got when a call is put together.
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => return Kind::Credentials,
        SdkError::ResponseError(_) if status.is_some_and(|status| status >= 500) => return Kind::Server,
        SdkError::ResponseError(_) => return Kind::NotAws,
        _ => {}
    }
    match code {
        "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" => {
            Kind::Denied
        }
        "SignatureDoesNotMatch" | "InvalidSignatureException" if message.contains("expired") => {
            Kind::ClockSkew
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "AuthFailure"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "MissingAuthenticationToken"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException" => Kind::Credentials,
        "RequestTimeTooSkewed" | "RequestInTheFuture" => Kind::ClockSkew,
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "SlowDown"
        | "TooManyRequestsException"
        | "RequestThrottled"
        | "EC2ThrottledException"
        | "PriorRequestNotComplete" => Kind::Throttled,
        "NoSuchKey"
        | "NoSuchBucket"
        | "NoSuchEntity"
        | "NoSuchHostedZone"
        | "NotFound"
        | "NotFoundException"
        | "NoSuchResourceException"
        | "ResourceNotFoundException" => Kind::NotFound,
        _ if code.ends_with(".NotFound") || code.ends_with("NotFoundException") => Kind::NotFound,
        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "Unavailable" => Kind::Server,
        "" if status.is_some_and(|status| status >= 500) => Kind::Server,
        "" if status.is_none_or(|status| status != 304 && status != 404) => Kind::NotAws,
        _ => Kind::Other,
    }
}

/// Foreign text goes into a diagnostic: one line of a bounded length.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 600;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
