//! The shape of the events of a stream: the bytes around the one text that differs.
//!
//! `before` ends with the quote that opens a string and `after` begins with the quote that closes it. Both come
//! from an event that was parsed and said that text and nothing else. So an event of the same bytes around
//! another string is as valid as that one was, and says the other text and nothing else. What stands between
//! is checked to be one whole JSON string; whatever is not obvious is left to the parser.
//!
//! `OpenAI` pads its events with a string of random length under a key that nobody reads; that string may
//! differ too.

use memchr::memchr2;
use memchr::memmem;

use crate::piece::Len;
use crate::sse::SseEvent;

/// How the padding begins. In valid JSON these bytes can only be this key and the start of its value: a quote
/// after a comma that closed a string would not be followed by a letter.
const PADDING: &[u8] = br#","obfuscation":""#;

#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    name: Option<Box<str>>,
    before: Vec<u8>,
    /// From the closing quote to the end, or to the start of the padding.
    after: Vec<u8>,
    /// From the padding's closing quote to the end.
    end: Option<Vec<u8>>,
}

impl Shape {
    /// Takes the shape of an event that says `text` and nothing else.
    pub(super) fn remember(&mut self, event: SseEvent<'_>, text: Len) {
        let Some(address) = text.address else { return };
        let start = address.wrapping_sub(event.data.as_ptr().addr());
        let Some((before, rest)) = event.data.split_at_checked(start) else { return };
        let Some(after) = rest.get(text.bytes..) else { return };
        if self.name.as_deref() != event.event {
            self.name = event.event.map(Box::from);
        }
        let padding = memmem::find(after, PADDING).map(|at| at + PADDING.len());
        let end = padding.and_then(|at| {
            let (length, _) = string(&after[at..])?;
            Some((at, at + length))
        });
        replace(&mut self.before, before);
        replace(&mut self.after, &after[..end.map_or(after.len(), |(at, _)| at)]);
        match end {
            Some((_, end)) => replace(self.end.get_or_insert_default(), &after[end..]),
            None => self.end = None,
        }
    }

    /// How many bytes of text the event says, if it has the shape and the text is not empty.
    pub(super) fn text_of(&self, event: SseEvent<'_>) -> Option<usize> {
        if self.before.is_empty() || self.name.as_deref() != event.event {
            return None;
        }
        let rest = event.data.strip_prefix(&self.before[..])?;
        let (length, bytes) = string(rest)?;
        let after = &rest[length..];
        let fits = match &self.end {
            None => after == self.after,
            Some(end) => {
                let padding = after.strip_prefix(&self.after[..])?;
                let (length, _) = string(padding)?;
                padding[length..] == end[..]
            }
        };
        (fits && bytes > 0).then_some(bytes)
    }
}

fn replace(kept: &mut Vec<u8>, new: &[u8]) {
    kept.clear();
    kept.extend_from_slice(new);
}

/// Reads the inside of a JSON string up to its closing quote: how long it is as it stands, and how many bytes
/// of UTF-8 it means. `None` for what is no such string, and for surrogates.
fn string(bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut at, mut saved) = (0, 0);
    loop {
        at += memchr2(b'"', b'\\', &bytes[at..])?;
        if bytes[at] == b'"' {
            break;
        }
        match bytes.get(at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                saved += 1;
                at += 2;
            }
            b'u' => {
                let digits = bytes.get(at + 2..at + 6)?;
                saved += 6 - unicode(digits)?.len_utf8();
                at += 6;
            }
            _ => return None,
        }
    }
    let inside = &bytes[..at];
    let plain = inside.iter().all(|byte| *byte >= 0x20) && std::str::from_utf8(inside).is_ok();
    plain.then_some((at, at - saved))
}

fn unicode(digits: &[u8]) -> Option<char> {
    let code = digits
        .iter()
        .try_fold(0_u32, |code, digit| char::from(*digit).to_digit(16).map(|digit| code * 16 + digit))?;
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::string;

    #[test]
    fn strings_are_measured_as_the_parser_reads_them() {
        for inside in ["", "a", r#"\n\"\\"#, r"é\u00e9\u0041\u4e2d😀", r"\/\b\f\r\t", "\u{7f}"] {
            let json = format!("\"{inside}\"");
            let read: String = serde_json::from_str(&json).unwrap();
            assert_eq!(string(&json.as_bytes()[1..]), Some((inside.len(), read.len())), "{inside}");
        }
        for broken in ["a", "\n\"", r#"\x""#, r"\u12", r#"\ud83d\ude00""#, r#"\u+123""#, "\\"] {
            assert_eq!(string(broken.as_bytes()), None, "{broken}");
        }
        assert_eq!(string(b"\xff\""), None);
    }
}
