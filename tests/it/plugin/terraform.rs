//! The echo provider under real Terraform, installed from a mirror of our own.
//!
//! Needs `terraform` on the path (`MSK_TERRAFORM` names another program, such as `OpenTofu`'s).

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::host::echo_provider;

/// One working directory with the provider installed.
struct Workspace {
    home: TempDir,
}

impl Workspace {
    fn new(resources: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mirror = home.path().join("mirror");
        let arch = if cfg!(target_arch = "aarch64") {
            "linux_arm64"
        } else {
            "linux_amd64"
        };
        for host in ["registry.terraform.io", "registry.opentofu.org"] {
            let package = mirror
                .join(host)
                .join("terraform-provider-msk/echo/0.1.0")
                .join(arch);
            std::fs::create_dir_all(&package).unwrap();
            std::fs::copy(echo_provider(), package.join("terraform-provider-echo_v0.1.0")).unwrap();
        }
        let settings = format!("provider_installation {{\n  filesystem_mirror {{ path = {mirror:?} }}\n}}\n");
        std::fs::write(home.path().join("terraformrc"), settings).unwrap();
        std::fs::create_dir(home.path().join("work")).unwrap();
        let workspace = Self { home };
        workspace.write(resources);
        workspace.ok(&["init"]);
        workspace
    }

    fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    fn write(&self, resources: &str) {
        let head = "terraform {\n  required_providers {\n    echo = { source = \"terraform-provider-msk/echo\" }\n  }\n}\n";
        std::fs::write(self.work().join("main.tf"), format!("{head}{resources}")).unwrap();
    }

    /// Terraform in this directory, with our own settings.
    fn command(&self, arguments: &[&str]) -> Command {
        let program = std::env::var("MSK_TERRAFORM").unwrap_or_else(|_| "terraform".to_owned());
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg("-no-color")
            .current_dir(self.work())
            .env("TF_CLI_CONFIG_FILE", self.home.path().join("terraformrc"))
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env_remove("TF_LOG");
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.command(arguments).output();
        let Output {
            status,
            stdout,
            stderr,
        } = output.unwrap_or_else(|error| panic!("this test needs `terraform` on the path: {error}"));
        let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        (status.code(), text)
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let (code, text) = self.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
        text
    }

    fn apply(&self) -> String {
        self.ok(&["apply", "-auto-approve"])
    }

    /// Asserts that there is nothing to do.
    fn empty_plan(&self) {
        let (code, text) = self.run(&["plan", "-detailed-exitcode"]);
        assert_eq!(code, Some(0), "{text}");
    }

    fn state(&self) -> String {
        std::fs::read_to_string(self.work().join("terraform.tfstate")).unwrap()
    }
}

const FULL: &str = r#"
resource "echo_thing" "a" {
  name        = "a"
  ratio       = 0.1
  spelling    = "Big"
  labels      = { k = "é" }
  tags        = ["y", "x"]
  steps       = [1, 2.5, 18446744073709551615, 1e30]
  anything    = { deep = [1, "x", null, true] }
  mode        = { kind = "slow" }
  parts       = [{ label = "p" }, { label = "q", count = 3 }]
  ports       = [{ number = 80 }, { number = 443, open = true }]
  password_wo = "hunter2"
  timeouts {
    create = "5m"
  }
}
data "echo_lookup" "l" { name = echo_thing.a.name }
"#;

#[test]
fn the_life_of_a_resource() {
    let workspace = Workspace::new(FULL);
    let created = workspace.apply();
    assert!(created.contains("1 added"), "{created}");
    workspace.empty_plan();
    assert!(!workspace.state().contains("hunter2"));

    // Another spelling of the same is no change; a default that comes back is one.
    workspace.write(&FULL.replace("\"Big\"", "\"BIG\""));
    workspace.empty_plan();
    workspace.write(&FULL.replace("mode        = { kind = \"slow\" }", "size = 3"));
    let updated = workspace.apply();
    assert!(updated.contains("1 changed"), "{updated}");
    assert!(
        updated.contains("-> \"fast\"") && updated.contains("result"),
        "{updated}"
    );
    workspace.write(FULL);
    workspace.apply();
    workspace.empty_plan();
    assert!(workspace.state().contains("\"size\": 1"), "{}", workspace.state());

    workspace.write(&FULL.replace("name        = \"a\"", "name        = \"b\""));
    let replaced = workspace.apply();
    assert!(
        replaced.contains("forces replacement") && replaced.contains("1 destroyed"),
        "{replaced}"
    );
    workspace.empty_plan();
    let destroyed = workspace.ok(&["destroy", "-auto-approve"]);
    assert!(
        destroyed.contains("1 destroyed") && destroyed.contains("Going away"),
        "{destroyed}"
    );
}

