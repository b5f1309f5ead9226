//! Renews the node's certificates while Kafka runs, and has Kafka load them without a restart.
//!
//! What counts is what a listener shows in a handshake, not what was once asked of it: so an agent that
//! died half way, or one that adopted a running Kafka, goes on where things stand.
//!
//! Kafka reads a keystore again when a property of that very node is set, even to the value that it has,
//! and the file's time has changed (`DynamicBrokerConfig`, 3.9 to 4.3). Connections that are open stay.

use std::convert::Infallible;
use std::time::Duration;

use super::admin::{self, AdminError};
use super::certificates::{self, Ensured, internal_keystore, server_keystore};
use super::context::{Context, Desired, KafkaState};
use super::problem::{problem, with_causes};
use crate::clock::Timestamp;
use crate::kafka::client::{Admin, Apply, ConfigChange, ConfigEdit, ConfigResource, Error, Tls};
use crate::pki::{self, Certificate};
use crate::spec::ids::NodeId;
use crate::store::documents::{ListenerName, NodeDesired, Problem, ProblemCode, ServerTrust};

/// How long nothing is looked at, at most: a machine may sleep, and its clock may be set.
const LONGEST_REST: Duration = Duration::from_hours(1);
/// The first pause after a failed attempt; doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after failed attempts; a third of a lifetime is left, which is months.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// A broker without an active controller answers late or never.
const PATIENCE: Duration = Duration::from_secs(15);
/// A handshake on one machine or within a VPC.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(5);
/// The new value goes through the metadata log before the node takes it: some 100 ms, and many seconds
/// on a machine whose nodes all renew at the same moment.
const LOOKS: u32 = 60;
const FIRST_LOOK: Duration = Duration::from_millis(100);
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Why Kafka could not be brought to load a new certificate.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error("make a connection")]
    Connection(#[from] AdminError),
    #[error("ask Kafka to load its certificates again")]
    Kafka(#[from] Error),
    #[error("ask Kafka to load its certificates again: it answers {0}")]
    Refused(String),
    #[error("no broker says which controller is the active one")]
    NoController,
}

/// Renews until it is dropped.
pub(crate) async fn run(context: &Context) -> Infallible {
    let mut kafka = context.kafka.subscribe();
    let mut pause = FIRST_PAUSE;
    loop {
        let state = *kafka.borrow_and_update();
        let wait = match state {
            // Before a start the supervisor sees to them itself.
            KafkaState::Down => LONGEST_REST,
            KafkaState::Ready(_) => match attempt(context).await {
                Ok(Next::At(renew_at)) => {
                    pause = FIRST_PAUSE;
                    report(context, None);
                    renew_at.since(Timestamp::now()).clamp(FIRST_PAUSE, LONGEST_REST)
                }
                Ok(Next::Answer(overdue)) => {
                    report(context, overdue);
                    let wait = pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    wait
                }
                Err(what) => {
                    tracing::warn!(code = ?what.code, "{}", what.text);
                    report(context, Some(what));
                    let wait = pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    wait
                }
            },
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = kafka.changed() => pause = FIRST_PAUSE,
        }
    }
}

fn report(context: &Context, what: Option<Problem>) {
    context.renewal.send_if_modified(|before| {
        let differs = *before != what;
        if differs {
            *before = what;
        }
        differs
    });
}

/// What to wait for.
enum Next {
    /// The next renewal.
    At(Timestamp),
    /// A controller's signature; with a problem if it should have come by now.
    Answer(Option<Problem>),
}

/// Makes what is due, has Kafka load it, and answers when the next renewal is due.
async fn attempt(context: &Context) -> Result<Next, Problem> {
    let missing = || {
        problem(
            ProblemCode::Certificate,
            "there is no desired document for this node",
        )
    };
    let desired = context.desired().ok_or_else(missing)?;
    let node = desired.node(context.node_id()).ok_or_else(missing)?;
    let found = match certificates::ensure(context, &desired, Timestamp::now()).await? {
        Ensured::There(found) => found,
        Ensured::Awaited => return Ok(Next::Answer(Some(unsigned(None)))),
    };
    let next = if found.is_waiting {
        let is_overdue = Timestamp::now() > half_way(found.renew_at, found.expire_at);
        Next::Answer(is_overdue.then(|| unsigned(Some(found.expire_at))))
    } else {
        Next::At(found.renew_at)
    };
    if !found.renewed.is_empty() {
        tracing::info!(listeners = ?found.renewed, until = %found.expire_at, "certificates renewed");
    }
    // An agent that adopted its Kafka looks at them here for the first time.
    if !found.renewed.is_empty() || context.certificates.borrow().is_none() {
        context.certificates.send_replace(Some(found));
    }
    let mut stale = stale_listeners(context, &desired, node).await?;
    if stale.is_empty() {
        return Ok(next);
    }
    reload(context, &desired, node, &stale)
        .await
        .map_err(|cause| not_loaded(&stale, &with_causes(&cause)))?;
    for look in 1..=LOOKS {
        tokio::time::sleep(BETWEEN_LOOKS.min(FIRST_LOOK * look)).await;
        stale = stale_listeners(context, &desired, node).await?;
        if stale.is_empty() {
            tracing::info!("Kafka has loaded the new certificates");
            return Ok(next);
        }
    }
    Err(not_loaded(
        &stale,
        "it was asked to, and goes on with the former one",
    ))
}

/// Half of the time that is left for a renewal.
fn half_way(renew_at: Timestamp, expire_at: Timestamp) -> Timestamp {
    renew_at.after(expire_at.since(renew_at) / 2)
}

fn unsigned(expire_at: Option<Timestamp>) -> Problem {
    let end = expire_at.map_or_else(
        || "it has none that is valid".to_owned(),
        |end| format!("the one in use ends at {end}"),
    );
    problem(
        ProblemCode::Certificate,
        format!(
            "no controller has signed the new certificate that this node asks for, {end}; look at the agents of the \
             controllers (`msk-node status`)"
        ),
    )
}

fn not_loaded(stale: &[ListenerName], why: &str) -> Problem {
    let names: Vec<&str> = stale.iter().map(|name| name.as_str()).collect();
    problem(
        ProblemCode::Certificate,
        format!(
            "Kafka has not loaded the new certificate of {}: {why}; it is tried again, and a restart of the node \
             (`msk-node stop`, `msk-node start`) loads it",
            names.join(", ")
        ),
    )
}

/// The open TLS listeners of the node that show another certificate than the one on the disk.
async fn stale_listeners(
    context: &Context,
    desired: &Desired,
    node: &NodeDesired,
) -> Result<Vec<ListenerName>, Problem> {
    let mut stale = Vec::new();
    for listener in &desired.cluster.listeners {
        let (Some(trust), Some(port)) = (listener.trust, node.ports.get(&listener.name)) else {
            continue;
        };
        let wanted = leaf_on_disk(context, trust)?;
        let tls = tls(context, desired, trust)?;
        let looking = tls.leaf_of(&node.advertised_host, *port);
        let shown = tokio::time::timeout(HANDSHAKE_PATIENCE, looking).await;
        // One that has expired fails the handshake: that is as stale as can be.
        if !matches!(shown, Ok(Ok(shown)) if shown == wanted.der()) {
            stale.push(listener.name);
        }
    }
    Ok(stale)
}

fn leaf_on_disk(context: &Context, trust: ServerTrust) -> Result<Certificate, Problem> {
    let path = match trust {
        ServerTrust::Internal => internal_keystore(&context.directory),
        ServerTrust::Server => server_keystore(&context.directory),
    };
    let text = pki::files::read_private(&path)
        .map_err(|cause| problem(ProblemCode::Certificate, with_causes(&cause)))?
        .ok_or_else(|| {
            problem(
                ProblemCode::Certificate,
                format!("`{path}` is not there any more"),
            )
        })?;
    Certificate::from_pem(text.expose())
        .map_err(|cause| problem(ProblemCode::Certificate, with_causes(&cause)))
}

fn tls(context: &Context, desired: &Desired, trust: ServerTrust) -> Result<Tls, Problem> {
    let broken = |cause: &dyn std::error::Error| {
        problem(
            ProblemCode::Certificate,
            format!("look at the certificates in use: {cause}"),
        )
    };
    match trust {
        ServerTrust::Internal => admin::tls(context).map_err(|cause| broken(&cause)),
        ServerTrust::Server => {
            let authorities = desired.cluster.server_ca_pem.join("\n");
            Tls::from_pem(authorities.as_bytes(), None).map_err(|cause| broken(&cause))
        }
    }
}

/// Sets the keystores of these listeners to the paths that they have.
async fn reload(
    context: &Context,
    desired: &Desired,
    node: &NodeDesired,
    stale: &[ListenerName],
) -> Result<(), ReloadError> {
    let admin = if node.is_broker {
        admin::connect(context, PATIENCE)?
    } else {
        active_controller(context, desired)?
    };
    let edits = stale
        .iter()
        .filter_map(|name| {
            let path = match desired.cluster.listener(*name)?.trust? {
                ServerTrust::Internal => internal_keystore(&context.directory),
                ServerTrust::Server => server_keystore(&context.directory),
            };
            let property = format!(
                "listener.name.{}.ssl.keystore.location",
                name.as_str().to_lowercase()
            );
            Some((property, ConfigEdit::Set(path.into_string())))
        })
        .collect();
    let change = ConfigChange {
        resource: ConfigResource::Broker(node.id),
        edits,
    };
    for answer in admin.alter_configs(&[change], Apply::Now).await? {
        answer.map_err(|error| ReloadError::Refused(error.to_string()))?;
    }
    Ok(())
}

/// A dedicated controller has no AGENT listener: the active controller takes its properties.
fn active_controller(context: &Context, desired: &Desired) -> Result<Admin, ReloadError> {
    let peers = context.peers.borrow();
    let leader: Option<NodeId> = peers
        .iter()
        .filter_map(|peer| peer.view.as_ref())
        .max_by_key(|view| view.observed_at)
        .and_then(|view| view.quorum_leader);
    let leader = leader.and_then(|leader| desired.node(leader));
    let leader = leader.ok_or(ReloadError::NoController)?;
    Ok(admin::connect_to(
        context,
        leader,
        ListenerName::Controller,
        PATIENCE,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_problem_names_the_listeners_and_the_way_out() {
        let what = not_loaded(&[ListenerName::Replication, ListenerName::ClientTls], "it sleeps");
        assert_eq!(what.code, ProblemCode::Certificate);
        assert!(
            what.text.contains("REPLICATION, CLIENT_TLS: it sleeps"),
            "{}",
            what.text
        );
        assert!(what.text.contains("`msk-node stop`"), "{}", what.text);
    }
}
