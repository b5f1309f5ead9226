//! Create, update and delete of a small object.

use super::{Entity, OpenAccess, TIMEOUT, private_of, report};
use crate::engine::access::{
    AccessError, Kind, ObjectCreate, ObjectDelete, ObjectDeletion, ObjectOutcome, ObjectPlace, ObjectUpdate,
    StagedSecret,
};
use crate::engine::run::Limits;
use crate::resource::private::{self, ObjectPrivate};
use crate::resource::{ProviderData, configured};
use crate::spec::ids::Generation;
use crate::tfplugin::{Applied, Context, DeleteRequest, Deleted, Diagnostics, Object, Private};

/// The limits of one operation.
fn limits(context: &Context<ProviderData>) -> Limits {
    Limits::starting_now(TIMEOUT, context.cancelled().clone())
}

/// The engine, for a create: a store that is not there means that the cluster is not there.
pub(in crate::resource) async fn open_for_create<'a>(
    context: &'a Context<ProviderData>,
    diagnostics: &mut Diagnostics,
) -> Option<(&'a ProviderData, &'a OpenAccess)> {
    let data = configured(context, diagnostics)?;
    let mut found = Diagnostics::new();
    if let Some(access) = data.access(&mut found).await {
        return Some((data, access));
    }
    for mut finding in found {
        finding.detail.push_str(
            " A cluster makes its control store: refer to it, as in `cluster_id = msk_cluster.<label>.id`, so that \
             Terraform makes it first.",
        );
        diagnostics.add(finding);
    }
    None
}

/// Creates an object that an entry describes.
pub(in crate::resource) async fn create<T: Entity>(
    context: &Context<ProviderData>,
    planned: &Object,
    place: ObjectPlace<T::Kind>,
    (entry, secret): (<T::Kind as Kind>::Entry, Option<StagedSecret>),
    answer: &mut Applied,
) {
    answer.private = Private::default();
    let found = &mut answer.diagnostics;
    let Some((data, access)) = open_for_create(context, found).await else {
        return;
    };
    let Some(store) = data
        .clusters(found)
        .await
        .map(|clusters| clusters.store().id().clone())
    else {
        return;
    };
    let id = T::id(&place);
    let create = ObjectCreate {
        place,
        entry,
        secret,
        caller: data.caller.clone(),
        limits: limits(context),
    };
    match access.create::<T::Kind>(create).await {
        Ok(outcome) => {
            let mut state = planned.clone();
            T::show(&mut state, &outcome.entry, outcome.seen.as_ref());
            let mut state = as_planned(state, planned);
            state.set("id", id);
            let kept = ObjectPrivate {
                store,
                cluster: outcome.uid,
                claim: outcome.claim,
                written: T::Kind::written(&outcome.entry).clone(),
                destroy: false,
                adopted: false,
            };
            private::write(&mut answer.private, &kept, found);
            if let Some(error) = &outcome.failure {
                report(error, found, "It was not created");
            }
            answer.state = Some(state);
        }
        Err(error) => report(&error, found, "It was not created"),
    }
}

/// Changes an object. `also` changes the rest of the document in the same write. Answers whether all
/// went well.
pub(in crate::resource) async fn update<T: Entity>(
    context: &Context<ProviderData>,
    planned: &Object,
    (entry, secret): (<T::Kind as Kind>::Entry, Option<StagedSecret>),
    answer: &mut Applied,
    also: impl Fn(
        &mut <T::Kind as Kind>::Desired,
        &<T::Kind as Kind>::Entry,
        Option<&<T::Kind as Kind>::Seen>,
        Generation,
    ) + Send
    + Sync
    + 'static,
) -> bool {
    let private = answer.private.clone();
    let found = &mut answer.diagnostics;
    let Some(data) = configured(context, found) else {
        return false;
    };
    let Some(mut kept) = private_of::<T>(&private, found) else {
        return false;
    };
    let Some(mut place) = T::place(planned) else {
        return false;
    };
    let Some(access) = data.access(found).await else {
        return false;
    };
    if !is_same_store(data, &kept, found).await {
        return false;
    }
    place.uid = Some(kept.cluster.clone());
    if let Err(error) = adopt::<T>(access, data, &kept, &place, &entry).await {
        report(&error, found, "It was not changed");
        return false;
    }
    let update = ObjectUpdate {
        place,
        claim: kept.claim.clone(),
        entry,
        secret,
        limits: limits(context),
    };
    let outcome = match access.update::<T::Kind>(update, also).await {
        Ok(outcome) => outcome,
        Err(error) => {
            report(&error, found, "It was not changed");
            return false;
        }
    };
    kept.adopted = false;
    kept.destroy = false;
    let ObjectOutcome {
        entry, seen, failure, ..
    } = outcome;
    if let Some(error) = &failure {
        report(error, found, "It was not changed as wanted");
    } else {
        kept.written = T::Kind::written(&entry).clone();
    }
    if failure.is_none() {
        let mut state = planned.clone();
        T::show(&mut state, &entry, seen.as_ref());
        answer.state = Some(as_planned(state, planned));
    }
    private::write(&mut answer.private, &kept, found);
    failure.is_none()
}

