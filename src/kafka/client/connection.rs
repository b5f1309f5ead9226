//! One connection to one broker: framing, correlation ids, versions. One request at a time.
//!
//! A connection that returned an error other than [`Error::NotOffered`], [`Error::BadRequest`] and
//! [`Error::Refused`], or whose future was dropped half-way, must not be used again: its stream may be out of
//! step. [`super::session`] sees to that.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut, TryGetError};
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::StrBytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroize;

use super::api::Api;
use super::error::Error;
use super::error_code::ErrorCode;
use super::session::Target;
use super::tls::server_name;
use super::wire::{CheckedBuf, LENGTH_BYTES, decode_body, decode_header, encode_frame};

/// Answers before the login are small; nobody unknown makes us take more.
const MAX_EARLY_ANSWER: usize = 256 * 1024;

/// The first piece of memory for an answer; it grows with what arrives, not with what is announced.
const FIRST_BUFFER: usize = 16 * 1024;

/// Kafka 4.3 has 88 APIs.
const MAX_APIS: usize = 1000;

trait Transport: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Transport for T {}

/// The versions of one API that the broker offers.
#[derive(Debug, Clone, Copy)]
struct Offer {
    key: i16,
    first: i16,
    last: i16,
}

/// An answer with the version that it was given in.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub(super) body: T,
    pub(super) version: i16,
}

/// An open connection, logged in if the target asks for it.
pub(super) struct Connection {
    stream: Box<dyn Transport>,
    broker: String,
    client_id: StrBytes,
    correlation: i32,
    offers: Vec<Offer>,
    max_answer: usize,
}

