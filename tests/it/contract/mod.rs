//! The interface, attribute by attribute: nothing may be accepted without effect.
//!
//! `table` says what becomes of each attribute and how that is proven; the tests here hold the table
//! against the schemas, against the tables of the documentation, against the contract itself where it
//! lies beside the repository (`../shared/schema.md`), and carry the proofs out.

mod contract_page;
mod document;
mod proofs;
mod provider_block;
mod table;

use std::collections::BTreeSet;

use msk::resource::Msk;
use msk::tfplugin::schema::{Attribute, Schema};
use msk::tfplugin::{Provider as _, Registry};

/// Every attribute that a schema has, with dots: the innermost ones of what may be written, and the outermost
/// ones of what is only told.
fn paths(schema: &Schema) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, attribute) in schema.attributes() {
        descend(name.to_owned(), attribute, &mut found);
    }
    for (name, block) in schema.blocks() {
        for (member, attribute) in block.attributes() {
            descend(format!("{name}.{member}"), attribute, &mut found);
        }
    }
    found
}

fn descend(path: String, attribute: &Attribute, found: &mut BTreeSet<String>) {
    let mut members = attribute.members().peekable();
    let is_told = !attribute.is_required() && !attribute.is_optional();
    if is_told || members.peek().is_none() {
        found.insert(path);
        return;
    }
    for (name, member) in members {
        descend(format!("{path}.{name}"), member, found);
    }
}

/// The schemas of the provider block and of all resources and data sources, by the names of the table.
fn schemas() -> Vec<(String, Schema)> {
    let registry = Registry::of(&Msk);
    let mut all = vec![("provider".to_owned(), Msk.schema())];
    all.extend(
        registry
            .resource_schemas()
            .into_iter()
            .map(|(name, schema)| (name.to_owned(), schema)),
    );
    all.extend(
        registry
            .data_source_schemas()
            .into_iter()
            .map(|(name, schema)| (format!("data.{name}"), schema)),
    );
    all
}
