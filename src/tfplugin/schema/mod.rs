//! What a resource looks like: attributes, nested attributes, blocks, and the rules beside them.
//!
//! Schemas are made by builder functions. Each attribute says in one place what it is, whether the
//! user sets it, what it is when left out, which values are right, and what a change of it means.

mod attribute;
mod block;
mod check;
pub(crate) mod conform;
mod stored;
mod validate;
mod validators;

use std::sync::Arc;

pub(crate) use attribute::Kind;
pub use attribute::{
    Attribute, any, boolean, list, list_of_objects, map, map_of_objects, number, object, set, set_of_objects,
    string,
};
pub use block::{Block, Nesting, block_list, block_map, block_set, block_single, timeouts};
pub use check::check_schema;
pub(crate) use validate::{for_each_object, validate};
pub use validators::{
    Check, Validator, custom, duration, each, items, keys, length, one_of, parse_duration, pattern, range,
    text, whole_number,
};

use super::value::{ObjectType, Type};

/// Attributes and blocks side by side: the content of a schema or of a block.
#[derive(Clone, Default)]
pub struct Body {
    pub(crate) attributes: Arc<[(String, Attribute)]>,
    pub(crate) blocks: Arc<[(String, Block)]>,
}

impl Body {
    /// The type of values of this body.
    pub(crate) fn ty(&self) -> ObjectType {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, attribute)| (name.clone(), attribute.ty()));
        let blocks = self.blocks.iter().map(|(name, block)| (name.clone(), block.ty()));
        ObjectType::new(attributes.chain(blocks))
    }
}

/// The schema of a resource, data source or provider.
#[derive(Clone, Default)]
pub struct Schema {
    pub(crate) version: i64,
    pub(crate) description: String,
    pub(crate) deprecated: Option<String>,
    pub(crate) body: Body,
}

impl Schema {
    /// An empty schema of version 0 with its description (Markdown, shown in the documentation).
    pub fn new(description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            ..Self::default()
        }
    }

    /// The version of the state that this schema describes. Raise it when old state must be changed.
    #[must_use]
    pub const fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, attribute: Attribute) -> Self {
        let added = std::iter::once((name.into(), attribute));
        self.body.attributes = self.body.attributes.iter().cloned().chain(added).collect();
        self
    }

    /// Adds a block. Prefer nested attributes; the usual block is [`timeouts`].
    #[must_use]
    pub fn block(mut self, name: impl Into<String>, block: Block) -> Self {
        let added = std::iter::once((name.into(), block));
        self.body.blocks = self.body.blocks.iter().cloned().chain(added).collect();
        self
    }

    /// Marks the whole type as deprecated and says what to use instead.
    #[must_use]
    pub fn deprecated(mut self, instead: impl Into<String>) -> Self {
        self.deprecated = Some(instead.into());
        self
    }

    /// The type of a value of this schema.
    pub fn ty(&self) -> Type {
        Type::Object(self.body.ty())
    }

    /// The attributes, in the order in which they were added.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.body
            .attributes
            .iter()
            .map(|(name, attribute)| (name.as_str(), attribute))
    }

    /// The blocks, in the order in which they were added.
    pub fn blocks(&self) -> impl Iterator<Item = (&str, &Block)> {
        self.body
            .blocks
            .iter()
            .map(|(name, block)| (name.as_str(), block))
    }
}

/// The identity of a resource: a few primitive values that name the remote object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentitySchema {
    /// Version of the identity's form.
    pub version: i64,
    /// Its attributes; the type is primitive or a list of primitives.
    pub attributes: Vec<IdentityAttribute>,
}

/// One value of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityAttribute {
    /// Name.
    pub name: String,
    /// Type: primitive or list of primitives.
    pub ty: Type,
    /// Whether `import { identity = … }` must give it; if not, it may.
    pub required_for_import: bool,
    /// For the documentation.
    pub description: String,
}

impl IdentitySchema {
    pub(crate) fn ty(&self) -> Type {
        Type::object(
            self.attributes
                .iter()
                .map(|attribute| (attribute.name.clone(), attribute.ty.clone())),
        )
    }
}
