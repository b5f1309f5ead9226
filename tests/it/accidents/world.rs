//! One cluster in a directory, on a loopback address of its own, and what a test sees of it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::terraform::{Outcome, Terraform};

/// Generous: the machine may be doing other things.
pub(crate) const SOON: Duration = Duration::from_mins(2);

/// What runs as Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kafka {
    /// Apache Kafka.
    Real,
    /// A Python program that opens the ports and speaks enough.
    StandIn,
}

/// What a process of a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// `msk-node`.
    Agent,
    /// Kafka or its stand-in.
    Kafka,
}

/// On which side of an effect a run is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Right before.
    Before,
    /// Right after.
    After,
}

/// Where terraform and plugin are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The number of the effect, from 1.
    pub(crate) number: usize,
    /// The side of it.
    pub(crate) side: Side,
}

impl Cut {
    /// Both sides of each of `count` effects.
    pub(crate) fn all(count: usize) -> Vec<Self> {
        let both = |number| [Side::Before, Side::After].map(|side| Self { number, side });
        (1..=count).flat_map(both).collect()
    }
}

/// The names of the effects that a run noted; a number that was given twice was refused the first time.
pub(crate) fn effects_in(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let effects = text.lines().filter_map(|line| {
        let (number, name) = line.split_once(' ')?;
        Some((number.parse::<u64>().ok()?, name.to_owned()))
    });
    effects.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// A working directory with one cluster of one broker, `msk_cluster.c`.
pub(crate) struct World {
    /// The commands.
    pub(crate) terraform: Terraform,
    /// Where the node listens.
    pub(crate) address: Ipv4Addr,
    /// Where blocks of ports begin.
    pub(crate) base_port: u16,
}

/// The cluster of most tests.
pub(crate) const CLUSTER: &str = r#"
resource "msk_cluster" "c" {
  name                = "c"
  kafka_version       = "4.3.1"
  subnet_ids          = ["a"]
  deletion_protection = false
}
"#;

impl World {
    /// A cluster of one broker, not applied yet.
    pub(crate) fn new(kafka: Kafka) -> Self {
        Self::with(kafka, CLUSTER)
    }

    /// Any configuration, not applied yet.
    pub(crate) fn with(kafka: Kafka, configuration: &str) -> Self {
        let terraform = Terraform::bare();
        let address = own_address();
        let mut world = Self {
            terraform,
            address,
            base_port: 30_000,
        };
        if kafka == Kafka::StandIn {
            let java = world.install_stand_in();
            world.terraform.set("JAVA_HOME", java);
        }
        world.write_provider(&format!("kafka_directory = \"{}\"", kafka_directory().display()));
        world.terraform.write("main.tf", configuration);
        world.terraform.init();
        world
    }

    /// Writes the provider block with these lines in `local`.
    pub(crate) fn write_provider(&self, lines: &str) {
        let Self {
            address, base_port, ..
        } = self;
        let text = format!(
            "provider \"msk\" {{\n  local = {{\n    base_port      = {base_port}\n    listen_address = \"{address}\"\n    {lines}\n  }}\n}}\n"
        );
        self.terraform.write("provider.tf", &text);
    }

    fn install_stand_in(&self) -> PathBuf {
        let home = self.terraform.path("java");
        fs::create_dir_all(home.join("bin")).unwrap();
        let script = home.join("stand_in.py");
        fs::write(&script, include_str!("stand_in.py")).unwrap();
        let python = python();
        let prefix = output(Command::new(&python).args(["-c", "import sys; print(sys.base_prefix)"]));
        let real = output(Command::new(&python).args(["-c", "import sys; print(sys.executable)"]));
        // Named `java`, so that agent and provider take it for what it stands for.
        let text = format!(
            "#!/bin/bash\nexport PYTHONHOME='{prefix}'\nexec -a \"$0\" '{real}' -S '{}' \"$@\"\n",
            script.display()
        );
        let java = home.join("bin/java");
        write_program(&java, &text);
        home
    }

    /// `terraform apply` that must succeed.
    #[track_caller]
    pub(crate) fn apply(&self) -> Outcome {
        self.terraform.apply(&[]).must_succeed()
    }

    /// `terraform apply` or `destroy`, both it and the plugin killed at an effect.
    #[track_caller]
    pub(crate) fn cut(&mut self, destroy: bool, cut: Cut) {
        let side = match cut.side {
            Side::Before => "before",
            Side::After => "after",
        };
        self.terraform
            .set("MSK_TEST_STOP_AT_EFFECT", format!("{}:{side}:parent", cut.number));
        let outcome = if destroy {
            self.terraform.destroy(&[])
        } else {
            self.terraform.apply(&[])
        };
        self.terraform.unset("MSK_TEST_STOP_AT_EFFECT");
        assert!(!outcome.is_ok, "{cut:?} did not strike:\n{}", outcome.text);
        assert!(
            !outcome.text.contains("\"@level\":\"error\""),
            "{cut:?}: terraform was not killed but failed:\n{}",
            outcome.text
        );
    }

    /// The names of the effects of a command.
    pub(crate) fn effects_of<T>(&mut self, command: impl FnOnce(&Terraform) -> T) -> (T, Vec<String>) {
        let file = self.terraform.path("effects");
        let _ = fs::remove_file(&file);
        self.terraform.set("MSK_TEST_EFFECTS_FILE", &file);
        let result = command(&self.terraform);
        self.terraform.unset("MSK_TEST_EFFECTS_FILE");
        (result, effects_in(&file))
    }

    /// The processes of the nodes.
    pub(crate) fn processes(&self, role: Role) -> Vec<u32> {
        let clusters = self.terraform.data().join("clusters");
        let clusters = clusters.canonicalize().unwrap_or(clusters);
        let needle = clusters.to_str().unwrap().to_owned();
        let found = self.terraform.processes().into_iter();
        found
            .filter(|(_, line)| line.contains(&needle))
            .filter(|(_, line)| line.contains("server.properties") == (role == Role::Kafka))
            .map(|(id, _)| id)
            .collect()
    }

    /// The one process of a role.
    #[track_caller]
    pub(crate) fn process(&self, role: Role) -> u32 {
        let found = self.processes(role);
        assert_eq!(found.len(), 1, "{role:?}: {:?}", self.terraform.processes());
        found[0]
    }

    /// Kills every agent first, so that none starts its Kafka again, then every Kafka.
    pub(crate) fn kill_all(&self) {
        for role in [Role::Agent, Role::Kafka] {
            for id in self.processes(role) {
                kill(id);
            }
        }
        wait_until("the killed processes are gone", || {
            self.processes(Role::Agent).is_empty() && self.processes(Role::Kafka).is_empty()
        });
    }

    /// The directories of clusters.
    pub(crate) fn clusters(&self) -> Vec<PathBuf> {
        children(&self.terraform.data().join("clusters"))
    }

    /// The directory of node 1 of the only cluster.
    #[track_caller]
    pub(crate) fn node(&self) -> PathBuf {
        let clusters = self.clusters();
        assert_eq!(clusters.len(), 1, "{clusters:?}");
        clusters[0].join("nodes/1")
    }

    /// `terraform apply` until the cluster is ACTIVE: where a node comes up by itself, an apply that sees it
    /// half-way has nothing to do and shows what it saw.
    #[track_caller]
    pub(crate) fn apply_until_active(&self) {
        wait_until("the cluster is ACTIVE", || {
            self.apply();
            self.terraform.state("msk_cluster.c")["state"] == "ACTIVE"
        });
    }

    /// Stops the test unless exactly one cluster with one node runs and its plan is empty.
    #[track_caller]
    pub(crate) fn must_be_whole(&self) {
        self.process(Role::Agent);
        self.process(Role::Kafka);
        assert_eq!(self.clusters().len(), 1, "{:?}", self.clusters());
        assert_eq!(self.terraform.state("msk_cluster.c")["state"], "ACTIVE");
        self.terraform.plan_must_be_empty();
    }

    /// Stops the test if anything of a cluster is left: a process, a file, a document, a claim.
    #[track_caller]
    pub(crate) fn must_be_gone(&self) {
        let left = self.terraform.processes();
        assert!(left.is_empty(), "processes are left: {left:?}");
        assert_eq!(self.clusters(), Vec::<PathBuf>::new(), "directories are left");
        let store = self.terraform.data().join("store");
        let documents = files(&store);
        let is_ours = |path: &PathBuf| {
            let below = path.strip_prefix(&store).unwrap();
            below.starts_with("gone") || below.starts_with("~locks") || below == Path::new("store.json")
        };
        let left: Vec<_> = documents.iter().filter(|path| !is_ours(path)).collect();
        assert!(left.is_empty(), "documents are left: {left:?}");
    }
}

impl Drop for World {
    /// What the tests start must not outlive them: a Kafka is no child of this process.
    fn drop(&mut self) {
        for role in [Role::Agent, Role::Kafka] {
            for id in self.processes(role) {
                kill(id);
            }
        }
    }
}

/// Each test has an address of its own, so that no two of them want the same port.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    let third = u8::try_from(process / 250 % 250).unwrap();
    let second = u8::try_from(1 + process % 250).unwrap();
    let last = u8::try_from(1 + number % 250).unwrap();
    Ipv4Addr::new(127, second, third, last)
}

/// A Python for the stand-in and for clients.
pub(crate) fn python() -> String {
    std::env::var("MSK_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// The folder that holds `kafka_2.13-<version>/libs`.
pub(crate) fn kafka_directory() -> PathBuf {
    crate::kafka_files::kafka_directory().into_std_path_buf()
}

/// What a command prints.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("these tests need {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes a program. Through a rename, since another thread may be starting a process right now.
pub(crate) fn write_program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let _ = fs::remove_file(path);
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// SIGKILL.
pub(crate) fn kill(id: u32) {
    signal(id, "KILL");
}

/// Any signal; a process that is gone is none of a test's business.
pub(crate) fn signal(id: u32, name: &str) {
    let _ = Command::new("kill")
        .args([format!("-{name}"), id.to_string()])
        .output();
}

/// Polls.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_true() {
        assert!(begin.elapsed() < SOON, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What lies in a directory; nothing if it is not there.
pub(crate) fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => panic!("{}: {error}", directory.display()),
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Every file below a directory.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in children(directory) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
