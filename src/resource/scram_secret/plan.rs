//! The plan of `msk_scram_secret`. The password's value is never compared.

use super::{ScramSecret, source_name};
use crate::resource::ProviderData;
use crate::resource::access::{self, Entity};
use crate::spec::check::user::{check_user, refuse_secret_arn};
use crate::spec::objects::PasswordSource;
use crate::tfplugin::{Context, Diagnostics, Object, Plan, PlanRequest, Value};

pub(super) fn create(context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
    let Some(config) = request.config.as_ref() else {
        return;
    };
    check_user(config, &mut plan.diagnostics);
    refuse_secret_arn(config, false, &mut plan.diagnostics);
    plan.set("password_source", source(config));
    if config.get("secret_arn").is_null() {
        plan.set("secret_arn", Value::Null);
    }
    warn_of_recorded(config, &mut plan.diagnostics);
    access::plan_create::<ScramSecret>(context, request, plan);
}

pub(super) fn update(context: &Context<ProviderData>, request: &PlanRequest, plan: &mut Plan) {
    let (Some(config), Some(prior)) = (request.config.as_ref(), request.prior.as_ref()) else {
        return;
    };
    plan.set("password_source", source(config));
    let mut kept = config.clone();
    kept.set("password_source", source(config));
    let written = access::written(ScramSecret::form(), &kept);
    let applied = access::plan_update::<ScramSecret>(context, request, plan, &written);
    if applied.is_some() && plan.requires_replace.is_empty() {
        check_user(config, &mut plan.diagnostics);
        refuse_secret_arn(config, true, &mut plan.diagnostics);
        if plan.changes(Some(prior)) {
            warn_of_recorded(config, &mut plan.diagnostics);
        }
    }
}

/// Whether this change sets a password: another version, or another kind of source.
pub(super) fn is_new_password(prior: &Object, planned: &Object) -> bool {
    ["password_wo_version", "password_source"]
        .into_iter()
        .any(|name| prior.get(name) != planned.get(name))
}

fn source(config: &Object) -> &'static str {
    source_name(&if config.get("password_wo").is_null() {
        PasswordSource::Random { version: None }
    } else {
        PasswordSource::Written { version: None }
    })
}

fn warn_of_recorded(config: &Object, diagnostics: &mut Diagnostics) {
    if !config.get("kms_key_id").is_null() {
        diagnostics.general_warning(
            "Recorded, not enforced, on one machine",
            "One machine has no keys: the secret records `kms_key_id` and lies in a file that only its owner may read.",
        );
    }
}
