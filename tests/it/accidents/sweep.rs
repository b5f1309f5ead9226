//! Terraform and plugin are killed before and after every effect of create, repair and delete; the next
//! run carries on, makes nothing twice and leaves nothing.
//!
//! With the stand-in every cut is made in CI, with real Kafka six of them; `scripts/test --sweep` makes
//! every cut with real Kafka and prints a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Instant;

use super::world::{Cut, Kafka, Role, Side, World};

/// The effects of a create of one broker, in order. A new effect is a new place to be killed at.
const CREATE: [&str; 10] = [
    "claim the name",
    "fetch Kafka",
    "claim ports",
    "write an authority's key",
    "write an authority's key",
    "write the identity",
    "write the desired document",
    "start a node",
    "record ACTIVE",
    "end the create",
];

/// The effects of the repair of a node that was killed with its agent.
const REPAIR: [&str; 4] = [
    "begin the update",
    "fetch Kafka",
    "start a node",
    "end the update",
];

/// The effects of a delete.
const DELETE: [&str; 7] = [
    "begin the delete",
    "write the desired document",
    "remove a node",
    "remove places and claims",
    "write the tombstone",
    "remove the documents",
    "delete the record",
];

/// One life of a cluster with a cut in up to three of its operations.
#[derive(Debug, Clone, Copy)]
struct Life {
    create: Option<Cut>,
    repair: Option<Cut>,
    delete: Option<Cut>,
}

/// The lives that make every cut of each operation once.
fn all_lives() -> Vec<Life> {
    let create = Cut::all(CREATE.len());
    let repair = Cut::all(REPAIR.len());
    let delete = Cut::all(DELETE.len());
    let count = create.len().max(repair.len()).max(delete.len());
    let life = |index| Life {
        create: create.get(index).copied(),
        repair: repair.get(index).copied(),
        delete: delete.get(index).copied(),
    };
    (0..count).map(life).collect()
}

/// Lives a life and answers the seconds that its applies after a cut took.
fn live(kafka: Kafka, life: Life) -> Vec<f64> {
    let mut world = World::new(kafka);
    let mut times = Vec::new();
    if let Some(cut) = life.create {
        world.cut(false, cut);
    }
    let begin = Instant::now();
    world.apply();
    times.push(begin.elapsed().as_secs_f64());
    world.must_be_whole();
    if let Some(cut) = life.repair {
        let node = world.node();
        let formatted = std::fs::read_to_string(node.join("data/meta.properties")).unwrap();
        world.kill_all();
        world.cut(false, cut);
        let begin = Instant::now();
        world.apply();
        times.push(begin.elapsed().as_secs_f64());
        world.must_be_whole();
        let now = std::fs::read_to_string(world.node().join("data/meta.properties")).unwrap();
        assert_eq!(now, formatted, "a repair never formats");
    }
    if let Some(cut) = life.delete {
        world.cut(true, cut);
    }
    let begin = Instant::now();
    world.terraform.destroy(&[]).must_succeed();
    times.push(begin.elapsed().as_secs_f64());
    world.must_be_gone();
    times
}

/// Lives many lives on some threads and prints the table of what came of them.
fn live_all(kafka: Kafka, lives: &[Life], threads: usize) {
    let waiting = Mutex::new(lives.iter().copied().enumerate());
    let rows = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some((index, life)) = waiting.lock().unwrap().next() else {
                        return;
                    };
                    let result = std::panic::catch_unwind(|| live(kafka, life));
                    let result = result.map_err(|panic| {
                        let text = panic.downcast_ref::<String>().cloned();
                        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                            .unwrap_or_default()
                    });
                    rows.lock().unwrap().insert(index, (life, result));
                }
            });
        }
    });
    let rows = rows.into_inner().unwrap();
    let mut table =
        String::from("create              repair              delete              after the cut, s\n");
    let mut failures = String::new();
    for (life, result) in rows.values() {
        let place = |cut: Option<Cut>| cut.map_or_else(|| "-".to_owned(), show);
        let row = [life.create, life.repair, life.delete].map(place);
        let outcome = match result {
            Ok(times) => times
                .iter()
                .map(|time| format!("{time:.1}"))
                .collect::<Vec<_>>()
                .join(", "),
            Err(text) => {
                writeln!(failures, "{life:?}: {text}").unwrap();
                "FAILED".to_owned()
            }
        };
        writeln!(table, "{:<20}{:<20}{:<20}{outcome}", row[0], row[1], row[2]).unwrap();
    }
    eprintln!("{table}");
    assert!(failures.is_empty(), "{table}\n{failures}");
}

fn show(cut: Cut) -> String {
    let side = match cut.side {
        Side::Before => "before",
        Side::After => "after",
    };
    format!("{side} {}", cut.number)
}

#[test]
fn the_effects_of_create_repair_and_delete_are_known() {
    let mut world = World::new(Kafka::StandIn);
    let (_, effects) = world.effects_of(|terraform| terraform.apply(&[]).must_succeed());
    assert_eq!(effects, CREATE, "create");
    world.must_be_whole();
    let (_, effects) = world.effects_of(|terraform| terraform.apply(&[]).must_succeed());
    assert!(
        effects.is_empty(),
        "an apply of nothing does nothing: {effects:?}"
    );
    world.kill_all();
    let (_, effects) = world.effects_of(|terraform| terraform.apply(&[]).must_succeed());
    assert_eq!(effects, REPAIR, "repair");
    world.process(Role::Kafka);
    let (_, effects) = world.effects_of(|terraform| terraform.destroy(&[]).must_succeed());
    assert_eq!(effects, DELETE, "delete");
    world.must_be_gone();
}

#[test]
fn a_kill_at_any_effect_is_mended_by_the_next_run() {
    live_all(Kafka::StandIn, &all_lives(), 4);
}

/// `MSK_TEST_SEED` chooses other cuts.
#[test]
fn six_seeded_kills_are_mended_with_real_kafka() {
    let seed: u64 = std::env::var("MSK_TEST_SEED").map_or(1, |seed| seed.parse().unwrap());
    eprintln!("MSK_TEST_SEED={seed}");
    let mut random = seed;
    let mut choose = |count: usize| {
        // Knuth's MMIX generator; its high bits are good enough to choose with.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let cuts = Cut::all(count);
        Some(cuts[usize::try_from(random >> 33).unwrap() % cuts.len()])
    };
    let lives = [(); 2].map(|()| Life {
        create: choose(CREATE.len()),
        repair: choose(REPAIR.len()),
        delete: choose(DELETE.len()),
    });
    live_all(Kafka::Real, &lives, 1);
}

/// `scripts/test --sweep`. The effects do not depend on what runs as Kafka, so their number is known.
#[test]
#[ignore = "takes some ten minutes; scripts/test --sweep runs it"]
fn the_whole_sweep_with_real_kafka() {
    assert_eq!(
        std::env::var("MSK_TEST_SWEEP").as_deref(),
        Ok("all"),
        "run it with MSK_TEST_SWEEP=all"
    );
    live_all(Kafka::Real, &all_lives(), 2);
}
