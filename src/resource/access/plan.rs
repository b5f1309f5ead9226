//! What every plan of a small object does, beside the rules of its own.

use super::sightings::{Clash, Held, Origin};
use super::{Entity, private_of};
use crate::engine::access::Kind as _;
use crate::resource::ProviderData;
use crate::resource::private::{self, ObjectPrivate};
use crate::store::documents::WrittenConfiguration;
use crate::tfplugin::{Context, Diagnostics, Object, Plan, PlanRequest, Private};

/// A new object, or the second plan of a replacement: sets the id, and finds a second address.
pub(in crate::resource) fn create<T: Entity>(
    context: &Context<ProviderData>,
    request: &PlanRequest,
    plan: &mut Plan,
) {
    let Some(planned) = &mut plan.planned else { return };
    let Some(place) = T::place(planned) else { return };
    let id = T::id(&place);
    planned.set("id", id.as_str());
    let Some(data) = context.data() else { return };
    let origin = if request.private.is_empty() {
        Origin::New
    } else {
        Origin::Replacement
    };
    let clash = data.sightings.create(T::Kind::RESOURCE, &id, origin);
    refuse::<T>(clash, &id, &mut plan.diagnostics);
    // The delete half of a tainted object's replacement gets what this plan keeps, and nothing else.
    if origin == Origin::New
        && let Some(Held {
            store,
            cluster,
            claim,
        }) = data.sightings.held(T::Kind::RESOURCE, &id)
    {
        let kept = ObjectPrivate {
            store,
            cluster,
            claim,
            written: WrittenConfiguration::default(),
            destroy: false,
            adopted: false,
        };
        private::write(&mut plan.private, &kept, &mut plan.diagnostics);
    }
}

/// An object that exists. Answers the configuration last applied, with the schema's defaults, if the
/// configuration now says something else; `None` if the user changed nothing.
pub(in crate::resource) fn update<T: Entity>(
    context: &Context<ProviderData>,
    request: &PlanRequest,
    plan: &mut Plan,
    config: &WrittenConfiguration,
) -> Option<Object> {
    let mut kept = private_of::<T>(&request.private, &mut plan.diagnostics)?;
    if let (Some(data), Some(place)) = (context.data(), request.prior.as_ref().and_then(T::place))
        && plan.requires_replace.is_empty()
    {
        let id = T::id(&place);
        let clash = data.sightings.keep(T::Kind::RESOURCE, &id);
        refuse::<T>(clash, &id, &mut plan.diagnostics);
    }
    if kept.destroy {
        kept.destroy = false;
        private::write(&mut plan.private, &kept, &mut plan.diagnostics);
    }
    if kept.written == *config {
        return None;
    }
    crate::resource::written::applied(T::form(), &kept.written.value(), &mut plan.diagnostics)
}

/// An object goes away. Marks the private state, so that the delete knows that it is no replacement.
pub(in crate::resource) fn destroy<T: Entity>(
    context: &Context<ProviderData>,
    request: &PlanRequest,
    plan: &mut Plan,
) {
    if let (Some(data), Some(place)) = (context.data(), request.prior.as_ref().and_then(T::place)) {
        let id = T::id(&place);
        let clash = data.sightings.destroy(T::Kind::RESOURCE, &id);
        refuse::<T>(clash, &id, &mut plan.diagnostics);
    }
    if request.private.is_empty() {
        return;
    }
    let Some(mut kept) = private_of::<T>(&request.private, &mut plan.diagnostics) else {
        return;
    };
    kept.destroy = true;
    let mut private = Private::default();
    private::write(&mut private, &kept, &mut plan.diagnostics);
    plan.private = private;
}

fn refuse<T: Entity>(clash: Option<Clash>, id: &str, diagnostics: &mut Diagnostics) {
    if let Some(clash) = clash {
        let (summary, detail) = clash.words(T::Kind::RESOURCE, id);
        diagnostics.general_error(summary, detail);
    }
}
