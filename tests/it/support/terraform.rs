//! Real Terraform with the debug build of the provider, each test in a directory of its own.
//!
//! Needs `terraform` (or what `MSK_TERRAFORM` names) on PATH. Tests that make clusters also need Java 17
//! and Kafka: from `MSK_TEST_KAFKA_DIRECTORY` if it is set, else fetched once through Maven.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use msk::store::release::Sha256;
use serde_json::Value;

/// A working directory of Terraform, its own mirror of providers, and a data directory.
pub(crate) struct Terraform {
    directory: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    program: Option<String>,
}

/// One warning or error, as Terraform tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// `error` or `warning`.
    pub(crate) severity: String,
    /// The title.
    pub(crate) summary: String,
    /// The text.
    pub(crate) detail: String,
}

/// What a command of Terraform did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whether it ended well.
    pub(crate) is_ok: bool,
    /// Warnings and errors.
    pub(crate) findings: Vec<Finding>,
    /// The whole output, for messages of failed tests.
    pub(crate) text: String,
}

impl Outcome {
    /// The texts of the errors, summary and detail.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.of("error")
    }

    /// The texts of the warnings, summary and detail.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.of("warning")
    }

    fn of(&self, severity: &str) -> Vec<String> {
        let findings = self
            .findings
            .iter()
            .filter(|finding| finding.severity == severity);
        findings
            .map(|finding| format!("{}: {}", finding.summary, finding.detail))
            .collect()
    }

    /// Stops the test with everything that Terraform said unless the command ended well.
    #[track_caller]
    pub(crate) fn must_succeed(self) -> Self {
        assert!(self.is_ok, "terraform failed:\n{}", self.text);
        self
    }

    /// Stops the test unless the command failed with an error that holds all of `parts`.
    #[track_caller]
    pub(crate) fn must_fail_with(self, parts: &[&str]) -> Self {
        assert!(!self.is_ok, "terraform should have failed:\n{}", self.text);
        let errors = self.errors();
        let fits = |error: &String| parts.iter().all(|part| error.contains(part));
        assert!(
            errors.iter().any(fits),
            "no error with {parts:?} in {errors:#?}\n{}",
            self.text
        );
        self
    }
}

/// A plan, made and kept in a file.
#[derive(Debug)]
pub(crate) struct Planned {
    /// What the command did.
    pub(crate) outcome: Outcome,
    /// `terraform show -json` of the plan; null if there is none.
    pub(crate) json: Value,
}

impl Planned {
    /// The change of one resource: `actions`, `before`, `after`, `after_unknown`.
    #[track_caller]
    pub(crate) fn change(&self, address: &str) -> &Value {
        let changes = self.json["resource_changes"].as_array();
        let change = changes
            .into_iter()
            .flatten()
            .find(|change| change["address"] == address);
        change.map_or_else(
            || panic!("no {address} in {:#}", self.json),
            |change| &change["change"],
        )
    }

    /// The actions of every resource that changes.
    pub(crate) fn actions(&self) -> Vec<(String, String)> {
        let changes = self.json["resource_changes"].as_array();
        let rows = changes.into_iter().flatten().map(|change| {
            let actions = change["change"]["actions"].as_array().into_iter().flatten();
            let actions: Vec<&str> = actions.filter_map(Value::as_str).collect();
            (
                change["address"].as_str().unwrap_or_default().to_owned(),
                actions.join(","),
            )
        });
        rows.filter(|(_, actions)| actions != "no-op" && actions != "read")
            .collect()
    }
}

impl Terraform {
    /// A fresh directory with `main.tf`, initialized. The provider block comes with it.
    pub(crate) fn new(configuration: &str) -> Self {
        let bare = Self::bare();
        let base_port = super::ports::free_block();
        let provider = format!(
            "provider \"msk\" {{\n  local = {{\n    base_port       = {base_port}\n    kafka_directory = \"{}\"\n  }}\n}}\n",
            kafka_directory().display()
        );
        bare.write("provider.tf", &provider);
        bare.write("main.tf", configuration);
        bare.init();
        bare
    }

    /// A fresh directory with an example of this repository, initialized. Only the place of Kafka's jars and
    /// the ports are changed, so that tests do not fetch Kafka for each example.
    pub(crate) fn example(name: &str) -> Self {
        let bare = Self::bare();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples")
            .join(name)
            .join("main.tf");
        let text = fs::read_to_string(source).unwrap();
        let local = format!(
            "local = {{\n    base_port       = {}\n    kafka_directory = \"{}\"\n  }}",
            super::ports::free_block(),
            kafka_directory().display()
        );
        assert!(
            text.contains("local = {}"),
            "{name} does not name the engine as expected"
        );
        bare.write("terraform.tf", "");
        bare.write("main.tf", &text.replace("local = {}", &local));
        bare.init();
        bare
    }

