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
    plan.set("password_source", source(config));
    match home(context) {
        Some(Home::Machine) => {
            refuse_secret_arn(config, false, &mut plan.diagnostics);
            if config.get("secret_arn").is_null() {
                plan.set("secret_arn", Value::Null);
            }
            warn_of_recorded(config, &mut plan.diagnostics);
        }
        Some(Home::Account) => {
            plan.set("secret_file", Value::Null);
            warn_of_the_accounts_key(config, &mut plan.diagnostics);
        }
        None => {}
    }
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
        match home(context) {
            Some(Home::Machine) => {
                refuse_secret_arn(config, true, &mut plan.diagnostics);
                if plan.changes(Some(prior)) {
                    warn_of_recorded(config, &mut plan.diagnostics);
                }
            }
            // A secret of ours stays the same one, whatever happens to its password.
            Some(Home::Account)
                if plan.changes(Some(prior)) && config.get("secret_arn").is_null() && !is_given(prior) =>
            {
                plan.set("secret_arn", prior.get("secret_arn").clone());
            }
            _ => {}
        }
    }
}

/// Where secrets lie; `None` while the provider block is not known.
enum Home {
    Machine,
    Account,
}

fn home(context: &Context<ProviderData>) -> Option<Home> {
    let data = context.data().filter(|data| !data.is_unknown())?;
    Some(if data.is_aws() {
        Home::Account
    } else {
        Home::Machine
    })
}

fn is_given(state: &Object) -> bool {
    state.string("password_source").known().as_deref() == Some("GIVEN")
}

/// What of a secret an update changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    /// It sets a password: another version, another kind of source, another secret of the user's.
    pub(super) is_new_password: bool,
    /// Another key.
    pub(super) is_new_key: bool,
}

/// Compares what is planned with the state. The password's value is never looked at.
pub(super) fn change(prior: &Object, planned: &Object, config: &Object) -> Change {
    let differs = |name: &str| prior.get(name) != planned.get(name);
    let given = config.get("secret_arn");
    Change {
        is_new_password: differs("password_wo_version")
            || differs("password_source")
            || (!given.is_null() && given != prior.get("secret_arn")),
        is_new_key: differs("kms_key_id"),
    }
}

fn source(config: &Object) -> &'static str {
    source_name(
        &if config.get("password_wo").is_null() && !config.get("secret_arn").is_null() {
            PasswordSource::Given { arn: None }
        } else if config.get("password_wo").is_null() {
            PasswordSource::Random { version: None }
        } else {
            PasswordSource::Written { version: None }
        },
    )
}

fn warn_of_recorded(config: &Object, diagnostics: &mut Diagnostics) {
    if !config.get("kms_key_id").is_null() {
        diagnostics.general_warning(
            "Recorded, not enforced, on one machine",
            "One machine has no keys: the secret records `kms_key_id` and lies in a file that only its owner may read.",
        );
    }
}

fn warn_of_the_accounts_key(config: &Object, diagnostics: &mut Diagnostics) {
    if config.get("kms_key_id").is_null() && config.get("secret_arn").is_null() {
        diagnostics.general_warning(
            "The secret has no key of yours",
            "Without `kms_key_id` the account's own key for Secrets Manager encrypts the secret. That works here; \
             Amazon MSK itself would refuse such a secret, and other accounts cannot read it.",
        );
    }
}
