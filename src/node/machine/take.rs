//! From nothing to a mounted disk: attach, wait, format or mount. Takes as long as it takes, and tells what it waits
//! for.

use std::path::Path;
use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::disk::{self, DiskError};
use super::early::Reporter;
use super::rules::{Claim, Content, Facts, Question, Verdict, judge};
use super::{Machine, attached_mark, began_file, point, power, ran_mark, volume};
use crate::aws::{CallError, Kind};
use crate::node::format;
use crate::node::home::write_private;
use crate::node::problem::{problem, with_causes};
use crate::spec::ids::{ClusterUid, NodeId};
use crate::store::DocumentError;
use crate::store::documents::keys::{self, Single};
use crate::store::documents::{ClusterDesired, FormatPhase, MachineStatus, Problem, ProblemCode};

/// The pause after the first look; most waits end within a second or two.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The pause between two looks after some more of them; a status is due as often.
const PAUSE: Duration = Duration::from_secs(3);
/// After a refusal: only a person can change anything.
const LONG_PAUSE: Duration = Duration::from_secs(15);
/// How long the device may take to appear after EC2 says `attached`, before it is told as a problem.
const DEVICE_WITHIN: Duration = Duration::from_mins(1);
/// How long EC2 may not know an instance that it runs: what one of its servers knows reaches the others late
/// (Amazon EC2 API reference, "Eventual consistency").
const YOUNG: Duration = Duration::from_mins(2);
/// How long EC2 may be silent before a device that is there is looked at without it.
const SILENCE: Duration = Duration::from_secs(20);

/// What is written on the disk itself, so that it is known also while the store is away.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    cluster_uid: ClusterUid,
    node_id: NodeId,
    volume_id: String,
}

/// What one look came to.
enum Step {
    Mounted(MachineStatus),
    /// What is waited for, and what is wrong if anything is.
    Waits(String, Option<Problem>),
}

/// Pauses that double while the same is waited for.
struct Pauses {
    awaited: String,
    next: Duration,
}

impl Pauses {
    fn new() -> Self {
        Self {
            awaited: String::new(),
            next: FIRST_PAUSE,
        }
    }

    /// The pause before the next look; short again when something else is waited for than before.
    fn after(&mut self, awaited: &str) -> Duration {
        if self.awaited != awaited {
            awaited.clone_into(&mut self.awaited);
            self.next = FIRST_PAUSE;
        }
        let pause = self.next;
        self.next = (pause * 2).min(PAUSE);
        pause
    }
}

/// Takes the node's volume.
pub(super) async fn take(machine: &Machine, reporter: &mut Reporter) -> MachineStatus {
    let began = Instant::now();
    let mut attached_at = None;
    let mut pauses = Pauses::new();
    loop {
        match step(machine, reporter, began, &mut attached_at).await {
            Step::Mounted(status) => return status,
            Step::Waits(progress, found) => {
                let pause = match found {
                    Some(_) => LONG_PAUSE,
                    None => pauses.after(&progress),
                };
                reporter.say(progress, found).await;
                if attached_at.is_none() {
                    power::give_up_if_due(began.elapsed(), &began_file(), &ran_mark());
                }
                sleep(pause).await;
            }
        }
    }
}

async fn step(
    machine: &Machine,
    reporter: &mut Reporter,
    began: Instant,
    attached_at: &mut Option<Instant>,
) -> Step {
    let id = &machine.boot.volume_id;
    let device = disk::device(id);
    let facts = match volume::look(&machine.ec2, id, &machine.instance_id).await {
        Ok(Some(facts)) => Some(facts),
        Ok(None) => {
            let text = format!(
                "the volume {id} does not exist; restore a snapshot, or name the node in `replace_volumes`"
            );
            return Step::Waits(
                "waits for its volume".to_owned(),
                Some(problem(ProblemCode::DataMissing, text)),
            );
        }
        // A machine that was rebooted has its volume already.
        Err(_) if disk::is_there(&device) && began.elapsed() >= SILENCE => None,
        Err(error) => return refused("EC2 for its volume", &error),
    };
    if let Some(facts) = &facts
        && let Err(waits) = have(machine, facts, began.elapsed() < YOUNG).await
    {
        *attached_at = None;
        return waits;
    }
    let since = *attached_at.get_or_insert_with(Instant::now);
    if !disk::is_there(&device) {
        let found = (since.elapsed() > DEVICE_WITHIN).then(|| {
            let text = format!("{id} is attached, and `{device}` has not appeared within a minute");
            problem(ProblemCode::DataUnusable, text)
        });
        return Step::Waits(format!("waits for the device of {id}"), found);
    }
    match decide(machine, reporter, facts.as_ref(), &device).await {
        Ok(step) => step,
        Err(found) => Step::Waits(format!("cannot use {id}"), Some(found)),
    }
}

