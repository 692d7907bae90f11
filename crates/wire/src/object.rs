//! A borrowed look at one JSON object: its members in order, each with the bytes that it stands on.
//!
//! Values are checked for syntax and otherwise left alone: numbers of any size and objects with repeated
//! keys pass through here unread. Recursion is bounded: skipping a value needs none.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use types::{Code, Fault, Kind};

/// One member of an object.
pub(crate) struct Member<'a> {
    /// The key, unescaped.
    pub(crate) key: Cow<'a, str>,
    /// The value's text.
    pub(crate) value: &'a RawValue,
    /// From the key's first quote to the value's last byte, counted from the start of the text.
    pub(crate) at: Range<usize>,
}

impl Member<'_> {
    /// Where the value stands.
    pub(crate) fn value_at(&self) -> Range<usize> {
        self.at.end - self.value.get().len()..self.at.end
    }
}

/// Calls `on` for each member of the object that `text` is. Broken syntax anywhere is reported before
/// anything that `on` found wrong.
pub(crate) fn members<'a>(
    text: &'a str,
    mut on: impl FnMut(Member<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut json = serde_json::Deserializer::from_str(text);
    let walked = json.deserialize_map(Walk { text, on: &mut on });
    walked.and_then(|found| json.end().map(|()| found)).map_err(|error| broken(&error))?
}

/// What to say of a text that is not JSON. The message names the place, never what stands there.
pub(crate) fn broken(error: &serde_json::Error) -> Fault {
    let (line, column) = (error.line(), error.column());
    let message = match error.classify() {
        serde_json::error::Category::Eof => {
            format!("the JSON ends too early, at line {line} column {column}")
        }
        serde_json::error::Category::Data => {
            format!("the JSON is not of the expected shape at line {line} column {column}")
        }
        _ => format!("not valid JSON: {error}"),
    };
    Fault::new(Kind::Parsing, Code::BadJson, message)
}

/// What kind of JSON value a text is, with its article, for messages.
pub(crate) fn kind_of(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Whether a value is `null`.
pub(crate) fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

struct Walk<'w, 'a, F> {
    text: &'a str,
    on: &'w mut F,
}

impl<'de, F: FnMut(Member<'de>) -> Result<(), Fault>> Visitor<'de> for Walk<'_, 'de, F> {
    type Value = Result<(), Fault>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut verdict = Ok(());
        while let Some(key) = map.next_key::<&'de RawValue>()? {
            let value = map.next_value::<&'de RawValue>()?;
            if verdict.is_err() {
                continue;
            }
            let quoted = key.get();
            let start = quoted.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
            let end = value.get().as_ptr().addr().wrapping_sub(self.text.as_ptr().addr()) + value.get().len();
            let key = if quoted.contains('\\') {
                Cow::Owned(serde_json::from_str::<String>(quoted).map_err(A::Error::custom)?)
            } else {
                Cow::Borrowed(quoted.trim_matches('"'))
            };
            verdict = (self.on)(Member { key, value, at: start..end });
        }
        Ok(verdict)
    }
}
