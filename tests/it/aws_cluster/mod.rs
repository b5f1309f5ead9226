//! `examples/aws-*` on the stand with real machines: real `terraform`, real agents, real Kafka, real clients whose reach
//! follows the security groups.
//!
//! Needs root, `terraform`, Java 17 with `jlink`, Kafka's jars, `MSK_TEST_PYTHON` with confluent-kafka, and the tools of
//! the machines (nftables, xfsprogs, iproute2). Only one such stand runs on a machine at a time.

mod examples;
mod faults;
mod kills;
mod lives;
mod measure;
mod release;
mod smallest;
mod stolen;

use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::stand::Stand;
use crate::support::terraform::Terraform;

/// The three-zones example on a stand of its own.
pub(super) struct World {
    pub(super) stand: Stand,
    pub(super) terraform: Terraform,
    /// The client's certificate and key, if it has no password.
    pub(super) certificate: Option<(String, String)>,
}

impl World {
    /// Applied.
    pub(super) fn applied() -> Self {
        let world = Self::with("aws-three-zones");
        world.apply();
        world
    }

    /// An example that is not applied yet.
    pub(super) fn with(example: &str) -> Self {
        let stand = Stand::with_machines();
        // The nodes may do what their roles say, and no more.
        stand.enforce_policies();
        let terraform = Terraform::aws_example(example, &stand);
        Self {
            stand,
            terraform,
            certificate: None,
        }
    }

    /// `terraform apply`, with its time.
    pub(super) fn apply(&self) {
        let begin = Instant::now();
        self.terraform.apply(&[]).must_succeed();
        println!("applied in {:.1} s", begin.elapsed().as_secs_f64());
    }

    /// Destroyed: nothing is left in the account and on this machine.
    pub(super) fn destroy(self) {
        let begin = Instant::now();
        self.terraform.destroy(&[]).must_succeed();
        println!("destroyed in {:.1} s", begin.elapsed().as_secs_f64());
        self.stand.must_be_content();
        assert_eq!(self.stand.left(), json!({}), "left in the account");
        drop(self.stand);
        assert_eq!(Stand::machines_left(), "", "left on this machine");
    }

    /// The attributes of the cluster.
    pub(super) fn cluster(&self) -> Value {
        self.terraform.state("msk_cluster.events")
    }

    /// A path for files of a test.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.terraform.path(name)
    }

    /// How the client `app` reaches the cluster: librdkafka's settings, with its certificate, or with the password out
    /// of Secrets Manager.
    pub(super) fn client_settings(&self) -> Value {
        let cluster = self.cluster();
        if let Some((certificate, key)) = &self.certificate {
            return json!({
                "bootstrap.servers": cluster["bootstrap_brokers_tls"],
                "security.protocol": "SSL",
                "ssl.ca.pem": cluster["ca_certificate_pem"],
                "ssl.certificate.pem": certificate,
                "ssl.key.pem": key,
            });
        }
        let secret = self.terraform.state("msk_scram_secret.app");
        let value = self.stand.secret(secret["secret_arn"].as_str().unwrap());
        json!({
            "bootstrap.servers": cluster["bootstrap_brokers_sasl_scram"],
            "security.protocol": "SASL_SSL",
            "ssl.ca.pem": cluster["ca_certificate_pem"],
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": value["username"],
            "sasl.password": value["password"],
        })
    }

    fn load(&self, place: &str, arguments: &[&str]) -> Child {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/aws_cluster/load.py");
        self.script(place, script, arguments)
    }

    /// A Python program in a client's network, with the client's settings on its input.
    fn script(&self, place: &str, script: &str, arguments: &[&str]) -> Child {
        self.script_with(place, script, arguments, &self.client_settings())
    }

    fn script_with(&self, place: &str, script: &str, arguments: &[&str], settings: &Value) -> Child {
        let python = std::env::var("MSK_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let words = [&[python.as_str(), script], arguments].concat();
        let mut child = self
            .stand
            .command_in(place, &words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let settings = serde_json::to_vec(settings).unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), &settings).unwrap();
        child
    }

    /// Whether a client in this place reaches the brokers.
    pub(super) fn reach(&self, place: &str) -> String {
        said(&self.load(place, &["reach"]).wait_with_output().unwrap())
    }

    /// Load that goes on until it is told to stop.
    pub(super) fn write(&self, name: &str) -> Writing<'_> {
        let (acked, stop) = (
            self.path(&format!("{name}.acked")),
            self.path(&format!("{name}.stop")),
        );
        let child = self.load(
            "client",
            &["write", name, acked.to_str().unwrap(), stop.to_str().unwrap()],
        );
        Writing {
            world: self,
            name: name.to_owned(),
            child,
            acked,
            stop,
        }
    }

    /// Waits until a plan is empty and the cluster `ACTIVE`: all nodes serve.
    #[track_caller]
    pub(super) fn must_serve_within(&self, patience: Duration) -> Duration {
        let begin = Instant::now();
        loop {
            self.terraform.refresh().must_succeed();
            let cluster = self.cluster();
            if cluster["state"] == "ACTIVE" {
                return begin.elapsed();
            }
            assert!(
                begin.elapsed() < patience,
                "after {patience:?} the cluster is {}: {:#}",
                cluster["state"],
                cluster["planned_operations"]
            );
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

/// A producer that runs.
pub(super) struct Writing<'a> {
    world: &'a World,
    name: String,
    child: Child,
    acked: PathBuf,
    stop: PathBuf,
}

impl Writing<'_> {
    /// Ends it, and reads back every record that was acknowledged.
    #[track_caller]
    pub(super) fn must_be_read_back(self) {
        std::fs::write(&self.stop, "").unwrap();
        println!("{}", said(&self.child.wait_with_output().unwrap()));
        let arguments = ["read", &self.name, self.acked.to_str().unwrap()];
        let read = self.world.load("client", &arguments);
        println!("{}", said(&read.wait_with_output().unwrap()));
    }
}

#[track_caller]
fn said(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
