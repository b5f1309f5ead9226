//! An AWS account of a test's own: moto behind a proxy with AWS's rules (`tests/stand`), without machines.
//!
//! Needs Python 3.11; `scripts/aws-stand` gets its packages once.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use msk::aws::settings::{AccessKey, Settings};
use msk::secret::Secret;
use serde_json::Value;

/// Choices for real machines: disks appear soon.
const MACHINES: &str = r#"{"device_delay": [0.2, 1.0]}"#;

/// A running stand; it ends with the test.
pub(crate) struct Stand {
    directory: tempfile::TempDir,
    exports: BTreeMap<String, String>,
}

impl Stand {
    /// Starts one: a VPC with subnets in three zones, a key, a client group, a bucket.
    pub(crate) fn up() -> Self {
        Self::begin(&["up", "--machines", "none"])
    }

    /// One whose instances are real: namespaces, disks, user data. Needs root, and no other such stand beside it.
    pub(crate) fn with_machines() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "machines of the stand need root"
        );
        Self::begin(&["up", "--machines", "real"])
    }

    fn begin(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text = run(directory.path(), arguments);
        let exports = text.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        });
        let exports: BTreeMap<String, String> = exports.collect();
        assert!(exports.contains_key("AWS_ENDPOINT_URL"), "no stand: {text}");
        Self { directory, exports }
    }

    /// One of the variables that `up` prints.
    #[track_caller]
    pub(crate) fn variable(&self, name: &str) -> &str {
        &self.exports[name]
    }

    /// The subnets.
    pub(crate) fn subnets(&self) -> Vec<String> {
        serde_json::from_str(self.variable("TF_VAR_subnet_ids")).unwrap()
    }

    /// The operator's way to the account.
    pub(crate) fn settings(&self) -> Settings {
        let endpoint = self.variable("AWS_ENDPOINT_URL");
        Settings {
            region: Some(self.variable("AWS_REGION").to_owned()),
            access_key: Some(AccessKey {
                id: self.variable("AWS_ACCESS_KEY_ID").to_owned(),
                secret: Secret::new(self.variable("AWS_SECRET_ACCESS_KEY").to_owned()),
                token: None,
            }),
            endpoints: msk::aws::Service::ALL
                .into_iter()
                .map(|service| (service, endpoint.to_owned()))
                .collect(),
            uses_path_style: true,
            ..Settings::default()
        }
    }

    /// A command in an instance, by its id.
    pub(crate) fn inside(instance: &str, command: &[&str]) -> std::process::Output {
        let python = std::env::var("MSK_STAND_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        Command::new(python)
            .args(["-m", "aws_stand.machines", "exec", instance, "--"])
            .args(command)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand"))
            .env("AWS_STAND_MACHINES", MACHINES)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap()
    }

    /// The file of an instance's network namespace.
    pub(crate) fn network_of(instance: &str) -> String {
        let code = "import sys; from aws_stand.machines import network as n; \
             print(n.path(n.namespace('i', sys.argv[1])))";
        let python = std::env::var("MSK_STAND_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let output = Command::new(python)
            .args(["-c", code, instance])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A command in a client's network, or in an instance by the name of its node.
    pub(crate) fn command_in(&self, place: &str, words: &[&str]) -> Command {
        let mut command = command(self.directory.path(), &["exec", place, "--"]);
        command.args(words);
        command
    }

    /// Ends a node's instance through the EC2 API; its id.
    #[track_caller]
    pub(crate) fn terminate(&self, node: &str) -> String {
        run(self.directory.path(), &["terminate", node]).trim().to_owned()
    }

    /// What the owner of the account does by hand: Python with `boto3`, and words in `sys.argv`; what it printed.
    #[track_caller]
    pub(crate) fn by_hand(&self, code: &str, words: &[&str]) -> String {
        let code = format!("import boto3, json, sys, time\nargument = sys.argv[1:]\n{code}");
        let python = std::env::var("MSK_STAND_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let output = Command::new(python)
            .args(["-c", &code])
            .args(words)
            .envs(&self.exports)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{code}\n{errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The value of a secret, as its owner reads it.
    #[track_caller]
    pub(crate) fn secret(&self, arn: &str) -> Value {
        let code =
            "print(boto3.client('secretsmanager').get_secret_value(SecretId=argument[0])['SecretString'])";
        serde_json::from_str(&self.by_hand(code, &[arn])).unwrap()
    }

    /// All that `up` prints.
    pub(crate) fn exports(&self) -> &BTreeMap<String, String> {
        &self.exports
    }

    /// What stands have left on this machine: namespaces, devices, mounts, processes.
    pub(crate) fn machines_left() -> String {
        let python = std::env::var("MSK_STAND_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let output = Command::new(python)
            .args(["-m", "aws_stand.machines", "left"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What a unit of an instance has written, also after its end.
    pub(crate) fn log(&self, instance: &str, unit: &str) -> String {
        let path = self
            .directory
            .path()
            .join("machines/logs")
            .join(instance)
            .join(format!("{unit}.log"));
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// From now on policies count, as on AWS. The operator's own allow everything.
    pub(crate) fn enforce_policies(&self) {
        self.control("POST", "policies", r#"{"enforce": true}"#);
    }

    /// The calls of these moments, as `service:Action`, oldest first.
    #[track_caller]
    pub(crate) fn calls_during(&self, work: impl FnOnce()) -> Vec<String> {
        let number = |entries: &Value| {
            let last = entries.as_array().and_then(|entries| entries.last());
            last.and_then(|entry| entry["number"].as_u64())
                .unwrap_or_default()
        };
        let before = number(&self.control("GET", "log", ""));
        work();
        let entries = self.control("GET", &format!("log?after={before}"), "");
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let entries = entries.as_array().unwrap();
        entries
            .iter()
            .map(|entry| format!("{}:{}", text(entry, "service"), text(entry, "action")))
            .collect()
    }

    /// A request to the stand itself; its answer.
    #[track_caller]
    pub(crate) fn control(&self, method: &str, path: &str, body: &str) -> Value {
        let address = self
            .variable("AWS_STAND_CONTROL")
            .strip_prefix("http://")
            .unwrap();
        let request = format!(
            "{method} /stand/{path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut connection = TcpStream::connect(address.trim_end_matches('/')).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        assert!(head.contains(" 200 "), "{answer}");
        serde_json::from_str(body).unwrap_or_default()
    }

    /// What exists beyond what `up` made, by kind.
    pub(crate) fn left(&self) -> Value {
        serde_json::from_str(&output(self.directory.path(), &["left"])).unwrap()
    }

    /// Stops the test if a request broke Amazon's public API model, or asked what the stand does not know.
    #[track_caller]
    pub(crate) fn must_be_content(&self) {
        let failures = output(self.directory.path(), &["failures"]);
        let list: Value = serde_json::from_str(&failures).unwrap();
        assert_eq!(list, Value::Array(Vec::new()), "{failures}");
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = output(self.directory.path(), &["down"]);
    }
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/aws-stand");
    let mut command = Command::new(script);
    command.arg("--directory").arg(directory).args(arguments);
    command.env("AWS_STAND_MACHINES", MACHINES);
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("AWS_") && name != "AWS_STAND_MACHINES")
    {
        command.env_remove(name);
    }
    command
}

fn output(directory: &Path, arguments: &[&str]) -> String {
    let output = command(directory, arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn run(directory: &Path, arguments: &[&str]) -> String {
    let output = command(directory, arguments).output().unwrap();
    let log = std::fs::read_to_string(directory.join("stand.log")).unwrap_or_default();
    assert!(
        output.status.success(),
        "scripts/aws-stand {arguments:?}: {}\n{log}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
