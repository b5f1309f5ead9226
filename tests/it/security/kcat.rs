//! kcat through SCRAM over TLS, the way that the quickstart goes, at Kafka 3.9 and 4.3.
//!
//! Needs `kcat` besides what the other tests need. Debian 12 has one with librdkafka 2.0.2, whose SCRAM
//! only Kafka 3 takes (docs/operations.md, "SCRAM and older clients").

use std::process::Command;

use msk::kafka::versions::KafkaVersion;
use msk::store::documents::{ListenerName, NodePhase};

use super::{SOON, bootstrap, grant};
use crate::node_agent::cluster::{Cluster, Options};

const PASSWORD: &str = "correct, =horse \\#1";
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");

/// What kcat says with its own library, in its own words; then the quickstart's round trip.
const STEPS: &str = "
import os, subprocess, sys
sys.path.insert(0, os.environ['SCRIPTS'])
import quickstart_clients as quickstart
settings = quickstart.scram(os.environ['MSK_APP_SECRET'])
command = [quickstart.KCAT, '-L', '-m', '10']
for name, value in settings.items():
    command += ['-X', f'{name}={value}']
own = quickstart.kcat_library(os.environ)
took = subprocess.run(command, capture_output=True, text=True)
print('sound' if own >= quickstart.SOUND_SCRAM else 'unsound')
print('taken' if took.returncode == 0 else 'refused', took.stderr.replace('\\n', ' '))
quickstart.kcat('SCRAM over TLS', settings)
";

#[tokio::test]
async fn kcat_logs_in_with_scram_at_kafka_3_and_4() {
    for (version, takes_all) in [("3.9.2", true), ("4.3.1", false)] {
        let mut options = Options::brokers(1);
        options.version = version.parse::<KafkaVersion>().unwrap();
        let cluster = Cluster::create(&options).await;
        cluster.start_agents();
        cluster.wait_for_phase(1, NodePhase::InSync, SOON).await;
        grant(
            &cluster,
            &[("app", PASSWORD)],
            &["orders"],
            &[("User:app", "orders")],
        )
        .await;
        let directory = tempfile::tempdir().unwrap();
        let pem = msk::planner::outputs::ca_certificate_pem(&cluster.desired().await);
        std::fs::write(directory.path().join("server-ca.pem"), pem).unwrap();
        let python = std::env::var("MSK_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let output = Command::new(python)
            .args(["-B", "-c", STEPS])
            .env("SCRIPTS", SCRIPTS)
            .env("MSK_CLIENT", directory.path())
            .env("MSK_APP_SECRET", cluster.root().join("app.secret.json"))
            .env(
                "MSK_BROKERS_SCRAM",
                bootstrap(&cluster, ListenerName::ClientScram).await,
            )
            .output()
            .expect("MSK_TEST_PYTHON names a Python with confluent_kafka");
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        println!("Kafka {version}: {said}");
        assert!(output.status.success(), "{version}: {said}\n{errors}");
        let is_sound = said.starts_with("sound");
        let is_taken = said.contains("\ntaken");
        assert_eq!(is_taken, is_sound || takes_all, "{version}: {said}");
        assert!(
            is_taken || said.contains("invalid credentials"),
            "{version}: {said}"
        );
        assert!(
            said.contains("one message written and read back"),
            "{version}: {said}"
        );
    }
}
