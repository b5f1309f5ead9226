//! A real moto server, one for all tests of this process; it ends with the process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};

use crate::store::{Home, Patience, Prefix, S3Home};

/// Ends when the pipe to its input closes, however this process ends.
///
/// Requests are answered one after the other. Moto by itself checks a condition, shows the new object and then sets
/// its metadata in three steps, between which another request may come; S3 does all of it at once.
const SERVER: &str = "
import logging, sys, threading
logging.disable(logging.CRITICAL)
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication, MotoRequestHandler, create_backend_app)
from werkzeug.serving import make_server
moto = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()
def one_by_one(environ, start_response):
    with lock:
        return moto(environ, start_response)
server = make_server('127.0.0.1', 0, one_by_one, threaded=True, request_handler=MotoRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
";

static SERVER_PORT: OnceLock<(u16, Child)> = OnceLock::new();

/// The port of the server.
pub(super) fn port() -> u16 {
    SERVER_PORT.get_or_init(start).0
}

fn start() -> (u16, Child) {
    let named = ["MSK_STAND_PYTHON", "MSK_TEST_PYTHON"].map(std::env::var);
    let python = named.into_iter().find_map(Result::ok);
    let python = python.unwrap_or_else(|| "python3".to_owned());
    let mut child = Command::new(&python)
        .args(["-c", SERVER])
        .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("MSK_STAND_PYTHON names no Python (`{python}`): {error}"));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let port = line.trim().parse().unwrap_or_else(|_| {
        panic!("`{python}` has no moto: install tests/stand/requirements.txt, and name that Python in MSK_STAND_PYTHON")
    });
    (port, child)
}

/// A client of the server, or of a relay in front of it.
pub(super) fn client(port: u16) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKIDTEST", "not-secret", None, None, "test"))
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .force_path_style(true)
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(2))
                .read_timeout(Duration::from_secs(2))
                .build(),
        )
        .build();
    Client::from_conf(config)
}

/// A prefix of a new bucket with versions.
pub(super) async fn home() -> S3Home {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let bucket = format!("store-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let client = client(port());
    let region = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint("eu-west-1".into())
        .build();
    let create = client.create_bucket().bucket(&bucket);
    create.create_bucket_configuration(region).send().await.unwrap();
    let versioning = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    let versioned = client.put_bucket_versioning().bucket(&bucket);
    versioned
        .versioning_configuration(versioning)
        .send()
        .await
        .unwrap();
    S3Home {
        client,
        bucket,
        prefix: Prefix::parse("team/msk/").unwrap(),
        owner: Some("123456789012".to_owned()),
        kms_key: Some("arn:aws:kms:eu-west-1:123456789012:key/k".to_owned()),
        patience: Patience {
            no_answer: Duration::from_secs(8),
            throttled: Duration::from_secs(8),
        },
    }
}

/// The same home through another port.
pub(super) fn through(home: &S3Home, port: u16) -> S3Home {
    S3Home {
        client: client(port),
        ..home.clone()
    }
}

/// As the store takes it.
pub(super) fn of(home: &S3Home) -> Home {
    Home::S3(home.clone())
}
