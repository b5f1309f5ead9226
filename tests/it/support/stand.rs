//! An AWS account of a test's own: moto behind a proxy with AWS's rules (`tests/stand`), without machines.
//!
//! Needs Python 3.11; `scripts/aws-stand` gets its packages once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use msk::aws::settings::{AccessKey, Settings};
use msk::secret::Secret;
use serde_json::Value;

/// A running stand; it ends with the test.
pub(crate) struct Stand {
    directory: tempfile::TempDir,
    exports: BTreeMap<String, String>,
}

impl Stand {
    /// Starts one: a VPC with subnets in three zones, a key, a client group, a bucket.
    pub(crate) fn up() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text = run(directory.path(), &["up"]);
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

    /// What exists beyond what `up` made, by kind. Keys are not looked at: nothing of ours makes one, and the
    /// account's own for EBS comes to be with the first encrypted disk.
    pub(crate) fn left(&self) -> Value {
        let mut left: Value = serde_json::from_str(&output(self.directory.path(), &["left"])).unwrap();
        if let Some(left) = left.as_object_mut() {
            left.remove("key");
        }
        left
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
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
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
