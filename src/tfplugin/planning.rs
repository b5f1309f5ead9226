//! The rules by which a schema plans: from configuration, prior state and Terraform's proposal to
//! the planned state and the paths that replace. Pure.
//!
//! Order: configuration with defaults, prior spelling where it means the same, write-only out; if
//! anything then differs from the prior state, computed values become unknown unless they are kept;
//! last the replace paths. The resource's own hook comes after this.

use std::collections::BTreeMap;

use super::schema::{Attribute, Block, Body, Kind, Nesting};
use super::value::{AttributePath, Object, Value};

/// What the schema alone plans.
#[derive(Debug)]
pub(crate) struct Proposal {
    /// The planned state.
    pub(crate) planned: Object,
    /// Sorted, each once.
    pub(crate) requires_replace: Vec<AttributePath>,
}

/// Plans a create (`prior` is `None`) or an update.
pub(crate) fn propose(body: &Body, prior: Option<&Object>, config: &Object, proposed: &Object) -> Proposal {
    if let Some(prior) = prior {
        let kept = Merge { mark: false }.body(body, config, Some(proposed), Some(prior));
        if kept == *prior {
            return Proposal {
                planned: prior.clone(),
                requires_replace: Vec::new(),
            };
        }
    }
    let planned = Merge { mark: true }.body(body, config, Some(proposed), prior);
    let mut requires_replace = Vec::new();
    if let Some(prior) = prior {
        replace_in_body(
            body,
            &planned,
            prior,
            &AttributePath::root(),
            &mut requires_replace,
        );
    }
    requires_replace.sort();
    requires_replace.dedup();
    Proposal {
        planned,
        requires_replace,
    }
}

/// A configuration with the defaults of the schema filled in, for data sources and providers.
pub(crate) fn with_defaults(body: &Body, config: &Object) -> Object {
    Merge { mark: false }.body(body, config, None, None)
}

const NULL: Value = Value::Null;

/// One walk over configuration, proposal and prior state.
#[derive(Clone, Copy)]
struct Merge {
    /// Whether computed values that nothing decides become unknown.
    mark: bool,
}

impl Merge {
    fn body(self, body: &Body, config: &Object, proposed: Option<&Object>, prior: Option<&Object>) -> Object {
        let attributes = body.attributes.iter().map(|(name, attribute)| {
            let value = self.attribute(
                attribute,
                config.try_get(name).unwrap_or(&NULL),
                proposed.and_then(|object| object.try_get(name)),
                prior.and_then(|object| object.try_get(name)),
            );
            (name.clone(), value)
        });
        let blocks = body.blocks.iter().map(|(name, block)| {
            let value = self.block(
                block,
                config.try_get(name).unwrap_or(&NULL),
                proposed.and_then(|object| object.try_get(name)),
                prior.and_then(|object| object.try_get(name)),
            );
            (name.clone(), value)
        });
        attributes.chain(blocks).collect()
    }

    /// `prior` is `None` where the surrounding object did not exist before.
    fn attribute(
        self,
        attribute: &Attribute,
        config: &Value,
        proposed: Option<&Value>,
        prior: Option<&Value>,
    ) -> Value {
        if attribute.write_only {
            return Value::Null;
        }
        if config.is_unknown() {
            return config.clone();
        }
        let default;
        let wanted = if config.is_null() {
            default = attribute.default_value();
            match &default {
                Some(value) => value,
                None => return self.undecided(attribute, proposed, prior),
            }
        } else {
            config
        };
        if let (Some(same), Some(prior)) = (&attribute.same, prior)
            && !prior.is_null()
            && wanted.is_wholly_known()
            && same(prior, wanted)
        {
            return prior.clone();
        }
        match &attribute.kind {
            Kind::Plain(_) => wanted.clone(),
            Kind::Nested(nesting, members) => {
                let element = |config: &Object, proposed: Option<&Object>, prior: Option<&Object>| {
                    members
                        .iter()
                        .map(|(name, member)| {
                            let value = self.attribute(
                                member,
                                config.try_get(name).unwrap_or(&NULL),
                                proposed.and_then(|object| object.try_get(name)),
                                prior.and_then(|object| object.try_get(name)),
                            );
                            (name.clone(), value)
                        })
                        .collect()
                };
                nested(*nesting, wanted, proposed, prior, &element)
            }
        }
    }

