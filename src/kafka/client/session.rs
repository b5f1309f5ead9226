//! Keeps one connection to one broker, opens it when it is needed and gives it up when it may be out of step.

use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::api::Api;
use super::connection::{Answer, Connection};
use super::error::Error;
use super::sasl::ScramLogin;
use super::tls::Tls;
use crate::spec::ids::NodeId;

/// Which broker to talk to, and how.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// IP address or name.
    pub host: String,
    /// Port of a listener of a broker or of a controller.
    pub port: u16,
    /// The node that is expected there; only for error texts.
    pub node: Option<NodeId>,
    /// TLS; `None` talks plain text.
    pub tls: Option<Tls>,
    /// SASL login; `None` for listeners that know us by our certificate, or not at all.
    pub login: Option<ScramLogin>,
    /// How we call ourselves in the broker's logs and metrics.
    pub client_id: String,
    /// The time that one call may take: waiting for the connection, opening it, request and answer.
    pub timeout: Duration,
    /// Answers above this many bytes are refused.
    pub max_answer: usize,
}

impl ClientConfig {
    /// Kafka's own clients give an administrative call one minute.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

    /// Metadata of 200,000 partitions, what one `KRaft` cluster is tested with, takes about 12 MiB.
    pub const DEFAULT_MAX_ANSWER: usize = 32 * 1024 * 1024;

    /// A target with the defaults: plain text, no login, one minute.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            node: None,
            tls: None,
            login: None,
            client_id: env!("CARGO_PKG_NAME").to_owned(),
            timeout: Self::DEFAULT_TIMEOUT,
            max_answer: Self::DEFAULT_MAX_ANSWER,
        }
    }
}

/// What [`Connection::open`] needs.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) broker: String,
    pub(super) tls: Option<Tls>,
    pub(super) login: Option<ScramLogin>,
    pub(super) client_id: String,
    pub(super) max_answer: usize,
}

/// A broker that calls can be sent to. Calls of several tasks wait for each other.
pub(super) struct Session {
    target: StdMutex<Target>,
    broker: String,
    timeout: Duration,
    connection: Mutex<Option<Connection>>,
}

impl Session {
    pub(super) fn new(config: ClientConfig) -> Self {
        let ClientConfig {
            host,
            port,
            node,
            tls,
            login,
            client_id,
            timeout,
            max_answer,
        } = config;
        let address = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let broker = node.map_or_else(|| address.clone(), |node| format!("{node} ({address})"));
        let target = Target {
            host,
            port,
            broker: broker.clone(),
            tls,
            login,
            client_id,
            max_answer,
        };
        Self {
            target: StdMutex::new(target),
            broker,
            timeout,
            connection: Mutex::new(None),
        }
    }

    /// The broker's name in error texts.
    pub(super) fn broker(&self) -> &str {
        &self.broker
    }

    /// The time of one call.
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Uses other certificates from the next connection on.
    pub(super) fn set_tls(&self, tls: Option<Tls>) {
        self.target.lock().unwrap_or_else(PoisonError::into_inner).tls = tls;
    }

    /// Gives the connection up.
    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            // The peer may have stopped reading; then the socket is closed without a farewell.
            let _ = timeout(Duration::from_secs(1), connection.shut_down()).await;
        }
    }

    /// Sends one request and waits for its answer, at most the time of one call.
    pub(super) async fn call<R: Api>(
        &self,
        build: impl Fn(i16) -> R + Send + Sync,
    ) -> Result<Answer<R::Response>, Error> {
        self.call_within(self.timeout, build).await
    }

    /// As [`call`](Self::call), with a time of its own.
    pub(super) async fn call_within<R: Api>(
        &self,
        time: Duration,
        build: impl Fn(i16) -> R + Send + Sync,
    ) -> Result<Answer<R::Response>, Error> {
        self.in_time(R::NAME, time, self.call_once_or_twice(build)).await
    }

    async fn in_time<T>(
        &self,
        api: &'static str,
        time: Duration,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match timeout(time, Box::pin(work)).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut {
                api,
                broker: self.broker.clone(),
                after: time,
            }),
        }
    }

    /// Takes the connection out of its place for the time of the call and puts it back only if it is in step,
    /// so that a caller who gives up half-way closes it.
    async fn call_once_or_twice<R: Api>(
        &self,
        build: impl Fn(i16) -> R + Send + Sync,
    ) -> Result<Answer<R::Response>, Error> {
        let mut place = self.connection.lock().await;
        if let Some(mut connection) = take_fresh(&mut place) {
            let result = connection.call(&build).await;
            // A broker that stops may close the connection when our request is already on the way.
            let lost = matches!(result, Err(Error::ConnectionLost { .. }));
            if !(lost && R::READS_ONLY) {
                if is_in_step(&result) {
                    *place = Some(connection);
                }
                return result;
            }
        }
        let mut connection = self.open().await?;
        let result = connection.call(&build).await;
        if is_in_step(&result) {
            *place = Some(connection);
        }
        result
    }

    async fn open(&self) -> Result<Connection, Error> {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Connection::open(&target).await
    }
}

/// The kept connection, unless the broker has closed it meanwhile.
fn take_fresh(place: &mut Option<Connection>) -> Option<Connection> {
    let mut kept = place.take()?;
    (!kept.is_stale()).then_some(kept)
}

fn is_in_step<T>(result: &Result<T, Error>) -> bool {
    match result {
        Ok(_) => true,
        Err(error) => {
            matches!(
                error,
                Error::NotOffered { .. } | Error::BadRequest { .. } | Error::Refused { .. }
            )
        }
    }
}
