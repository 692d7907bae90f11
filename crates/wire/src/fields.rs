//! Takes a JSON object apart field by field, remembering what nobody asked for.
//!
//! Decoders use it where a call crosses dialects: every field must either find its word in the vocabulary or
//! stay behind with its path (`messages[2].audio`), so that it can be refused by name. `null` says nothing.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Number, Value};
use types::{Code, Fault};

use crate::object::{is_null, kind_of, members};

/// Fields that have no word in the vocabulary: path and raw JSON.
pub(crate) type Extra = Vec<(String, Box<RawValue>)>;

/// An object whose fields have not all been asked for yet.
pub(crate) struct Fields<'a> {
    path: String,
    left: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// The fields of the object that stands at `path` (empty for the whole body).
    pub(crate) fn of(path: impl Into<String>, value: &'a RawValue) -> Result<Self, Fault> {
        let path = path.into();
        if !value.get().starts_with('{') {
            let place = if path.is_empty() { "the body" } else { &path };
            return Err(bad(&path, format!("{place} must be an object, not {}", kind_of(value))));
        }
        let mut left: Vec<(Cow<'a, str>, &'a RawValue)> = Vec::new();
        let mut twice = None;
        members(value.get(), |member| {
            if left.iter().any(|(key, _)| *key == member.key) {
                twice.get_or_insert_with(|| member.key.clone().into_owned());
            }
            left.push((member.key, member.value));
            Ok(())
        })?;
        let fields = Self { path, left };
        match twice {
            Some(key) => {
                let place = fields.path_of(&key);
                Err(bad(&place, format!("`{place}` stands twice")))
            }
            None => Ok(fields),
        }
    }

    /// The path of one of the fields.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The field's value, unless it is absent or `null`.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let place = self.left.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.left.swap_remove(place);
        (!is_null(value)).then_some(value)
    }

    fn take_as<T>(
        &mut self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let read = read(value.get());
        if read.is_none() {
            let place = self.path_of(name);
            return Err(bad(&place, format!("`{place}` must be {wanted}, not {}", kind_of(value))));
        }
        Ok(read)
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        self.take_as(name, "a string", |raw| serde_json::from_str(raw).ok())
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Fault> {
        self.take_as(name, "true or false", |raw| serde_json::from_str(raw).ok())
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u64>, Fault> {
        self.take_as(name, "a whole number, at least 0", |raw| {
            let whole = raw.split_once('.').map_or(raw, |(whole, rest)| {
                if rest.bytes().all(|digit| digit == b'0') { whole } else { raw }
            });
            whole.parse().ok()
        })
    }

    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, Fault> {
        self.take_as(name, "a whole number", |raw| serde_json::from_str(raw).ok())
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<Number>, Fault> {
        self.take_as(name, "a number", |raw| serde_json::from_str(raw).ok())
    }

    /// Any JSON. Fails where a [`Value`] cannot hold it: nested too deeply, or a number out of range.
    pub(crate) fn json(&mut self, name: &str) -> Result<Option<Value>, Fault> {
        self.take_as(name, "JSON of sensible depth with numbers in range", |raw| {
            serde_json::from_str(raw).ok()
        })
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Fields<'a>>, Fault> {
        let path = self.path_of(name);
        self.take(name).map(|value| Fields::of(path, value)).transpose()
    }

    /// The items of an array, each with its path.
    pub(crate) fn items(&mut self, name: &str) -> Result<Option<Vec<(String, &'a RawValue)>>, Fault> {
        let path = self.path_of(name);
        let items: Option<Vec<&RawValue>> =
            self.take_as(name, "an array", |raw| serde_json::from_str(raw).ok())?;
        Ok(items.map(|items| numbered(&path, items)))
    }

    /// The field, which must be there.
    pub(crate) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self, &str) -> Result<Option<T>, Fault>,
    ) -> Result<T, Fault> {
        let found = read(self, name)?;
        found.ok_or_else(|| {
            let place = self.path_of(name);
            bad(&place, format!("`{place}` is missing"))
        })
    }

    /// Passes over the field if it says no more than what holds anyway.
    pub(crate) fn leave_if(&mut self, name: &str, same: impl Fn(&str) -> bool) {
        if let Some(place) = self.left.iter().position(|(key, value)| key == name && same(value.get())) {
            self.left.swap_remove(place);
        }
    }

    /// What nobody asked for stays behind.
    pub(crate) fn rest(self, extra: &mut Extra) {
        let Self { path, left } = self;
        for (key, value) in left {
            if !is_null(value) {
                let name = if path.is_empty() { key.into_owned() } else { format!("{path}.{key}") };
                extra.push((name, value.to_owned()));
            }
        }
    }
}

/// The items with their paths.
pub(crate) fn numbered<'a>(path: &str, items: Vec<&'a RawValue>) -> Vec<(String, &'a RawValue)> {
    items.into_iter().enumerate().map(|(place, item)| (format!("{path}[{place}]"), item)).collect()
}

/// A field that does not make sense.
pub(crate) fn bad(param: &str, message: impl Into<String>) -> Fault {
    Fault::invalid(Code::BadField, param, message)
}

/// A field that the target's dialect cannot express.
pub(crate) fn unsupported(param: &str, target: &str) -> Fault {
    Fault::invalid(Code::Unsupported, param, format!("`{param}` cannot be said in {target} dialect"))
        .with_hint("leave it out, or choose a model whose provider speaks the dialect that the call came in")
}

/// Something in a field that the target's dialect cannot express.
pub(crate) fn unsupported_in(param: &str, what: &str, target: &str) -> Fault {
    Fault::invalid(Code::Unsupported, param, format!("{what} cannot be said in {target} dialect"))
        .with_hint("leave it out, or choose a model whose provider speaks the dialect that the call came in")
}

/// A string, or an array of something else.
pub(crate) enum TextOr<'a> {
    Text(String),
    Items(Vec<(String, &'a RawValue)>),
}

/// Content: a string or an array of parts.
pub(crate) fn text_or_items<'a>(path: &str, value: &'a RawValue) -> Result<TextOr<'a>, Fault> {
    let wrong = || bad(path, format!("`{path}` must be a string or an array, not {}", kind_of(value)));
    match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(value.get()).map(TextOr::Text).map_err(|_| wrong()),
        Some(b'[') => {
            let items = serde_json::from_str(value.get()).map_err(|_| wrong())?;
            Ok(TextOr::Items(numbered(path, items)))
        }
        _ => Err(wrong()),
    }
}
