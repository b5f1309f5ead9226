//! SCRAM users. Passwords are read where they live, salted here, sent, and forgotten.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use camino::Utf8Path;
use serde::Deserialize;
use tokio::time::Instant;
use zeroize::Zeroize as _;

use super::ApplyError;
use super::kind::{Kind, Work};
use super::shared::{Outcome, Remaining, judge};
use crate::kafka::client::{Admin, ScramDeletion, ScramMechanism, ScramUpsert};
use crate::node::context::Context;
use crate::node::problem::with_causes;
use crate::pki::{files, fingerprint};
use crate::planner::access::users::{KafkaUsers, UserOperation, plan_users};
use crate::secret::Secret;
use crate::spec::ids::Generation;
use crate::spec::objects::RESERVED_USER_PREFIX;
use crate::store::documents::keys::{PerNode, Single};
use crate::store::documents::{AppliedFailure, SecretReference, UserObserved, UsersDesired, UsersStatus};

/// As long as the hash's blocks need no more.
const SALT_BYTES: usize = 32;
/// For so long a secret may be missing or another one: whoever writes it is about to.
const SECRET_PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Users {
    work: Work<UsersDesired, UsersStatus>,
    seen: KafkaUsers,
    /// Since when the secret of an entry is not the one that was meant.
    unfit: BTreeMap<String, (Generation, Instant)>,
}

impl Kind for Users {
    type Desired = UsersDesired;
    type Status = UsersStatus;

    fn work(&mut self) -> &mut Work<UsersDesired, UsersStatus> {
        &mut self.work
    }

    async fn look(&mut self, admin: &Admin) -> Result<(), ApplyError> {
        self.seen.clear();
        for (user, credentials) in admin.describe_scram_users(None).await? {
            if user.starts_with(RESERVED_USER_PREFIX) {
                continue;
            }
            let credentials = match credentials {
                Ok(credentials) => credentials,
                Err(error) if error.is_absent() => continue,
                Err(error) => return Err(error.into()),
            };
            let mechanisms = credentials.into_iter().map(|credential| {
                let iterations = u32::try_from(credential.iterations).unwrap_or_default();
                (credential.mechanism.name().to_owned(), iterations)
            });
            self.seen.insert(user, mechanisms.collect());
        }
        Ok(())
    }

    async fn send(
        &mut self,
        context: &Context,
        admin: &Admin,
        remaining: &mut Remaining,
    ) -> Result<(), ApplyError> {
        let plan = plan_users(&self.work.desired.body, &self.seen, &self.work.status);
        let keep = &self.work.desired.body.keep;
        self.work.status.failures.retain(|user, failure| {
            keep.get(user)
                .is_some_and(|entry| entry.generation == failure.generation)
        });
        self.work.status.failures.extend(plan.failures);
        let mut upserts = Vec::new();
        let mut deletions = Vec::new();
        let mut generations: BTreeMap<String, (Generation, u32)> = BTreeMap::new();
        for operation in plan.operations {
            match operation {
                UserOperation::Delete { username, mechanism } => match parse_mechanism(&mechanism) {
                    Ok(mechanism) => deletions.push(ScramDeletion {
                        user: username,
                        mechanism,
                    }),
                    Err(what) => tracing::warn!(user = username, "{what}"),
                },
                UserOperation::Upsert {
                    username,
                    mechanism,
                    iterations,
                    secret,
                    fingerprint,
                    generation,
                } => {
                    let meant = Meant {
                        private_directory: &context.home.private_directory,
                        fingerprint: &fingerprint,
                    };
                    match upsert(&username, &mechanism, iterations, &secret, &meant) {
                        Ok(upsert) => {
                            self.unfit.remove(&username);
                            generations.insert(username, (generation, iterations));
                            upserts.push(upsert);
                        }
                        Err(message) => self.note_unfit(username, generation, message, remaining),
                    }
                }
            }
        }
        if upserts.is_empty() && deletions.is_empty() {
            return Ok(());
        }
        self.work.desired.check_fresh()?;
        let deleted: Vec<_> = deletions
            .iter()
            .map(|deletion| (deletion.user.clone(), deletion.mechanism.name()))
            .collect();
        let document = self.work.desired.generation;
        for (user, result) in admin.alter_scram_users(&upserts, &deletions).await? {
            let set = generations.get(&user);
            let generation = set.map_or(document, |(generation, _)| *generation);
            let outcome = match &result {
                Ok(()) => Outcome::Done,
                // A deletion of what is gone is done.
                Err(error) if set.is_none() && error.is_absent() => Outcome::Done,
                Err(error) => judge(error, generation),
            };
            match (outcome, set) {
                (Outcome::Done, Some((generation, iterations))) => {
                    self.note_set(&user, *generation, *iterations);
                }
                (Outcome::Done, None) => {
                    for (_, mechanism) in deleted.iter().filter(|(name, _)| *name == user) {
                        self.note_deleted(&user, mechanism);
                    }
                }
                (Outcome::Failed(failure), _) => {
                    self.work.status.failures.insert(user, failure);
                }
                (Outcome::Pending(what), _) => remaining.add(generation, what),
            }
        }
        Ok(())
    }

    /// Who set a password is remembered.
    fn show(&mut self) {
        let before = std::mem::take(&mut self.work.status.users);
        self.work.status.users = self
            .seen
            .iter()
            .map(|(user, mechanisms)| {
                let applied_generation = before.get(user).and_then(|user| user.applied_generation);
                let observed = UserObserved {
                    mechanisms: mechanisms.clone(),
                    applied_generation,
                };
                (user.clone(), observed)
            })
            .collect();
    }
}