impl Connection {
    /// Connects, agrees on versions, logs in.
    pub(super) async fn open(target: &Target) -> Result<Self, Error> {
        let broker = target.broker.clone();
        let address = (target.host.as_str(), target.port);
        let lost = |cause| Error::Connect {
            broker: broker.clone(),
            cause,
        };
        let tcp = TcpStream::connect(address).await.map_err(lost)?;
        // Requests are single writes that wait for their answer; Nagle's algorithm only delays them.
        tcp.set_nodelay(true).map_err(lost)?;
        let stream: Box<dyn Transport> = match &target.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let name = match &tls.server_name {
                    Some(name) => name.clone(),
                    None => server_name(&target.host).map_err(|error| Error::Tls {
                        broker: broker.clone(),
                        cause: io::Error::new(io::ErrorKind::InvalidData, error),
                    })?,
                };
                let handshake = TlsConnector::from(tls.config.clone()).connect(name, tcp);
                let stream = handshake.await.map_err(|cause| Error::Tls {
                    broker: broker.clone(),
                    cause,
                })?;
                Box::new(stream)
            }
        };
        let mut connection = Self {
            stream,
            broker,
            client_id: StrBytes::from_string(target.client_id.clone()),
            correlation: 0,
            offers: Vec::new(),
            max_answer: MAX_EARLY_ANSWER,
        };
        connection.agree_on_versions().await?;
        if let Some(login) = &target.login {
            super::sasl::log_in(&mut connection, login).await?;
        }
        connection.max_answer = target.max_answer;
        Ok(connection)
    }

    /// Sends one request in the newest version that both sides know, and reads its answer.
    pub(super) async fn call<R: Api>(
        &mut self,
        build: impl FnOnce(i16) -> R,
    ) -> Result<Answer<R::Response>, Error> {
        let version = self.version::<R>()?;
        self.call_version(&build(version), version).await
    }

    /// Whether the peer has closed the connection, or sent what nobody asked for.
    pub(super) fn is_stale(&mut self) -> bool {
        let mut byte = [0; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(std::task::Waker::noop());
        !matches!(
            Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer),
            Poll::Pending
        )
    }

    /// The newest version of the API that both sides know.
    pub(super) fn version<R: Api>(&self) -> Result<i16, Error> {
        let offer = self.offers.iter().find(|offer| offer.key == R::KEY);
        let common = offer.and_then(|offer| {
            let version = offer.last.min(R::LAST);
            (version >= offer.first.max(R::FIRST)).then_some(version)
        });
        common.ok_or_else(|| Error::NotOffered {
            api: R::NAME,
            broker: self.broker.clone(),
            offered: offer.map_or_else(
                || "no version".to_owned(),
                |offer| format!("versions {} to {}", offer.first, offer.last),
            ),
            needed: format!("one of {} to {}", R::FIRST, R::LAST),
        })
    }

    /// A name for error texts.
    pub(super) fn broker(&self) -> &str {
        &self.broker
    }

    /// Tells the peer that we are done. Errors do not matter: the socket is closed either way.
    pub(super) async fn shut_down(mut self) {
        let _ = self.stream.shutdown().await;
    }

    async fn call_version<R: Api>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<Answer<R::Response>, Error> {
        let frame = self.exchange(request, version).await?;
        let body = decode_body(frame, version).map_err(|reason| self.bad_answer(R::NAME, reason))?;
        Ok(Answer { body, version })
    }

    /// Sends one request and gives what follows the header of its answer.
    async fn exchange<R: Api>(&mut self, request: &R, version: i16) -> Result<CheckedBuf, Error> {
        self.correlation = self.correlation.wrapping_add(1);
        let sent = self.correlation;
        let frame = encode_frame(request, version, sent, &self.client_id)
            .map_err(|reason| Error::BadRequest { api: R::NAME, reason })?;
        let mut answer = CheckedBuf::new(self.send_and_receive(R::NAME, frame).await?);
        let received =
            decode_header::<R>(&mut answer, version).map_err(|reason| self.bad_answer(R::NAME, reason))?;
        if received != sent {
            let reason = format!("it answers request {received}, not {sent}");
            return Err(self.bad_answer(R::NAME, reason));
        }
        Ok(answer)
    }

    /// Writes a whole frame and reads one, without its length.
    pub(super) async fn send_and_receive(
        &mut self,
        api: &'static str,
        mut frame: BytesMut,
    ) -> Result<Bytes, Error> {
        let written = async {
            self.stream.write_all(&frame).await?;
            self.stream.flush().await
        }
        .await;
        // Requests may hold salted passwords.
        frame.as_mut().zeroize();
        written.map_err(|cause| self.lost(api, cause))?;

        let mut length = [0; LENGTH_BYTES];
        self.stream
            .read_exact(&mut length)
            .await
            .map_err(|cause| self.lost(api, cause))?;
        let announced = i32::from_be_bytes(length);
        let length = usize::try_from(announced)
            .ok()
            .filter(|&length| length <= self.max_answer);
        let Some(length) = length else {
            let limit = self.max_answer;
            return Err(self.bad_answer(api, format!("length {announced} is not between 0 and {limit}")));
        };
        let mut body = BytesMut::with_capacity(length.min(FIRST_BUFFER));
        while body.len() < length {
            let missing = u64::try_from(length - body.len()).unwrap_or(u64::MAX);
            let mut rest = (&mut self.stream).take(missing);
            let count = rest
                .read_buf(&mut body)
                .await
                .map_err(|cause| self.lost(api, cause))?;
            if count == 0 {
                return Err(self.lost(api, io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(body.freeze())
    }

    pub(super) fn bad_answer(&self, api: &'static str, reason: String) -> Error {
        Error::BadAnswer {
            api,
            broker: self.broker.clone(),
            reason,
        }
    }

    fn lost(&self, api: &'static str, cause: io::Error) -> Error {
        let broker = self.broker.clone();
        // With TLS 1.3 the broker's refusal of our certificate arrives when we believe to be connected.
        if cause.kind() == io::ErrorKind::InvalidData {
            return Error::Tls { broker, cause };
        }
        Error::ConnectionLost { api, broker, cause }
    }

    /// Asks which versions the broker offers. A broker that does not know our version of this very question
    /// answers in version 0 with `UNSUPPORTED_VERSION` and tells the versions that it knows.
    async fn agree_on_versions(&mut self) -> Result<(), Error> {
        const NAME: &str = ApiVersionsRequest::NAME;
        let request = who_we_are();
        let mut version = ApiVersionsRequest::LAST;
        loop {
            let answer = self.exchange(&request, version).await?;
            let code = answer.chunk().first_chunk().map(|&code| i16::from_be_bytes(code));
            if code != Some(ErrorCode::UNSUPPORTED_VERSION.0) {
                let body: ApiVersionsResponse =
                    decode_body(answer, version).map_err(|reason| self.bad_answer(NAME, reason))?;
                super::error::KafkaError::check(body.error_code, None).map_err(|cause| Error::Refused {
                    api: NAME,
                    broker: self.broker.clone(),
                    cause,
                })?;
                let offers = body.api_keys.iter();
                self.offers = offers
                    .map(|offer| Offer {
                        key: offer.api_key,
                        first: offer.min_version,
                        last: offer.max_version,
                    })
                    .collect();
                self.offers.truncate(MAX_APIS);
                return Ok(());
            }
            self.offers = old_offers(answer).map_err(|reason| self.bad_answer(NAME, reason))?;
            let lower = self.version::<ApiVersionsRequest>()?;
            if lower >= version {
                return Err(self.bad_answer(NAME, format!("version {lower} is offered and refused")));
            }
            version = lower;
        }
    }
}

/// The question for versions and features, in which a client names itself.
pub(super) fn who_we_are() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str(env!("CARGO_PKG_NAME")))
        .with_client_software_version(StrBytes::from_static_str(crate::version::VERSION))
}

/// Version 0 of the answer to `ApiVersions`, which is older than variable-length integers.
fn old_offers(mut body: CheckedBuf) -> Result<Vec<Offer>, String> {
    let short = |error: TryGetError| error.to_string();
    body.try_get_i16().map_err(short)?;
    let count = usize::try_from(body.try_get_i32().map_err(short)?).unwrap_or(usize::MAX);
    if count > MAX_APIS || count * 6 > body.remaining() {
        return Err(format!("{count} APIs in {} bytes", body.remaining()));
    }
    let mut offers = Vec::with_capacity(count);
    for _ in 0..count {
        offers.push(Offer {
            key: body.try_get_i16().map_err(short)?,
            first: body.try_get_i16().map_err(short)?,
            last: body.try_get_i16().map_err(short)?,
        });
    }
    Ok(offers)
}