fn refused(whom: &str, error: &CallError) -> Step {
    let found = match error.kind() {
        Kind::Unreachable | Kind::Throttled | Kind::Server => None,
        _ => Some(problem(ProblemCode::Other, error.to_string())),
    };
    let words: String = error.to_string().chars().take(300).collect();
    Step::Waits(format!("waits for {whom}: {words}"), found)
}

/// Sees to it that the volume is attached here; `Err`: what is waited for.
async fn have(machine: &Machine, facts: &Facts, is_young: bool) -> Result<(), Step> {
    let id = &machine.boot.volume_id;
    let waits = |text: String| Err(Step::Waits(text, None));
    if let Some(holder) = &facts.holder {
        return waits(format!("the volume {id} is held by the instance {holder}"));
    }
    if facts.is_coming {
        return waits(format!("waits for {id} to be attached"));
    }
    if facts.is_ours && facts.goes_with_the_instance {
        let text = format!(
            "{id} would be deleted with the instance {}; set DeleteOnTermination of this attachment to false",
            machine.instance_id
        );
        return Err(Step::Waits(
            "waits for a safe attachment".to_owned(),
            Some(problem(ProblemCode::DataUnusable, text)),
        ));
    }
    if facts.is_ours {
        return Ok(());
    }
    if facts.state != "available" {
        return waits(format!("waits for the volume {id}, which is {}", facts.state));
    }
    match volume::attach(&machine.ec2, id, &machine.instance_id).await {
        Ok(()) => waits(format!("waits for {id} to be attached")),
        // Another instance was faster, or the last one has not let go of it: both pass.
        Err(error) if matches!(error.code(), "VolumeInUse" | "IncorrectState") => {
            waits(format!("waits for the volume {id}: {}", error.message()))
        }
        Err(error) if is_young && error.code() == "InvalidInstanceID.NotFound" => {
            waits("waits until EC2 knows this instance".to_owned())
        }
        Err(error) if error.code() == "InvalidVolume.ZoneMismatch" => {
            let text = format!("{id} is in another zone than this machine: {}", error.message());
            Err(Step::Waits(
                "cannot attach its volume".to_owned(),
                Some(problem(ProblemCode::DataUnusable, text)),
            ))
        }
        Err(error) => Err(refused("its volume", &error)),
    }
}

async fn decide(
    machine: &Machine,
    reporter: &mut Reporter,
    facts: Option<&Facts>,
    device: &Utf8PathBuf,
) -> Result<Step, Problem> {
    let (id, point) = (&machine.boot.volume_id, point());
    let unusable = |cause: DiskError| problem(ProblemCode::DataUnusable, with_causes(&cause));
    let label = disk::label(machine.boot.node_id);
    let content = disk::content(device, &label).await;
    let desired = desired(machine).await;
    let named = desired
        .as_ref()
        .and_then(|desired| desired.node(machine.boot.node_id)?.machine.as_ref())
        .map(|machine| machine.volume_id.clone());
    let claim = claim(machine).await?;
    let known = reporter
        .before
        .as_ref()
        .and_then(|before| before.machine.as_ref())
        .filter(|known| known.volume_id == *id)
        .map(|known| known.file_system_id.clone());
    let question = Question {
        volume_id: id,
        facts,
        desired_volume: named.as_deref(),
        claim,
        content: &content,
        known_file_system: known.as_deref(),
    };
    let file_system = match judge(&question) {
        Verdict::Wait(what) => return Ok(Step::Waits(what, None)),
        Verdict::Refuse(code, text) => return Err(problem(code, text)),
        Verdict::Mount(file_system) => file_system,
        Verdict::Format => {
            let Some(desired) = desired else {
                return Ok(Step::Waits("waits for the desired document".to_owned(), None));
            };
            reporter.say(format!("formats {id}"), None).await;
            // Before the first byte.
            format::claim_disk(
                &machine.documents,
                &machine.boot.cluster_uid,
                &desired,
                machine.boot.node_id,
                id,
            )
            .await?;
            disk::format(device, &label).await.map_err(unusable)?;
            match disk::content(device, &label).await {
                Content::OurFileSystem { id } => id,
                other => {
                    let text = format!("{id} was formatted and now holds {other:?}");
                    return Err(problem(ProblemCode::DataUnusable, text));
                }
            }
        }
    };
    reporter.say(format!("mounts {id}"), None).await;
    let was_mounted = disk::mount(device, &file_system, &point)
        .await
        .map_err(unusable)?;
    if let Err(found) = check_mark(machine, claim) {
        if !was_mounted {
            disk::unmount(&point).await.map_err(unusable)?;
        }
        return Err(found);
    }
    let file_system_bytes = disk::grow(&point).await.map_err(unusable)?;
    if let Err(cause) = std::fs::write(attached_mark(), b"") {
        tracing::warn!(%cause, "it cannot be noted that the volume is attached");
    }
    Ok(Step::Mounted(MachineStatus {
        volume_id: id.clone(),
        file_system_id: file_system,
        file_system_bytes,
    }))
}