    /// Null in the configuration and no default.
    fn undecided(self, attribute: &Attribute, proposed: Option<&Value>, prior: Option<&Value>) -> Value {
        if !attribute.computed {
            return Value::Null;
        }
        match prior {
            Some(prior) if attribute.keep_prior => prior.clone(),
            _ if self.mark => Value::unknown(),
            _ => proposed.cloned().unwrap_or(Value::Null),
        }
    }

    fn block(self, block: &Block, config: &Value, proposed: Option<&Value>, prior: Option<&Value>) -> Value {
        nested(
            block.nesting,
            config,
            proposed,
            prior,
            &|config, proposed, prior| self.body(&block.body, config, proposed, prior),
        )
    }
}

type MergeElement<'a> = dyn Fn(&Object, Option<&Object>, Option<&Object>) -> Object + 'a;

/// Merges the objects of a nested attribute or block: lists by place, maps by key, sets by content.
fn nested(
    nesting: Nesting,
    config: &Value,
    proposed: Option<&Value>,
    prior: Option<&Value>,
    merge: &MergeElement<'_>,
) -> Value {
    let one = |config: &Value, proposed: Option<&Value>, prior: Option<&Value>| match config {
        Value::Object(object) => Value::Object(merge(object, as_object(proposed), as_object(prior))),
        other => other.clone(),
    };
    match (nesting, config) {
        (Nesting::Single, config) => one(config, proposed, prior),
        (Nesting::List, Value::List(items)) => {
            let at = |list: Option<&Value>, index: usize| match list {
                Some(Value::List(items)) => items.get(index).cloned(),
                _ => None,
            };
            let items = items.iter().enumerate();
            let items =
                items.map(|(index, item)| one(item, at(proposed, index).as_ref(), at(prior, index).as_ref()));
            Value::List(items.collect())
        }
        (Nesting::Map, Value::Map(items)) => {
            let items = items
                .iter()
                .map(|(key, item)| (key.clone(), one(item, in_map(proposed, key), in_map(prior, key))));
            Value::Map(items.collect::<BTreeMap<_, _>>())
        }
        (Nesting::Set, Value::Set(items)) => {
            let mut unused = Candidates::of(prior);
            Value::set(items.iter().map(|item| {
                let prior = unused.take_for(item);
                one(item, prior, prior)
            }))
        }
        (_, other) => other.clone(),
    }
}

fn as_object(value: Option<&Value>) -> Option<&Object> {
    match value {
        Some(Value::Object(object)) => Some(object),
        _ => None,
    }
}

fn in_map<'a>(map: Option<&'a Value>, key: &str) -> Option<&'a Value> {
    match map {
        Some(Value::Map(items)) => items.get(key),
        _ => None,
    }
}

/// Prior elements of a set that no configured element was matched with yet.
struct Candidates<'a>(Vec<&'a Value>);

impl<'a> Candidates<'a> {
    fn of(prior: Option<&'a Value>) -> Self {
        match prior {
            Some(Value::Set(items)) => Self(items.iter().collect()),
            _ => Self(Vec::new()),
        }
    }

    /// The first element that says everything that the configured one says.
    fn take_for(&mut self, config: &Value) -> Option<&'a Value> {
        let position = self.0.iter().position(|prior| agrees(config, prior))?;
        Some(self.0.remove(position))
    }
}

fn agrees(config: &Value, prior: &Value) -> bool {
    match (config, prior) {
        (Value::Null, _) => true,
        (Value::Object(config), Value::Object(prior)) => config
            .iter()
            .all(|(name, value)| agrees(value, prior.try_get(name).unwrap_or(&NULL))),
        (config, prior) => config == prior,
    }
}

