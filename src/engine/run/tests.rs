use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Limits, Perform, Progress, RunError, run};
use crate::engine::journal::JournalWriter;
use crate::planner::step::{Action, Effect, Step};
use crate::spec::ids::{ClusterUid, NodeId};
use crate::store::documents::{Journal, JournalState, keys};
use crate::store::identity::Home;
use crate::store::{Documents, Store};

#[derive(Debug, thiserror::Error)]
#[error("it broke")]
struct Broke;

/// Writes down what it is asked to do; fails or hangs at one node.
#[derive(Debug, Default)]
struct Recorder {
    done: Mutex<Vec<Action>>,
    fails_at: Option<NodeId>,
    hangs_at: Option<NodeId>,
    together: AtomicUsize,
    most_together: AtomicUsize,
}

impl Perform for Recorder {
    type Error = Broke;

    async fn perform(&self, step: &Step, progress: &Progress) -> Result<(), Broke> {
        let now = self.together.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_together.fetch_max(now, Ordering::SeqCst);
        progress.say("works");
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.together.fetch_sub(1, Ordering::SeqCst);
        if let Action::StartNode(node) = step.action {
            if self.hangs_at == Some(node) {
                std::future::pending::<()>().await;
            }
            if self.fails_at == Some(node) {
                return Err(Broke);
            }
        }
        self.done.lock().unwrap().push(step.action.clone());
        Ok(())
    }
}

fn step(order: u32, action: Action) -> Step {
    Step {
        order,
        action,
        reason: "a reason".to_owned(),
        effect: Effect::None,
        estimate: Duration::ZERO,
    }
}

fn steps() -> Vec<Step> {
    vec![
        step(1, Action::WriteDesired),
        step(2, Action::StartNode(NodeId(1))),
        step(2, Action::StartNode(NodeId(2))),
        step(3, Action::RecordActive),
    ]
}

struct Setting {
    _keep: tempfile::TempDir,
    store: Store,
    uid: ClusterUid,
    journal: Arc<JournalWriter>,
}

async fn setting() -> Setting {
    let keep = tempfile::tempdir().unwrap();
    let root = camino::Utf8PathBuf::from_path_buf(keep.path().join("store")).unwrap();
    let store = Store::open_or_create(&Home::Directory(root)).await.unwrap();
    let uid = ClusterUid::new("0123456789abcdef0123456789abcdef");
    let journal = Arc::new(JournalWriter::begin(&store, &uid, "create").await.unwrap());
    Setting {
        _keep: keep,
        store,
        uid,
        journal,
    }
}

impl Setting {
    async fn read_journal(&self) -> Journal {
        let listed = self
            .store
            .list_all(&keys::journals(&self.uid).unwrap(), 10)
            .await
            .unwrap();
        assert_eq!(listed.len(), 1);
        let documents = Documents::of_cluster(&self.store, &self.uid);
        documents.read::<Journal>(&listed[0]).await.unwrap().unwrap().body
    }
}

fn limits(limit: Duration) -> Limits {
    Limits::starting_now(limit, CancellationToken::new())
}

#[tokio::test]
async fn steps_of_one_order_run_together_and_the_next_order_waits() {
    let setting = setting().await;
    let recorder = Arc::new(Recorder::default());
    let plenty = limits(Duration::from_mins(1));
    run(&steps(), &recorder, &setting.journal, &plenty).await.unwrap();
    let done = recorder.done.lock().unwrap().clone();
    assert_eq!(done.first(), Some(&Action::WriteDesired));
    assert_eq!(done.last(), Some(&Action::RecordActive));
    assert_eq!(done.len(), 4);
    assert_eq!(recorder.most_together.load(Ordering::SeqCst), 2);
    let journal = setting.read_journal().await;
    assert!(
        journal
            .entries
            .iter()
            .all(|entry| entry.state == JournalState::Done)
    );
    assert!(journal.ended_at.is_some());
    // Each step run twice: nothing in the runner minds.
    run(&steps(), &recorder, &setting.journal, &plenty).await.unwrap();
}

#[tokio::test]
async fn a_failure_ends_the_run_and_stands_in_the_journal() {
    let setting = setting().await;
    let recorder = Arc::new(Recorder {
        fails_at: Some(NodeId(2)),
        ..Recorder::default()
    });
    let error = run(
        &steps(),
        &recorder,
        &setting.journal,
        &limits(Duration::from_mins(1)),
    )
    .await
    .unwrap_err();
    assert!(
        matches!(&error, RunError::Step { target, .. } if target == "broker 2"),
        "{error}"
    );
    assert!(!recorder.done.lock().unwrap().contains(&Action::RecordActive));
    let journal = setting.read_journal().await;
    assert_eq!(journal.entries.len(), 3, "the last order was never begun");
    assert!(
        journal
            .entries
            .iter()
            .any(|entry| entry.state == JournalState::Failed("it broke".to_owned()))
    );
}

#[tokio::test]
async fn a_request_to_stop_and_the_time_limit_end_a_step_that_hangs() {
    let setting = setting().await;
    let recorder = Arc::new(Recorder {
        hangs_at: Some(NodeId(1)),
        ..Recorder::default()
    });
    let error = run(
        &steps(),
        &recorder,
        &setting.journal,
        &limits(Duration::from_millis(50)),
    )
    .await
    .unwrap_err();
    assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains("broker 1"), "{error}");
    let stop = CancellationToken::new();
    let limits = Limits::starting_now(Duration::from_mins(1), stop.clone());
    let steps = steps();
    let running = run(&steps, &recorder, &setting.journal, &limits);
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.cancel();
    };
    let (result, ()) = tokio::join!(running, stopping);
    assert!(matches!(result, Err(RunError::Cancelled { .. })));
    let journal = setting.read_journal().await;
    let is_uncertain = journal
        .entries
        .iter()
        .any(|entry| entry.state == JournalState::Uncertain);
    assert!(is_uncertain, "what was cut off is not known");
}
