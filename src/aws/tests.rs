//! Calls of a real client against a server that answers what a test wants.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::settings::{AccessKey, AssumeRole, Proxy, Service, Settings};
use super::{CallError, Connection, ConnectionError, Kind};
use crate::secret::Secret;

const IDENTITY: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
    <Arn>arn:aws-cn:iam::123456789012:user/ops</Arn><UserId>AIDA</UserId><Account>123456789012</Account>\
    </GetCallerIdentityResult></GetCallerIdentityResponse>";

fn refusal(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>r-1</RequestId></ErrorResponse>"
    )
}

/// A server that gives these answers (status, content type, body) one after the other, the last one for ever, and
/// keeps what was asked.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn with(answers: Vec<(u16, &'static str, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, next) = (Arc::clone(&asked), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 16_384];
                let mut length = 0;
                loop {
                    let read = stream.read(&mut request[length..]).await.unwrap_or_default();
                    length += read;
                    let text = String::from_utf8_lossy(&request[..length]).into_owned();
                    if read == 0 || is_whole(&text) {
                        log.lock().unwrap().push(text);
                        break;
                    }
                }
                let number = next.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
                let (status, kind, body) = &answers[number];
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\nx-amzn-requestid: r-1\r\n\
                     content-length: {}\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        Self { url, asked }
    }

    async fn xml(status: u16, body: impl Into<String>) -> Self {
        Self::with(vec![(status, "text/xml", body.into())]).await
    }

    fn requests(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.is_none_or(|(_, length)| body.len() >= length.trim().parse::<usize>().unwrap_or_default())
}

fn settings(url: &str) -> Settings {
    Settings {
        region: Some("eu-central-1".to_owned()),
        access_key: Some(AccessKey {
            id: "AKIAEXAMPLE".to_owned(),
            secret: Secret::new("hidden".to_owned()),
            token: None,
        }),
        endpoints: BTreeMap::from([(Service::Sts, url.to_owned())]),
        attempts: 1,
        // Not that of whoever runs the tests.
        proxy: Some(Proxy {
            http: None,
            https: None,
            except: None,
        }),
        ..Settings::default()
    }
}

