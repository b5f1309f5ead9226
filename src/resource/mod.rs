//! One file per Terraform type, each read from top to bottom: schema, validate, plan, create, read,
//! update, delete, import. What they share: the provider block, who calls, and the memory of one walk.

/// The provider block: which engine, with which settings.
pub mod provider;

/// Who calls: working directory and workspace.
mod caller;

/// What the provider remembers from one call to the next within one walk of Terraform.
pub mod walk;

/// What resources put into Terraform's private state.
pub mod private;

/// The configuration last applied, as the user wrote it.
pub mod written;

/// What becomes of each attribute on one machine.
pub mod standing;

/// The engine behind the provider block.
pub mod engine;

/// Kafka settings that mean the same.
pub mod meaning;

/// `msk_cluster`.
pub mod cluster;

/// `msk_configuration`.
pub mod configuration;

/// What topics, ACLs and users share.
mod access;

/// `msk_scram_secret`.
pub mod scram_secret;

/// `msk_topic`.
pub mod topic;

/// `msk_acl`.
pub mod acl;

/// Data sources.
pub mod data;

pub use provider::{Msk, ProviderData};

use crate::tfplugin::{Context, Diagnostics};

/// What the provider block made; an error if it could not.
pub fn configured<'a>(
    context: &'a Context<ProviderData>,
    diagnostics: &mut Diagnostics,
) -> Option<&'a ProviderData> {
    let data = context.data();
    if data.is_none() {
        diagnostics.general_error(
            "The provider is not configured",
            "Its block has an error, or a value in it is known only after apply. Mend that first.",
        );
    }
    data.map(AsRef::as_ref)
}

/// An error's text as a sentence: with a capital letter and a period.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let end = if text.ends_with(['.', '!', '?', '}']) {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.collect::<String>(), letters.as_str())
}
