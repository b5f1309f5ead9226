//! Values to and from msgpack, directed by their type.
//!
//! The input is hostile: each length is checked against the bytes that are left before anything is
//! allocated for it, depth and the number of values are limited, and no input panics.

use std::collections::BTreeMap;
use std::fmt;

use rmp::Marker;
use rmp::encode as write;

use super::{
    AttributePath, DEEPEST, DynamicValue, Number, NumberError, Object, Type, TypeError, Unknown, Value,
};

/// Most values in one message. A value takes more memory than its bytes, so bytes alone bound too little.
const MOST_VALUES: usize = 1 << 20;
/// Longest refinement of an unknown value, as in Terraform.
const LONGEST_REFINEMENT: usize = 1024;
/// The extension type of refined unknown values.
const REFINED: i8 = 12;

/// Why bytes or a value were refused, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}{fault}", At(.path))]
pub struct Error {
    /// Where in the value.
    pub path: AttributePath,
    /// What is wrong.
    #[source]
    pub fault: Fault,
}

struct At<'a>(&'a AttributePath);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_root() {
            Ok(())
        } else {
            write!(f, "at `{}`: ", self.0)
        }
    }
}

/// What is wrong with bytes or a value.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The bytes end inside a value, or a length says more than there is.
    #[error("message is cut off")]
    CutOff,
    /// Another kind of value than the type says.
    #[error("{wanted} expected, {found} found")]
    WrongKind {
        /// What the type says.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// Text that is no UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// An object has an attribute too much.
    #[error("attribute `{0}` is not in the schema")]
    ExtraAttribute(String),
    /// An object lacks an attribute.
    #[error("attribute `{0}` is missing")]
    MissingAttribute(String),
    /// A key is there twice.
    #[error("key `{0}` is there twice")]
    DoubleKey(String),
    /// A tuple of another length.
    #[error("{wanted} elements expected, {found} found")]
    WrongLength {
        /// What the type says.
        wanted: usize,
        /// What is there.
        found: usize,
    },
    /// Nested too deeply.
    #[error("value is nested deeper than {DEEPEST}")]
    TooDeep,
    /// Too many values.
    #[error("message holds more than {MOST_VALUES} values")]
    TooMany,
    /// An extension that Terraform does not define, or that is too long.
    #[error("extension of type {code} with {length} bytes is not known")]
    Extension {
        /// Its type code.
        code: i8,
        /// Its length.
        length: usize,
    },
    /// No number.
    #[error("number is not valid")]
    Number(#[source] NumberError),
    /// A dynamic value with a type that is none.
    #[error("type of a dynamic value is not valid")]
    Type(#[source] TypeError),
    /// Too long for msgpack.
    #[error("value is longer than 4 GiB")]
    TooLong,
}

/// Reads a value of type `ty`. Bytes after the value are ignored, as Terraform does.
///
/// # Errors
/// [`Error`] with the place of the first fault.
pub(crate) fn decode(bytes: &[u8], ty: &Type) -> Result<Value, Error> {
    let mut reader = Reader { bytes, values: 0 };
    reader.value(ty, 0).map_err(Located::into_error)
}

/// A fault and the way to it, innermost step first.
struct Located {
    fault: Fault,
    steps: Vec<super::Step>,
}

impl Located {
    fn into_error(mut self) -> Error {
        self.steps.reverse();
        Error {
            path: self.steps.into(),
            fault: self.fault,
        }
    }
}

impl From<Fault> for Located {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            steps: Vec::new(),
        }
    }
}

fn at<T>(result: Result<T, Located>, step: impl FnOnce() -> super::Step) -> Result<T, Located> {
    result.map_err(|mut located| {
        located.steps.push(step());
        located
    })
}

fn index_step(index: usize) -> super::Step {
    super::Step::Index(i64::try_from(index).unwrap_or(i64::MAX))
}

