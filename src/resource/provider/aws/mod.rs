//! `aws = { … }` of the provider block.

/// Its attributes, with the rules of single values.
pub(super) mod schema;

/// What the block says, checked as a whole.
pub(super) mod settings;

/// The forms of Amazon's names.
mod forms;

/// A block with nothing written in it, as Core sends it.
#[cfg(test)]
pub(super) fn empty_block() -> crate::tfplugin::Object {
    use crate::tfplugin::{Object, Value};
    let members = schema::members().into_iter();
    members.fold(Object::new(), |object, (name, _)| object.with(name, Value::Null))
}