fn replace_in_body(
    body: &Body,
    planned: &Object,
    prior: &Object,
    path: &AttributePath,
    found: &mut Vec<AttributePath>,
) {
    for (name, attribute) in &*body.attributes {
        let (planned, prior) = (
            planned.try_get(name).unwrap_or(&NULL),
            prior.try_get(name).unwrap_or(&NULL),
        );
        replace_in_attribute(attribute, planned, prior, &path.attribute(name), found);
    }
    for (name, block) in &*body.blocks {
        let (planned, prior) = (
            planned.try_get(name).unwrap_or(&NULL),
            prior.try_get(name).unwrap_or(&NULL),
        );
        let path = path.attribute(name);
        let needs = block
            .body
            .attributes
            .iter()
            .any(|(_, attribute)| holds_replace(attribute));
        let inner =
            |planned: &Object, prior: &Object, path: &AttributePath, found: &mut Vec<AttributePath>| {
                replace_in_body(&block.body, planned, prior, path, found);
            };
        replace_in_elements(block.nesting, needs, (planned, prior), &path, &inner, found);
    }
}

fn replace_in_attribute(
    attribute: &Attribute,
    planned: &Value,
    prior: &Value,
    path: &AttributePath,
    found: &mut Vec<AttributePath>,
) {
    if attribute.write_only || planned == prior {
        return;
    }
    if attribute.replace {
        found.push(path.clone());
        return;
    }
    let Kind::Nested(nesting, members) = &attribute.kind else {
        return;
    };
    let needs = members.iter().any(|(_, member)| holds_replace(member));
    let inner = |planned: &Object, prior: &Object, path: &AttributePath, found: &mut Vec<AttributePath>| {
        for (name, member) in &**members {
            let values = (
                planned.try_get(name).unwrap_or(&NULL),
                prior.try_get(name).unwrap_or(&NULL),
            );
            replace_in_attribute(member, values.0, values.1, &path.attribute(name), found);
        }
    };
    replace_in_elements(*nesting, needs, (planned, prior), path, &inner, found);
}

type ReplaceInside<'a> = dyn Fn(&Object, &Object, &AttributePath, &mut Vec<AttributePath>) + 'a;

/// Goes into the elements of a nested attribute or block. An element that is there on one side only
/// counts as one with all its members null on the other. Sets have no paths inside: theirs is given.
fn replace_in_elements(
    nesting: Nesting,
    needs: bool,
    (planned, prior): (&Value, &Value),
    path: &AttributePath,
    inner: &ReplaceInside<'_>,
    found: &mut Vec<AttributePath>,
) {
    if !needs || planned == prior {
        return;
    }
    let empty = Object::new();
    let object = |value: Option<&Value>| as_object(value).cloned().unwrap_or_else(|| empty.clone());
    match nesting {
        Nesting::Single => inner(&object(Some(planned)), &object(Some(prior)), path, found),
        Nesting::Set => found.push(path.clone()),
        Nesting::List => {
            let items = |value: &Value| {
                if let Value::List(items) = value {
                    items.clone()
                } else {
                    Vec::new()
                }
            };
            let (planned, prior) = (items(planned), items(prior));
            for index in 0..planned.len().max(prior.len()) {
                inner(
                    &object(planned.get(index)),
                    &object(prior.get(index)),
                    &path.index(index),
                    found,
                );
            }
        }
        Nesting::Map => {
            let keys = [planned, prior]
                .into_iter()
                .filter_map(|value| value.as_map().known());
            let keys: std::collections::BTreeSet<&String> = keys.flat_map(BTreeMap::keys).collect();
            for key in keys {
                let values = (
                    object(in_map(Some(planned), key)),
                    object(in_map(Some(prior), key)),
                );
                inner(&values.0, &values.1, &path.key(key), found);
            }
        }
    }
}

fn holds_replace(attribute: &Attribute) -> bool {
    attribute.replace || attribute.members().any(|(_, member)| holds_replace(member))
}

#[cfg(test)]
mod tests;
