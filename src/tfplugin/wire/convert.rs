//! Schemas, diagnostics and paths in the words of the protocol.

use super::tfplugin6 as proto;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics, Severity};
use crate::tfplugin::schema::{Attribute, Block, Body, IdentitySchema, Kind, Nesting, Schema};
use crate::tfplugin::value::{AttributePath, Step};

/// Whose schema it is; a provider's configuration has nothing computed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Provider,
    Other,
}

pub(crate) fn schema(schema: &Schema, owner: Owner) -> proto::Schema {
    let mut block = body(&schema.body, owner);
    block.version = schema.version;
    block.description.clone_from(&schema.description);
    block.deprecated = schema.deprecated.is_some();
    block.deprecation_message = schema.deprecated.clone().unwrap_or_default();
    proto::Schema {
        version: schema.version,
        block: Some(block),
    }
}

fn body(body: &Body, owner: Owner) -> proto::schema::Block {
    proto::schema::Block {
        attributes: body
            .attributes
            .iter()
            .map(|(name, a)| attribute(name, a, owner))
            .collect(),
        block_types: body
            .blocks
            .iter()
            .map(|(name, b)| block(name, b, owner))
            .collect(),
        description_kind: proto::StringKind::Markdown.into(),
        ..proto::schema::Block::default()
    }
}

fn attribute(name: &str, attribute: &Attribute, owner: Owner) -> proto::schema::Attribute {
    let (ty, nested_type) = match &attribute.kind {
        Kind::Plain(ty) => (ty.to_json(), None),
        Kind::Nested(nesting, members) => (Vec::new(), Some(nested(*nesting, members, owner))),
    };
    proto::schema::Attribute {
        name: name.to_owned(),
        r#type: ty,
        nested_type,
        description: attribute.description.clone(),
        description_kind: proto::StringKind::Markdown.into(),
        required: attribute.required,
        optional: attribute.optional,
        computed: attribute.computed && owner == Owner::Other,
        sensitive: attribute.sensitive,
        write_only: attribute.write_only,
        deprecated: attribute.deprecated.is_some(),
        deprecation_message: attribute.deprecated.clone().unwrap_or_default(),
    }
}

fn nested(nesting: Nesting, members: &[(String, Attribute)], owner: Owner) -> proto::schema::Object {
    use proto::schema::object::NestingMode;
    let nesting = match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
    };
    proto::schema::Object {
        attributes: members
            .iter()
            .map(|(name, member)| attribute(name, member, owner))
            .collect(),
        nesting: nesting.into(),
        ..proto::schema::Object::default()
    }
}

fn block(name: &str, block: &Block, owner: Owner) -> proto::schema::NestedBlock {
    use proto::schema::nested_block::NestingMode;
    let nesting = match block.nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
    };
    let mut content = body(&block.body, owner);
    content.description.clone_from(&block.description);
    content.deprecated = block.deprecated.is_some();
    content.deprecation_message = block.deprecated.clone().unwrap_or_default();
    proto::schema::NestedBlock {
        type_name: name.to_owned(),
        block: Some(content),
        nesting: nesting.into(),
        min_items: block.min_items,
        max_items: block.max_items,
    }
}

pub(crate) fn identity_schema(schema: &IdentitySchema) -> proto::ResourceIdentitySchema {
    let attributes = schema.attributes.iter();
    let attributes = attributes.map(|attribute| proto::resource_identity_schema::IdentityAttribute {
        name: attribute.name.clone(),
        r#type: attribute.ty.to_json(),
        required_for_import: attribute.required_for_import,
        optional_for_import: !attribute.required_for_import,
        description: attribute.description.clone(),
    });
    proto::ResourceIdentitySchema {
        version: schema.version,
        identity_attributes: attributes.collect(),
    }
}

pub(crate) fn diagnostics(found: Diagnostics) -> Vec<proto::Diagnostic> {
    found.into_iter().map(diagnostic).collect()
}

fn diagnostic(found: Diagnostic) -> proto::Diagnostic {
    let severity = match found.severity {
        Severity::Error => proto::diagnostic::Severity::Error,
        Severity::Warning => proto::diagnostic::Severity::Warning,
    };
    // Terraform finds the line of a path of one step; of nested attributes it shows only the block,
    // so the text has to name the place.
    let place = found.path.to_string();
    let detail = if found.path.steps().len() > 1 && !found.detail.contains(&place) {
        format!("{}\n\nThis is about `{place}`.", found.detail)
    } else {
        found.detail
    };
    proto::Diagnostic {
        severity: severity.into(),
        summary: found.summary,
        detail,
        attribute: (!found.path.is_root()).then(|| path(&found.path)),
    }
}

pub(crate) fn path(path: &AttributePath) -> proto::AttributePath {
    use proto::attribute_path::step::Selector;
    let steps = path.steps().iter().map(|step| {
        let selector = match step {
            Step::Attribute(name) => Selector::AttributeName(name.clone()),
            Step::Key(key) => Selector::ElementKeyString(key.clone()),
            Step::Index(index) => Selector::ElementKeyInt(*index),
        };
        proto::attribute_path::Step {
            selector: Some(selector),
        }
    });
    proto::AttributePath {
        steps: steps.collect(),
    }
}