#[test]
fn an_import_by_block_is_followed_by_an_empty_plan() {
    let resource = "resource \"echo_thing\" \"a\" {\n  name = \"a\"\n}\n";
    let import = "import {\n  to = echo_thing.a\n  id = \"echo/a\"\n}\n";
    let workspace = Workspace::new(&format!("{resource}{import}"));
    let text = workspace.apply();
    assert!(text.contains("1 imported, 0 added, 0 changed"), "{text}");
    workspace.write(resource);
    workspace.empty_plan();
    let (code, text) = workspace.run(&["import", "echo_thing.a", "echo/absent"]);
    assert_eq!(code, Some(1), "{text}");
}

#[test]
fn a_failed_create_is_tainted_and_made_anew() {
    let good = "resource \"echo_thing\" \"a\" {\n  name = \"a\"\n}\n";
    let workspace = Workspace::new(&good.replace('}', "  behave = \"fail_half_way\"\n}"));
    let (code, text) = workspace.run(&["apply", "-auto-approve"]);
    assert!(code == Some(1) && text.contains("Half done"), "{text}");
    workspace.write(good);
    let text = workspace.apply();
    assert!(
        text.contains("tainted") && text.contains("1 added, 0 changed, 1 destroyed"),
        "{text}"
    );
    workspace.empty_plan();
}

#[test]
fn state_of_an_old_version_is_upgraded() {
    let workspace = Workspace::new("resource \"echo_thing\" \"a\" {\n  name = \"old\"\n}\n");
    let state = r#"{"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "x", "outputs": {},
        "resources": [{"mode": "managed", "type": "echo_thing", "name": "a",
            "provider": "provider[\"registry.terraform.io/terraform-provider-msk/echo\"]",
            "instances": [{"schema_version": 0, "attributes": {"title": "old", "id": "echo/old"}}]}]}"#;
    std::fs::write(workspace.work().join("terraform.tfstate"), state).unwrap();
    workspace.empty_plan();
}

#[test]
fn an_unknown_value_at_plan_becomes_known_at_apply() {
    let chain = r#"
resource "echo_thing" "first" { name = "a" }
resource "echo_thing" "second" {
  name     = "b"
  spelling = "pre-${echo_thing.first.result}"
  tags     = [echo_thing.first.zone]
  mode     = { kind = echo_thing.first.result == "created" ? "slow" : "fast" }
}
"#;
    let workspace = Workspace::new(chain);
    workspace.apply();
    workspace.empty_plan();
    assert!(workspace.state().contains("pre-created"));
}

#[test]
fn a_panic_while_planning_is_an_error_message() {
    let workspace =
        Workspace::new("resource \"echo_thing\" \"a\" {\n  name = \"a\"\n  behave = \"panic_in_plan\"\n}\n");
    let (code, text) = workspace.run(&["plan"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("told to panic in the plan"), "{text}");
}

#[test]
fn log_lines_are_understood() {
    let workspace =
        Workspace::new("resource \"echo_thing\" \"a\" {\n  name = \"a\"\n  password_wo = \"hunter2\"\n}\n");
    let output = workspace
        .command(&["apply", "-auto-approve"])
        .env("TF_LOG", "TRACE")
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let ours: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("rpc=PlanResourceChange"))
        .collect();
    assert!(
        !ours.is_empty() && ours.iter().all(|line| line.contains("[TRACE] provider.")),
        "{ours:?}"
    );
    assert!(
        !log.lines()
            .any(|line| line.contains("provider.terraform-provider-echo") && line.contains("hunter2"))
    );
}

#[test]
fn a_debugged_provider_is_reattached() {
    let workspace = Workspace::new("resource \"echo_thing\" \"a\" {\n  name = \"a\"\n}\n");
    let mut provider = Command::new(echo_provider())
        .arg("--debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(provider.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let value = line
        .trim_end()
        .strip_prefix("TF_REATTACH_PROVIDERS='")
        .unwrap()
        .strip_suffix('\'')
        .unwrap();
    // Nothing is installed: only the running process can answer.
    std::fs::remove_dir_all(workspace.work().join(".terraform")).unwrap();
    for arguments in [&["apply", "-auto-approve"][..], &["plan", "-detailed-exitcode"]] {
        let output = workspace
            .command(arguments)
            .env("TF_REATTACH_PROVIDERS", value)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(provider.try_wait().unwrap().is_none(), "the provider goes on");
    let pid = Pid::from_raw(i32::try_from(provider.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert!(provider.wait().unwrap().success());
}
