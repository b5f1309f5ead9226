//! Terraform and provider are killed at drawn effects of create, update and delete of a cluster with real nodes; the next
//! run carries on, makes nothing twice and leaves nothing. Every effect is cut in turn with played nodes, in
//! `aws_account::sweep`.
//!
//! `MSK_TEST_SEED` draws others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::World;
use crate::accidents::world::effects_in;
use crate::aws_account::sweep::census;

const EXAMPLE: &str = "aws-two-zones";
const SIZE: &str = "volume_size   = 20";
const GROWN: &str = "volume_size   = 21";
/// Lives, each with a cut in each of its three steps.
const LIVES: usize = 2;

#[derive(Debug, Clone, Copy)]
enum Step {
    Create,
    Update,
    Delete,
}

impl Step {
    const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];

    fn run(self, world: &World) -> crate::support::terraform::Outcome {
        match self {
            Self::Create | Self::Update => world.terraform.apply(&[]),
            Self::Delete => world.terraform.destroy(&[]),
        }
    }
}

/// Knuth's linear congruential generator: the same cuts for the same seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    /// A number of an effect, and the side of it.
    fn cut(&mut self, effects: usize) -> String {
        let side = ["before", "after"][self.below(2)];
        format!("{}:{side}:parent", self.below(effects) + 1)
    }
}

#[test]
#[ignore = "needs root and a stand with machines of its own"]
fn six_drawn_kills_of_a_run_are_mended_by_the_next() {
    let seed = std::env::var("MSK_TEST_SEED").map_or(1, |text| text.parse().unwrap());
    let mut draw = Draw(seed);
    let mut world = World::with(EXAMPLE);
    // The first life counts the effects.
    let mut counts = Vec::new();
    let mut whole = BTreeMap::new();
    let file = world.path("effects");
    for step in Step::ALL {
        prepare(&world, step);
        let _ = std::fs::remove_file(&file);
        world.terraform.set("MSK_TEST_EFFECTS_FILE", &file);
        step.run(&world).must_succeed();
        world.terraform.unset("MSK_TEST_EFFECTS_FILE");
        counts.push(effects_in(&file).len());
        if matches!(step, Step::Create) {
            whole = census(&world.stand);
        }
    }
    println!("seed {seed}; effects of create, update, delete: {counts:?}");
    for _ in 0..LIVES {
        for (step, count) in Step::ALL.into_iter().zip(&counts) {
            prepare(&world, step);
            let cut = draw.cut(*count);
            let begin = Instant::now();
            world.terraform.set("MSK_TEST_STOP_AT_EFFECT", &cut);
            let outcome = step.run(&world);
            world.terraform.unset("MSK_TEST_STOP_AT_EFFECT");
            assert!(
                !outcome.is_ok && !outcome.text.contains("\"@level\":\"error\""),
                "{step:?}: {cut} did not kill terraform:\n{}",
                outcome.text
            );
            let cut_after = begin.elapsed();
            let again = Instant::now();
            step.run(&world).must_succeed();
            println!(
                "{step:?} killed at {cut} after {:.1} s, mended after {:.1} s",
                cut_after.as_secs_f64(),
                again.elapsed().as_secs_f64()
            );
            match step {
                Step::Create => {
                    world.terraform.plan_must_be_empty();
                    assert_eq!(census(&world.stand), whole, "{cut} made something twice, or not");
                }
                Step::Update => {
                    world.terraform.plan_must_be_empty();
                    let writing = world.write("records");
                    std::thread::sleep(Duration::from_secs(5));
                    writing.must_be_read_back();
                    for name in ["records.acked", "records.stop"] {
                        std::fs::remove_file(world.path(name)).unwrap();
                    }
                }
                Step::Delete => assert_eq!(world.stand.left(), json!({}), "{cut} leaves"),
            }
        }
    }
    world.destroy();
}

fn prepare(world: &World, step: Step) {
    match step {
        Step::Create => {}
        Step::Update => world.terraform.replace("main.tf", SIZE, GROWN),
        Step::Delete => world.terraform.replace("main.tf", GROWN, SIZE),
    }
}