    /// A fresh directory with an example for AWS, on a stand. Only the place of Kafka's jars is changed.
    pub(crate) fn aws_example(name: &str, stand: &super::stand::Stand) -> Self {
        let mut bare = Self::bare();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples")
            .join(name)
            .join("main.tf");
        let text = fs::read_to_string(source).unwrap();
        let settings = format!(
            "control_bucket = var.control_bucket\n    kafka_directory = \"{}\"",
            kafka_directory().display()
        );
        assert!(
            text.contains("control_bucket = var.control_bucket"),
            "{name} does not name the bucket as expected"
        );
        bare.write("terraform.tf", "");
        bare.write(
            "main.tf",
            &text.replace("control_bucket = var.control_bucket", &settings),
        );
        bare.stay_on(stand);
        bare
    }

    /// A fresh directory with `main.tf` on a stand, initialized. The provider block comes with it.
    pub(crate) fn on_aws(configuration: &str, stand: &super::stand::Stand) -> Self {
        let mut bare = Self::bare();
        let provider = format!(
            "provider \"msk\" {{\n  aws = {{\n    control_bucket  = \"{}\"\n    kafka_directory = \"{}\"\n  }}\n}}\n",
            stand.variable("TF_VAR_control_bucket"),
            kafka_directory().display()
        );
        bare.write("provider.tf", &provider);
        bare.write("main.tf", configuration);
        bare.stay_on(stand);
        bare
    }

    fn stay_on(&mut self, stand: &super::stand::Stand) {
        for (name, value) in stand.exports() {
            self.set(name, value);
        }
        self.init();
    }

