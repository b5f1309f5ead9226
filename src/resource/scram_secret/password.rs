//! Where a user's password comes from, and the file that holds it.

use super::ScramSecret;
use super::plan::Change;
use crate::engine::access::{
    AccessError, ObjectPlace, ObjectReading, SecretsHome, StagedSecret, Users, secrets,
};
use crate::process::holder_lives;
use crate::resource::ProviderData;
use crate::resource::access::{Entity as _, OpenAccess};
use crate::resource::private::ObjectPrivate;
use crate::secret::Secret;
use crate::spec::ids::{ClusterName, ClusterUid};
use crate::spec::objects::{PasswordSource, UserSpec};
use crate::store::documents::{Phase, SecretReference, UserDesired};
use crate::tfplugin::{Attr, Context, DeleteRequest, Diagnostics, Object, chain};

/// A secret that an entry can refer to.
pub(super) struct Made {
    pub(super) reference: SecretReference,
    pub(super) version: u64,
    pub(super) fingerprint: String,
    /// The secret itself, if it is a new one.
    pub(super) staged: Option<StagedSecret>,
}

impl Made {
    /// The secret of an entry as it is.
    fn kept(entry: &UserDesired) -> Self {
        Self {
            reference: entry.secret.clone(),
            version: entry.secret_version,
            fingerprint: entry.fingerprint.clone(),
            staged: None,
        }
    }
}

/// The secret of a new user. The file of a user that somebody else holds is never written over: then
/// the entry refers to what is there, and the engine refuses it.
pub(super) async fn for_create(
    data: &ProviderData,
    access: &OpenAccess,
    place: &ObjectPlace<Users>,
    spec: &UserSpec,
    config: &Object,
) -> Result<Made, AccessError> {
    let reading = access.read::<Users>(place).await?;
    if let Some(there) = reading
        .entry
        .as_ref()
        .filter(|there| !is_left_over(data, &reading, there))
    {
        return Ok(Made::kept(there));
    }
    let version = reading.entry.as_ref().map_or(0, |entry| entry.secret_version);
    stage(data, place, &reading, version + 1, spec, config).await
}

/// Whether a create may take over what is there: left by a dead run of this caller, or gone outside.
fn is_left_over(data: &ProviderData, reading: &ObjectReading<Users>, there: &UserDesired) -> bool {
    let is_gone = reading.is_certain
        && reading
            .seen
            .as_ref()
            .is_none_or(|seen| ScramSecret::is_gone(there, seen));
    let holder = &there.claim.holder;
    let is_dead = holder.process_id == std::process::id() || !holder_lives(holder);
    let is_unfinished = match there.claim.phase {
        Phase::Making => is_dead,
        Phase::Made => is_dead && there.claim.caller == data.caller,
        Phase::Held => false,
    };
    is_gone || is_unfinished
}

/// The secret of a user that changes: the one that it has, or a new password in the same file.
pub(super) async fn for_update(
    data: &ProviderData,
    access: &OpenAccess,
    place: &ObjectPlace<Users>,
    kept: &ObjectPrivate,
    (spec, change): (&UserSpec, Change),
    config: &Object,
) -> Result<Made, AccessError> {
    let place = ObjectPlace {
        cluster: place.cluster.clone(),
        uid: Some(kept.cluster.clone()),
        name: place.name.clone(),
    };
    let reading = access.read::<Users>(&place).await?;
    let Some(there) = &reading.entry else {
        return Err(AccessError::Missing {
            word: "user",
            object: place.name.clone(),
        });
    };
    // Only the holder of the claim writes the file; another's update is refused by the engine.
    if there.claim.id != kept.claim {
        return Ok(Made::kept(there));
    }
    if !change.is_new_password {
        if change.is_new_key
            && let SecretReference::SecretsManager(arn) = &there.secret
            && !matches!(spec.source, PasswordSource::Given { .. })
            && let SecretsHome::Managed(secrets) = data.secrets_home((&place.cluster, &reading.uid)).await?
        {
            let key = config.string("kms_key_id").known();
            secrets.set_key(arn, key.as_deref()).await?;
        }
        return Ok(Made::kept(there));
    }
    stage(data, &place, &reading, there.secret_version + 1, spec, config).await
}

async fn stage(
    data: &ProviderData,
    place: &ObjectPlace<Users>,
    reading: &ObjectReading<Users>,
    version: u64,
    spec: &UserSpec,
    config: &Object,
) -> Result<Made, AccessError> {
    let home = data.secrets_home((&place.cluster, &reading.uid)).await?;
    if let PasswordSource::Given { arn } = &spec.source {
        return given(&home, arn.as_deref(), &place.name, version).await;
    }
    let password = password(spec, config)?;
    let key = config.string("kms_key_id").known();
    let is_first = reading.entry.is_none();
    let staged = home
        .stage(&place.name, &password, key.as_deref(), is_first)
        .await?;
    Ok(Made {
        reference: staged.reference(),
        version,
        fingerprint: staged.fingerprint().to_owned(),
        staged: Some(staged),
    })
}

/// A secret that the user brings.
async fn given(
    home: &SecretsHome,
    arn: Option<&str>,
    username: &str,
    version: u64,
) -> Result<Made, AccessError> {
    match home {
        SecretsHome::Directory(_) => Err(AccessError::NoAccount),
        SecretsHome::Managed(secrets) => {
            let arn = arn.ok_or(AccessError::Internal {
                what: "a secret's ARN that is not known at apply",
            })?;
            let fingerprint = secrets.accept(arn, username).await?;
            Ok(Made {
                reference: SecretReference::SecretsManager(arn.to_owned()),
                version,
                fingerprint,
                staged: None,
            })
        }
    }
}

fn password(spec: &UserSpec, config: &Object) -> Result<Secret<String>, AccessError> {
    match (&spec.source, config.secret("password_wo")) {
        (PasswordSource::Written { .. }, Attr::Known(password)) => Ok(password),
        (PasswordSource::Written { .. }, _) => Err(AccessError::Internal {
            what: "a written password that is not there",
        }),
        (PasswordSource::Random { .. }, _) => secrets::random_password(),
        (PasswordSource::Given { .. }, _) => Err(AccessError::Internal {
            what: "a password of a secret that the user brings",
        }),
    }
}

/// Removes the secret of a user that is gone, if it is the one that the provider itself made.
pub(super) async fn remove(
    context: &Context<ProviderData>,
    request: &DeleteRequest,
    reference: &SecretReference,
    diagnostics: &mut Diagnostics,
) {
    let (Some(data), Some(place)) = (context.data(), ScramSecret::place(&request.prior)) else {
        return;
    };
    let Ok(Some(kept)) = request
        .private
        .read::<ObjectPrivate>(crate::resource::private::FORMAT)
    else {
        return;
    };
    let cluster = (&place.cluster, &kept.cluster);
    discard(data, cluster, reference, &place.name, diagnostics).await;
}

/// Removes what no entry refers to any more; one that stays is told.
pub(super) async fn discard(
    data: &ProviderData,
    cluster: (&ClusterName, &ClusterUid),
    reference: &SecretReference,
    username: &str,
    diagnostics: &mut Diagnostics,
) {
    let done = match data.secrets_home(cluster).await {
        Ok(home) => home.discard(reference, username).await,
        Err(error) => Err(error),
    };
    if let Err(error) = done {
        let (SecretReference::File(place) | SecretReference::SecretsManager(place)) = reference;
        diagnostics.general_warning(
            "The secret was not removed",
            format!("`{place}`: {}.", chain(&error)),
        );
    }
}
