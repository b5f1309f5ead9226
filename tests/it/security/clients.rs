//! Clients that we did not write: `openssl` and librdkafka (Python's `confluent_kafka`).

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

/// Runs `openssl` and answers whether it ended well, and all that it printed.
pub(super) fn openssl(arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("these tests need `openssl` on PATH");
    (output.status.success(), text(&output))
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Certificate and key of somebody, as PEM files.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// A certificate authority of the users, made with `openssl`.
pub(super) struct ClientAuthority {
    directory: PathBuf,
}

impl ClientAuthority {
    pub(super) fn create(directory: &Path) -> Self {
        let this = Self {
            directory: directory.to_owned(),
        };
        let (key, certificate) = (this.path("users-ca.key"), this.path("users-ca.pem"));
        let arguments =
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=users";
        let mut arguments: Vec<&str> = arguments.split(' ').collect();
        arguments.extend(["-keyout", &key, "-out", &certificate]);
        let (is_ok, said) = openssl(&arguments);
        assert!(is_ok, "{said}");
        this
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }

    pub(super) fn pem(&self) -> String {
        fs::read_to_string(self.path("users-ca.pem")).unwrap()
    }

    /// A client certificate with exactly this subject, such as `/CN=app`.
    pub(super) fn sign(&self, name: &str, subject: &str) -> Identity {
        let [key, request, certificate] =
            ["key", "csr", "pem"].map(|end| self.path(&format!("{name}.{end}")));
        let arguments = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        let mut arguments: Vec<&str> = arguments.split(' ').collect();
        arguments.extend(["-subj", subject, "-keyout", &key, "-out", &request]);
        let (is_ok, said) = openssl(&arguments);
        assert!(is_ok, "{said}");
        let authority = (self.path("users-ca.pem"), self.path("users-ca.key"));
        let (is_ok, said) = openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-days",
            "30",
            "-CAcreateserial",
            "-CA",
            &authority.0,
            "-CAkey",
            &authority.1,
            "-out",
            &certificate,
        ]);
        assert!(is_ok, "{said}");
        Identity {
            certificate: certificate.into(),
            key: key.into(),
        }
    }
}

/// What a handshake came to.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) is_done: bool,
    pub(super) said: String,
}

/// Asks which requests the broker knows (`ApiVersions` in version 0, number 77).
const QUESTION: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 77, 0xff, 0xff];

/// A TLS handshake with `openssl s_client`. With TLS 1.3 a client certificate is refused only after the
/// handshake, so it is done when a request is answered: right or wrong, there is an end.
pub(super) fn handshake(
    port: u16,
    authority: &Path,
    identity: Option<&Identity>,
    version: &str,
) -> Handshake {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-quiet", "-verify_return_error", version, "-connect"])
        .arg(format!("127.0.0.1:{port}"))
        .arg("-CAfile")
        .arg(authority);
    if let Some(identity) = identity {
        command.arg("-cert").arg(&identity.certificate);
        command.arg("-key").arg(&identity.key);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("these tests need `openssl` on PATH");
    let mut input = child.stdin.take().unwrap();
    // A refused handshake closes the pipe.
    let _ = input.write_all(&QUESTION);
    let _ = input.flush();
    let mut answer = [0; 8];
    let is_answered = child.stdout.as_mut().unwrap().read_exact(&mut answer).is_ok();
    drop(input);
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    Handshake {
        is_done: is_answered && answer.ends_with(&[0, 0, 0, 77]),
        said: text(&output),
    }
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/security/client.py");

fn python() -> Command {
    let program = std::env::var("MSK_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(program);
    command.arg(SCRIPT).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// What librdkafka says of one step: `ok`, or the name of the error, and the errors on the way.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: Value,
    pub(crate) error: Option<String>,
    pub(crate) events: String,
}

/// Runs steps of the foreign client, one process for all of them.
pub(crate) fn ask(steps: &[Value]) -> Vec<Said> {
    let mut child = python()
        .spawn()
        .expect("MSK_TEST_PYTHON names a Python with confluent_kafka");
    let mut input = child.stdin.take().unwrap();
    input.write_all(json!(steps).to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: MSK_TEST_PYTHON has to have confluent_kafka\n{}",
            text(&output)
        )
    });
    let answers = answers.into_iter().map(|answer| Said {
        ok: answer["ok"].clone(),
        error: answer["error"].as_str().map(str::to_owned),
        events: answer["events"].to_string(),
    });
    answers.collect()
}

/// One step with the settings of a client.
pub(crate) fn step(what: &str, config: &Value, more: Value) -> Value {
    let mut step = json!({ "do": what, "config": config });
    if let Value::Object(more) = more {
        step.as_object_mut().unwrap().extend(more);
    }
    step
}

/// Producers that go on until they are asked for their result.
pub(super) struct Load(Child);

impl Load {
    pub(super) fn start(steps: &[Value]) -> Self {
        let mut child = python().arg("load").spawn().expect("MSK_TEST_PYTHON");
        let input = child.stdin.as_mut().unwrap();
        writeln!(input, "{}", json!(steps)).unwrap();
        Self(child)
    }

    /// Ends the producers and answers what became of their records.
    pub(super) fn end(mut self) -> Vec<Value> {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)))
    }
}
