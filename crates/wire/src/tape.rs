//! A JSON text read once: where every value in it begins and ends.
//!
//! The decoders look at values on several levels; each look costs nothing here, however deep it goes, since no
//! byte is read twice. Texts, numbers and trees are made only where they are asked for. A value knows its
//! path, which is put together only to name it in an error.

use std::borrow::Cow;

use serde_json::value::RawValue;
use types::{Code, Fault, Kind};

use crate::object::{broken, kind_of_text};
use crate::scan::{literal, number, string, token};

/// A value or the key of a member.
#[derive(Clone, Copy, Debug)]
struct Token {
    start: u32,
    end: u32,
    /// The first token behind it and all that it holds.
    next: u32,
    /// A string with escapes.
    escaped: bool,
}

/// The text and where its values stand, each before those that it holds. Of an object's members come the key and
/// the value in turn.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// Whether of a key that stands twice in an object the last one counts; else it is an error.
    last_counts: bool,
}

/// One value of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a> {
    tape: &'a Tape<'a>,
    at: u32,
}

impl<'a> Tape<'a> {
    /// Reads the text, which must be one value. Fails with `BadJson`, in `serde_json`'s words.
    pub(crate) fn of(text: &'a str) -> Result<Self, Fault> {
        // Places are kept in 32 bits.
        if u32::try_from(text.len()).is_err() {
            return Err(Fault::new(Kind::Parsing, Code::BadJson, "the JSON is larger than 4 GiB"));
        }
        let mut tokens = Vec::with_capacity(text.len() / 64 + 16);
        match read(text.as_bytes(), &mut tokens) {
            Some(()) => Ok(Self { text, tokens, last_counts: false }),
            None => Err(match serde_json::from_str::<&RawValue>(text) {
                Err(error) => broken(&error),
                Ok(_) => Fault::new(Kind::Parsing, Code::BadJson, "not valid JSON"),
            }),
        }
    }

    /// Takes the last one of a key that stands twice in an object, as most readers of JSON do.
    pub(crate) const fn last_counts(mut self) -> Self {
        self.last_counts = true;
        self
    }