struct Reader<'a> {
    bytes: &'a [u8],
    values: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (head, tail) = self.bytes.split_at_checked(length).ok_or(Fault::CutOff)?;
        self.bytes = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.take(N)?.try_into().map_err(|_| Fault::CutOff)
    }

    fn marker(&mut self) -> Result<Marker, Fault> {
        Ok(Marker::from_u8(u8::from_be_bytes(self.array()?)))
    }

    fn length8(&mut self) -> Result<usize, Fault> {
        Ok(usize::from(u8::from_be_bytes(self.array()?)))
    }

    fn length16(&mut self) -> Result<usize, Fault> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    fn length32(&mut self) -> Result<usize, Fault> {
        usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| Fault::CutOff)
    }

    fn value(&mut self, ty: &Type, depth: usize) -> Result<Value, Located> {
        if depth > DEEPEST {
            return Err(Fault::TooDeep.into());
        }
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(Fault::TooMany.into());
        }
        let marker = self.marker()?;
        if marker == Marker::Null {
            return Ok(Value::Null);
        }
        if let Some(unknown) = self.unknown(marker)? {
            return Ok(Value::Unknown(unknown));
        }
        match ty {
            Type::Bool => match marker {
                Marker::True => Ok(Value::Bool(true)),
                Marker::False => Ok(Value::Bool(false)),
                other => Err(wrong("bool", other).into()),
            },
            Type::Number => Ok(Value::Number(self.number(marker)?)),
            Type::String => Ok(Value::String(self.text(marker, "string")?.to_owned())),
            Type::List(element) => Ok(Value::List(self.elements(marker, element, depth, "list")?)),
            Type::Set(element) => {
                let mut items = self.elements(marker, element, depth, "set")?;
                super::sort_set(&mut items);
                Ok(Value::Set(items))
            }
            Type::Map(element) => self.map(marker, element, depth),
            Type::Object(object) => self.object(marker, object, depth),
            Type::Tuple(types) => self.tuple(marker, types, depth),
            Type::Dynamic => self.dynamic(marker, depth),
        }
    }

    fn unknown(&mut self, marker: Marker) -> Result<Option<Unknown>, Fault> {
        let length = match marker {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Ext8 => self.length8()?,
            Marker::Ext16 => self.length16()?,
            Marker::Ext32 => self.length32()?,
            _ => return Ok(None),
        };
        let code = i8::from_be_bytes(self.array()?);
        if length > LONGEST_REFINEMENT {
            return Err(Fault::Extension { code, length });
        }
        let body = self.take(length)?;
        match (code, length) {
            (_, 0 | 1) => Ok(Some(Unknown::default())),
            (REFINED, _) => Ok(Some(Unknown {
                refinement: Some(body.into()),
            })),
            _ => Err(Fault::Extension { code, length }),
        }
    }

    fn number(&mut self, marker: Marker) -> Result<Number, Fault> {
        Ok(match marker {
            Marker::FixPos(value) => Number::Int(i64::from(value)),
            Marker::FixNeg(value) => Number::Int(i64::from(value)),
            Marker::U8 => Number::Int(i64::from(u8::from_be_bytes(self.array()?))),
            Marker::U16 => Number::Int(i64::from(u16::from_be_bytes(self.array()?))),
            Marker::U32 => Number::Int(i64::from(u32::from_be_bytes(self.array()?))),
            Marker::U64 => Number::from_unsigned(u64::from_be_bytes(self.array()?)),
            Marker::I8 => Number::Int(i64::from(i8::from_be_bytes(self.array()?))),
            Marker::I16 => Number::Int(i64::from(i16::from_be_bytes(self.array()?))),
            Marker::I32 => Number::Int(i64::from(i32::from_be_bytes(self.array()?))),
            Marker::I64 => Number::Int(i64::from_be_bytes(self.array()?)),
            Marker::F32 => {
                Number::from_float(f64::from(f32::from_be_bytes(self.array()?))).map_err(Fault::Number)?
            }
            Marker::F64 => Number::from_float(f64::from_be_bytes(self.array()?)).map_err(Fault::Number)?,
            other => Number::from_text(self.text(other, "number")?).map_err(Fault::Number)?,
        })
    }

    /// Text or bytes; both are taken for text.
    fn raw(&mut self, marker: Marker, wanted: &'static str) -> Result<&'a [u8], Fault> {
        let length = match marker {
            Marker::FixStr(length) => usize::from(length),
            Marker::Str8 | Marker::Bin8 => self.length8()?,
            Marker::Str16 | Marker::Bin16 => self.length16()?,
            Marker::Str32 | Marker::Bin32 => self.length32()?,
            other => return Err(wrong(wanted, other)),
        };
        self.take(length)
    }

    fn text(&mut self, marker: Marker, wanted: &'static str) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.raw(marker, wanted)?).map_err(|_| Fault::NotUtf8)
    }

    fn array_length(&mut self, marker: Marker, wanted: &'static str) -> Result<usize, Fault> {
        let length = match marker {
            Marker::FixArray(length) => usize::from(length),
            Marker::Array16 => self.length16()?,
            Marker::Array32 => self.length32()?,
            other => return Err(wrong(wanted, other)),
        };
        // Each element takes at least one byte.
        if length > self.bytes.len() {
            Err(Fault::CutOff)
        } else {
            Ok(length)
        }
    }

    fn map_length(&mut self, marker: Marker, wanted: &'static str) -> Result<usize, Fault> {
        let length = match marker {
            Marker::FixMap(length) => usize::from(length),
            Marker::Map16 => self.length16()?,
            Marker::Map32 => self.length32()?,
            other => return Err(wrong(wanted, other)),
        };
        if length > self.bytes.len() / 2 {
            Err(Fault::CutOff)
        } else {
            Ok(length)
        }
    }

    fn elements(
        &mut self,
        marker: Marker,
        element: &Type,
        depth: usize,
        wanted: &'static str,
    ) -> Result<Vec<Value>, Located> {
        let length = self.array_length(marker, wanted)?;
        let mut items = Vec::with_capacity(length.min(1024));
        for index in 0..length {
            items.push(at(self.value(element, depth + 1), || index_step(index))?);
        }
        Ok(items)
    }

    fn key(&mut self) -> Result<String, Fault> {
        let marker = self.marker()?;
        self.text(marker, "text key").map(str::to_owned)
    }

    fn map(&mut self, marker: Marker, element: &Type, depth: usize) -> Result<Value, Located> {
        let length = self.map_length(marker, "map")?;
        let mut items = BTreeMap::new();
        for _ in 0..length {
            let key = self.key()?;
            let value = at(self.value(element, depth + 1), || super::Step::Key(key.clone()))?;
            if items.contains_key(&key) {
                return Err(Fault::DoubleKey(key).into());
            }
            items.insert(key, value);
        }
        Ok(Value::Map(items))
    }

    fn object(&mut self, marker: Marker, ty: &super::ObjectType, depth: usize) -> Result<Value, Located> {
        let length = self.map_length(marker, "object")?;
        let mut items = BTreeMap::new();
        for _ in 0..length {
            let key = self.key()?;
            let Some(attribute) = ty.attributes().get(&key) else {
                return Err(Fault::ExtraAttribute(key).into());
            };
            let value = at(self.value(attribute, depth + 1), || {
                super::Step::Attribute(key.clone())
            })?;
            if items.contains_key(&key) {
                return Err(Fault::DoubleKey(key).into());
            }
            items.insert(key, value);
        }
        match ty.attributes().keys().find(|name| !items.contains_key(*name)) {
            Some(name) => Err(Fault::MissingAttribute(name.clone()).into()),
            None => Ok(Value::Object(Object(items))),
        }
    }

    fn tuple(&mut self, marker: Marker, types: &[Type], depth: usize) -> Result<Value, Located> {
        let found = self.array_length(marker, "tuple")?;
        if found != types.len() {
            return Err(Fault::WrongLength {
                wanted: types.len(),
                found,
            }
            .into());
        }
        let items = types.iter().enumerate();
        let items = items.map(|(index, ty)| at(self.value(ty, depth + 1), || index_step(index)));
        items.collect::<Result<_, _>>().map(Value::Tuple)
    }

    fn dynamic(&mut self, marker: Marker, depth: usize) -> Result<Value, Located> {
        let found = self.array_length(marker, "dynamic value")?;
        if found != 2 {
            return Err(Fault::WrongLength { wanted: 2, found }.into());
        }
        let marker = self.marker()?;
        let ty = Type::from_json(self.raw(marker, "type")?).map_err(Fault::Type)?;
        let value = self.value(&ty, depth + 1)?;
        Ok(Value::Dynamic(Box::new(DynamicValue { ty, value })))
    }
}

