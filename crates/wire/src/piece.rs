//! Small shapes that the stream readers of every dialect are made of.
//!
//! A reader is written once and generic over how it holds text: [`Str`] for the decoder, which passes the
//! text on, and [`Len`] for the watcher, which only measures it. So the two cannot disagree.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// A string, borrowed from the event unless it had escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Str<'a>(pub(crate) Cow<'a, str>);

impl Str<'_> {
    pub(crate) fn into_string(self) -> String {
        self.0.into_owned()
    }
}

/// The length of a string, and where it stands if it stands in the event as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Len {
    pub(crate) bytes: usize,
    /// Address of its first byte, to find the string again in the event's data.
    pub(crate) address: Option<usize>,
}

/// How a reader holds the texts of an answer.
pub(crate) trait Piece<'a>: Deserialize<'a> {
    fn is_empty(&self) -> bool;

    /// The piece that is this text.
    fn of(text: &'a str) -> Self;

    /// The text, where it is held.
    fn held(&self) -> Option<&str>;

    /// Its characters, where it is held.
    fn chars(&self) -> u64 {
        self.held().map_or(0, count)
    }
}

/// The characters of a text.
pub(crate) fn count(text: &str) -> u64 {
    text.chars().count() as u64
}

impl<'a> Piece<'a> for Str<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    fn held(&self) -> Option<&str> {
        Some(&self.0)
    }
}

impl<'a> Piece<'a> for Len {
    fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    fn of(text: &'a str) -> Self {
        Self { bytes: text.len(), address: None }
    }

    fn held(&self) -> Option<&str> {
        None
    }
}

struct StrVisitor;

impl<'de> Visitor<'de> for StrVisitor {
    type Value = Str<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Str<'de>, E> {
        Ok(Str(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Str<'de>, E> {
        Ok(Str(Cow::Owned(text.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(StrVisitor)
    }
}

struct LenVisitor;

impl<'de> Visitor<'de> for LenVisitor {
    type Value = Len;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Len, E> {
        Ok(Len { bytes: text.len(), address: Some(text.as_ptr().addr()) })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Len, E> {
        Ok(Len { bytes: text.len(), address: None })
    }
}

impl<'de> Deserialize<'de> for Len {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(LenVisitor)
    }
}

/// A list that is nearly always of one item, which then needs no allocation.
#[derive(Debug)]
pub(crate) struct Few<X> {
    first: Option<X>,
    rest: Vec<X>,
}

impl<X> Few<X> {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &X> {
        self.first.iter().chain(&self.rest)
    }

    pub(crate) fn into_iter(self) -> impl Iterator<Item = X> {
        self.first.into_iter().chain(self.rest)
    }
}

struct FewVisitor<X>(PhantomData<X>);

impl<'de, X: Deserialize<'de>> Visitor<'de> for FewVisitor<X> {
    type Value = Few<X>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Few<X>, A::Error> {
        let mut few = Few { first: items.next_element()?, rest: Vec::new() };
        while let Some(item) = items.next_element()? {
            few.rest.push(item);
        }
        Ok(few)
    }
}

impl<'de, X: Deserialize<'de>> Deserialize<'de> for Few<X> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FewVisitor(PhantomData))
    }
}

/// A count of tokens. Providers have been seen to send floats and negative numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Count, E> {
        Ok(Count(count))
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<Count, E> {
        Ok(Count(u64::try_from(count).unwrap_or(0)))
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    fn visit_f64<E: Error>(self, count: f64) -> Result<Count, E> {
        Ok(Count(count as u64))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(CountVisitor)
    }
}
