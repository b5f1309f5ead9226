//! Runs the rules of a schema over a configuration and collects every finding.

use super::attribute::{Attribute, Kind};
use super::block::Nesting;
use super::validators::Check;
use super::{Block, Body};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::value::{AttributePath, Object, Value};

/// Checks `config` by the rules of `body`. Unknown values pass.
pub(crate) fn validate(body: &Body, config: &Object, path: &AttributePath, diagnostics: &mut Diagnostics) {
    for (name, attribute) in &*body.attributes {
        let value = config.try_get(name).unwrap_or(&Value::Null);
        check_attribute(
            attribute,
            value,
            &path.attribute(name),
            attribute.sensitive,
            diagnostics,
        );
    }
    for (name, block) in &*body.blocks {
        let value = config.try_get(name).unwrap_or(&Value::Null);
        check_block(block, value, &path.attribute(name), diagnostics);
    }
}

fn check_attribute(
    attribute: &Attribute,
    value: &Value,
    path: &AttributePath,
    sensitive: bool,
    diagnostics: &mut Diagnostics,
) {
    if value.is_null() || value.is_unknown() {
        return;
    }
    let check = Check {
        value,
        path,
        sensitive,
    };
    for rule in &attribute.validators {
        rule.run(check, diagnostics);
    }
    if !attribute.null_elements {
        refuse_null_elements(value, path, diagnostics);
    }
    let Kind::Nested(nesting, members) = &attribute.kind else {
        return;
    };
    for_each_object(*nesting, value, path, &mut |object, path| {
        for (name, member) in &**members {
            let value = object.try_get(name).unwrap_or(&Value::Null);
            let path = path.attribute(name);
            if member.required && value.is_null() {
                let detail = format!("`{path}` is required and not set. Set it.");
                diagnostics.error(&path, "Missing required value", detail);
            }
            check_attribute(member, value, &path, sensitive || member.sensitive, diagnostics);
        }
    });
}

fn check_block(block: &Block, value: &Value, path: &AttributePath, diagnostics: &mut Diagnostics) {
    for_each_object(block.nesting, value, path, &mut |object, path| {
        validate(&block.body, object, path, diagnostics);
    });
}

fn refuse_null_elements(value: &Value, path: &AttributePath, diagnostics: &mut Diagnostics) {
    let mut refuse = |path: &AttributePath| {
        let detail = format!("`{path}` holds a null element. Take it out, or filter with `if v != null`.");
        diagnostics.error(path, "Null element", detail);
    };
    match value {
        Value::List(items) => {
            let nulls = items.iter().enumerate().filter(|(_, item)| item.is_null());
            nulls.for_each(|(at, _)| refuse(&path.index(at)));
        }
        Value::Set(items) if items.iter().any(Value::is_null) => refuse(path),
        Value::Map(items) => {
            let nulls = items.iter().filter(|(_, item)| item.is_null());
            nulls.for_each(|(key, _)| refuse(&path.key(key)));
        }
        _ => {}
    }
}

/// Calls `visit` for each known object of a nested attribute or block. Paths stop at sets.
pub(crate) fn for_each_object<'a>(
    nesting: Nesting,
    value: &'a Value,
    path: &AttributePath,
    visit: &mut dyn FnMut(&'a Object, &AttributePath),
) {
    let mut at = |value: &'a Value, path: &AttributePath| {
        if let Value::Object(object) = value.plain() {
            visit(object, path);
        }
    };
    match (nesting, value.plain()) {
        (Nesting::Single, value) => at(value, path),
        (Nesting::List, Value::List(items) | Value::Tuple(items)) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| at(item, &path.index(index)));
        }
        (Nesting::Set, Value::Set(items)) => items.iter().for_each(|item| at(item, path)),
        (Nesting::Map, Value::Map(items)) => items.iter().for_each(|(key, item)| at(item, &path.key(key))),
        (Nesting::Map, Value::Object(items)) => {
            items.0.iter().for_each(|(key, item)| at(item, &path.key(key)));
        }
        _ => {}
    }
}
