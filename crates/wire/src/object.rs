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

use crate::scan::{Broken, Members};

/// One member of an object.
pub(crate) struct Member<'a, V: ?Sized = RawValue> {
    /// The key, unescaped.
    pub(crate) key: Cow<'a, str>,
    /// The value's text.
    pub(crate) value: &'a V,
    /// From the key's first quote to the value's last byte, counted from the start of the text.
    pub(crate) at: Range<usize>,
}

impl Member<'_> {
    /// Where the value stands.
    pub(crate) fn value_at(&self) -> Range<usize> {
        self.at.end - self.value.get().len()..self.at.end
    }
}

impl Member<'_, str> {
    /// Where the value stands.
    pub(crate) fn value_at(&self) -> Range<usize> {
        self.at.end - self.value.len()..self.at.end
    }
}

/// [`members`] for the looks that every call takes: the values are plain text, and it costs a quarter.
pub(crate) fn look<'a>(
    text: &'a str,
    on: impl FnMut(Member<'a, str>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    scanned(text, on).unwrap_or_else(|Broken| {
        let why = members(text, |_| Ok(()));
        Err(why.err().unwrap_or_else(|| Fault::new(Kind::Parsing, Code::BadJson, "not valid JSON")))
    })
}

fn scanned<'a>(
    text: &'a str,
    mut on: impl FnMut(Member<'a, str>) -> Result<(), Fault>,
) -> Result<Result<(), Fault>, Broken> {
    let mut found = Members::of(text)?;
    let mut verdict = Ok(());
    while let Some(key) = found.key()? {
        let (value, at) = found.value()?;
        if verdict.is_ok() {
            verdict = on(Member { key: key.name, value, at: key.at..at.end });
        }
    }
    Ok(verdict)
}

/// Whether a text is a JSON object.
pub(crate) fn is_object(text: &str) -> bool {
    look(text, |_| Ok(())).is_ok()
        // Of a key the scan wants to know what it says.
        || text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok()
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
    kind_of_text(value.get())
}

/// [`kind_of`] where the value is plain text.
pub(crate) fn kind_of_text(value: &str) -> &'static str {
    match value.as_bytes().first() {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    type Seen = Vec<(String, String, Range<usize>, Range<usize>)>;

    /// The scanner sees what `serde_json` sees, and says the same of what is broken.
    fn agree(text: &str) {
        let (mut slow, mut quick): (Seen, Seen) = Default::default();
        let slowly = members(text, |member| {
            let value_at = member.value_at();
            slow.push((member.key.into_owned(), member.value.get().to_owned(), member.at, value_at));
            Ok(())
        });
        let quickly = scanned(text, |member| {
            let value_at = member.value_at();
            quick.push((member.key.into_owned(), member.value.to_owned(), member.at, value_at));
            Ok(())
        });
        assert_eq!(quickly.is_ok(), slowly.is_ok(), "{text}");
        if quickly.is_ok() {
            assert_eq!(quick, slow, "{text}");
        }
        let said = look(text, |_| Ok(()));
        assert_eq!(format!("{said:?}"), format!("{slowly:?}"), "{text}");
    }

    fn json() -> impl Strategy<Value = Value> {
        let text = "[a-z\"\\\\/\u{1}\n é🦀]{0,50}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((text, inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_scanner_agrees_on_json(value in json(), pretty: bool) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            agree(&text);
            agree(&format!(" {{\"a\" : {text}\t,\"b\":[{text} , {text}]}}\r\n"));
        }

        #[test]
        fn the_scanner_agrees_on_broken_json(
            value in json(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, "[\\[\\]{}:,\"\\\\0-9eE+.ntruefalsu \u{1}\n-]"), 1..4),
        ) {
            let mut text: Vec<char> = format!("{{\"a\":{value},\"b\":[{value}]}}").chars().collect();
            for (place, what, by) in changes {
                let (place, by) = (place.index(text.len()), by.chars().next().unwrap());
                match what {
                    0 => text[place] = by,
                    1 => text.insert(place, by),
                    _ => drop(text.remove(place)),
                }
                if text.is_empty() {
                    break;
                }
            }
            agree(&text.into_iter().collect::<String>());
        }

        #[test]
        fn the_scanner_agrees_on_noise(
            noise in "(\\{\"a\":)?[\\[\\]{}:,\"\\\\0-9eE+.ntruefalsudb \u{1}\n-]{0,30}",
        ) {
            agree(&noise);
        }
    }

    #[test]
    fn the_scanner_agrees_on_numbers_escapes_and_depth() {
        let odd = [
            "0",
            "-0",
            "00",
            "01",
            "-",
            "-1",
            "1.",
            "1.0",
            ".5",
            "1e",
            "1e5",
            "1E+5",
            "1e-",
            "+1",
            "1e400",
            "0x1",
            "tru",
            "true",
            "truee",
            "nul",
            "null",
            "False",
            "\"\\u00e9\"",
            "\"\\ud800\"",
            "\"\\u12\"",
            "\"\\x\"",
            "\"\t\"",
            "\"\u{7f}\"",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{,}",
            "{1:2}",
            "[}",
            "{]",
            "[1}",
            "{\"a\":1]",
            "\"",
            "",
        ];
        for value in odd {
            agree(&format!("{{\"k\":{value}}}"));
            agree(&format!("{{\"k\":[{{\"l\":{value}}},{value}]}}"));
            agree(&format!("{{\"{value}\":1}}"));
            agree(value);
        }
        for key in [
            "\\ud800",
            "\\u0041b",
            "a\\\"b",
            "long name with \\\\ in its midst, and more of it than a block holds",
        ] {
            agree(&format!("{{\"{key}\":1}}"));
        }
        for length in 0..100 {
            let plain = "x".repeat(length);
            for end in ["", "\"", "\\\"", "\\", "\u{1f}", "é"] {
                agree(&format!("{{\"{plain}{end}\":\"{plain}{end}{plain}\"}}"));
            }
        }
        for depth in [1, 63, 64, 65, 127, 128, 129, 200] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
                let (open, mut shut) = (open.repeat(depth), close.repeat(depth));
                agree(&format!("{{\"k\":{open}1{shut}}}"));
                shut.pop();
                agree(&format!("{{\"k\":{open}1{shut}}}"));
                shut.insert(shut.len() / 2, ']');
                agree(&format!("{{\"k\":{open}1{shut}}}"));
            }
        }
    }
}