    /// A fresh directory without configuration, not initialized.
    pub(crate) fn bare() -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(root).unwrap();
        let directory = tempfile::Builder::new().prefix("tf-").tempdir_in(root).unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let environment = BTreeMap::from([
            ("TF_CLI_CONFIG_FILE".to_owned(), path("terraform.rc")),
            ("TF_IN_AUTOMATION".to_owned(), "1".to_owned()),
            ("CHECKPOINT_DISABLE".to_owned(), "1".to_owned()),
            ("MSK_LOCAL_DATA_DIRECTORY".to_owned(), path("data")),
        ]);
        let terraform = Self {
            directory,
            environment,
            program: None,
        };
        fs::create_dir(terraform.path("work")).unwrap();
        terraform.install();
        terraform.write(
            "terraform.tf",
            "terraform {\n  required_providers {\n    msk = {\n      source  = \"terraform-provider-msk/msk\"\n    }\n  }\n}\n",
        );
        terraform
    }

    /// Puts both programs where `init` finds them, and nothing else.
    fn install(&self) {
        let mirror = self.path("mirror");
        let platform = match std::env::consts::ARCH {
            "aarch64" => "linux_arm64",
            _ => "linux_amd64",
        };
        let version = env!("CARGO_PKG_VERSION");
        for host in ["registry.terraform.io", "registry.opentofu.org"] {
            let folder = mirror
                .join(host)
                .join("terraform-provider-msk/msk")
                .join(version)
                .join(platform);
            fs::create_dir_all(&folder).unwrap();
            let provider = format!("terraform-provider-msk_v{version}");
            link(&program("terraform-provider-msk"), &folder.join(provider));
            link(&program("msk-node"), &folder.join("msk-node"));
        }
        let text = format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
            mirror.display()
        );
        fs::write(self.path("terraform.rc"), text).unwrap();
    }

    /// Puts the agent with other bytes behind its end beside the provider, as another version brings one; its SHA-256.
    pub(crate) fn use_agent(&self, mark: &[u8]) -> String {
        let mut program = fs::read(program("msk-node")).unwrap();
        program.extend(mark);
        for host in ["registry.terraform.io", "registry.opentofu.org"] {
            let below = self.path("mirror").join(host).join("terraform-provider-msk/msk");
            let version = fs::read_dir(below).unwrap().next().unwrap().unwrap().path();
            let platform = fs::read_dir(version).unwrap().next().unwrap().unwrap().path();
            let agent = platform.join("msk-node");
            // It is a link to the program that was built.
            fs::remove_file(&agent).unwrap();
            fs::write(&agent, &program).unwrap();
            fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
        }
        // The lock file has the sums of the former package.
        let _ = fs::remove_file(self.path("work").join(".terraform.lock.hcl"));
        self.init();
        Sha256::of(&program).to_string()
    }

    /// A path in this test's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The data directory of the provider.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file of the configuration.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path("work").join(name), text).unwrap();
    }

    /// Changes a file of the configuration.
    #[track_caller]
    pub(crate) fn replace(&self, name: &str, old: &str, new: &str) {
        let path = self.path("work").join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{name} does not hold {old}");
        fs::write(path, text.replace(old, new)).unwrap();
    }

    /// Sets an environment variable for every command from now on.
    pub(crate) fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.environment
            .insert(name.to_owned(), value.as_ref().to_str().unwrap().to_owned());
    }

    /// Takes an environment variable away again.
    pub(crate) fn unset(&mut self, name: &str) {
        self.environment.remove(name);
    }

    /// Runs another program in Terraform's place.
    pub(crate) fn use_program(&mut self, program: &Path) {
        self.program = Some(program.to_str().unwrap().to_owned());
    }

    /// Runs Terraform itself again.
    pub(crate) fn use_default_program(&mut self) {
        self.program = None;
    }

    /// Runs any command of Terraform.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => std::env::var("MSK_TERRAFORM").unwrap_or_else(|_| "terraform".to_owned()),
        };
        let mut command = Command::new(&program);
        command
            .current_dir(self.path("work"))
            .args(arguments)
            .envs(&self.environment);
        for name in [
            "TF_LOG",
            "TF_LOG_PROVIDER",
            "TF_CLI_ARGS",
            "TF_WORKSPACE",
            "TF_REATTACH_PROVIDERS",
        ] {
            if !self.environment.contains_key(name) {
                command.env_remove(name);
            }
        }
        command
            .output()
            .unwrap_or_else(|error| panic!("these tests need `{program}`: {error}"))
    }

    /// `terraform init`.
    #[track_caller]
    pub(crate) fn init(&self) {
        let output = self.run(&["init", "-no-color", "-input=false"]);
        assert!(output.status.success(), "init failed:\n{}", text(&output));
    }

    /// `terraform validate`.
    pub(crate) fn validate(&self) -> Outcome {
        let output = self.run(&["validate", "-json"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let findings = json["diagnostics"]
            .as_array()
            .into_iter()
            .flatten()
            .map(finding)
            .collect();
        Outcome {
            is_ok: output.status.success(),
            findings,
            text: text(&output),
        }
    }

    /// `terraform plan`, kept in a file.
    pub(crate) fn plan(&self, more: &[&str]) -> Planned {
        let arguments = [&["plan", "-json", "-input=false", "-out=plan.bin"], more].concat();
        let outcome = outcome(&self.run(&arguments));
        let json = if outcome.is_ok {
            let shown = self.run(&["show", "-json", "plan.bin"]);
            serde_json::from_slice(&shown.stdout).unwrap_or_default()
        } else {
            Value::Null
        };
        Planned { outcome, json }
    }

    /// Stops the test with the plan unless it is empty.
    #[track_caller]
    pub(crate) fn plan_must_be_empty(&self) {
        let planned = self.plan(&[]);
        assert!(planned.outcome.is_ok, "plan failed:\n{}", planned.outcome.text);
        let actions = planned.actions();
        assert!(
            actions.is_empty(),
            "the plan is not empty: {actions:?}\n{:#}",
            planned.json["resource_changes"]
        );
    }

    /// `terraform apply -refresh-only`, without asking.
    pub(crate) fn refresh(&self) -> Outcome {
        self.apply(&["-refresh-only"])
    }

    /// `terraform apply`, without asking.
    pub(crate) fn apply(&self, more: &[&str]) -> Outcome {
        outcome(&self.run(&[&["apply", "-json", "-input=false", "-auto-approve"], more].concat()))
    }

    /// `terraform destroy`, without asking.
    pub(crate) fn destroy(&self, more: &[&str]) -> Outcome {
        outcome(&self.run(&[&["destroy", "-json", "-input=false", "-auto-approve"], more].concat()))
    }

    /// The attributes of one resource in the state; null if it is not there.
    pub(crate) fn state(&self, address: &str) -> Value {
        let output = self.run(&["show", "-json"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let resources = json["values"]["root_module"]["resources"].as_array();
        let found = resources
            .into_iter()
            .flatten()
            .find(|resource| resource["address"] == address);
        found
            .map(|resource| resource["values"].clone())
            .unwrap_or_default()
    }

    /// The processes that run on this test's directory, with their command lines.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        processes_on(self.directory.path())
    }
}

/// Ends what a failed test left.
impl Drop for Terraform {
    fn drop(&mut self) {
        for (id, _) in self.processes() {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
    }
}

fn processes_on(directory: &Path) -> Vec<(u32, String)> {
    let needle = directory.to_str().unwrap();
    let own = std::process::id();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| *id != own)
        .filter_map(|id| {
            let bytes = fs::read(format!("/proc/{id}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
            line.contains(needle).then_some((id, line))
        })
        .collect()
}

/// Where Kafka's distributions lie, shared by all tests so that each version is fetched once.
fn kafka_directory() -> PathBuf {
    std::env::var_os("MSK_TEST_KAFKA_DIRECTORY").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join("kafka"),
        PathBuf::from,
    )
}

/// One of the two programs: of this build, or of the directory `MSK_TEST_PROGRAMS`, to measure a release build.
pub(crate) fn program(name: &str) -> PathBuf {
    let of_this_build = || Path::new(env!("CARGO_BIN_EXE_msk-node")).parent().unwrap().into();
    let directory: PathBuf = std::env::var_os("MSK_TEST_PROGRAMS").map_or_else(of_this_build, PathBuf::from);
    directory.join(name)
}

fn link(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).unwrap();
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Reads the stream of JSON lines.
fn outcome(output: &Output) -> Outcome {
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let findings = lines
        .filter(|line| line["type"] == "diagnostic")
        .map(|line| finding(&line["diagnostic"]))
        .collect();
    Outcome {
        is_ok: output.status.success(),
        findings,
        text: text(output),
    }
}

fn finding(json: &Value) -> Finding {
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    Finding {
        severity: text("severity"),
        summary: text("summary"),
        detail: text("detail"),
    }
}
