//! The configuration last applied, as the user wrote it: kept in the store and in private state as
//! JSON, so that import restores it and a plan can tell what the user changed.

use crate::tfplugin::schema::Schema;
use crate::tfplugin::{Diagnostics, Object, chain};

/// The JSON of a configuration. Write-only values are not in it.
pub fn encode(schema: &Schema, config: &Object) -> serde_json::Value {
    schema.to_json(config)
}

/// The configuration of a JSON, as it was written.
pub fn config(schema: &Schema, written: &serde_json::Value, diagnostics: &mut Diagnostics) -> Option<Object> {
    match schema.from_json(written) {
        Ok(config) => Some(config),
        Err(error) => {
            diagnostics.general_error(
                "The last applied configuration cannot be read",
                format!(
                    "{}. It was written by a newer version of the provider, or changed outside of it. Use that \
                     version, or bring back a copy.",
                    chain(&error)
                ),
            );
            None
        }
    }
}

/// The same with the schema's defaults where it says nothing: what its plan was.
pub fn applied(
    schema: &Schema,
    written: &serde_json::Value,
    diagnostics: &mut Diagnostics,
) -> Option<Object> {
    config(schema, written, diagnostics).map(|config| schema.with_defaults(&config))
}