/// Deletes an object. Answers whether the state may forget it.
pub(in crate::resource) async fn delete<T: Entity>(
    context: &Context<ProviderData>,
    request: &DeleteRequest,
    elsewhere: impl FnOnce(&ObjectPrivate) -> Option<<T::Kind as Kind>::Entry> + Send,
    answer: &mut Deleted,
) -> bool {
    let found = &mut answer.diagnostics;
    let Some(data) = configured(context, found) else {
        return false;
    };
    let Some(kept) = private_of::<T>(&request.private, found) else {
        return false;
    };
    let Some(mut place) = T::place(&request.prior) else {
        return false;
    };
    let Some(access) = data.access(found).await else {
        return false;
    };
    if !is_same_store(data, &kept, found).await {
        return false;
    }
    place.uid = Some(kept.cluster.clone());
    if let Some(entry) = elsewhere(&kept).filter(|_| kept.adopted)
        && let Err(error) = adopt::<T>(access, data, &kept, &place, &entry).await
        && !matches!(
            error,
            AccessError::NoCluster { .. } | AccessError::OtherCluster { .. }
        )
    {
        report(&error, found, "It was not deleted");
        return false;
    }
    let delete = ObjectDelete {
        place,
        claim: kept.claim.clone(),
        has_destroy_mark: kept.destroy,
        limits: limits(context),
    };
    match access.delete::<T::Kind>(delete).await {
        Ok(ObjectDeletion::Removed | ObjectDeletion::AlreadyGone | ObjectDeletion::HandedOver) => {}
        Ok(ObjectDeletion::Ordered(sentence)) => {
            found.general_warning("It is deleted when the cluster comes back", sentence);
        }
        Ok(ObjectDeletion::NotOurs(sentence)) => {
            found.general_warning("It was left as it is", crate::resource::sentence(&sentence));
            return false;
        }
        Err(error) => {
            report(&error, found, "It was not deleted");
            return false;
        }
    }
    true
}

/// What was planned stands in the state as it was planned; what was not known is as it is seen. What
/// differs by now is drift, and the next refresh shows it.
fn as_planned(mut state: Object, planned: &Object) -> Object {
    for (name, value) in planned.iter().filter(|(_, value)| value.is_wholly_known()) {
        state.set(name, value.clone());
    }
    state
}

/// Writes the entry of an object that was imported from elsewhere: with the first change, never before.
async fn adopt<T: Entity>(
    access: &OpenAccess,
    data: &ProviderData,
    kept: &ObjectPrivate,
    place: &ObjectPlace<T::Kind>,
    entry: &<T::Kind as Kind>::Entry,
) -> Result<(), AccessError> {
    if !kept.adopted {
        return Ok(());
    }
    access
        .adopt::<T::Kind>(place, &kept.claim, &data.caller, entry.clone())
        .await
}

async fn is_same_store(data: &ProviderData, kept: &ObjectPrivate, diagnostics: &mut Diagnostics) -> bool {
    let Some(clusters) = data.clusters(diagnostics).await else {
        return false;
    };
    super::look::check_store(clusters.store().id(), kept, diagnostics)
}
