//! The shape of the events of a stream: the bytes around the one text that differs.
//!
//! `before` ends with the quote that opens a string and `after` begins with the quote that closes it. Both come
//! from an event that was parsed and said that text and nothing else. So an event of the same bytes around
//! another string is as valid as that one was, and says the other text and nothing else. What stands between
//! is checked to be one whole JSON string; whatever is not obvious is left to the parser.
//!
//! `OpenAI` pads its events with a string of random length under a key that nobody reads, and numbers those of its
//! Responses dialect under another; that string and that number may differ too.

use memchr::memchr2;
use memchr::memmem;

use crate::piece::Len;
use crate::sse::SseEvent;

/// How the padding begins. In valid JSON these bytes can only be this key and the start of its value: a quote
/// after a comma that closed a string would not be followed by a letter.
const PADDING: &[u8] = br#","obfuscation":""#;

/// How the number of an event begins: of these bytes the same is true.
const NUMBER: &[u8] = br#","sequence_number":"#;

/// Bytes that stay the same, except for the event's number.
#[derive(Clone, Debug, Default)]
struct Fixed {
    /// All of them, the number left out.
    bytes: Vec<u8>,
    /// Where the number stands.
    number: Option<usize>,
}

impl Fixed {
    fn remember(&mut self, new: &[u8]) {
        self.bytes.clear();
        self.number =
            memmem::find(new, NUMBER).map(|at| at + NUMBER.len()).filter(|at| digits(&new[*at..]) > 0);
        match self.number {
            Some(at) => {
                self.bytes.extend_from_slice(&new[..at]);
                self.bytes.extend_from_slice(&new[at + digits(&new[at..])..]);
            }
            None => self.bytes.extend_from_slice(new),
        }
    }

    /// What follows these bytes.
    fn strip<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let Some((head, tail)) = self.number.and_then(|at| self.bytes.split_at_checked(at)) else {
            return bytes.strip_prefix(&self.bytes[..]);
        };
        let rest = bytes.strip_prefix(head)?;
        let length = digits(rest);
        if length == 0 { None } else { rest[length..].strip_prefix(tail) }
    }
}

/// How many digits of a whole number stand at the start; none where it is not written as JSON writes it.
fn digits(bytes: &[u8]) -> usize {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length > 1 && bytes[0] == b'0' { 0 } else { length }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    name: Option<Box<str>>,
    before: Fixed,
    /// From the closing quote to the end, or to the start of the padding.
    after: Fixed,
    /// From the padding's closing quote to the end.
    end: Option<Fixed>,
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
        self.before.remember(before);
        self.after.remember(&after[..end.map_or(after.len(), |(at, _)| at)]);
        match end {
            Some((_, end)) => self.end.get_or_insert_default().remember(&after[end..]),
            None => self.end = None,
        }
    }

    /// How many bytes of text the event says, if it has the shape and the text is not empty.
    pub(super) fn text_of(&self, event: SseEvent<'_>) -> Option<usize> {
        if self.before.bytes.is_empty() || self.name.as_deref() != event.event {
            return None;
        }
        let rest = self.before.strip(event.data)?;
        let (length, bytes) = string(rest)?;
        let mut after = self.after.strip(&rest[length..])?;
        if let Some(end) = &self.end {
            let (length, _) = string(after)?;
            after = end.strip(&after[length..])?;
        }
        (after.is_empty() && bytes > 0).then_some(bytes)
    }
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
    use super::{digits, string};

    #[test]
    fn numbers_are_those_of_json() {
        for (text, length) in [("0", 1), ("0,", 1), ("12}", 2), ("012", 0), ("-1", 0), ("", 0), ("x", 0)] {
            assert_eq!(digits(text.as_bytes()), length, "{text}");
        }
    }

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
