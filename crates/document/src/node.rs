//! The tree: YAML's values, each with its place and as it was written.

use serde_json::{Map, Number, Value as Json};

use crate::Span;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value, by YAML 1.2's core schema.
    pub value: Value,
    /// Where it stands.
    pub span: Span,
    /// A plain scalar as written, where the value is not its own text.
    pub(crate) raw: Box<str>,
    /// Whether it was written without quotes.
    pub(crate) plain: bool,
    /// Whether part of it came from the environment: such a value is never shown.
    pub(crate) interpolated: bool,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// A number with a point or an exponent, or too large for an integer; [`Node::raw`] has its digits.
    Float(f64),
    /// Anything else, or whatever is in quotes.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the file's order, every key once.
    Map(Vec<Entry>),
}

/// A key of a mapping and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key; numbers and the like are taken as text.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Its value.
    pub value: Node,
}

impl Node {
    pub(crate) fn new(value: Value, span: Span) -> Self {
        Self { value, span, raw: Box::default(), plain: false, interpolated: false }
    }

    /// A scalar as it was written (after escapes); empty for lists and maps. Money is read from here, so
    /// that it never passes through a float.
    pub fn raw(&self) -> &str {
        match &self.value {
            Value::Text(text) => text,
            _ => &self.raw,
        }
    }

    /// Whether part of the value came from the environment. Such a value may be a secret: show it nowhere.
    pub const fn is_interpolated(&self) -> bool {
        self.interpolated
    }

    /// Nothing: null, or an unquoted text that the environment left empty.
    pub fn is_null(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Text(text) => self.interpolated && self.plain && text.is_empty(),
            _ => false,
        }
    }

    /// The value of a key of this map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// What the value is, in words, without showing it.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The value as JSON. Integers beyond 64 bits and floats become JSON numbers of double precision;
    /// infinities and not-a-number, which JSON has no word for, become null.
    #[expect(clippy::cast_precision_loss, reason = "JSON numbers beyond 64 bits are doubles")]
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Integer(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(small), _) => small.into(),
                (_, Ok(small)) => small.into(),
                _ => Number::from_f64(*value as f64).map_or(Json::Null, Json::Number),
            },
            Value::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => Json::Object(
                entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }
}
