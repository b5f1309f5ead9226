//! The types of values, and their JSON form in schemas and dynamic values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

/// Deepest nesting of types and values that is taken.
pub(crate) const DEEPEST: usize = 64;

/// Longest type text that is taken from the wire.
const LONGEST_TEXT: usize = 64 * 1024;

/// A type. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// Any number.
    Number,
    /// Text.
    String,
    /// A value that brings its own type.
    Dynamic,
    /// A sequence of one type.
    List(Arc<Type>),
    /// Different values of one type, without order.
    Set(Arc<Type>),
    /// Values of one type under names of the user's choice.
    Map(Arc<Type>),
    /// Values under fixed names.
    Object(ObjectType),
    /// Values at fixed places.
    Tuple(Arc<[Type]>),
}

/// The attributes of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectType {
    attributes: Arc<BTreeMap<String, Type>>,
    optional: Arc<BTreeSet<String>>,
}

impl ObjectType {
    /// An object of these attributes.
    pub fn new(attributes: impl IntoIterator<Item = (String, Type)>) -> Self {
        Self {
            attributes: Arc::new(attributes.into_iter().collect()),
            optional: Arc::default(),
        }
    }

    /// The attributes, by name.
    pub fn attributes(&self) -> &BTreeMap<String, Type> {
        &self.attributes
    }
}

/// Why a type text was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No JSON.
    #[error("type is not valid JSON")]
    Json(#[source] serde_json::Error),
    /// JSON, but no type.
    #[error("`{0}` is not a type")]
    Unknown(String),
    /// Nested too deeply.
    #[error("type is nested deeper than {DEEPEST}")]
    TooDeep,
    /// Too long.
    #[error("type text is longer than {LONGEST_TEXT} bytes")]
    TooLong,
}

impl Type {
    /// A list of `element`.
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// A set of `element`.
    pub fn set(element: Self) -> Self {
        Self::Set(Arc::new(element))
    }

    /// A map of `element`.
    pub fn map(element: Self) -> Self {
        Self::Map(Arc::new(element))
    }

    /// An object of these attributes.
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Object(ObjectType::new(
            attributes.into_iter().map(|(name, ty)| (name.into(), ty)),
        ))
    }

    /// A tuple of these types.
    pub fn tuple(types: impl IntoIterator<Item = Self>) -> Self {
        Self::Tuple(types.into_iter().collect())
    }

    /// True if `dynamic` occurs anywhere inside.
    pub fn holds_dynamic(&self) -> bool {
        match self {
            Self::Dynamic => true,
            Self::Bool | Self::Number | Self::String => false,
            Self::List(inner) | Self::Set(inner) | Self::Map(inner) => inner.holds_dynamic(),
            Self::Object(object) => object.attributes.values().any(Self::holds_dynamic),
            Self::Tuple(types) => types.iter().any(Self::holds_dynamic),
        }
    }

    /// The JSON form, compact: `["list","string"]`.
    pub fn to_json(&self) -> Vec<u8> {
        self.json().to_string().into_bytes()
    }

    fn json(&self) -> Json {
        match self {
            Self::Bool => "bool".into(),
            Self::Number => "number".into(),
            Self::String => "string".into(),
            Self::Dynamic => "dynamic".into(),
            Self::List(inner) => Json::Array(vec!["list".into(), inner.json()]),
            Self::Set(inner) => Json::Array(vec!["set".into(), inner.json()]),
            Self::Map(inner) => Json::Array(vec!["map".into(), inner.json()]),
            Self::Tuple(types) => Json::Array(vec![
                "tuple".into(),
                types.iter().map(Self::json).collect::<Vec<_>>().into(),
            ]),
            Self::Object(object) => {
                let attributes = object
                    .attributes
                    .iter()
                    .map(|(name, ty)| (name.clone(), ty.json()));
                let mut parts = vec!["object".into(), Json::Object(attributes.collect())];
                if !object.optional.is_empty() {
                    parts.push(object.optional.iter().cloned().collect::<Vec<_>>().into());
                }
                Json::Array(parts)
            }
        }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// Each variant of [`Error`]; nothing is allocated for what is too long or too deep.
    pub fn from_json(text: &[u8]) -> Result<Self, Error> {
        if text.len() > LONGEST_TEXT {
            return Err(Error::TooLong);
        }
        let json: Json = serde_json::from_slice(text).map_err(Error::Json)?;
        Self::read(&json, 0)
    }

    fn read(json: &Json, depth: usize) -> Result<Self, Error> {
        if depth > DEEPEST {
            return Err(Error::TooDeep);
        }
        let unknown = || Error::Unknown(json.to_string().chars().take(80).collect());
        match json {
            Json::String(name) => match name.as_str() {
                "bool" => Ok(Self::Bool),
                "number" => Ok(Self::Number),
                "string" => Ok(Self::String),
                "dynamic" => Ok(Self::Dynamic),
                _ => Err(unknown()),
            },
            Json::Array(parts) => match parts.as_slice() {
                [Json::String(kind), Json::Array(types)] if kind == "tuple" => types
                    .iter()
                    .map(|ty| Self::read(ty, depth + 1))
                    .collect::<Result<_, _>>()
                    .map(Self::Tuple),
                [Json::String(kind), Json::Object(attributes), rest @ ..] if kind == "object" => {
                    let optional = match rest {
                        [] => BTreeSet::new(),
                        [Json::Array(names)] => names
                            .iter()
                            .map(|name| name.as_str().map(str::to_owned).ok_or_else(unknown))
                            .collect::<Result<_, _>>()?,
                        _ => return Err(unknown()),
                    };
                    let attributes = attributes
                        .iter()
                        .map(|(name, ty)| Ok((name.clone(), Self::read(ty, depth + 1)?)))
                        .collect::<Result<_, Error>>()?;
                    Ok(Self::Object(ObjectType {
                        attributes: Arc::new(attributes),
                        optional: Arc::new(optional),
                    }))
                }
                [Json::String(kind), element] => {
                    let wrap = match kind.as_str() {
                        "list" => Self::list,
                        "set" => Self::set,
                        "map" => Self::map,
                        _ => return Err(unknown()),
                    };
                    Self::read(element, depth + 1).map(wrap)
                }
                _ => Err(unknown()),
            },
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Type};

    #[test]
    fn types_go_to_json_and_back() {
        for text in [
            r#""string""#,
            r#"["list",["map","dynamic"]]"#,
            r#"["object",{"a":"string","b":["list","number"]}]"#,
            r#"["object",{"a":"string","b":"bool"},["b"]]"#,
            r#"["tuple",["string",["tuple",[]]]]"#,
        ] {
            let ty = Type::from_json(text.as_bytes()).unwrap();
            assert_eq!(ty.to_json(), text.as_bytes());
        }
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for text in [
            r#""nope""#,
            "1",
            "[]",
            r#"["list"]"#,
            r#"["object",1]"#,
            r#"["tuple","string"]"#,
            "{",
        ] {
            assert!(Type::from_json(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("{}\"string\"{}", "[\"list\",".repeat(100), "]".repeat(100));
        assert!(matches!(Type::from_json(deep.as_bytes()), Err(Error::TooDeep)));
        let bomb = "[\"list\",".repeat(100_000);
        assert!(matches!(Type::from_json(bomb.as_bytes()), Err(Error::TooLong)));
    }
}
