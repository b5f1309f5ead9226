//! Values from and to JSON, directed by their type: stored state, and the second form of wire values.
//!
//! A reader of our own, because numbers must stay exact and every length and depth is bounded.

use std::collections::BTreeMap;

use super::{DEEPEST, DynamicValue, Number, NumberError, Object, Type, TypeError, Value};

/// Most values in one document.
const MOST_VALUES: usize = 1 << 20;

/// Why JSON was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No JSON at this byte.
    #[error("JSON is broken at byte {0}")]
    Broken(usize),
    /// Another kind of value than the type says.
    #[error("{wanted} expected at byte {at}")]
    WrongKind {
        /// What the type says.
        wanted: &'static str,
        /// Where.
        at: usize,
    },
    /// Nested too deeply.
    #[error("value is nested deeper than {DEEPEST}")]
    TooDeep,
    /// Too many values.
    #[error("document holds more than {MOST_VALUES} values")]
    TooMany,
    /// No number.
    #[error("number at byte {at} is not valid")]
    Number {
        /// Where.
        at: usize,
        /// Why.
        #[source]
        cause: NumberError,
    },
    /// A dynamic value with a type that is none.
    #[error("type of a dynamic value is not valid")]
    Type(#[source] TypeError),
    /// The value cannot be said in JSON.
    #[error("unknown values have no JSON form")]
    Unknown,
}

