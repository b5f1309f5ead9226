//! Terraform values, independent of schemas and of the wire.
//!
//! Values are compared by meaning: numbers by value, sets without order, unknowns without their
//! refinements. `Debug` does not print text, so that a password cannot reach a log by accident.

mod access;
mod build;
pub(crate) mod json;
pub(crate) mod msgpack;
mod number;
mod path;
mod types;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

pub use access::Attr;
pub use number::{Error as NumberError, Number};
pub use path::{AttributePath, Step};
pub(crate) use types::DEEPEST;
pub use types::{Error as TypeError, ObjectType, Type};

/// A value as Terraform sends and takes it.
#[derive(Clone)]
pub enum Value {
    /// Nothing.
    Null,
    /// Not known before apply.
    Unknown(Unknown),
    /// True or false.
    Bool(bool),
    /// A number, exact.
    Number(Number),
    /// Text.
    String(String),
    /// A sequence of one type.
    List(Vec<Value>),
    /// Different values of one type. The order has no meaning.
    Set(Vec<Value>),
    /// Values of one type by key.
    Map(BTreeMap<String, Value>),
    /// Attributes by name.
    Object(Object),
    /// Values at fixed places.
    Tuple(Vec<Value>),
    /// A value that carries its type.
    Dynamic(Box<DynamicValue>),
}

/// A value not known before apply, with what Terraform said about it.
#[derive(Debug, Clone, Default)]
pub struct Unknown {
    /// The body of the refinement as received, to be sent back as it is.
    pub(crate) refinement: Option<Box<[u8]>>,
}

/// A value of a `dynamic` attribute.
#[derive(Clone)]
pub struct DynamicValue {
    /// The value's own type.
    pub ty: Type,
    /// The value.
    pub value: Value,
}

/// Attributes by name: the value of a resource, a block or a nested attribute.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Object(pub(crate) BTreeMap<String, Value>);

impl Value {
    /// True for null.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// True if the value itself is unknown.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::Dynamic(dynamic) => dynamic.value.is_unknown(),
            _ => false,
        }
    }

    /// True if neither the value nor anything inside it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => {
                items.iter().all(Self::is_wholly_known)
            }
            Self::Map(items) => items.values().all(Self::is_wholly_known),
            Self::Object(object) => object.0.values().all(Self::is_wholly_known),
            Self::Dynamic(dynamic) => dynamic.value.is_wholly_known(),
        }
    }

    /// Turns everything unknown inside into null, for an answer that goes with an error.
    pub fn drop_unknowns(&mut self) {
        match self {
            Self::Unknown(_) => *self = Self::Null,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => {}
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => {
                items.iter_mut().for_each(Self::drop_unknowns);
            }
            Self::Map(items) => items.values_mut().for_each(Self::drop_unknowns),
            Self::Object(object) => object.0.values_mut().for_each(Self::drop_unknowns),
            Self::Dynamic(dynamic) => dynamic.value.drop_unknowns(),
        }
    }

    /// Reads a value of type `ty` from msgpack, as Terraform sends it.
    ///
    /// # Errors
    /// The bytes are no value of that type, or break a limit.
    pub fn from_msgpack(bytes: &[u8], ty: &Type) -> Result<Self, msgpack::Error> {
        msgpack::decode(bytes, ty)
    }

    /// Writes the value as msgpack of type `ty`.
    ///
    /// # Errors
    /// The value does not fit the type.
    pub fn to_msgpack(&self, ty: &Type) -> Result<Vec<u8>, msgpack::Error> {
        msgpack::encode(self, ty)
    }

    /// Reads a value of type `ty` from JSON, as Terraform stores it.
    ///
    /// # Errors
    /// The text is no value of that type, or breaks a limit.
    pub fn from_json(text: &[u8], ty: &Type) -> Result<Self, json::Error> {
        json::decode(text, ty)
    }

    /// The JSON form, for messages and tests. Shows everything, secrets too.
    ///
    /// # Errors
    /// [`json::Error::Unknown`] if anything inside is unknown.
    pub fn to_json(&self) -> Result<String, json::Error> {
        json::encode(self)
    }

    /// What kind of value this is, for error texts.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown(_) => "unknown",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Map(_) => "map",
            Self::Object(_) => "object",
            Self::Tuple(_) => "tuple",
            Self::Dynamic(_) => "dynamic",
        }
    }

    /// A total order that agrees with equality; it puts sets into one form.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.compare(b),
            (Self::String(a), Self::String(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => compare_all(a, b),
            (Self::Set(a), Self::Set(b)) => compare_sets(a, b),
            (Self::Map(a), Self::Map(b)) => compare_maps(a, b),
            (Self::Object(a), Self::Object(b)) => compare_maps(&a.0, &b.0),
            (Self::Dynamic(a), Self::Dynamic(b)) => a
                .value
                .compare(&b.value)
                .then_with(|| a.ty.to_json().cmp(&b.ty.to_json())),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Unknown(_) => 1,
            Self::Bool(_) => 2,
            Self::Number(_) => 3,
            Self::String(_) => 4,
            Self::List(_) => 5,
            Self::Set(_) => 6,
            Self::Map(_) => 7,
            Self::Object(_) => 8,
            Self::Tuple(_) => 9,
            Self::Dynamic(_) => 10,
        }
    }
}

fn compare_all(a: &[Value], b: &[Value]) -> Ordering {
    let pairs = a.iter().zip(b).map(|(a, b)| a.compare(b));
    pairs
        .fold(Ordering::Equal, Ordering::then)
        .then_with(|| a.len().cmp(&b.len()))
}

fn compare_sets(a: &[Value], b: &[Value]) -> Ordering {
    let sorted = |items: &[Value]| -> Vec<Value> {
        let mut items = items.to_vec();
        sort_set(&mut items);
        items
    };
    if is_sorted_set(a) && is_sorted_set(b) {
        return compare_all(a, b);
    }
    compare_all(&sorted(a), &sorted(b))
}

fn is_sorted_set(items: &[Value]) -> bool {
    items.windows(2).all(|pair| match pair {
        [a, b] => a.compare(b) == Ordering::Less,
        _ => true,
    })
}

/// Sorts the elements of a set and takes out what is there twice; unknown elements all stay.
pub(crate) fn sort_set(items: &mut Vec<Value>) {
    if is_sorted_set(items) {
        return;
    }
    items.sort_by(Value::compare);
    items.dedup_by(|a, b| a.is_wholly_known() && a == b);
}

fn compare_maps(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> Ordering {
    let pairs = a
        .iter()
        .zip(b)
        .map(|((ka, va), (kb, vb))| ka.cmp(kb).then_with(|| va.compare(vb)));
    pairs
        .fold(Ordering::Equal, Ordering::then)
        .then_with(|| a.len().cmp(&b.len()))
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Unknown(_) => f.write_str("(unknown)"),
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::String(value) if cfg!(test) => fmt::Debug::fmt(value, f),
            Self::String(value) => write!(f, "(text of {} bytes)", value.len()),
            Self::List(items) | Self::Tuple(items) => f.debug_list().entries(items).finish(),
            Self::Set(items) => f.debug_set().entries(items).finish(),
            Self::Map(items) => f.debug_map().entries(items).finish(),
            Self::Object(object) => object.fmt(f),
            Self::Dynamic(dynamic) => dynamic.value.fmt(f),
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}
