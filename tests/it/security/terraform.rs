//! Passwords under real Terraform: in no plan, state, trace, document, log, argument or environment.

use std::fs;
use std::path::Path;
use std::process::Command;

use camino::Utf8Path;

use super::hunt;
use crate::support::terraform::Terraform;

const FIRST: &str = "Tr0ub4dor-and-3-first";
const SECOND: &str = "Tr0ub4dor-and-3-second";

const ALL: &str = r#"
variable "password" {
  type      = string
  sensitive = true
  ephemeral = true
}
resource "msk_cluster" "a" {
  name                = "events"
  kafka_version       = "4.3.1"
  subnet_ids          = ["zone-a"]
  deletion_protection = false
}
resource "msk_scram_secret" "written" {
  cluster_id          = msk_cluster.a.id
  username            = "app"
  password_wo         = var.password
  password_wo_version = 1
}
resource "msk_scram_secret" "random" {
  cluster_id = msk_cluster.a.id
  username   = "batch"
}
"#;

#[test]
fn passwords_and_keys_are_in_their_own_files_and_nowhere_else() {
    let mut terraform = Terraform::new(ALL);
    terraform.set("TF_LOG", "TRACE");
    terraform.set("TF_LOG_PATH", terraform.path("trace.log").to_str().unwrap());
    terraform.set("TF_VAR_password", FIRST);
    let mut said = String::new();

    let planned = terraform.plan(&[]);
    said += &planned.outcome.must_succeed().text;
    said += &planned.json.to_string();
    said += &terraform.apply(&["plan.bin"]).must_succeed().text;
    let mut needles = vec![password(FIRST), password(SECOND)];
    needles.push(password(&random_password(&terraform)));

    // A new password, and errors with one at hand.
    terraform.set("TF_VAR_password", SECOND);
    terraform.replace("main.tf", "password_wo_version = 1", "password_wo_version = 2");
    let planned = terraform.plan(&[]);
    said += &planned.json.to_string();
    said += &terraform.apply(&[]).must_succeed().text;
    terraform.replace("main.tf", "\"app\"", "\"__msk-node-1\"");
    said += &terraform.apply(&[]).must_fail_with(&["reserved"]).text;
    terraform.replace("main.tf", "\"__msk-node-1\"", "\"a,b\"");
    said += &terraform.apply(&[]).must_fail_with(&["`username`"]).text;
    terraform.replace("main.tf", "\"a,b\"", "\"app\"");
    for arguments in [
        &["show", "-json"][..],
        &["show"],
        &["state", "pull"],
        &["output", "-json"],
    ] {
        let output = terraform.run(arguments);
        said += &String::from_utf8_lossy(&output.stdout);
        said += &String::from_utf8_lossy(&output.stderr);
    }

    let data = terraform.data();
    let is_private = |path: &Path| {
        let below = path.strip_prefix(&data).unwrap_or(path);
        below.iter().any(|part| part == "private" || part == "tls")
    };
    let files = hunt::files_below(terraform.path("").as_path());
    let mut keys = 0;
    for file in files.iter().filter(|file| is_private(file)) {
        let found = hunt::keys_in(file);
        keys += found.len();
        needles.extend(found);
    }
    assert!(keys >= 4, "{keys}");
    let trace = terraform.path("trace.log");
    assert!(
        fs::metadata(&trace).unwrap().len() > 100_000,
        "TF_LOG=TRACE writes a lot"
    );
    // A plan is a zip archive.
    let unpacked = Command::new(std::env::var("MSK_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned()))
        .args(["-c", UNPACK])
        .arg(terraform.path("work/plan.bin"))
        .output()
        .unwrap();
    assert!(unpacked.stdout.len() > 1_000);
    let is_ours = |file: &&std::path::PathBuf| {
        !is_private(file) && !file.components().any(|part| part.as_os_str() == "mirror")
    };
    let places = files
        .iter()
        .filter(is_ours)
        .map(|file| (file.display().to_string(), fs::read(file).unwrap_or_default()))
        .chain(hunt::processes_on(&data))
        .chain([
            ("the plan".to_owned(), unpacked.stdout),
            ("what Terraform said".to_owned(), said.into_bytes()),
        ]);
    let found = hunt::findings(places, &needles);
    assert!(found.is_empty(), "{found:#?}");
    hunt::nothing_is_open_to_others(Utf8Path::from_path(&data).unwrap());

    // What was found nowhere was there to be found.
    let kept = fs::read_to_string(secret_file(&terraform, "written")).unwrap();
    assert!(kept.contains(SECOND));
    terraform.destroy(&[]).must_succeed();
    let left = hunt::files_below(&data);
    let left: Vec<_> = left.iter().filter(|file| is_private(file)).collect();
    assert!(left.is_empty(), "keys or passwords stay behind: {left:?}");
}

const UNPACK: &str = "import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
for name in archive.namelist():
    sys.stdout.buffer.write(archive.read(name))";

fn password(text: &str) -> (String, Vec<u8>) {
    (format!("the password `{text}`"), text.as_bytes().to_vec())
}

fn secret_file(terraform: &Terraform, label: &str) -> String {
    let state = terraform.state(&format!("msk_scram_secret.{label}"));
    state["secret_file"].as_str().unwrap().to_owned()
}

fn random_password(terraform: &Terraform) -> String {
    let text = fs::read_to_string(secret_file(terraform, "random")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["password"].as_str().unwrap().to_owned()
}