async fn desired(machine: &Machine) -> Option<ClusterDesired> {
    let key = keys::single(&machine.boot.cluster_uid, Single::Cluster).ok()?;
    let read = machine.documents.read::<ClusterDesired>(&key).await;
    Some(read.ok()??.body)
}

async fn claim(machine: &Machine) -> Result<Claim, Problem> {
    let read = format::read_claim(
        &machine.documents,
        &machine.boot.cluster_uid,
        machine.boot.node_id,
    )
    .await;
    Ok(match read {
        Ok(None) => Claim::Absent,
        Ok(Some(claim)) if claim.disk_id != machine.boot.volume_id => Claim::Elsewhere,
        Ok(Some(claim)) if claim.phase == FormatPhase::Done => Claim::Done,
        Ok(Some(_)) => Claim::Started,
        Err(DocumentError::Store(cause)) => {
            tracing::warn!(cause = %with_causes(&cause), "the store cannot be read");
            Claim::Unknown
        }
        Err(cause) => return Err(problem(ProblemCode::DocumentBroken, with_causes(&cause))),
    })
}

/// The disk says itself whose it is; a new one is marked. Without the store nothing else tells.
fn check_mark(machine: &Machine, claim: Claim) -> Result<(), Problem> {
    let boot = &machine.boot;
    let ours = Mark {
        cluster_uid: boot.cluster_uid.clone(),
        node_id: boot.node_id,
        volume_id: boot.volume_id.clone(),
    };
    let path = point().join("volume.json");
    let foreign = |what: &str| {
        let text = format!("`{path}` {what}: the volume is another node's; it was unmounted");
        problem(ProblemCode::DataForeign, text)
    };
    match std::fs::read(Path::new(path.as_str())) {
        Ok(text) if serde_json::from_slice::<Mark>(&text).is_ok_and(|mark| mark == ours) => Ok(()),
        Ok(_) if claim == Claim::Absent => {
            // Restored from a snapshot: it is this node's from now on.
            mark(&path, &ours)
        }
        Ok(_) => Err(foreign("names another node or volume")),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && claim != Claim::Unknown => {
            mark(&path, &ours)
        }
        Err(cause) => Err(foreign(&format!("cannot be read ({cause})"))),
    }
}

fn mark(path: &Utf8PathBuf, mark: &Mark) -> Result<(), Problem> {
    let text = serde_json::to_vec(mark).unwrap_or_default();
    write_private(path, &text)
        .map_err(|cause| problem(ProblemCode::DataUnusable, format!("write `{path}`: {cause}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_while_the_same_is_waited_for_and_start_again_with_something_else() {
        let mut pauses = Pauses::new();
        let mut after = |awaited: &str| pauses.after(awaited).as_millis();
        assert_eq!(
            ["a", "a", "a", "a", "a", "a"].map(&mut after),
            [250, 500, 1_000, 2_000, 3_000, 3_000]
        );
        assert_eq!(["b", "b", "a"].map(&mut after), [250, 500, 250]);
    }
}
