//! The process of a plugin, from its start by the host to its end.
//!
//! It ends when the host asks for it, when the host is gone, or at SIGTERM. SIGINT reaches the whole
//! process group of a terminal and is left to the host, which then calls `StopProvider`.

mod connection;
mod go_plugin;
mod handshake;
mod host_command;
mod log;
mod socket;
mod tls;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::diagnostics::chain;
use super::resource::Provider;
use super::server::{Calls, LARGEST_MESSAGE, Rpc, Server};
use super::wire::plugin::grpc_broker_server::GrpcBrokerServer;
use super::wire::plugin::grpc_controller_server::GrpcControllerServer;
use super::wire::plugin::grpc_stdio_server::GrpcStdioServer;
use super::wire::tfplugin6::provider_server::ProviderServer;
use connection::Connection;
use handshake::Environment;
pub use socket::Error as SocketError;
use socket::Socket;
pub use tls::Error as TlsError;

/// How long a host that lost its connection may take to come back.
const RECONNECT_TIME: Duration = Duration::from_millis(500);
/// How often to look whether the parent process is still the same.
const PARENT_CHECK: Duration = Duration::from_secs(1);
/// How long to wait for a first connection; hosts give up after a minute.
const FIRST_CONNECTION: Duration = Duration::from_mins(5);
/// How long running calls may go on after SIGTERM.
const CLEAN_STOP: Duration = Duration::from_secs(10);
/// How long the host may take to close its connection after it asked us to end.
const LAST_ANSWER: Duration = Duration::from_millis(100);

