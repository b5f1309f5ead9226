//! Reading values as Rust data.
//!
//! Values reach a resource after they were decoded by its schema, so their types are right. Asking
//! for a name that the schema does not have, or for another type, is a bug in the resource: it
//! stops a debug build and reads as null otherwise.

use std::collections::BTreeMap;

use super::{Number, Object, Value};
use crate::secret::Secret;

/// An attribute: known, null, or not known before apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attr<T> {
    /// Set, and known.
    Known(T),
    /// Not set.
    Null,
    /// Known only at apply.
    Unknown,
}

impl<T> Attr<T> {
    /// The value if it is known and set.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// The value if it is known and set, else `fallback`.
    pub fn known_or(self, fallback: T) -> T {
        self.known().unwrap_or(fallback)
    }

    /// Changes the value inside.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Attr<U> {
        match self {
            Self::Known(value) => Attr::Known(change(value)),
            Self::Null => Attr::Null,
            Self::Unknown => Attr::Unknown,
        }
    }

    /// Goes on with the value inside, if there is one.
    pub fn and_then<U>(self, next: impl FnOnce(T) -> Attr<U>) -> Attr<U> {
        match self {
            Self::Known(value) => next(value),
            Self::Null => Attr::Null,
            Self::Unknown => Attr::Unknown,
        }
    }

    /// Known, by reference.
    pub const fn as_ref(&self) -> Attr<&T> {
        match self {
            Self::Known(value) => Attr::Known(value),
            Self::Null => Attr::Null,
            Self::Unknown => Attr::Unknown,
        }
    }

    /// True if set and known.
    pub const fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// True if not set.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// True if known only at apply.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

impl Value {
    /// The value without the wrapper that a `dynamic` attribute puts around it.
    pub fn plain(&self) -> &Self {
        match self {
            Self::Dynamic(dynamic) => dynamic.value.plain(),
            other => other,
        }
    }

    fn read<'a, T>(&'a self, wanted: &str, take: impl FnOnce(&'a Self) -> Option<T>) -> Attr<T> {
        match self.plain() {
            Self::Null => Attr::Null,
            Self::Unknown(_) => Attr::Unknown,
            value => {
                let taken = take(value);
                debug_assert!(taken.is_some(), "a {} was read as {wanted}", value.kind());
                taken.map_or(Attr::Null, Attr::Known)
            }
        }
    }

    /// Reads text.
    pub fn as_str(&self) -> Attr<&str> {
        self.read("text", |value| {
            if let Self::String(text) = value {
                Some(text.as_str())
            } else {
                None
            }
        })
    }

    /// Reads true or false.
    pub fn as_bool(&self) -> Attr<bool> {
        self.read("bool", |value| {
            if let Self::Bool(value) = value {
                Some(*value)
            } else {
                None
            }
        })
    }

    /// Reads a number.
    pub fn as_number(&self) -> Attr<&Number> {
        self.read("number", |value| {
            if let Self::Number(value) = value {
                Some(value)
            } else {
                None
            }
        })
    }

    /// Reads a whole number. One that is no whole number or does not fit reads as null; a validator
    /// (`schema::whole_number`, `schema::range`) tells the user before that.
    pub fn as_i64(&self) -> Attr<i64> {
        self.as_number()
            .and_then(|number| number.as_i64().map_or(Attr::Null, Attr::Known))
    }

    /// Reads an object.
    pub fn as_object(&self) -> Attr<&Object> {
        self.read("object", |value| {
            if let Self::Object(object) = value {
                Some(object)
            } else {
                None
            }
        })
    }

    /// Reads the elements of a list, set or tuple.
    pub fn as_elements(&self) -> Attr<&[Self]> {
        self.read("list or set", |value| match value {
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => Some(items.as_slice()),
            _ => None,
        })
    }

    /// Reads a map.
    pub fn as_map(&self) -> Attr<&BTreeMap<String, Self>> {
        self.read("map", |value| {
            if let Self::Map(items) = value {
                Some(items)
            } else {
                None
            }
        })
    }
}

/// Collects; one unknown element makes the whole unknown, null elements are left out.
fn collect<T, C: FromIterator<T>>(items: impl Iterator<Item = Attr<T>>) -> Attr<C> {
    let mut unknown = false;
    let known: C = items
        .filter_map(|item| {
            unknown |= item.is_unknown();
            item.known()
        })
        .collect();
    if unknown {
        Attr::Unknown
    } else {
        Attr::Known(known)
    }
}

impl Object {
    /// The attribute `name`, null if the object does not have it.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or_else(|| {
            debug_assert!(false, "no attribute `{name}` in this object");
            &Value::Null
        })
    }

    /// The attribute `name`, if the object has it.
    pub fn try_get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Text, owned.
    pub fn string(&self, name: &str) -> Attr<String> {
        self.str(name).map(str::to_owned)
    }

    /// Text.
    pub fn str(&self, name: &str) -> Attr<&str> {
        self.get(name).as_str()
    }

    /// Text that must not be shown.
    pub fn secret(&self, name: &str) -> Attr<Secret<String>> {
        self.str(name).map(|text| Secret::new(text.to_owned()))
    }

    /// True or false.
    pub fn boolean(&self, name: &str) -> Attr<bool> {
        self.get(name).as_bool()
    }

    /// A number, exact.
    pub fn number(&self, name: &str) -> Attr<&Number> {
        self.get(name).as_number()
    }

    /// A whole number (see [`Value::as_i64`]).
    pub fn integer(&self, name: &str) -> Attr<i64> {
        self.get(name).as_i64()
    }

    /// A nested object.
    pub fn object(&self, name: &str) -> Attr<&Self> {
        self.get(name).as_object()
    }

    /// The elements of a list, set or tuple.
    pub fn elements(&self, name: &str) -> Attr<&[Value]> {
        self.get(name).as_elements()
    }

    /// The texts of a list or set. Unknown if one of them is.
    pub fn strings(&self, name: &str) -> Attr<Vec<String>> {
        self.elements(name)
            .and_then(|items| collect(items.iter().map(|item| item.as_str().map(str::to_owned))))
    }

    /// The texts of a map. Unknown if one of them is.
    pub fn string_map(&self, name: &str) -> Attr<BTreeMap<String, String>> {
        self.map(name).and_then(|items| {
            collect(
                items
                    .iter()
                    .map(|(key, value)| value.as_str().map(|text| (key.clone(), text.to_owned()))),
            )
        })
    }

    /// A map.
    pub fn map(&self, name: &str) -> Attr<&BTreeMap<String, Value>> {
        self.get(name).as_map()
    }

    /// The objects of a list or set of objects. Unknown if one of them is.
    pub fn objects(&self, name: &str) -> Attr<Vec<&Self>> {
        self.elements(name)
            .and_then(|items| collect(items.iter().map(Value::as_object)))
    }
}
