//! The tables that say which keys there are. Reading ([`Fields`](crate::fields::Fields)), the JSON Schema
//! and the reference page are all driven by them, so none of the three can lag behind.

/// A map with known keys.
#[derive(Debug)]
pub(crate) struct Section {
    /// Where it stands, for people: `routes.NAME.retry`.
    pub(crate) name: &'static str,
    /// What it is for, in one or two sentences.
    pub(crate) doc: &'static str,
    /// Its keys.
    pub(crate) fields: &'static [Field],
}

/// A key of a section.
#[derive(Debug)]
pub(crate) struct Field {
    /// The key.
    pub(crate) key: &'static str,
    /// What may stand there.
    pub(crate) is: Is,
    /// What holds when it is left out.
    pub(crate) default: Default,
    /// What it means, in one sentence.
    pub(crate) doc: &'static str,
}

/// What holds when a key is left out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Default {
    /// This, as it would be written.
    Is(&'static str),
    /// Nothing is set; the text says what that means.
    Unset(&'static str),
    /// It must be there.
    Required,
}

/// What may stand at a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Is {
    /// `true` or `false`.
    Bool,
    /// Text that is not empty.
    Text,
    /// Text that is never shown.
    Secret,
    /// A path of the file system.
    Path,
    /// An `http` or `https` address.
    Url,
    /// `host:port` to listen on.
    Address,
    /// A duration longer than nothing.
    Duration,
    /// A duration, possibly none.
    Wait,
    /// Bytes.
    Size,
    /// A whole number within bounds.
    Integer(u64, u64),
    /// A number within bounds.
    Number(f64, f64),
    /// A part of a whole: `10%` or `0.1`.
    Share,
    /// Dollars per million tokens.
    Rate,
    /// One of these words.
    Words(Words),
    /// A map with known keys.
    Section(&'static Section),
    /// Names of the operator's choice, and what stands at each.
    Map(&'static Is),
    /// A list, or one thing without the list around it.
    List(&'static Is),
    /// Any of several forms.
    Either(&'static [Is]),
    /// A map whose `kind` says which keys it has.
    Kinds(&'static [(&'static str, &'static Section)]),
    /// Known, but not yet: naming it is an error that says so.
    Later,
}

/// A closed set of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    /// What may be written.
    pub(crate) now: &'static [&'static str],
    /// What this version refuses by name.
    pub(crate) later: &'static [&'static str],
}

impl Section {
    /// The field called `key`.
    pub(crate) fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.key == key)
    }
}

/// A key with a default.
pub(crate) const fn field(key: &'static str, is: Is, default: &'static str, doc: &'static str) -> Field {
    Field { key, is, default: Default::Is(default), doc }
}

/// A key without one; `unset` says what its absence means.
pub(crate) const fn option(key: &'static str, is: Is, unset: &'static str, doc: &'static str) -> Field {
    Field { key, is, default: Default::Unset(unset), doc }
}

/// A key that must be there.
pub(crate) const fn required(key: &'static str, is: Is, doc: &'static str) -> Field {
    Field { key, is, default: Default::Required, doc }
}

/// A key that a later version will read.
pub(crate) const fn later(key: &'static str, doc: &'static str) -> Field {
    Field { key, is: Is::Later, default: Default::Unset("not yet"), doc }
}

/// Words without any that come later.
pub(crate) const fn words(now: &'static [&'static str]) -> Is {
    Is::Words(Words { now, later: &[] })
}