/// Why a plugin could not be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Started by hand.
    #[error(
        "this program is a Terraform provider: Terraform or OpenTofu starts it when a configuration needs it"
    )]
    NotAPlugin,
    /// The async runtime or a signal handler could not be set up.
    #[error("start the runtime")]
    Runtime(#[source] io::Error),
    /// No socket.
    #[error("open the socket")]
    Socket(#[source] SocketError),
    /// No TLS.
    #[error("set up the connection to the host")]
    Tls(#[source] TlsError),
    /// The handshake line could not be written.
    #[error("write to stdout")]
    Stdout(#[source] io::Error),
    /// The server failed.
    #[error("serve the host")]
    Server(#[source] tonic::transport::Error),
}

/// Serves the provider to the host that started this process. Returns the exit code of the process.
pub fn serve<P: Provider>(provider: P) -> ExitCode {
    let environment = Environment::of_process();
    if !environment.cookie_is_right {
        return end(Err(Error::NotAPlugin));
    }
    log::start();
    log::report_panics();
    end(run(provider, &Mode::Plugin(environment)))
}

/// Serves the provider to hosts that are told of this process by `TF_REATTACH_PROVIDERS`, which is
/// printed. `address` is the provider's full source address. Ends at SIGINT or SIGTERM.
pub fn serve_for_debugging<P: Provider>(provider: P, address: &str) -> ExitCode {
    log::start();
    end(run(
        provider,
        &Mode::Debug {
            address: address.to_owned(),
        },
    ))
}

enum Mode {
    Plugin(Environment),
    Debug { address: String },
}

fn end(result: Result<(), Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::write_line(&format!("{}\n", chain(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run<P: Provider>(provider: P, mode: &Mode) -> Result<(), Error> {
    // One thread: a handler waits far more than it works, what blocks goes to threads of its own, and a second
    // worker would cost memory (an allocator's arena, libm for the scheduler's statistics).
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let result = runtime.block_on(live(provider, mode));
    // What still runs is abandoned: the host does not wait for it.
    runtime.shutdown_background();
    result
}

async fn live<P: Provider>(provider: P, mode: &Mode) -> Result<(), Error> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let is_destroy = matches!(mode, Mode::Plugin(_)) && host_command::is_destroy();
    let server = Arc::new(Server::new(provider).before_a_destroy(is_destroy));
    let shutdown = Arc::new(Notify::new());
    let connections = Calls::default();

    let wanted = match mode {
        Mode::Plugin(environment) => environment.socket_directory.as_deref(),
        Mode::Debug { .. } => None,
    };
    let socket = Socket::open(wanted).map_err(Error::Socket)?;
    let tls = match mode {
        Mode::Plugin(environment) => announce(&socket, environment)?,
        Mode::Debug { address } => {
            let line = format!(
                "TF_REATTACH_PROVIDERS='{}'\n",
                handshake::reattach(address, &socket.path())
            );
            print(&line)?;
            None
        }
    };

    let (ready, incoming) = mpsc::channel(16);
    let accepting = connection::accept(&socket.listener, tls, connections.clone(), ready);
    let serving = host_rpcs(Arc::clone(&server), Arc::clone(&shutdown), incoming);
    tokio::select! {
        () = accepting => Ok(()),
        result = serving => result.map_err(Error::Server),
        () = shutdown.notified() => {
            let _ = tokio::time::timeout(LAST_ANSWER, connections.until(|count| *count == 0)).await;
            Ok(())
        }
        () = stop_signal(&mut interrupt, &mut terminate, mode) => {
            server.stop();
            let _ = tokio::time::timeout(CLEAN_STOP, server.calls().until(|count| *count == 0)).await;
            Ok(())
        }
        () = host_gone(&connections, mode) => Ok(()),
    }
}

/// Sets up TLS if the host wants it, and prints the handshake line. Connections that come before
/// they are accepted wait in the socket's queue.
fn announce(socket: &Socket, environment: &Environment) -> Result<Option<tokio_rustls::TlsAcceptor>, Error> {
    let (tls, certificate) = match &environment.client_certificate {
        Some(pem) => tls::acceptor(pem)
            .map(|(tls, text)| (Some(tls), text))
            .map_err(Error::Tls)?,
        None => (None, String::new()),
    };
    print(&handshake::line(&socket.path(), &certificate, environment))?;
    Ok(tls)
}

fn print(line: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(line.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(Error::Stdout)
}

async fn host_rpcs<P: Provider>(
    server: Arc<Server<P>>,
    shutdown: Arc<Notify>,
    incoming: mpsc::Receiver<io::Result<Connection>>,
) -> Result<(), tonic::transport::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_service_status("plugin", tonic_health::ServingStatus::Serving)
        .await;
    let provider = ProviderServer::new(Rpc(server))
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(LARGEST_MESSAGE);
    tonic::transport::Server::builder()
        .add_service(provider)
        .add_service(GrpcControllerServer::new(go_plugin::Controller(shutdown)))
        .add_service(GrpcStdioServer::new(go_plugin::Stdio))
        .add_service(GrpcBrokerServer::new(go_plugin::Broker))
        .add_service(health)
        .serve_with_incoming(ReceiverStream::new(incoming))
        .await
}

/// Waits for SIGTERM. SIGINT counts only while debugging; Terraform sees to it otherwise.
async fn stop_signal(interrupt: &mut Signal, terminate: &mut Signal, mode: &Mode) {
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => {
                if matches!(mode, Mode::Debug { .. }) {
                    return;
                }
            }
        }
    }
}

/// Waits until the host has ended without a word: its connection is closed, or our parent is
/// another process. Never while debugging, where connections come and go.
async fn host_gone(connections: &Calls, mode: &Mode) {
    if matches!(mode, Mode::Debug { .. }) {
        return std::future::pending().await;
    }
    tokio::select! {
        () = parent_gone() => {}
        () = connection_gone(connections) => {}
    }
    tracing::warn!("the host is gone");
}

async fn parent_gone() {
    let parent = rustix::process::getppid();
    while rustix::process::getppid() == parent {
        tokio::time::sleep(PARENT_CHECK).await;
    }
}

async fn connection_gone(connections: &Calls) {
    if tokio::time::timeout(FIRST_CONNECTION, connections.until(|count| *count > 0))
        .await
        .is_err()
    {
        return;
    }
    loop {
        connections.until(|count| *count == 0).await;
        let back = connections.until(|count| *count > 0);
        if tokio::time::timeout(RECONNECT_TIME, back).await.is_err() {
            return;
        }
    }
}
