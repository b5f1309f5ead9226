//! Making values from Rust data, so that a resource file reads from top to bottom.

use std::collections::BTreeMap;

use super::{Number, Object, Unknown, Value, sort_set};

impl Value {
    /// The plain unknown value.
    pub const fn unknown() -> Self {
        Self::Unknown(Unknown { refinement: None })
    }

    /// A list.
    pub fn list<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    /// A set; the order of the items and repeated ones do not matter.
    pub fn set<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        let mut items: Vec<Self> = items.into_iter().map(Into::into).collect();
        sort_set(&mut items);
        Self::Set(items)
    }

    /// A map.
    pub fn map<K: Into<String>, T: Into<Self>>(items: impl IntoIterator<Item = (K, T)>) -> Self {
        Self::Map(
            items
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }

    /// An object.
    pub fn object<K: Into<String>, T: Into<Self>>(items: impl IntoIterator<Item = (K, T)>) -> Self {
        Self::Object(
            items
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl Object {
    /// An object without attributes. What is missing in an answer is sent as null.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// This object with attribute `name` set to `value`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Sets attribute `name` to `value`.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// The attributes in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// True if nothing inside is unknown.
    pub fn is_wholly_known(&self) -> bool {
        self.0.values().all(Value::is_wholly_known)
    }
}

impl<K: Into<String>> FromIterator<(K, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(items: I) -> Self {
        Self(
            items
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        )
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::List(items.into_iter().collect())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::String(value.clone())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Self::Number(value)
    }
}

impl From<Object> for Value {
    fn from(value: Object) -> Self {
        Self::Object(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Number(Number::from_unsigned(value))
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::from(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

macro_rules! from_small_integers {
    ($($ty:ty),*) => {$(
        impl From<$ty> for Value {
            fn from(value: $ty) -> Self {
                Self::Number(Number::Int(i64::from(value)))
            }
        }
    )*};
}

from_small_integers!(i8, i16, i32, i64, u8, u16, u32);

/// `None` is null.
impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<super::Attr<T>> for Value {
    fn from(value: super::Attr<T>) -> Self {
        match value {
            super::Attr::Known(value) => value.into(),
            super::Attr::Null => Self::Null,
            super::Attr::Unknown => Self::unknown(),
        }
    }
}
