//! Brings an answer of a resource into the form that Terraform wants.

use super::Body;
use super::attribute::{Attribute, Kind};
use super::block::Nesting;
use crate::tfplugin::value::{Object, Value};

/// Gives list, set and map blocks that are null their empty value, at every depth.
pub(crate) fn fill_blocks(body: &Body, object: &mut Object) {
    for (name, block) in &*body.blocks {
        let value = object.0.entry(name.clone()).or_insert(Value::Null);
        if value.is_null() {
            match block.nesting {
                Nesting::Single => {}
                Nesting::List => *value = Value::List(Vec::new()),
                Nesting::Set => *value = Value::Set(Vec::new()),
                Nesting::Map => *value = Value::Map(std::collections::BTreeMap::new()),
            }
        }
        each_object(value, &mut |inner| fill_blocks(&block.body, inner));
    }
}

/// Takes the values of write-only attributes out, at every depth. One that is left in makes
/// Terraform drop the whole resource from its state.
pub(crate) fn drop_write_only(body: &Body, object: &mut Object) {
    for (name, attribute) in &*body.attributes {
        if let Some(value) = object.0.get_mut(name) {
            drop_from(attribute, value);
        }
    }
    for (name, block) in &*body.blocks {
        if let Some(value) = object.0.get_mut(name) {
            each_object(value, &mut |inner| drop_write_only(&block.body, inner));
        }
    }
}

fn drop_from(attribute: &Attribute, value: &mut Value) {
    if attribute.write_only {
        *value = Value::Null;
        return;
    }
    let Kind::Nested(_, members) = &attribute.kind else {
        return;
    };
    if !members.iter().any(|(_, member)| holds_write_only(member)) {
        return;
    }
    each_object(value, &mut |inner| {
        for (name, member) in &**members {
            if let Some(value) = inner.0.get_mut(name) {
                drop_from(member, value);
            }
        }
    });
}

pub(crate) fn holds_write_only(attribute: &Attribute) -> bool {
    attribute.write_only || attribute.members().any(|(_, member)| holds_write_only(member))
}

/// Calls `change` for the object, or each object of the collection, that `value` is.
pub(crate) fn each_object(value: &mut Value, change: &mut dyn FnMut(&mut Object)) {
    match value {
        Value::Object(object) => change(object),
        Value::List(items) | Value::Set(items) | Value::Tuple(items) => {
            for item in items {
                each_object(item, change);
            }
        }
        Value::Map(items) => {
            for item in items.values_mut() {
                each_object(item, change);
            }
        }
        Value::Dynamic(dynamic) => each_object(&mut dynamic.value, change),
        _ => {}
    }
}
