//! A request that is put together field by field, as those of OpenAI's two dialects are: which fields there are
//! hangs on much. Tools, which are most of many a request, are written as they lie; `T` is one of them.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

/// The fields, in their order.
#[derive(Debug)]
pub(crate) struct Fieldwise<T>(Vec<(&'static str, Field<T>)>);

#[derive(Debug)]
enum Field<T> {
    Json(Value),
    Tools(Vec<T>),
}

impl<T> Fieldwise<T> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a field that is not there yet; `null` is left out.
    pub(crate) fn set(&mut self, name: &'static str, value: Value) {
        if !value.is_null() {
            self.0.push((name, Field::Json(value)));
        }
    }

    pub(crate) fn set_tools(&mut self, tools: Vec<T>) {
        self.0.push(("tools", Field::Tools(tools)));
    }

    /// Sets a field within an object that may be there already.
    pub(crate) fn set_within(&mut self, object: &'static str, name: &str, value: Value) {
        let place = self.0.iter().position(|(known, _)| *known == object).unwrap_or(self.0.len());
        if place == self.0.len() {
            self.0.push((object, Field::Json(json!({}))));
        }
        if let (_, Field::Json(Value::Object(fields))) = &mut self.0[place] {
            fields.insert(name.to_owned(), value);
        }
    }
}

impl<T: Serialize> Serialize for Fieldwise<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, field) in &self.0 {
            match field {
                Field::Json(value) => map.serialize_entry(name, value)?,
                Field::Tools(tools) => map.serialize_entry(name, tools)?,
            }
        }
        map.end()
    }
}