fn wrong(wanted: &'static str, found: Marker) -> Fault {
    Fault::WrongKind {
        wanted,
        found: format!("{found:?}"),
    }
}

/// Writes a value of type `ty`, keys sorted. Attributes that an object leaves out are written as null.
///
/// # Errors
/// [`Error`] with the place of the first part that does not fit the type.
pub(crate) fn encode(value: &Value, ty: &Type) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(256);
    put(&mut bytes, value, ty, 0).map_err(Located::into_error)?;
    Ok(bytes)
}

fn put(out: &mut Vec<u8>, value: &Value, ty: &Type, depth: usize) -> Result<(), Located> {
    if depth > DEEPEST {
        return Err(Fault::TooDeep.into());
    }
    match (value, ty) {
        (Value::Null, _) => done(write::write_nil(out)),
        (Value::Unknown(unknown), _) => match &unknown.refinement {
            Some(body) if !matches!(ty, Type::Dynamic) => {
                done(write::write_ext_meta(out, length(body.len())?, REFINED).map(|_| ()))?;
                out.extend_from_slice(body);
                Ok(())
            }
            _ => {
                out.extend_from_slice(&[0xd4, 0, 0]);
                Ok(())
            }
        },
        (Value::Bool(value), Type::Bool) => done(write::write_bool(out, *value)),
        (Value::Number(number), Type::Number) => put_number(out, number),
        (Value::String(text), Type::String) => put_text(out, text),
        (Value::List(items), Type::List(element)) => {
            put_items(out, items.iter(), items.len(), element, depth)
        }
        (Value::Set(items), Type::Set(element)) => put_items(out, items.iter(), items.len(), element, depth),
        (Value::Map(items), Type::Map(element)) => {
            done(write::write_map_len(out, length(items.len())?).map(|_| ()))?;
            for (key, item) in items {
                put_text(out, key)?;
                at(put(out, item, element, depth + 1), || {
                    super::Step::Key(key.clone())
                })?;
            }
            Ok(())
        }
        (Value::Object(object), Type::Object(ty)) => {
            if let Some(name) = object.0.keys().find(|name| !ty.attributes().contains_key(*name)) {
                return Err(Fault::ExtraAttribute(name.clone()).into());
            }
            done(write::write_map_len(out, length(ty.attributes().len())?).map(|_| ()))?;
            for (name, ty) in ty.attributes() {
                put_text(out, name)?;
                let value = object.0.get(name).unwrap_or(&Value::Null);
                at(put(out, value, ty, depth + 1), || {
                    super::Step::Attribute(name.clone())
                })?;
            }
            Ok(())
        }
        (Value::Tuple(items), Type::Tuple(types)) => {
            if items.len() != types.len() {
                return Err(Fault::WrongLength {
                    wanted: types.len(),
                    found: items.len(),
                }
                .into());
            }
            done(write::write_array_len(out, length(items.len())?).map(|_| ()))?;
            for (index, (item, ty)) in items.iter().zip(types.iter()).enumerate() {
                at(put(out, item, ty, depth + 1), || index_step(index))?;
            }
            Ok(())
        }
        (Value::Dynamic(dynamic), Type::Dynamic) => {
            done(write::write_array_len(out, 2).map(|_| ()))?;
            let ty = dynamic.ty.to_json();
            done(write::write_bin_len(out, length(ty.len())?).map(|_| ()))?;
            out.extend_from_slice(&ty);
            put(out, &dynamic.value, &dynamic.ty, depth + 1)
        }
        (value, ty) => Err(Fault::WrongKind {
            wanted: kind_of(ty),
            found: value.kind().to_owned(),
        }
        .into()),
    }
}

