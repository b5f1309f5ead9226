//! Blocks: the older form of nested content. The usual one is `timeouts`.

use super::Body;
use super::attribute::{Attribute, string};
use super::validators::duration;
use crate::tfplugin::value::Type;

/// How often a nested object may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// Once or not at all.
    Single,
    /// Any number of times, in order.
    List,
    /// Any number of different ones, without order.
    Set,
    /// Any number of times, by key.
    Map,
}

impl Nesting {
    pub(crate) fn wrap(self, object: Type) -> Type {
        match self {
            Self::Single => object,
            Self::List => Type::list(object),
            Self::Set => Type::set(object),
            Self::Map => Type::map(object),
        }
    }
}

/// A block type.
#[derive(Clone)]
pub struct Block {
    pub(crate) nesting: Nesting,
    pub(crate) body: Body,
    pub(crate) description: String,
    pub(crate) min_items: i64,
    pub(crate) max_items: i64,
    pub(crate) deprecated: Option<String>,
}

fn of<N: Into<String>>(nesting: Nesting, attributes: impl IntoIterator<Item = (N, Attribute)>) -> Block {
    Block {
        nesting,
        body: Body {
            attributes: attributes
                .into_iter()
                .map(|(name, attribute)| (name.into(), attribute))
                .collect(),
            blocks: std::sync::Arc::new([]),
        },
        description: String::new(),
        min_items: 0,
        max_items: 0,
        deprecated: None,
    }
}

/// A block that may be written once.
pub fn block_single<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Attribute)>) -> Block {
    of(Nesting::Single, attributes)
}

/// A block that may be repeated, in order.
pub fn block_list<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Attribute)>) -> Block {
    of(Nesting::List, attributes)
}

/// A block that may be repeated, without order.
pub fn block_set<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Attribute)>) -> Block {
    of(Nesting::Set, attributes)
}

/// A block with a label that may be repeated.
pub fn block_map<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Attribute)>) -> Block {
    of(Nesting::Map, attributes)
}

/// The `timeouts` block with one duration for each of these operations. Read it with
/// [`Object::timeout`](crate::tfplugin::Object::timeout).
pub fn timeouts<'a>(operations: impl IntoIterator<Item = &'a str>) -> Block {
    let attributes = operations.into_iter().map(|operation| {
        let text = format!("How long to wait for {operation} (`30s`, `45m`, `1h30m`).");
        (
            operation,
            string().optional().validate(duration()).description(text),
        )
    });
    block_single(attributes).description("How long to wait for operations.")
}

impl Block {
    /// The user documentation (Markdown).
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// How often it must and may be written (`max` 0: no limit).
    #[must_use]
    pub const fn count(mut self, min: i64, max: i64) -> Self {
        self.min_items = min;
        self.max_items = max;
        self
    }

    /// Adds a block inside this block.
    #[must_use]
    pub fn block(mut self, name: impl Into<String>, block: Self) -> Self {
        let added = std::iter::once((name.into(), block));
        self.body.blocks = self.body.blocks.iter().cloned().chain(added).collect();
        self
    }

    /// Warns when it is used and says what to use instead.
    #[must_use]
    pub fn deprecated(mut self, instead: impl Into<String>) -> Self {
        self.deprecated = Some(instead.into());
        self
    }

    /// The attributes.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.body
            .attributes
            .iter()
            .map(|(name, attribute)| (name.as_str(), attribute))
    }

    pub(crate) fn ty(&self) -> Type {
        let object = Type::Object(self.body.ty());
        // A list or map block with a dynamic attribute inside is wholly dynamic on the wire.
        if matches!(self.nesting, Nesting::List | Nesting::Map) && object.holds_dynamic() {
            return Type::Dynamic;
        }
        self.nesting.wrap(object)
    }
}
