//! A broker that answers as a test tells it. It writes its answers byte by byte, so that the codec under test
//! does not check itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::kafka::client::ClientConfig;

/// Key of `ListPartitionReassignments`, a call that changes nothing.
pub(super) const LIST: i16 = 46;

/// Key of `UnregisterBroker`, a call that changes something.
pub(super) const UNREGISTER: i16 = 64;

const API_VERSIONS: i16 = 18;

/// A request as the fake broker saw it.
pub(super) struct Request {
    /// Counts the requests of all connections, greetings left out, from 1.
    pub(super) number: usize,
    pub(super) version: i16,
    correlation: i32,
    /// What follows the header.
    pub(super) body: Vec<u8>,
}

/// What the fake broker does about a request.
pub(super) enum Reply {
    /// Sends these bytes behind the right length and a header of version 1 with the right correlation id.
    Body(Vec<u8>),
    /// Sends these bytes as they are.
    Raw(Vec<u8>),
    /// Waits, then does something else.
    After(Duration, Box<Reply>),
    /// Does something, then closes the connection.
    ThenClose(Box<Reply>),
    Close,
    Silence,
}

impl Reply {
    /// An answer with a header of version 0, as greetings have.
    pub(super) fn answer(request: &Request, body: &[u8]) -> Self {
        let mut bytes = request.correlation.to_be_bytes().to_vec();
        bytes.extend_from_slice(body);
        Self::Raw(framed(&bytes))
    }
}

/// Bytes behind their length.
pub(super) fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(bytes);
    frame
}

/// The greeting of a broker that offers these APIs: key, first and last version.
pub(super) fn api_versions(request: &Request, offers: &[(i16, i16, i16)]) -> Reply {
    let mut body = vec![0, 0, u8::try_from(offers.len() + 1).unwrap()];
    for (key, first, last) in offers {
        for number in [key, first, last] {
            body.extend_from_slice(&number.to_be_bytes());
        }
        body.push(0);
    }
    body.extend_from_slice(&[0, 0, 0, 0, 0]);
    Reply::answer(request, &body)
}

/// An answer to `ListPartitionReassignments`: nothing moves.
pub(super) fn no_moves() -> Reply {
    Reply::Body(vec![0, 0, 0, 0, 0, 0, 0, 1, 0])
}

/// An answer to `UnregisterBroker`.
pub(super) fn unregistered(code: i16, message: &str) -> Reply {
    let mut body = vec![0, 0, 0, 0];
    body.extend_from_slice(&code.to_be_bytes());
    body.push(u8::try_from(message.len() + 1).unwrap());
    body.extend_from_slice(message.as_bytes());
    body.push(0);
    Reply::Body(body)
}

type Script = dyn Fn(&Request) -> Reply + Send + Sync;

#[derive(Default)]
struct Log {
    connections: usize,
    requests: Vec<(i16, i16)>,
    numbered: usize,
}

/// Listens until it is dropped.
pub(super) struct FakeBroker {
    port: u16,
    log: Arc<Mutex<Log>>,
    task: JoinHandle<()>,
}

impl FakeBroker {
    /// A broker that offers [`LIST`] and [`UNREGISTER`] and answers them by `script`.
    pub(super) async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let greeting = |request: &Request| {
            api_versions(request, &[(API_VERSIONS, 0, 4), (LIST, 0, 0), (UNREGISTER, 0, 0)])
        };
        Self::with_versions(greeting, script).await
    }

    /// A broker that greets by a script of its own.
    pub(super) async fn with_versions(
        greeting: impl Fn(&Request) -> Reply + Send + Sync + 'static,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Log::default()));
        let scripts: Arc<(Box<Script>, Box<Script>)> = Arc::new((Box::new(greeting), Box::new(script)));
        let shared = log.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.lock().unwrap().connections += 1;
                tokio::spawn(serve(stream, scripts.clone(), shared.clone()));
            }
        });
        Self { port, log, task }
    }

    pub(super) fn config(&self) -> ClientConfig {
        ClientConfig::new("127.0.0.1", self.port)
    }

    pub(super) fn connections(&self) -> usize {
        self.log.lock().unwrap().connections
    }

    /// Key and version of each request so far.
    pub(super) fn seen(&self) -> Vec<(i16, i16)> {
        self.log.lock().unwrap().requests.clone()
    }
}

impl Drop for FakeBroker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, scripts: Arc<(Box<Script>, Box<Script>)>, log: Arc<Mutex<Log>>) {
    while let Ok(length) = stream.read_u32().await {
        let mut frame = vec![0; length.try_into().unwrap()];
        stream.read_exact(&mut frame).await.unwrap();
        let number = |at: usize| i16::from_be_bytes(frame[at..at + 2].try_into().unwrap());
        let (key, version) = (number(0), number(2));
        let client_id = usize::try_from(number(8)).unwrap();
        let mut request = Request {
            number: 0,
            version,
            correlation: i32::from_be_bytes(frame[4..8].try_into().unwrap()),
            body: frame[10 + client_id + 1..].to_vec(),
        };
        {
            let mut log = log.lock().unwrap();
            log.requests.push((key, version));
            if key != API_VERSIONS {
                log.numbered += 1;
                request.number = log.numbered;
            }
        }
        let script = if key == API_VERSIONS {
            &scripts.0
        } else {
            &scripts.1
        };
        if !reply(&mut stream, &request, script(&request)).await {
            return;
        }
    }
}

/// Does what is said; false if the connection ends with it.
async fn reply(stream: &mut TcpStream, request: &Request, said: Reply) -> bool {
    match said {
        Reply::Body(body) => {
            let mut bytes = request.correlation.to_be_bytes().to_vec();
            bytes.push(0);
            bytes.extend_from_slice(&body);
            stream.write_all(&framed(&bytes)).await.is_ok()
        }
        Reply::Raw(bytes) => stream.write_all(&bytes).await.is_ok(),
        Reply::After(pause, next) => {
            tokio::time::sleep(pause).await;
            Box::pin(reply(stream, request, *next)).await
        }
        Reply::ThenClose(first) => {
            Box::pin(reply(stream, request, *first)).await;
            false
        }
        Reply::Close => false,
        Reply::Silence => true,
    }
}
