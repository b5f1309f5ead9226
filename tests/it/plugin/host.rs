//! The host's side of the plugin protocol, as go-plugin does it: cookie, certificate, handshake line.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hyper_util::rt::TokioIo;
use msk::tfplugin::wire::tfplugin6::DynamicValue;
use msk::tfplugin::wire::tfplugin6::provider_client::ProviderClient;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rmpv::Value;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

pub(super) const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The program of the echo provider, built once per test run.
pub(super) fn echo_provider() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--example",
                "echo-provider",
                "--message-format=short",
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success(), "the echo provider does not build");
        // .../debug/deps/it-1234 -> .../debug/examples/echo-provider
        let me = std::env::current_exe().unwrap();
        me.parent()
            .unwrap()
            .parent()
            .unwrap()
            .join("examples/echo-provider")
    })
}

/// A certificate as go-plugin makes it: P-521, self-signed, a CA that is used as a leaf.
pub(super) struct Identity {
    pub(super) pem: String,
    pub(super) der: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }
}

/// A running plugin, killed when dropped.
pub(super) struct Plugin {
    pub(super) child: Child,
    pub(super) socket: PathBuf,
    pub(super) certificate: Option<CertificateDer<'static>>,
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Plugin {
    /// Starts the echo provider; with an identity it speaks TLS.
    pub(super) fn start(identity: Option<&Identity>) -> Self {
        let mut command = Command::new(echo_provider());
        command
            .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
            .env("PLUGIN_PROTOCOL_VERSIONS", "5,6");
        command.env_remove("PLUGIN_CLIENT_CERT").env_remove("TF_LOG");
        if let Some(identity) = identity {
            command.env("PLUGIN_CLIENT_CERT", &identity.pem);
        }
        Self::start_command(command)
    }

    pub(super) fn start_command(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let fields: Vec<&str> = line.trim_end().split('|').collect();
        assert_eq!(fields.len(), 6, "{line}");
        assert_eq!(
            (fields[0], fields[1], fields[2], fields[4]),
            ("1", "6", "unix", "grpc"),
            "{line}"
        );
        let certificate = (!fields[5].is_empty()).then(|| STANDARD_NO_PAD.decode(fields[5]).unwrap().into());
        Self {
            socket: PathBuf::from(fields[3]),
            certificate,
            child,
        }
    }

    /// Opens a TLS connection with this identity.
    pub(super) async fn connect_tls(&self, config: ClientConfig) -> std::io::Result<TlsStream<UnixStream>> {
        let stream = UnixStream::connect(&self.socket).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// The settings of a client that trusts exactly this plugin.
    pub(super) fn client_config(&self, auth: ClientAuth<'_>) -> ClientConfig {
        let verifier = Arc::new(Trusts(self.certificate.clone().unwrap()));
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match auth {
            ClientAuth::None => builder.with_no_client_auth(),
            ClientAuth::Identity(identity) => builder.with_client_cert_resolver(Arc::new(Shows::new(
                identity.der.clone(),
                identity.key.clone_key(),
            ))),
            ClientAuth::CertificateOf(certificate, key) => builder.with_client_cert_resolver(Arc::new(
                Shows::new(certificate.der.clone(), key.key.clone_key()),
            )),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    /// A gRPC channel to the plugin.
    pub(super) async fn channel(&self, identity: Option<&Identity>) -> Channel {
        let socket = self.socket.clone();
        let endpoint = Endpoint::from_static("http://unused");
        let Some(identity) = identity else {
            let connector = tower::service_fn(move |_| {
                let socket = socket.clone();
                async move { UnixStream::connect(socket).await.map(TokioIo::new) }
            });
            return endpoint.connect_with_connector(connector).await.unwrap();
        };
        let tls = TlsConnector::from(Arc::new(self.client_config(ClientAuth::Identity(identity))));
        let connector = tower::service_fn(move |_| {
            let (socket, tls) = (socket.clone(), tls.clone());
            async move {
                let stream = UnixStream::connect(socket).await?;
                tls.connect(ServerName::try_from("localhost").unwrap(), stream)
                    .await
                    .map(TokioIo::new)
            }
        });
        endpoint.connect_with_connector(connector).await.unwrap()
    }

    pub(super) async fn client(&self, identity: Option<&Identity>) -> ProviderClient<Channel> {
        ProviderClient::new(self.channel(identity).await)
    }

    /// Waits for the end of the process.
    pub(super) async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }

    /// What it wrote to stderr, after its end.
    pub(super) fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    /// Peak memory in KiB.
    pub(super) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// How a client shows who it is.
#[derive(Clone, Copy)]
pub(super) enum ClientAuth<'a> {
    None,
    Identity(&'a Identity),
    /// The first one's certificate with the second one's key.
    CertificateOf(&'a Identity, &'a Identity),
}

#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl Shows {
    fn new(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Self {
        let key = default_provider().key_provider.load_private_key(key).unwrap();
        Self(Arc::new(CertifiedKey::new(vec![certificate], key)))
    }
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Trusts one server certificate.
#[derive(Debug)]
struct Trusts(CertificateDer<'static>);

impl ServerCertVerifier for Trusts {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        assert_eq!(
            end_entity.as_ref(),
            self.0.as_ref(),
            "the plugin shows the certificate it announced"
        );
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Attributes of `echo_thing`, in the order of their names.
const THING: [&str; 16] = [
    "anything",
    "behave",
    "id",
    "labels",
    "mode",
    "name",
    "parts",
    "password_wo",
    "password_wo_version",
    "ports",
    "ratio",
    "result",
    "size",
    "spelling",
    "steps",
    "tags",
];

/// A full `echo_thing` with these attributes set, as msgpack.
pub(super) fn thing(set: &[(&str, Value)]) -> Vec<u8> {
    let names = THING.into_iter().chain(["timeouts", "zone"]);
    let members = names.map(|name| {
        let value = set
            .iter()
            .find(|(other, _)| *other == name)
            .map_or(Value::Nil, |(_, value)| value.clone());
        (Value::from(name), value)
    });
    bytes(&Value::Map(members.collect()))
}

pub(super) fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    bytes
}

/// As a request holds it.
#[expect(clippy::unnecessary_wraps, reason = "messages in requests are optional")]
pub(super) fn message(msgpack: Vec<u8>) -> Option<DynamicValue> {
    Some(DynamicValue {
        msgpack,
        json: Vec::new(),
    })
}

pub(super) fn null() -> Option<DynamicValue> {
    message(vec![0xc0])
}

/// One member of an object that was answered.
pub(super) fn member(answer: Option<&DynamicValue>, name: &str) -> Value {
    let object = rmpv::decode::read_value(&mut &answer.unwrap().msgpack[..]).unwrap();
    let found = object
        .as_map()
        .unwrap()
        .iter()
        .find(|(key, _)| key.as_str() == Some(name))
        .cloned();
    found.unwrap().1
}
