//! The plan of `msk_acl`.

use super::Acl;
use crate::resource::ProviderData;
use crate::resource::access::{self, Entity};
use crate::spec::check::acl::check_acl;
use crate::tfplugin::{Context, Diagnostics, Object, Plan, PlanRequest};

pub(super) fn create(context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
    if let Some(planned) = &plan.planned {
        check(context, planned, &mut plan.diagnostics);
    }
    access::plan_create::<Acl>(context, request, plan);
}

pub(super) fn update(context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
    let (Some(config), Some(planned)) = (request.config.as_ref(), plan.planned.clone()) else {
        return;
    };
    let written = access::written(Acl::form(), config);
    let applied = access::plan_update::<Acl>(context, request, plan, &written);
    if applied.is_some() && plan.requires_replace.is_empty() {
        check(context, &planned, &mut plan.diagnostics);
    }
}

fn check(context: &Context<ProviderData>, planned: &Object, diagnostics: &mut Diagnostics) {
    let data = context.data().map(AsRef::as_ref);
    let version = access::kafka_version(data, access::cluster_of(planned).as_ref());
    check_acl(planned, version, diagnostics);
}