async fn identity_error(settings: &Settings) -> CallError {
    let connection = Connection::open(settings).await.unwrap();
    match connection.identity().await.unwrap_err() {
        ConnectionError::Identity(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn the_identity_is_asked_once_and_its_account_must_be_one_of_the_allowed() {
    let server = Server::xml(200, IDENTITY).await;
    let mut settings = settings(&server.url);
    settings.allowed_accounts = ["123456789012".to_owned()].into();
    let connection = Connection::open(&settings).await.unwrap();
    for _ in 0..2 {
        let identity = connection.identity().await.unwrap().unwrap();
        assert_eq!(identity.account, "123456789012");
        assert_eq!(identity.partition(), "aws-cn");
    }
    assert_eq!(connection.region(), "eu-central-1");
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].contains("terraform-provider-msk"), "{}", requests[0]);
    assert!(!requests[0].contains("hidden"));

    settings.allowed_accounts = ["210987654321".to_owned()].into();
    let connection = Connection::open(&settings).await.unwrap();
    let error = connection.identity().await.unwrap_err();
    assert!(matches!(error, ConnectionError::NotAllowed { .. }), "{error}");
    assert!(error.to_string().contains("123456789012"));

    settings.allowed_accounts.clear();
    settings.forbidden_accounts = ["123456789012".to_owned()].into();
    let connection = Connection::open(&settings).await.unwrap();
    assert!(matches!(
        connection.identity().await.unwrap_err(),
        ConnectionError::Forbidden { .. }
    ));

    settings.skips_account = true;
    let connection = Connection::open(&settings).await.unwrap();
    assert!(connection.identity().await.unwrap().is_none());
}

#[tokio::test]
async fn every_refusal_says_what_it_means() {
    for (status, code, message, kind, word) in [
        (403, "AccessDenied", "no", Kind::Denied, "`sts:GetCallerIdentity`"),
        (403, "ExpiredToken", "old", Kind::Credentials, "sign in again"),
        (
            403,
            "InvalidClientTokenId",
            "?",
            Kind::Credentials,
            "sign in again",
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "Signature expired: 2026",
            Kind::ClockSkew,
            "clock",
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "wrong",
            Kind::Credentials,
            "sign in again",
        ),
        (400, "Throttling", "slow", Kind::Throttled, "later"),
        (404, "NoSuchEntity", "gone", Kind::NotFound, "NoSuchEntity: gone"),
        (
            500,
            "InternalFailure",
            "oops",
            Kind::Server,
            "InternalFailure: oops",
        ),
        (400, "ValidationError", "bad", Kind::Other, "ValidationError: bad"),
    ] {
        let server = Server::xml(status, refusal(code, message)).await;
        let error = identity_error(&settings(&server.url)).await;
        assert_eq!(error.kind(), kind, "{code}: {error}");
        assert_eq!(error.code(), code);
        let text = error.to_string();
        assert!(text.contains(word) && text.contains("r-1"), "{text}");
    }
}

#[tokio::test]
async fn what_is_not_aws_is_told_from_aws_and_from_nobody() {
    let portal = "<html><body>Please sign in</body></html>".to_owned();
    let server = Server::with(vec![(200, "text/html", portal.clone())]).await;
    let error = identity_error(&settings(&server.url)).await;
    assert_eq!(error.kind(), Kind::NotAws, "{error}");
    let server = Server::with(vec![(407, "text/html", portal)]).await;
    let error = identity_error(&settings(&server.url)).await;
    assert_eq!(error.kind(), Kind::NotAws, "{error}");

    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = identity_error(&settings(&format!("http://{free}"))).await;
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    assert!(error.to_string().contains("endpoints"), "{error}");
}

#[tokio::test]
async fn a_trouble_that_passes_is_waited_out() {
    let trouble = refusal("Throttling", "slow");
    let server = Server::with(vec![
        (503, "text/xml", trouble.clone()),
        (400, "text/xml", trouble),
        (200, "text/xml", IDENTITY.to_owned()),
    ])
    .await;
    let mut settings = settings(&server.url);
    settings.attempts = 5;
    let connection = Connection::open(&settings).await.unwrap();
    connection.identity().await.unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn roles_are_assumed_one_with_the_credentials_of_the_other() {
    let session = |key: &str| {
        format!(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId>\
             <SecretAccessKey>s</SecretAccessKey><SessionToken>t-{key}</SessionToken>\
             <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        )
    };
    let server = Server::with(vec![
        (200, "text/xml", session("ASIAFIRST")),
        (200, "text/xml", session("ASIASECOND")),
        (200, "text/xml", IDENTITY.to_owned()),
    ])
    .await;
    let role = |name: &str| AssumeRole {
        role_arn: format!("arn:aws:iam::123456789012:role/{name}"),
        session_name: Some(format!("as-{name}")),
        external_id: Some("x-1".to_owned()),
        tags: BTreeMap::from([("team".to_owned(), "data".to_owned())]),
        ..AssumeRole::default()
    };
    let mut settings = settings(&server.url);
    settings.assume_roles = vec![role("hub"), role("spoke")];
    let connection = Connection::open(&settings).await.unwrap();
    assert_eq!(server.requests().len(), 0, "opening asks nothing");
    connection.identity().await.unwrap();
    let requests = server.requests();
    let parts = [
        ("AKIAEXAMPLE", "role%2Fhub"),
        ("ASIAFIRST", "role%2Fspoke"),
        ("ASIASECOND", "GetCallerIdentity"),
    ];
    assert_eq!(requests.len(), 3);
    for (request, (key, part)) in requests.iter().zip(parts) {
        assert!(request.contains(key) && request.contains(part), "{request}");
    }
    assert!(requests[0].contains("ExternalId=x-1") && requests[0].contains("team"));
}

#[tokio::test]
async fn an_authority_that_is_none_and_two_proxies_are_refused() {
    let keep = tempfile::tempdir().unwrap();
    let path = camino::Utf8PathBuf::from_path_buf(keep.path().join("ca.pem")).unwrap();
    let mut with_authorities = settings("http://127.0.0.1:1");
    with_authorities.authorities = Some(path.clone());
    let error = Connection::open(&with_authorities).await.unwrap_err();
    assert!(matches!(error, ConnectionError::Authorities { .. }), "{error}");
    std::fs::write(&path, "no certificate").unwrap();
    let error = Connection::open(&with_authorities).await.unwrap_err();
    assert!(error.to_string().contains("ca.pem"), "{error}");

    let mut with_proxies = settings("http://127.0.0.1:1");
    with_proxies.proxy = Some(Proxy {
        http: Some("http://a:1".to_owned()),
        https: Some("http://b:1".to_owned()),
        except: None,
    });
    let error = Connection::open(&with_proxies).await.unwrap_err();
    assert!(matches!(error, ConnectionError::TwoProxies), "{error}");
}