fn put_items<'a>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = &'a Value>,
    count: usize,
    element: &Type,
    depth: usize,
) -> Result<(), Located> {
    done(write::write_array_len(out, length(count)?).map(|_| ()))?;
    for (index, item) in items.enumerate() {
        at(put(out, item, element, depth + 1), || index_step(index))?;
    }
    Ok(())
}

fn put_number(out: &mut Vec<u8>, number: &Number) -> Result<(), Located> {
    match number {
        Number::Int(value) => done(write::write_sint(out, *value).map(|_| ())),
        Number::UInt(value) => done(write::write_uint(out, *value).map(|_| ())),
        Number::Float(value) if !value.is_finite() => Err(Fault::Number(NumberError::NotFinite).into()),
        Number::Float(value) => done(write::write_f64(out, *value)),
        Number::Decimal(text) => put_text(out, text),
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) -> Result<(), Located> {
    length(text.len())?;
    done(write::write_str(out, text))
}

fn length(length: usize) -> Result<u32, Fault> {
    u32::try_from(length).map_err(|_| Fault::TooLong)
}

/// Writing into memory does not fail; the types say it could.
fn done<E>(result: Result<(), E>) -> Result<(), Located> {
    result.map_err(|_| Fault::TooLong.into())
}

pub(super) const fn kind_of(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::Number => "number",
        Type::String => "string",
        Type::Dynamic => "dynamic",
        Type::List(_) => "list",
        Type::Set(_) => "set",
        Type::Map(_) => "map",
        Type::Object(_) => "object",
        Type::Tuple(_) => "tuple",
    }
}

#[cfg(test)]
mod tests;