/// Reads a value of type `ty`. Attributes that an object lacks become null, others are skipped.
///
/// # Errors
/// [`Error`] at the first fault.
pub(crate) fn decode(bytes: &[u8], ty: &Type) -> Result<Value, Error> {
    let mut reader = Reader {
        bytes,
        at: 0,
        values: 0,
    };
    let value = reader.value(ty, 0)?;
    reader.blanks();
    if reader.at == bytes.len() {
        Ok(value)
    } else {
        Err(Error::Broken(reader.at))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn is_next(&mut self, byte: u8) -> bool {
        self.blanks();
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.is_next(byte) {
            Ok(())
        } else {
            Err(Error::Broken(self.at))
        }
    }

    fn is_word(&mut self, word: &str) -> bool {
        self.blanks();
        let found = self
            .bytes
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word.as_bytes()));
        if found {
            self.at += word.len();
        }
        found
    }

    const fn wrong<T>(&self, wanted: &'static str) -> Result<T, Error> {
        Err(Error::WrongKind { wanted, at: self.at })
    }

    fn count(&mut self, depth: usize) -> Result<(), Error> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(Error::TooMany);
        }
        if depth > DEEPEST {
            Err(Error::TooDeep)
        } else {
            Ok(())
        }
    }

    fn value(&mut self, ty: &Type, depth: usize) -> Result<Value, Error> {
        self.count(depth)?;
        if self.is_word("null") {
            return Ok(Value::Null);
        }
        match ty {
            Type::Bool if self.is_word("true") => Ok(Value::Bool(true)),
            Type::Bool if self.is_word("false") => Ok(Value::Bool(false)),
            Type::Bool => self.wrong("bool"),
            Type::Number => self.number().map(Value::Number),
            Type::String => self.text("string").map(Value::String),
            Type::List(element) => self.elements(element, depth, "list").map(Value::List),
            Type::Set(element) => {
                let mut items = self.elements(element, depth, "set")?;
                super::sort_set(&mut items);
                Ok(Value::Set(items))
            }
            Type::Tuple(types) => self.tuple(types, depth),
            Type::Map(element) => {
                let mut items = BTreeMap::new();
                self.members("map", |reader, key| {
                    let value = reader.value(element, depth + 1)?;
                    items.insert(key, value);
                    Ok(())
                })?;
                Ok(Value::Map(items))
            }
            Type::Object(object) => {
                let mut items: BTreeMap<String, Value> = BTreeMap::new();
                self.members("object", |reader, key| {
                    match object.attributes().get(&key) {
                        Some(ty) => {
                            let value = reader.value(ty, depth + 1)?;
                            items.insert(key, value);
                        }
                        None => reader.skip(depth + 1)?,
                    }
                    Ok(())
                })?;
                for name in object.attributes().keys() {
                    items.entry(name.clone()).or_insert(Value::Null);
                }
                Ok(Value::Object(Object(items)))
            }
            Type::Dynamic => self.dynamic(depth),
        }
    }

    fn number(&mut self) -> Result<Number, Error> {
        self.blanks();
        let start = self.at;
        // A state may carry a number as text.
        let text = if self.peek() == Some(b'"') {
            self.text("number")?
        } else {
            while matches!(self.peek(), Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
                self.at += 1;
            }
            if self.at == start {
                return self.wrong("number");
            }
            let token = self.bytes.get(start..self.at).unwrap_or_default();
            std::str::from_utf8(token)
                .map_err(|_| Error::Broken(start))?
                .to_owned()
        };
        if let Ok(whole) = text.parse::<i64>() {
            return Ok(Number::Int(whole));
        }
        Number::from_text(&text).map_err(|cause| Error::Number { at: start, cause })
    }

    /// A JSON string: its bytes are found first, the escapes are left to `serde_json`.
    fn text(&mut self, wanted: &'static str) -> Result<String, Error> {
        self.blanks();
        let start = self.at;
        if self.peek() != Some(b'"') {
            return self.wrong(wanted);
        }
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(Error::Broken(start)),
            }
        }
        self.at += 1;
        let token: &'a [u8] = self.bytes.get(start..self.at).ok_or(Error::Broken(start))?;
        serde_json::from_slice(token).map_err(|_| Error::Broken(start))
    }

    fn elements(&mut self, element: &Type, depth: usize, wanted: &'static str) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        self.array(wanted, |reader| {
            items.push(reader.value(element, depth + 1)?);
            Ok(())
        })?;
        Ok(items)
    }

    fn tuple(&mut self, types: &[Type], depth: usize) -> Result<Value, Error> {
        let mut items = Vec::new();
        self.array("tuple", |reader| {
            let Some(ty) = types.get(items.len()) else {
                return reader.wrong("end of the tuple");
            };
            items.push(reader.value(ty, depth + 1)?);
            Ok(())
        })?;
        if items.len() == types.len() {
            Ok(Value::Tuple(items))
        } else {
            self.wrong("longer tuple")
        }
    }

    fn array(
        &mut self,
        wanted: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if !self.is_next(b'[') {
            return self.wrong(wanted);
        }
        if self.is_next(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if !self.is_next(b',') {
                return self.expect(b']');
            }
        }
    }

    fn members(
        &mut self,
        wanted: &'static str,
        mut member: impl FnMut(&mut Self, String) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if !self.is_next(b'{') {
            return self.wrong(wanted);
        }
        if self.is_next(b'}') {
            return Ok(());
        }
        loop {
            let key = self.text("key")?;
            self.expect(b':')?;
            member(self, key)?;
            if !self.is_next(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// `{"value": …, "type": …}` in either order: the value is skipped first, read when the type is known.
    fn dynamic(&mut self, depth: usize) -> Result<Value, Error> {
        let (mut value_at, mut ty) = (None, None);
        self.members("dynamic value", |reader, key| {
            reader.blanks();
            let start = reader.at;
            reader.skip(depth + 1)?;
            match key.as_str() {
                "value" => value_at = Some(start),
                "type" => {
                    let text = reader.bytes.get(start..reader.at).unwrap_or_default();
                    ty = Some(Type::from_json(text).map_err(Error::Type)?);
                }
                _ => {}
            }
            Ok(())
        })?;
        let (Some(value_at), Some(ty)) = (value_at, ty) else {
            return self.wrong("value and type");
        };
        let end = std::mem::replace(&mut self.at, value_at);
        let value = self.value(&ty, depth + 1)?;
        self.at = end;
        Ok(Value::Dynamic(Box::new(DynamicValue { ty, value })))
    }

    fn skip(&mut self, depth: usize) -> Result<(), Error> {
        self.count(depth)?;
        self.blanks();
        match self.peek() {
            Some(b'"') => self.text("string").map(|_| ()),
            Some(b'[') => self.array("list", |reader| reader.skip(depth + 1)),
            Some(b'{') => self.members("object", |reader, _| reader.skip(depth + 1)),
            Some(b'0'..=b'9' | b'-') => self.number().map(|_| ()),
            _ if self.is_word("true") || self.is_word("false") || self.is_word("null") => Ok(()),
            _ => Err(Error::Broken(self.at)),
        }
    }
}

/// Writes a value.
///
/// # Errors
/// [`Error::Unknown`] if anything inside is unknown.
pub(crate) fn encode(value: &Value) -> Result<String, Error> {
    let mut text = String::new();
    put(&mut text, value)?;
    Ok(text)
}

fn put(out: &mut String, value: &Value) -> Result<(), Error> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Unknown(_) => return Err(Error::Unknown),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => put_text(out, text),
        Value::List(items) | Value::Set(items) | Value::Tuple(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                put(out, item)?;
            }
            out.push(']');
        }
        Value::Map(items) => put_members(out, items)?,
        Value::Object(object) => put_members(out, &object.0)?,
        Value::Dynamic(dynamic) => {
            out.push_str("{\"value\":");
            put(out, &dynamic.value)?;
            out.push_str(",\"type\":");
            out.push_str(&String::from_utf8_lossy(&dynamic.ty.to_json()));
            out.push('}');
        }
    }
    Ok(())
}

fn put_members(out: &mut String, items: &BTreeMap<String, Value>) -> Result<(), Error> {
    out.push('{');
    for (index, (key, item)) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        put_text(out, key);
        out.push(':');
        put(out, item)?;
    }
    out.push('}');
    Ok(())
}

fn put_text(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests;
