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
use crate::node::secrets::Read;
use crate::pki::{files, fingerprint};
use crate::planner::access::users::{KafkaUsers, UserOperation, plan_users};
use crate::secret::Secret;
use crate::spec::ids::Generation;
use crate::spec::objects::RESERVED_USER_PREFIX;
use crate::store::documents::keys::{PerNode, Single};
use crate::store::documents::{AppliedFailure, SecretReference, UserObserved, UsersDesired, UsersStatus};
use crate::vault::{Entry, Vault};
use rotation::Rotation;

/// As long as the hash's blocks need no more.
const SALT_BYTES: usize = 32;
/// For so long a secret may be missing or another one: whoever writes it is about to.
const SECRET_PATIENCE: Duration = Duration::from_secs(5);

/// Secrets that lie in Secrets Manager.
mod rotation;

pub(super) struct Users {
    work: Work<UsersDesired, UsersStatus>,
    seen: KafkaUsers,
    /// Since when the secret of an entry is not the one that was meant.
    unfit: BTreeMap<String, (Generation, Instant)>,
    rotation: Rotation,
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
        let mut set: BTreeMap<String, Set> = BTreeMap::new();
        let managed = read_managed(context, &plan.operations).await;
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
                    let found = match &secret {
                        SecretReference::File(path) => {
                            let meant = Meant {
                                vault: &context.vault,
                                fingerprint: &fingerprint,
                            };
                            from_file(path, &username, &meant).await
                        }
                        SecretReference::SecretsManager(arn) => {
                            let read = managed.get(arn);
                            let has_waited = self.has_waited(&username, generation);
                            from_manager(arn, read, &username, (&fingerprint, has_waited))
                        }
                    };
                    let made = found.and_then(|(password, version)| {
                        Ok((salted(&username, &mechanism, iterations, &password)?, version))
                    });
                    match made {
                        Ok((upsert, version)) => {
                            self.unfit.remove(&username);
                            self.rotation.changed.remove(&username);
                            let what = Set {
                                generation,
                                iterations,
                                version,
                            };
                            set.insert(username, what);
                            upserts.push(upsert);
                        }
                        Err(message) => self.note_unfit(username, generation, message, remaining),
                    }
                }
            }
        }
        self.add_rotated(&mut upserts, &mut set);
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
            let set = set.get(&user);
            let generation = set.map_or(document, |set| set.generation);
            let outcome = match &result {
                Ok(()) => Outcome::Done,
                // A deletion of what is gone is done.
                Err(error) if set.is_none() && error.is_absent() => Outcome::Done,
                Err(error) => judge(error, generation),
            };
            match (outcome, set) {
                (Outcome::Done, Some(set)) => self.note_set(&user, set),
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

    fn has_more(&self) -> bool {
        !self.rotation.changed.is_empty()
    }

    fn next(&mut self) -> Instant {
        let managed = self.work.desired.body.keep.values();
        let managed = managed.filter(|entry| matches!(entry.secret, SecretReference::SecretsManager(_)));
        let look = self.rotation.next(managed.count());
        let snapshot = self.work.snapshot.next();
        look.map_or(snapshot, |look| look.min(snapshot))
    }

    /// Who set a password is remembered.
    fn show(&mut self) {
        let before = std::mem::take(&mut self.work.status.users);
        self.work.status.users = self
            .seen
            .iter()
            .map(|(user, mechanisms)| {
                let before = before.get(user);
                let observed = UserObserved {
                    mechanisms: mechanisms.clone(),
                    applied_generation: before.and_then(|user| user.applied_generation),
                    applied_version: before.and_then(|user| user.applied_version.clone()),
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
            rotation: Rotation::default(),
        })
    }

    /// Looks whether somebody has changed a password in Secrets Manager, if that is due.
    pub(super) async fn look_for_rotations(&mut self, context: &Context) {
        let (desired, status) = (&self.work.desired.body, &self.work.status);
        self.rotation.look(&context.secrets, desired, status).await;
    }

    /// The passwords that were changed in Secrets Manager, and are not set by an entry in the same go.
    fn add_rotated(&mut self, upserts: &mut Vec<ScramUpsert>, set: &mut BTreeMap<String, Set>) {
        for (user, read) in std::mem::take(&mut self.rotation.changed) {
            let Some(entry) = self.work.desired.body.keep.get(&user) else {
                continue;
            };
            if set.contains_key(&user) {
                continue;
            }
            let place = match &entry.secret {
                SecretReference::File(place) | SecretReference::SecretsManager(place) => place,
            };
            let made = password_in(&read.text, place, &user)
                .and_then(|password| salted(&user, &entry.mechanism, entry.iterations, &password));
            match made {
                Ok(upsert) => {
                    tracing::info!(user, "its password was changed in Secrets Manager");
                    upserts.push(upsert);
                    let what = Set {
                        generation: entry.generation,
                        iterations: entry.iterations,
                        version: Some(read.version),
                    };
                    set.insert(user, what);
                }
                Err(message) => tracing::warn!(user, "{message}; its password stays"),
            }
        }
    }

    /// Whether it was waited long enough for the secret of an entry.
    fn has_waited(&self, user: &str, generation: Generation) -> bool {
        let since = self.unfit.get(user).filter(|(of, _)| *of == generation);
        since.is_some_and(|(_, since)| since.elapsed() >= SECRET_PATIENCE)
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

    fn note_set(&mut self, user: &str, set: &Set) {
        let iterations = set.iterations;
        let mechanism = ScramMechanism::Sha512.name().to_owned();
        self.seen
            .entry(user.to_owned())
            .or_default()
            .insert(mechanism.clone(), iterations);
        self.work.status.users.insert(
            user.to_owned(),
            UserObserved {
                mechanisms: BTreeMap::from([(mechanism, iterations)]),
                applied_generation: Some(set.generation),
                applied_version: set.version.clone(),
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

/// A password that is being set.
struct Set {
    generation: Generation,
    iterations: u32,
    /// The version of the secret, if it has one.
    version: Option<String>,
}

/// Reads every secret of a plan that lies in Secrets Manager.
async fn read_managed(
    context: &Context,
    operations: &[UserOperation],
) -> BTreeMap<String, Result<Read, String>> {
    let arns: Vec<&str> = operations
        .iter()
        .filter_map(|operation| match operation {
            UserOperation::Upsert {
                secret: SecretReference::SecretsManager(arn),
                ..
            } => Some(arn.as_str()),
            _ => None,
        })
        .collect();
    rotation::read_all(&context.secrets, &arns).await
}

type Found = (Secret<String>, Option<String>);

async fn from_file(path: &str, user: &str, meant: &Meant<'_>) -> Result<Found, String> {
    let password = read_password(Utf8Path::new(path), user)?;
    meant.check(path, user, &password).await?;
    Ok((password, None))
}

/// A secret in Secrets Manager. Another version than the one that was meant is about to be replaced, or has replaced
/// it already: what stays is what clients read as well.
fn from_manager(
    arn: &str,
    read: Option<&Result<Read, String>>,
    user: &str,
    (meant, has_waited): (&str, bool),
) -> Result<Found, String> {
    let read = match read {
        Some(Ok(read)) => read,
        Some(Err(error)) => return Err(format!("the secret `{arn}` cannot be read: {error}")),
        None => return Err(format!("the secret `{arn}` was not answered")),
    };
    if !meant.is_empty() && read.version != meant && !has_waited {
        return Err(format!("the secret `{arn}` has not the version {meant} yet"));
    }
    Ok((password_in(&read.text, arn, user)?, Some(read.version.clone())))
}

/// Salts a password. The error is for people and shows nothing of it.
fn salted(
    user: &str,
    mechanism: &str,
    iterations: u32,
    password: &Secret<String>,
) -> Result<ScramUpsert, String> {
    let mechanism = parse_mechanism(mechanism)?;
    let rounds = NonZeroU32::new(iterations).ok_or("0 iterations protect nothing")?;
    let mut salt = vec![0; SALT_BYTES];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| "the system gives no randomness".to_owned())?;
    let salted_password = mechanism.salt(password, &salt, rounds);
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
    vault: &'a Vault,
    /// Empty if the document does not say.
    fingerprint: &'a str,
}

impl Meant<'_> {
    async fn check(&self, path: &str, user: &str, password: &Secret<String>) -> Result<(), String> {
        if self.fingerprint.is_empty() {
            return Ok(());
        }
        let key = self.vault.read(Entry::FingerprintKey).await;
        let key = key.map_err(|cause| with_causes(&cause))?.ok_or_else(|| {
            let place = self.vault.location(Entry::FingerprintKey);
            format!("the key of fingerprints `{place}` is not there")
        })?;
        if fingerprint::of(&key, user, password) == self.fingerprint {
            return Ok(());
        }
        Err(format!(
            "the secret `{path}` is not the one that was set for the user; apply again to write it anew"
        ))
    }
}

/// The file that clients read as well, mode 0600.
fn read_password(path: &Utf8Path, user: &str) -> Result<Secret<String>, String> {
    let text = files::read_private(path).map_err(|cause| with_causes(&cause))?;
    let text = text.ok_or_else(|| format!("the secret `{path}` is not there"))?;
    password_in(&text, path.as_str(), user)
}

/// The password in `{"username": …, "password": …}`.
fn password_in(text: &Secret<String>, place: &str, user: &str) -> Result<Secret<String>, String> {
    #[derive(Deserialize)]
    struct Content {
        username: String,
        password: String,
    }
    // The reader's own message could quote the text.
    let mut content: Content =
        serde_json::from_str(text.expose()).map_err(|_| format!("the secret `{place}` is damaged"))?;
    if content.username != user {
        content.password.zeroize();
        return Err(format!("the secret `{place}` is of another user"));
    }
    Ok(Secret::new(content.password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_other_than_the_one_that_was_meant_is_told_from_it() {
        let keep = tempfile::tempdir().unwrap();
        let vault = Vault::directory(Utf8Path::from_path(keep.path()).unwrap().to_owned());
        let secret = |text: &str| Secret::new(text.to_owned());
        let key = secret("key");
        let fingerprint = fingerprint::of(&key, "app", &secret("new"));
        let meant = |fingerprint| Meant {
            vault: &vault,
            fingerprint,
        };
        assert_eq!(meant("").check("f", "app", &secret("any")).await, Ok(()));
        let missing = meant(&fingerprint).check("f", "app", &secret("new")).await;
        assert!(missing.unwrap_err().contains("fingerprint.key"));
        assert!(vault.create(Entry::FingerprintKey, &key).await.unwrap());
        let right = meant(&fingerprint).check("f", "app", &secret("new")).await;
        assert_eq!(right, Ok(()));
        let other = meant(&fingerprint).check("f", "app", &secret("former")).await;
        assert!(!other.unwrap_err().contains("former"));
    }

    #[test]
    fn another_version_than_the_one_that_was_meant_is_waited_for_and_then_taken() {
        let text = Secret::new(r#"{"username": "app", "password": "hunter2"}"#.to_owned());
        let version = "v2".to_owned();
        let read = Ok(Read { version, text });
        let found = |meant, has_waited| from_manager("arn", Some(&read), "app", (meant, has_waited));
        for (meant, has_waited) in [("v2", false), ("", false), ("v1", true)] {
            let (password, version) = found(meant, has_waited).unwrap();
            assert_eq!(
                (password.expose().as_str(), version.as_deref()),
                ("hunter2", Some("v2"))
            );
        }
        assert!(found("v1", false).unwrap_err().contains("v1"));
        let other = from_manager("arn", Some(&read), "other", ("v2", false)).unwrap_err();
        assert!(
            other.contains("another user") && !other.contains("hunter2"),
            "{other}"
        );
        let gone = Err("ResourceNotFoundException: gone".to_owned());
        let gone = from_manager("arn", Some(&gone), "app", ("v2", true)).unwrap_err();
        assert!(gone.contains("ResourceNotFoundException"), "{gone}");
        assert!(from_manager("arn", None, "app", ("v2", true)).is_err());
    }
}
