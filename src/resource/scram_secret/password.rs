//! Where a user's password comes from, and the file that holds it.

use super::{ScramSecret, secret_path};
use crate::engine::access::{AccessError, ObjectPlace, ObjectReading, StagedSecret, Users, secrets};
use crate::process::holder_lives;
use crate::resource::ProviderData;
use crate::resource::access::{Entity as _, LocalAccess};
use crate::resource::private::ObjectPrivate;
use crate::secret::Secret;
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
    access: &LocalAccess,
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
    stage(data, place, &reading, version + 1, spec, config)
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
    access: &LocalAccess,
    place: &ObjectPlace<Users>,
    kept: &ObjectPrivate,
    (spec, is_new): (&UserSpec, bool),
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
    if there.claim.id != kept.claim || !is_new {
        return Ok(Made::kept(there));
    }
    stage(data, &place, &reading, there.secret_version + 1, spec, config)
}

fn stage(
    data: &ProviderData,
    place: &ObjectPlace<Users>,
    reading: &ObjectReading<Users>,
    version: u64,
    spec: &UserSpec,
    config: &Object,
) -> Result<Made, AccessError> {
    let password = password(spec, config)?;
    let directory = data
        .private_directory((&place.cluster, &reading.uid))
        .ok_or(AccessError::Internal {
            what: "a secret without a data directory",
        })?;
    let staged = secrets::stage(&directory, &place.name, &password, reading.entry.is_none())?;
    Ok(Made {
        reference: SecretReference::File(staged.path().as_str().to_owned()),
        version,
        fingerprint: staged.fingerprint().to_owned(),
        staged: Some(staged),
    })
}

fn password(spec: &UserSpec, config: &Object) -> Result<Secret<String>, AccessError> {
    match (&spec.source, config.secret("password_wo")) {
        (PasswordSource::Written { .. }, Attr::Known(password)) => Ok(password),
        (PasswordSource::Written { .. }, _) => Err(AccessError::Internal {
            what: "a written password that is not there",
        }),
        (PasswordSource::Random { .. }, _) => secrets::random_password(),
    }
}

/// Removes the file of a user that is gone, if it is the one that the provider itself made.
pub(super) async fn remove(
    context: &Context<ProviderData>,
    request: &DeleteRequest,
    path: &str,
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
    // The state could have been edited: nothing but our own file is ever removed.
    let own = secret_path(data, (&place.cluster, &kept.cluster), &place.name);
    let Some(own) = own.filter(|own| own == path) else {
        return;
    };
    if let Err(error) = secrets::remove(&own).await {
        diagnostics.general_warning(
            "The secret file was not removed",
            format!("`{own}`: {}.", chain(&error)),
        );
    }
}
