//! Takes a JSON object apart field by field, remembering what nobody asked for.
//!
//! Decoders use it where a call crosses dialects: every field must either find its word in the vocabulary or
//! stay behind with its path (`messages[2].audio`), so that it can be refused by name. `null` says nothing.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Number, Value};
use types::{Code, Fault, RawJson};

use crate::tape::Json;

/// Fields that have no word in the vocabulary: path and raw JSON.
pub(crate) type Extra = Vec<(String, Box<RawValue>)>;

/// An object whose fields have not all been asked for yet.
pub(crate) struct Fields<'a> {
    object: Json<'a>,
    left: Vec<(Cow<'a, str>, Json<'a>)>,
}

impl<'a> Fields<'a> {
    /// The fields of an object. In what a caller asks, none may stand twice: two readers that disagree on which of
    /// them counts is how limits are slipped past. An answer's are read as the caller will read them.
    pub(crate) fn of(object: Json<'a>) -> Result<Self, Fault> {
        if object.first() != b'{' {
            let path = object.path();
            let place = if path.is_empty() { "the body" } else { &path };
            return Err(bad(&path, format!("{place} must be an object, not {}", object.kind())));
        }
        let mut fields = Self { object, left: Vec::with_capacity(8) };
        for (key, value) in object.members() {
            let key = key.text().ok_or_else(|| unreadable(key))?;
            match fields.left.iter_mut().find(|(known, _)| *known == key) {
                None => fields.left.push((key, value)),
                Some(before) if object.last_counts() => before.1 = value,
                Some(_) => {
                    let place = fields.path_of(&key);
                    return Err(bad(&place, format!("`{place}` stands twice")));
                }
            }
        }
        Ok(fields)
    }

    /// The path of one of the fields.
    pub(crate) fn path_of(&self, name: &str) -> String {
        let path = self.object.path();
        if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
    }

    /// The field's value, unless it is absent or `null`.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json<'a>> {
        let place = self.left.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.left.swap_remove(place);
        (!value.is_null()).then_some(value)
    }

    /// [`Self::take`] for [`Self::required`].
    #[expect(clippy::unnecessary_wraps, reason = "like those that can fail")]
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<Json<'a>>, Fault> {
        Ok(self.take(name))
    }

    fn take_as<T>(
        &mut self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(Json<'a>) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let read = read(value);
        if read.is_none() {
            let place = self.path_of(name);
            return Err(bad(&place, format!("`{place}` must be {wanted}, not {}", value.kind())));
        }
        Ok(read)
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        self.take_as(name, "a string", |value| Some(value.text()?.into_owned()))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Fault> {
        self.take_as(name, "true or false", |value| serde_json::from_str(value.get()).ok())
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u64>, Fault> {
        self.take_as(name, "a whole number, at least 0", |value| {
            let raw = value.get();
            let whole = raw.split_once('.').map_or(raw, |(whole, rest)| {
                if rest.bytes().all(|digit| digit == b'0') { whole } else { raw }
            });
            whole.parse().ok()
        })
    }

    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, Fault> {
        self.take_as(name, "a whole number", |value| serde_json::from_str(value.get()).ok())
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<Number>, Fault> {
        self.take_as(name, "a number", |value| serde_json::from_str(value.get()).ok())
    }

    /// Any JSON. Fails where a [`Value`] cannot hold it: nested too deeply, or a number out of range.
    pub(crate) fn json(&mut self, name: &str) -> Result<Option<Value>, Fault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let read = serde_json::from_str(value.get()).map_err(|_| {
            let place = self.path_of(name);
            bad(&place, format!("`{place}` is nested too deeply, or holds a number out of range"))
        });
        read.map(Some)
    }

    /// Any JSON, as it is written.
    #[expect(clippy::unnecessary_wraps, reason = "like those that can fail")]
    pub(crate) fn raw(&mut self, name: &str) -> Result<Option<RawJson>, Fault> {
        Ok(self.take(name).map(|value| value.boxed().into()))
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Fields<'a>>, Fault> {
        self.take(name).map(Fields::of).transpose()
    }

    /// The items of an array.
    pub(crate) fn items(&mut self, name: &str) -> Result<Option<Vec<Json<'a>>>, Fault> {
        self.take_as(name, "an array", |value| (value.first() == b'[').then(|| value.items().collect()))
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
        for (key, value) in &self.left {
            if !value.is_null() {
                extra.push((self.path_of(key), value.boxed()));
            }
        }
    }
}

/// A key with an escape that is no character.
fn unreadable(key: Json<'_>) -> Fault {
    let read = serde_json::from_str::<String>(key.get());
    read.err().map_or_else(|| Fault::internal("a key cannot be read"), |error| crate::object::broken(&error))
}

/// A field that does not make sense.
pub(crate) fn bad(param: &str, message: impl Into<String>) -> Fault {
    Fault::invalid(Code::BadField, param, message)
}

/// [`bad`] for a value that should be something else: `` `stop[1]` must be a string ``.
pub(crate) fn wrong(value: Json<'_>, what: &str) -> Fault {
    let path = value.path();
    bad(&path, format!("`{path}` {what}"))
}

/// A string that stands in an array.
pub(crate) fn text_item(item: Json<'_>) -> Result<String, Fault> {
    item.text().map(Cow::into_owned).ok_or_else(|| wrong(item, "must be a string"))
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
    Items(Vec<Json<'a>>),
}

/// Content: a string or an array of parts.
pub(crate) fn text_or_items(value: Json<'_>) -> Result<TextOr<'_>, Fault> {
    match (value.first(), value.text()) {
        (b'[', _) => Ok(TextOr::Items(value.items().collect())),
        (_, Some(text)) => Ok(TextOr::Text(text.into_owned())),
        (_, None) => {
            let path = value.path();
            Err(bad(&path, format!("`{path}` must be a string or an array, not {}", value.kind())))
        }
    }
}