    /// The whole.
    pub(crate) const fn root(&'a self) -> Json<'a> {
        Json { tape: self, at: 0 }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the text is shorter than 4 GiB")]
const fn place(at: usize) -> u32 {
    at as u32
}

/// Finds the tokens. `None` where the text is not one value.
fn read(bytes: &[u8], tokens: &mut Vec<Token>) -> Option<()> {
    // The arrays and objects that are open: their tokens.
    let mut open: Vec<(usize, bool)> = Vec::with_capacity(16);
    let at = &mut 0;
    let mut first = token(bytes, at)?;
    loop {
        let start = place(*at - 1);
        let mine = tokens.len();
        tokens.push(Token { start, end: 0, next: 0, escaped: false });
        match first {
            b'"' => tokens[mine].escaped = string(bytes, at)?,
            b'{' => match token(bytes, at)? {
                b'}' => {}
                b'"' => {
                    open.push((mine, true));
                    key(bytes, at, tokens)?;
                    first = token(bytes, at)?;
                    continue;
                }
                _ => return None,
            },
            b'[' => {
                first = token(bytes, at)?;
                if first != b']' {
                    open.push((mine, false));
                    continue;
                }
            }
            b'-' | b'0'..=b'9' => number(bytes, at, first)?,
            b't' => literal(bytes, at, b"rue")?,
            b'f' => literal(bytes, at, b"alse")?,
            b'n' => literal(bytes, at, b"ull")?,
            _ => return None,
        }
        let next = place(tokens.len());
        let token_of = &mut tokens[mine];
        (token_of.end, token_of.next) = (place(*at), next);
        loop {
            let Some(&(holder, object)) = open.last() else {
                return token(bytes, at).is_none().then_some(());
            };
            match (token(bytes, at)?, object) {
                (b',', true) => {
                    if token(bytes, at)? != b'"' {
                        return None;
                    }
                    key(bytes, at, tokens)?;
                    break;
                }
                (b',', false) => break,
                (b'}', true) | (b']', false) => {
                    let next = place(tokens.len());
                    (tokens[holder].end, tokens[holder].next) = (place(*at), next);
                    open.pop();
                }
                _ => return None,
            }
        }
        first = token(bytes, at)?;
    }
}

/// A key whose first quote has been passed, and its colon.
fn key(bytes: &[u8], at: &mut usize, tokens: &mut Vec<Token>) -> Option<()> {
    let start = place(*at - 1);
    let escaped = string(bytes, at)?;
    tokens.push(Token { start, end: place(*at), next: place(tokens.len() + 1), escaped });
    (token(bytes, at)? == b':').then_some(())
}

impl<'a> Json<'a> {
    fn token(self) -> Token {
        self.tape.tokens[self.at as usize]
    }

    fn to(self, at: u32) -> Self {
        Self { tape: self.tape, at }
    }

    /// Whether of a key that stands twice the last one counts.
    pub(crate) const fn last_counts(self) -> bool {
        self.tape.last_counts
    }

    /// Its text.
    pub(crate) fn get(self) -> &'a str {
        let Token { start, end, .. } = self.token();
        self.tape.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The byte it begins with, which tells what it is.
    pub(crate) fn first(self) -> u8 {
        self.tape.text.as_bytes()[self.token().start as usize]
    }

    pub(crate) fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// What it is, with its article, for messages.
    pub(crate) fn kind(self) -> &'static str {
        kind_of_text(self.get())
    }

    /// The text that a string is; `None` for what is none, or has an escape that is no character.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        let raw = self.get();
        if self.token().escaped {
            return serde_json::from_str(raw).ok().map(Cow::Owned);
        }
        raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map(Cow::Borrowed)
    }

    /// The members of an object: key and value. Nothing for what is none.
    pub(crate) fn members(self) -> impl Iterator<Item = (Self, Self)> {
        let end = if self.first() == b'{' { self.token().next } else { 0 };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let (key, value) = (self.to(at), self.to(at + 1));
                at = value.token().next;
                (key, value)
            })
        })
    }

    /// The items of an array. Nothing for what is none.
    pub(crate) fn items(self) -> impl Iterator<Item = Self> {
        let end = if self.first() == b'[' { self.token().next } else { 0 };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let item = self.to(at);
                at = item.token().next;
                item
            })
        })
    }

    /// A copy of its text.
    pub(crate) fn boxed(self) -> Box<RawValue> {
        // What was read here is JSON.
        RawValue::from_string(self.get().to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }

    /// Where it stands in the whole: `messages[2].content`; empty for the whole.
    pub(crate) fn path(self) -> String {
        let mut path = String::new();
        let mut holder = self.tape.root();
        while holder.at != self.at {
            let holds = |value: Self| value.at <= self.at && self.at < value.token().next;
            let item = holder.items().enumerate().find(|(_, item)| holds(*item));
            if let Some((place, item)) = item {
                for piece in ["[", &place.to_string(), "]"] {
                    path.push_str(piece);
                }
                holder = item;
                continue;
            }
            let Some((key, value)) = holder.members().find(|(_, value)| holds(*value)) else { break };
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&key.text().unwrap_or_default());
            holder = value;
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str =
        r#" {"a" : [1, -2.5e+3, {"b":"x\u00e9\n", "c":[], "\u0064":{}}], "é":[[true],false,null] } "#;

    #[test]
    fn every_value_knows_its_text_and_path() {
        fn walk(value: Json<'_>, out: &mut Vec<String>) {
            out.push(format!("{} = {}", value.path(), value.get()));
            value.items().for_each(|item| walk(item, out));
            value.members().for_each(|(_, member)| walk(member, out));
        }
        let tape = Tape::of(TEXT).unwrap();
        let mut out = Vec::new();
        walk(tape.root(), &mut out);
        assert_eq!(out[0], format!(" = {}", TEXT.trim()));
        let rest = [
            r#"a = [1, -2.5e+3, {"b":"x\u00e9\n", "c":[], "\u0064":{}}]"#,
            "a[0] = 1",
            "a[1] = -2.5e+3",
            r#"a[2] = {"b":"x\u00e9\n", "c":[], "\u0064":{}}"#,
            r#"a[2].b = "x\u00e9\n""#,
            "a[2].c = []",
            "a[2].d = {}",
            "é = [[true],false,null]",
            "é[0] = [true]",
            "é[0][0] = true",
            "é[1] = false",
            "é[2] = null",
        ];
        assert_eq!(out[1..], rest);
    }

    fn same(text: &str) -> bool {
        serde_json::from_str::<&RawValue>(text).is_ok() == Tape::of(text).is_ok()
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(same(&deep) && Tape::of(&deep).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn takes_what_serde_json_takes(at in 0..TEXT.len(), cut in 0..4_usize, put in "[\\[\\]{}\",:\\\\0-9eE.+tn \n\u{1}-]{0,3}") {
            let end = (at + cut).min(TEXT.len());
            if let (Some(before), Some(after)) = (TEXT.get(..at), TEXT.get(end..)) {
                let text = format!("{before}{put}{after}");
                prop_assert!(same(&text), "{}", text);
            }
        }
    }
}
