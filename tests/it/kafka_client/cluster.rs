//! Two combined Kafka nodes on this machine, thrown away at the end of the test.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use msk::kafka::client::{Admin, ClientConfig, EndpointKind, IdentityPem, ScramLogin, Tls};
use msk::secret::Secret;
use msk::spec::ids::{KafkaUuid, NodeId};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, SanType,
};
use tempfile::TempDir;

/// Nothing in a healthy cluster takes longer, on a machine that is busy with other things too.
const PATIENCE: Duration = Duration::from_mins(2);

/// Asks again and again until there is an answer.
pub(super) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name("test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Certificate and key of one name, both as PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().unwrap())];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        (
            params.signed_by(&key, &self.issuer).unwrap().pem(),
            key.serialize_pem(),
        )
    }

    fn client(&self, trusted: &Self, name: &str) -> Tls {
        let (certificate, key) = self.issue(name);
        let key = Secret::new(key.into_bytes());
        let identity = IdentityPem {
            certificate_chain: certificate.as_bytes(),
            key: &key,
        };
        Tls::from_pem(trusted.pem().as_bytes(), Some(identity)).unwrap()
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

#[derive(Clone, Copy)]
struct Ports {
    controller: u16,
    admin: u16,
    scram: u16,
    plain: u16,
}

impl Ports {
    fn free() -> Self {
        let first = crate::support::ports::free_block();
        Self {
            controller: first,
            admin: first + 1,
            scram: first + 2,
            plain: first + 3,
        }
    }
}

struct Node {
    ports: Ports,
    process: Option<Child>,
}

/// A running cluster. Its processes end with it.
pub(super) struct Cluster {
    pub(super) id: KafkaUuid,
    folder: TempDir,
    libs: PathBuf,
    authority: Authority,
    nodes: [Node; 2],
}

impl Cluster {
    /// Formats and starts both nodes, and waits until both serve.
    pub(super) async fn start(version: &str) -> Self {
        let node = || Node {
            ports: Ports::free(),
            process: None,
        };
        let mut cluster = Self {
            id: KafkaUuid::new("4L6g3nShT-eMCtK--X86sw"),
            folder: tempfile::tempdir().unwrap(),
            libs: libs(version),
            authority: Authority::new(),
            nodes: [node(), node()],
        };
        fs::write(cluster.folder.path().join("ca.pem"), cluster.authority.pem()).unwrap();
        let log4j = "log4j.rootLogger=WARN, stdout\n\
             log4j.appender.stdout=org.apache.log4j.ConsoleAppender\n\
             log4j.appender.stdout.layout=org.apache.log4j.PatternLayout\n\
             log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n\n";
        fs::write(cluster.log4j(), log4j).unwrap();
        for number in 1..=2 {
            cluster.write_files(number);
            cluster.format(number);
            cluster.run(number);
        }
        for number in 1..=2 {
            let admin = cluster.admin(number);
            let what = format!("node {number} of Kafka {version}: {}", cluster.log(number));
            eventually(&what, async || {
                let seen = admin.describe_cluster(EndpointKind::Brokers).await.ok()?;
                (seen
                    .nodes
                    .iter()
                    .filter(|node| node.is_fenced != Some(true))
                    .count()
                    == 2)
                    .then_some(())
            })
            .await;
        }
        cluster
    }

    /// The directory id of a node's metadata.
    pub(super) fn directory_id(&self, number: u16) -> KafkaUuid {
        let text = fs::read_to_string(self.path(number, "data").join("meta.properties")).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("directory.id="))
            .unwrap();
        KafkaUuid::new(line)
    }

    pub(super) fn controller_port(&self, number: u16) -> u16 {
        self.node(number).ports.controller
    }

    /// A client of a node's administrative listener, as a super user.
    pub(super) fn admin(&self, number: u16) -> Admin {
        Self::client(number, self.node(number).ports.admin, self.renewed_tls())
    }

    /// A client of a node's controller.
    pub(super) fn controller_admin(&self, number: u16) -> Admin {
        Self::client(number, self.node(number).ports.controller, self.renewed_tls())
    }

    /// A client whose certificate another authority has signed.
    pub(super) fn stranger_admin(&self, number: u16) -> Admin {
        let tls = Authority::new().client(&self.authority, "agent");
        Self::client(number, self.node(number).ports.admin, tls)
    }

    /// A client that expects another name in the broker's certificate.
    pub(super) fn admin_expecting(&self, name: &str) -> Admin {
        let tls = self.renewed_tls().with_server_name(name).unwrap();
        Self::client(1, self.node(1).ports.admin, tls)
    }

    /// A client that nobody knows.
    pub(super) fn plain_admin(&self) -> Admin {
        Admin::new(ClientConfig::new("127.0.0.1", self.node(1).ports.plain))
    }

    /// A client that logs in with a password.
    pub(super) fn scram_admin(&self, login: ScramLogin) -> Admin {
        Admin::new(ClientConfig {
            login: Some(login),
            tls: Some(Tls::from_pem(self.authority.pem().as_bytes(), None).unwrap()),
            ..ClientConfig::new("127.0.0.1", self.node(1).ports.scram)
        })
    }

    /// A new certificate of the super user.
    pub(super) fn renewed_tls(&self) -> Tls {
        self.authority.client(&self.authority, "agent")
    }

    /// Starts a node's process.
    pub(super) fn run(&mut self, number: u16) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path(number, "log"))
            .unwrap();
        let child = self
            .java("kafka.Kafka")
            .arg(self.path(number, "server.properties"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.nodes[usize::from(number - 1)].process = Some(child);
    }

    /// Ends a node's process without a farewell.
    pub(super) fn kill(&mut self, number: u16) {
        let mut process = self.nodes[usize::from(number - 1)].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    fn client(number: u16, port: u16, tls: Tls) -> Admin {
        Admin::new(ClientConfig {
            node: Some(NodeId(u32::from(number))),
            tls: Some(tls),
            ..ClientConfig::new("127.0.0.1", port)
        })
    }

    fn node(&self, number: u16) -> &Node {
        &self.nodes[usize::from(number - 1)]
    }

    fn path(&self, number: u16, name: &str) -> PathBuf {
        self.folder.path().join(format!("node-{number}-{name}"))
    }

    fn log(&self, number: u16) -> String {
        format!("see {}", self.path(number, "log").display())
    }

    fn log4j(&self) -> PathBuf {
        self.folder.path().join("log4j.properties")
    }

    fn java(&self, main: &str) -> Command {
        let mut command = Command::new("java");
        command
            .args([
                "-Xms96m",
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
            ])
            // Without it Kafka 3.9 does not say why it ended; Kafka 4 says so by itself.
            .arg(format!("-Dlog4j.configuration=file:{}", self.log4j().display()))
            .arg("-cp")
            .arg(self.libs.join("*"))
            .arg(main);
        command
    }

    fn format(&self, number: u16) {
        let how = if number == 1 {
            "--standalone"
        } else {
            "--no-initial-controllers"
        };
        let output = self
            .java("kafka.tools.StorageTool")
            .args(["format", how, "-t", self.id.as_str(), "-c"])
            .arg(self.path(number, "server.properties"))
            .output()
            .expect("java 17 must be on PATH");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn write_files(&self, number: u16) {
        let (certificate, key) = self.authority.issue(&format!("node-{number}"));
        fs::write(self.path(number, "key.pem"), key + &certificate).unwrap();
        let Ports {
            controller,
            admin,
            scram,
            plain,
        } = self.node(number).ports;
        let quorum = self.node(1).ports.controller;
        let listeners = format!(
            "CONTROLLER://127.0.0.1:{controller},ADMIN://127.0.0.1:{admin},SCRAM://127.0.0.1:{scram},\
             PLAIN://127.0.0.1:{plain}"
        );
        let mut text = String::new();
        for (name, value) in [
            ("process.roles", "broker,controller"),
            ("node.id", &number.to_string()),
            ("broker.rack", "az-1"),
            (
                "controller.quorum.bootstrap.servers",
                &format!("127.0.0.1:{quorum}"),
            ),
            ("controller.listener.names", "CONTROLLER"),
            ("listeners", &listeners),
            ("advertised.listeners", &listeners),
            (
                "listener.security.protocol.map",
                "CONTROLLER:SSL,ADMIN:SSL,SCRAM:SASL_SSL,PLAIN:PLAINTEXT",
            ),
            ("inter.broker.listener.name", "ADMIN"),
            ("ssl.keystore.type", "PEM"),
            (
                "ssl.keystore.location",
                self.path(number, "key.pem").to_str().unwrap(),
            ),
            ("ssl.truststore.type", "PEM"),
            (
                "ssl.truststore.location",
                self.folder.path().join("ca.pem").to_str().unwrap(),
            ),
            ("listener.name.controller.ssl.client.auth", "required"),
            ("listener.name.admin.ssl.client.auth", "required"),
            ("listener.name.scram.sasl.enabled.mechanisms", "SCRAM-SHA-512"),
            (
                "listener.name.scram.scram-sha-512.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            ),
            (
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            ),
            ("super.users", "User:CN=agent;User:CN=node-1;User:CN=node-2"),
            ("log.dirs", self.path(number, "data").to_str().unwrap()),
            ("num.partitions", "2"),
            ("default.replication.factor", "1"),
            ("offsets.topic.replication.factor", "1"),
            ("broker.session.timeout.ms", "6000"),
            ("broker.heartbeat.interval.ms", "500"),
            ("auto.leader.rebalance.enable", "false"),
            ("log.cleaner.dedupe.buffer.size", "2097152"),
        ] {
            writeln!(text, "{name}={value}").unwrap();
        }
        fs::write(self.path(number, "server.properties"), text).unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(process) = &mut node.process {
                let _ = process.kill();
                let _ = process.wait();
            }
        }
        if std::thread::panicking() {
            for number in 1..=2 {
                let log = fs::read_to_string(self.path(number, "log")).unwrap_or_default();
                let tail: Vec<_> = log.lines().rev().take(15).collect();
                eprintln!("node {number}, last lines first:\n{}\n", tail.join("\n"));
            }
        }
    }
}

/// The folder with the jars of one version.
fn libs(version: &str) -> PathBuf {
    let folder = std::env::var_os("MSK_TEST_KAFKA_DIRECTORY").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/kafka"),
        PathBuf::from,
    );
    let libs = folder.join(format!("kafka_2.13-{version}")).join("libs");
    assert!(
        libs.is_dir(),
        "{} does not exist. This test runs real Kafka {version}: put the jars of \
         org.apache.kafka:kafka_2.13:{version} and what it depends on there, for example with `mvn \
         dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory={0}` in a folder with a pom.xml \
         that has this one dependency, or set MSK_TEST_KAFKA_DIRECTORY to a folder that holds it",
        libs.display()
    );
    libs
}