impl Users {
    pub(super) async fn load(context: &Context) -> Result<Self, ApplyError> {
        Ok(Self {
            work: Work::load(context, Single::Users, PerNode::Users).await?,
            seen: KafkaUsers::new(),
            unfit: BTreeMap::new(),
        })
    }

    /// A secret that is not there or not the one that was meant may be about to be written: it is a
    /// failure only if it stays so.
    fn note_unfit(
        &mut self,
        user: String,
        generation: Generation,
        message: String,
        remaining: &mut Remaining,
    ) {
        let since = self.unfit.get(&user).filter(|(of, _)| *of == generation);
        let since = since.map_or_else(Instant::now, |(_, since)| *since);
        if since.elapsed() < SECRET_PATIENCE {
            self.unfit.insert(user, (generation, since));
            remaining.add(generation, message);
            return;
        }
        self.unfit.remove(&user);
        let failure = AppliedFailure {
            generation,
            code: "secret".to_owned(),
            message,
        };
        self.work.status.failures.insert(user, failure);
    }

    fn note_set(&mut self, user: &str, generation: Generation, iterations: u32) {
        let mechanism = ScramMechanism::Sha512.name().to_owned();
        self.seen
            .entry(user.to_owned())
            .or_default()
            .insert(mechanism.clone(), iterations);
        self.work.status.users.insert(
            user.to_owned(),
            UserObserved {
                mechanisms: BTreeMap::from([(mechanism, iterations)]),
                applied_generation: Some(generation),
            },
        );
    }

    fn note_deleted(&mut self, user: &str, mechanism: &str) {
        if let Some(mechanisms) = self.seen.get_mut(user) {
            mechanisms.remove(mechanism);
            if mechanisms.is_empty() {
                self.seen.remove(user);
            }
        }
    }
}

fn parse_mechanism(name: &str) -> Result<ScramMechanism, String> {
    [ScramMechanism::Sha256, ScramMechanism::Sha512]
        .into_iter()
        .find(|mechanism| mechanism.name() == name)
        .ok_or_else(|| format!("`{name}` is no mechanism of this version"))
}

/// Reads and salts a password. The error is for people and shows nothing of it.
fn upsert(
    user: &str,
    mechanism: &str,
    iterations: u32,
    secret: &SecretReference,
    meant: &Meant<'_>,
) -> Result<ScramUpsert, String> {
    let mechanism = parse_mechanism(mechanism)?;
    let rounds = NonZeroU32::new(iterations).ok_or("0 iterations protect nothing")?;
    let SecretReference::File(path) = secret else {
        return Err("secrets of AWS Secrets Manager are not read in this version".to_owned());
    };
    let password = read_password(Utf8Path::new(path), user)?;
    meant.check(path, user, &password)?;
    let mut salt = vec![0; SALT_BYTES];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| "the system gives no randomness".to_owned())?;
    let salted_password = mechanism.salt(&password, &salt, rounds);
    Ok(ScramUpsert {
        user: user.to_owned(),
        mechanism,
        iterations: i32::try_from(iterations).unwrap_or(i32::MAX),
        salt,
        salted_password,
    })
}

/// Which secret the document means.
struct Meant<'a> {
    private_directory: &'a Utf8Path,
    /// Empty if the document does not say.
    fingerprint: &'a str,
}

impl Meant<'_> {
    fn check(&self, path: &str, user: &str, password: &Secret<String>) -> Result<(), String> {
        if self.fingerprint.is_empty() {
            return Ok(());
        }
        let key_file = fingerprint::key_file(self.private_directory);
        let key = files::read_private(&key_file).map_err(|cause| with_causes(&cause))?;
        let key = key.ok_or_else(|| format!("the key of fingerprints `{key_file}` is not there"))?;
        if fingerprint::of(&key, user, password) == self.fingerprint {
            return Ok(());
        }
        Err(format!(
            "the secret `{path}` is not the one that was set for the user; apply again to write it anew"
        ))
    }
}

/// The file that clients read as well: `{"username": …, "password": …}`, mode 0600.
fn read_password(path: &Utf8Path, user: &str) -> Result<Secret<String>, String> {
    #[derive(Deserialize)]
    struct SecretFile {
        username: String,
        password: String,
    }
    let text = files::read_private(path).map_err(|cause| with_causes(&cause))?;
    let text = text.ok_or_else(|| format!("the secret `{path}` is not there"))?;
    // The reader's own message could quote the text.
    let mut file: SecretFile =
        serde_json::from_str(text.expose()).map_err(|_| format!("the secret `{path}` is damaged"))?;
    if file.username != user {
        file.password.zeroize();
        return Err(format!("the secret `{path}` is of another user"));
    }
    Ok(Secret::new(file.password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_other_than_the_one_that_was_meant_is_told_from_it() {
        let keep = tempfile::tempdir().unwrap();
        let directory = Utf8Path::from_path(keep.path()).unwrap();
        let secret = |text: &str| Secret::new(text.to_owned());
        let key = secret("key");
        let fingerprint = fingerprint::of(&key, "app", &secret("new"));
        let meant = |fingerprint| Meant {
            private_directory: directory,
            fingerprint,
        };
        assert_eq!(meant("").check("f", "app", &secret("any")), Ok(()));
        let missing = meant(&fingerprint).check("f", "app", &secret("new"));
        assert!(missing.unwrap_err().contains("fingerprint.key"));
        files::write_private(&fingerprint::key_file(directory), &key).unwrap();
        assert_eq!(meant(&fingerprint).check("f", "app", &secret("new")), Ok(()));
        let other = meant(&fingerprint).check("f", "app", &secret("former"));
        assert!(!other.unwrap_err().contains("former"));
    }
}
