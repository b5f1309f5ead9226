//! SCRAM users: what an agent does for a desired document, and what the provider shows as drift.

use std::collections::BTreeMap;

use super::codes;
use crate::spec::ids::Generation;
use crate::store::documents::{
    AppliedFailure, Phase, SecretReference, UserDesired, UserObserved, UserTombstone, UsersDesired,
    UsersStatus,
};

/// One thing to do. Each is safe when done twice, late, or by two agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserOperation {
    /// Sets the credential from the secret.
    Upsert {
        /// The user.
        username: String,
        /// `SCRAM-SHA-512`.
        mechanism: String,
        /// SCRAM iterations.
        iterations: u32,
        /// Where the password lives.
        secret: SecretReference,
        /// Tells whether the secret that is read there is the one that was meant.
        fingerprint: String,
        /// The entry's generation, for `UserObserved::applied_generation`.
        generation: Generation,
    },
    /// Deletes the credential.
    Delete {
        /// The user.
        username: String,
        /// `SCRAM-SHA-512`.
        mechanism: String,
    },
}

/// What to do for a desired document, and what cannot be done.
#[must_use]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsersPlan {
    /// What to do; deletions stand first.
    pub operations: Vec<UserOperation>,
    /// What cannot be done, by name.
    pub failures: BTreeMap<String, AppliedFailure>,
}

/// Mechanism and iterations of each user's credentials, as Kafka has them now.
pub type KafkaUsers = BTreeMap<String, BTreeMap<String, u32>>;

/// Compares what is wanted with the users that Kafka has. Kafka never shows passwords, so an entry is
/// applied whenever its generation is new.
pub fn plan_users(desired: &UsersDesired, seen: &KafkaUsers, last: &UsersStatus) -> UsersPlan {
    let mut plan = UsersPlan::default();
    for tombstone in &desired.tombstones {
        let is_there = seen
            .get(&tombstone.username)
            .is_some_and(|mechanisms| mechanisms.contains_key(&tombstone.mechanism));
        if is_there && !is_kept_since(desired, tombstone) {
            plan.operations.push(UserOperation::Delete {
                username: tombstone.username.clone(),
                mechanism: tombstone.mechanism.clone(),
            });
        }
    }
    for (username, wanted) in &desired.keep {
        if wanted.generation <= last.applied {
            continue;
        }
        if is_foreign(username, wanted, last) {
            let failure = AppliedFailure {
                generation: wanted.generation,
                code: codes::EXISTS_ALREADY.to_owned(),
                message: format!(
                    "user `{username}` exists already and was not made by this resource; its password was not changed. \
                     Delete it with Kafka's tools, or take another name"
                ),
            };
            plan.failures.insert(username.clone(), failure);
            continue;
        }
        plan.operations.push(UserOperation::Upsert {
            username: username.clone(),
            mechanism: wanted.mechanism.clone(),
            iterations: wanted.iterations,
            secret: wanted.secret.clone(),
            fingerprint: wanted.fingerprint.clone(),
            generation: wanted.generation,
        });
    }
    plan
}

fn is_kept_since(desired: &UsersDesired, tombstone: &UserTombstone) -> bool {
    desired.keep.get(&tombstone.username).is_some_and(|wanted| {
        wanted.generation >= tombstone.generation && wanted.mechanism == tombstone.mechanism
    })
}

/// The last snapshot had it with this mechanism, and no agent of ours has set it.
fn is_foreign(username: &str, wanted: &UserDesired, last: &UsersStatus) -> bool {
    wanted.claim.phase == Phase::Making
        && last.users.get(username).is_some_and(|seen| {
            seen.applied_generation.is_none() && seen.mechanisms.contains_key(&wanted.mechanism)
        })
}

/// How a user that Terraform keeps differs from what was seen of it.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserDrift {
    /// There is none that can be seen.
    None,
    /// The credential is certainly gone.
    Gone,
    /// It has other iterations, so it was set outside: these.
    Iterations(u32),
}

/// Compares an entry with a fresh snapshot.
pub fn user_drift(wanted: &UserDesired, seen: Option<&UserObserved>) -> UserDrift {
    match seen.and_then(|seen| seen.mechanisms.get(&wanted.mechanism)) {
        None => UserDrift::Gone,
        Some(iterations) if *iterations != wanted.iterations => UserDrift::Iterations(*iterations),
        Some(_) => UserDrift::None,
    }
}

#[cfg(test)]
mod tests;
