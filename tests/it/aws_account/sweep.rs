//! Terraform and provider are killed before and after every effect of create, update and delete in an account; the next
//! run carries on, makes nothing twice and leaves nothing.
//!
//! The nodes are played. After every effect is cut each time; `scripts/test --sweep` (`MSK_TEST_SWEEP=all`) cuts before
//! each as well.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::json;

use super::{Account, in_one_zone};
use crate::accidents::world::{Cut, Side, effects_in};
use crate::support::stand::Stand;

/// One node: broker and controller.
const SMALL: &str = "  dedicated_controllers = false\n  volume_size = 20";
/// The same, after the update: bigger volume, another source.
const GROWN: &str =
    "  dedicated_controllers = false\n  volume_size = 30\n  client_cidr_blocks = [\"10.0.0.0/8\"]";
/// States and lags as ever by polls, and short by time.
const QUICK: &str = r#"{"hold_seconds": 0.3, "lag_seconds": 0.4, "iam_lag_seconds": 0.3, "health_seconds": 0.1,
    "grace_seconds": 0.2, "group_gaps": [0.2]}"#;

/// What a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    Update,
    Delete,
}

impl Step {
    const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];

    fn prepare(self, account: &Account) {
        match self {
            Self::Create => account.terraform.write("main.tf", &in_one_zone(SMALL)),
            Self::Update => account.terraform.write("main.tf", &in_one_zone(GROWN)),
            Self::Delete => {}
        }
    }

    fn run(self, account: &Account) -> crate::support::terraform::Outcome {
        match self {
            Self::Create | Self::Update => account.terraform.apply(&[]),
            Self::Delete => account.terraform.destroy(&[]),
        }
    }
}

/// How many objects of each kind exist beyond the empty account's.
pub(crate) fn census(stand: &Stand) -> BTreeMap<String, usize> {
    let left = stand.left();
    let kinds = left.as_object().unwrap().iter();
    kinds
        // How many documents there are depends on the number of runs.
        .filter(|(kind, _)| !kind.contains("s3"))
        .map(|(kind, ids)| (kind.clone(), ids.as_array().map_or(1, Vec::len)))
        .collect()
}

/// A life with a cut in each of its steps; the census after create.
fn live(account: &mut Account, cuts: [Option<Cut>; 3]) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    for (step, cut) in Step::ALL.into_iter().zip(cuts) {
        step.prepare(account);
        if let Some(cut) = cut {
            let side = match cut.side {
                Side::Before => "before",
                Side::After => "after",
            };
            let place = format!("{}:{side}:parent", cut.number);
            account.terraform.set("MSK_TEST_STOP_AT_EFFECT", place);
            let outcome = step.run(account);
            account.terraform.unset("MSK_TEST_STOP_AT_EFFECT");
            assert!(
                !outcome.is_ok && !outcome.text.contains("\"@level\":\"error\""),
                "{step:?}: {cut:?} did not kill terraform:\n{}",
                outcome.text
            );
        }
        step.run(account).must_succeed();
        match step {
            Step::Create => made = census(&account.stand),
            Step::Update => account.terraform.plan_must_be_empty(),
            Step::Delete => assert_eq!(account.stand.left(), json!({}), "{cuts:?} leaves"),
        }
    }
    account.stand.must_be_content();
    made
}

fn effects(account: &mut Account, step: Step) -> Vec<String> {
    let file = account.terraform.path("effects");
    let _ = std::fs::remove_file(&file);
    step.prepare(account);
    account.terraform.set("MSK_TEST_EFFECTS_FILE", &file);
    step.run(account).must_succeed();
    account.terraform.unset("MSK_TEST_EFFECTS_FILE");
    effects_in(&file)
}

/// An account of its own, quick, in which the shared artefacts are there already.
fn quick_account() -> Account {
    let mut account = Account::with(SMALL);
    account.stand.control("POST", "settings", QUICK);
    live(&mut account, [None; 3]);
    account
}

/// As many lives at once: most of a life is waiting.
const AT_ONCE: usize = 4;

#[test]
fn a_kill_at_any_effect_in_an_account_is_mended_by_the_next_run() {
    let mut account = quick_account();
    let counted = Step::ALL.map(|step| effects(&mut account, step));
    for (step, effects) in Step::ALL.iter().zip(&counted) {
        println!("{step:?}: {} effects: {effects:?}", effects.len());
    }
    let whole = live(&mut account, [None; 3]);
    let is_whole = std::env::var_os("MSK_TEST_SWEEP").is_some_and(|value| value == "all");
    let cuts = counted.each_ref().map(|effects| {
        let mut cuts = Cut::all(effects.len());
        cuts.retain(|cut| is_whole || cut.side == Side::After);
        cuts
    });
    let lives = cuts.iter().map(Vec::len).max().unwrap_or_default();
    let waiting = Mutex::new(0..lives);
    let live_some = |mut account: Account| {
        loop {
            let Some(index) = waiting.lock().unwrap().next() else {
                return;
            };
            let begin = Instant::now();
            let cuts = cuts.each_ref().map(|cuts| cuts.get(index).copied());
            let made = live(&mut account, cuts);
            assert_eq!(made, whole, "{cuts:?} made something twice, or not");
            println!("{cuts:?}: {:.1} s", begin.elapsed().as_secs_f64());
        }
    };
    std::thread::scope(|scope| {
        let threads = (1..AT_ONCE).map(|_| scope.spawn(|| live_some(quick_account())));
        let threads: Vec<_> = threads.collect();
        live_some(account);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
