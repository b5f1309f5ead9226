//! Scripts of commands (`scripts/*.txt`) and what they print (`scripts/*.out`). A reviewer reads the
//! difference of the output and sees what changes.
//!
//! Commands, one a line, `#` begins a comment:
//! `cluster zones=3 each=1 dedicated=true bytes=…` says what is wanted; `none` wants nothing;
//! `plan`; `apply`; `apply N` is cut off after N steps; `kill N`, `kill-kafka N`, `hang N`, `lose-disk N`
//! hit node N; `set NAME VALUE` and `unset` give the cluster a configuration; `drift NAME VALUE` changes a
//! dynamic default outside.
//!
//! `INSTA_UPDATE=always` writes the outputs anew.

use std::fmt::Write as _;
use std::time::Duration;

use super::model::World;
use super::world;
use crate::clock::Timestamp;
use crate::observed::Seen;
use crate::planner::lint::lint;
use crate::planner::report::planned_operations;
use crate::planner::{FollowUp, Plan};
use crate::spec::cluster::{ClusterSpec, ConfigurationSpecReference};
use crate::spec::ids::NodeId;
use crate::store::documents::NodePhase;

struct Script {
    world: World,
    wanted: Option<ClusterSpec>,
    printed: String,
}

impl Script {
    fn run(text: &str) -> String {
        let mut script = Self {
            world: World::empty(),
            wanted: None,
            printed: String::new(),
        };
        for line in text.lines() {
            let command = line.split('#').next().unwrap_or_default().trim();
            if command.is_empty() {
                continue;
            }
            let _ = writeln!(script.printed, "> {command}");
            let words: Vec<&str> = command.split_whitespace().collect();
            script.command(&words);
        }
        script.printed
    }

    fn command(&mut self, words: &[&str]) {
        match words {
            ["none"] => self.wanted = None,
            ["cluster", settings @ ..] => self.wanted = Some(cluster(settings)),
            ["plan"] => {
                let plan = self.world.plan(self.wanted.as_ref());
                self.print(&plan);
            }
            ["apply"] => {
                self.world.apply(self.wanted.as_ref(), usize::MAX);
            }
            ["apply", steps] => {
                self.world.apply(self.wanted.as_ref(), steps.parse().unwrap());
            }
            ["set", name, value] => {
                let configuration = ConfigurationSpecReference {
                    id: "c".to_owned(),
                    revision: 1,
                    server_properties: [((*name).to_owned(), (*value).to_owned())].into(),
                };
                self.wanted.as_mut().unwrap().configuration = Some(configuration);
            }
            ["unset"] => self.wanted.as_mut().unwrap().configuration = None,
            ["drift", name, value] => {
                let seen = self.world.seen.as_mut().unwrap();
                let (generation, desired) = seen.desired.known().unwrap();
                let mut dynamic = desired.live_properties.clone();
                dynamic.insert((*name).to_owned(), (*value).to_owned());
                seen.properties = Seen::Known(crate::store::documents::PropertiesStatus {
                    applied: *generation,
                    dynamic,
                    ..Default::default()
                });
            }
            [hit, node] => self.hit(hit, NodeId(node.parse().unwrap())),
            other => panic!("unknown command {other:?}"),
        }
    }

    fn hit(&mut self, hit: &str, node: NodeId) {
        self.world.now = self.world.now.after(Duration::from_mins(2));
        let now = self.world.now;
        for other in self.world.seen.as_mut().unwrap().nodes.values_mut() {
            if other.status_is_fresh {
                other.status.as_mut().unwrap().written_at = now;
            }
        }
        let node = self.world.node(node);
        match hit {
            "kill" => {
                node.agent = Seen::Absent;
                node.kafka = Seen::Absent;
                node.status_is_fresh = false;
            }
            "kill-kafka" => {
                node.kafka = Seen::Absent;
                node.status.as_mut().unwrap().phase = NodePhase::BackingOff;
            }
            "hang" => {
                node.status_is_fresh = false;
                node.status.as_mut().unwrap().written_at = Timestamp::from_millis(now.as_millis() - 90_000);
            }
            "lose-disk" => {
                node.disk = Seen::Absent;
                node.agent = Seen::Absent;
            }
            other => panic!("unknown command {other}"),
        }
    }

    fn print(&mut self, plan: &Plan) {
        assert_eq!(lint(plan), []);
        if plan.is_empty() {
            self.printed.push_str("nothing to do\n");
        }
        for row in planned_operations(plan) {
            let _ = writeln!(
                self.printed,
                "{:>2}  {:<17} {:<24} {:<13} {:>3} s  {}",
                row.order, row.operation, row.target, row.effect, row.estimated_seconds, row.reason
            );
        }
        for (word, texts) in [
            ("blocked", &plan.report.blocked),
            ("warning", &plan.report.warnings),
            ("waits", &plan.report.waits),
        ] {
            for text in texts {
                let _ = writeln!(self.printed, "{word}: {text}");
            }
        }
        if plan.follow_up == FollowUp::CreateAnew {
            self.printed.push_str("then: create anew\n");
        }
    }
}

fn cluster(settings: &[&str]) -> ClusterSpec {
    let value = |name: &str| {
        settings
            .iter()
            .find_map(|setting| setting.strip_prefix(name)?.strip_prefix('='))
    };
    let number = |name: &str, fallback: u32| value(name).map_or(fallback, |text| text.parse().unwrap());
    let mut spec = world::spec(number("zones", 3), number("each", 1));
    spec.dedicated_controllers = value("dedicated") == Some("true");
    spec.max_message_bytes = number("bytes", spec.max_message_bytes);
    spec
}

#[track_caller]
fn check(name: &str, text: &str, expected: &str) {
    let printed = Script::run(text);
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        let path = format!(
            "{}/src/planner/tests/scripts/{name}.out",
            env!("CARGO_MANIFEST_DIR")
        );
        std::fs::write(path, &printed).unwrap();
        return;
    }
    assert_eq!(
        printed, expected,
        "if the change is wanted, run INSTA_UPDATE=always cargo test --lib planner::tests::scripts"
    );
}

macro_rules! scripts {
    ($($test:ident $name:literal;)+) => {
        $(
            #[test]
            fn $test() {
                let text = include_str!(concat!("scripts/", $name, ".txt"));
                let expected = include_str!(concat!("scripts/", $name, ".out"));
                check($name, text, expected);
            }
        )+
    };
}

scripts! {
    a_cluster_is_created_and_removed "create";
    a_create_that_was_cut_off_is_carried_on "carry-on";
    nodes_are_brought_back "repair";
    live_properties_change_without_a_restart "live";
}
