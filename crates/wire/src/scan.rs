//! A scanner for the looks that every call takes: at its request's fields and at its answer's usage.
//!
//! It accepts exactly what `serde_json` accepts of a value that it skips, and costs a fraction of it: strings are
//! passed in blocks that the compiler turns into vector code, and there is no recursion. It does not say what
//! is wrong with a text; `serde_json` is asked for that, since a text that is broken may take its time.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;

/// The text is not the JSON that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// The members of an object, one by one.
#[derive(Clone, Debug)]
pub(crate) struct Members<'a> {
    text: &'a str,
    at: usize,
    /// Before the first member.
    first: bool,
}

/// One member of an object, up to its value.
#[derive(Clone, Debug)]
pub(crate) struct Key<'a> {
    /// Unescaped.
    pub(crate) name: Cow<'a, str>,
    /// Where its first quote stands, counted from the start of the text.
    pub(crate) at: usize,
}

impl<'a> Members<'a> {
    /// The members of the object that `text` is, with nothing but white space around it.
    pub(crate) fn of(text: &'a str) -> Result<Self, Broken> {
        let mut at = 0;
        match token(text.as_bytes(), &mut at) {
            Some(b'{') => Ok(Self { text, at, first: true }),
            _ => Err(Broken),
        }
    }

    /// The next key; `None` where the object, and the text with it, ends.
    pub(crate) fn key(&mut self) -> Result<Option<Key<'a>>, Broken> {
        let bytes = self.text.as_bytes();
        let mut next = token(bytes, &mut self.at);
        if next == Some(b'}') {
            let rest = token(bytes, &mut self.at);
            return if rest.is_none() { Ok(None) } else { Err(Broken) };
        }
        if !std::mem::take(&mut self.first) {
            if next != Some(b',') {
                return Err(Broken);
            }
            next = token(bytes, &mut self.at);
        }
        if next != Some(b'"') {
            return Err(Broken);
        }
        let start = self.at;
        let escaped = string(bytes, &mut self.at).ok_or(Broken)?;
        let name = if escaped {
            let quoted = self.text.get(start - 1..self.at).ok_or(Broken)?;
            Cow::Owned(serde_json::from_str::<String>(quoted).map_err(|_| Broken)?)
        } else {
            Cow::Borrowed(self.text.get(start..self.at - 1).ok_or(Broken)?)
        };
        if token(bytes, &mut self.at) != Some(b':') {
            return Err(Broken);
        }
        Ok(Some(Key { name, at: start - 1 }))
    }

    /// The value that belongs to the key, and where it stands. To be asked for once a key.
    pub(crate) fn value(&mut self) -> Result<(&'a str, Range<usize>), Broken> {
        let at = value(self.text.as_bytes(), self.at).ok_or(Broken)?;
        self.at = at.end;
        Ok((self.text.get(at.clone()).ok_or(Broken)?, at))
    }

    /// The value that belongs to the key, read by `serde_json` in place of [`Self::value`]: its bytes are looked at
    /// once. `None` is `null`.
    pub(crate) fn read<T: Deserialize<'a>>(&mut self) -> Result<Option<T>, Broken> {
        let rest = self.text.get(self.at..).ok_or(Broken)?;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Option<T>>();
        let read = values.next().and_then(Result::ok).ok_or(Broken)?;
        self.at += values.byte_offset();
        Ok(read)
    }

    /// How far the text was read: where it is broken, not far behind.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }
}

/// The first byte that is not white space, passed.
#[inline]
pub(crate) fn token(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
            return Some(byte);
        }
    }
}

/// Whether the arrays and objects that a value stands in are objects, from the outermost to the innermost.
#[derive(Default)]
struct Nesting {
    /// The innermost up to 64, one bit each, the lowest the innermost.
    word: u64,
    depth: usize,
    /// Full words of those further out.
    outer: Vec<u64>,
}

impl Nesting {
    #[inline]
    fn enter(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.word);
        }
        self.word = self.word << 1 | u64::from(object);
        self.depth += 1;
    }

    #[inline]
    fn leave(&mut self) {
        self.depth -= 1;
        self.word >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.word = self.outer.pop().unwrap_or_default();
        }
    }

    #[inline]
    const fn in_object(&self) -> bool {
        self.word & 1 == 1
    }
}

/// Where the value that begins at `from`, or after white space there, starts and ends; `None` where none does.
fn value(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    // Not lent to anything that is not inlined, so that it stays in a register.
    let mut place = from;
    let at = &mut place;
    let mut nesting = Nesting::default();
    let mut first = token(bytes, at)?;
    let start = *at - 1;
    loop {
        match first {
            b'"' => {
                string(bytes, at)?;
            }
            b'{' => match token(bytes, at)? {
                b'}' => {}
                b'"' => {
                    nesting.enter(true);
                    key(bytes, at)?;
                    first = token(bytes, at)?;
                    continue;
                }
                _ => return None,
            },
            b'[' => {
                first = token(bytes, at)?;
                if first != b']' {
                    nesting.enter(false);
                    continue;
                }
            }
            b'-' | b'0'..=b'9' => number(bytes, at, first)?,
            b't' => literal(bytes, at, b"rue")?,
            b'f' => literal(bytes, at, b"alse")?,
            b'n' => literal(bytes, at, b"ull")?,
            _ => return None,
        }
        loop {
            if nesting.depth == 0 {
                return Some(start..*at);
            }
            match (token(bytes, at)?, nesting.in_object()) {
                (b',', true) => {
                    if token(bytes, at)? != b'"' {
                        return None;
                    }
                    key(bytes, at)?;
                    break;
                }
                (b',', false) => break,
                (b'}', true) | (b']', false) => nesting.leave(),
                _ => return None,
            }
        }
        first = token(bytes, at)?;
    }
}

/// Passes a key whose first quote has been passed, and its colon.
#[inline]
fn key(bytes: &[u8], at: &mut usize) -> Option<()> {
    string(bytes, at)?;
    (token(bytes, at)? == b':').then_some(())
}

#[inline]
pub(crate) fn literal(bytes: &[u8], at: &mut usize, rest: &[u8]) -> Option<()> {
    let found = bytes.get(*at..)?.starts_with(rest);
    *at += rest.len();
    found.then_some(())
}

/// Passes a number of which the first byte has been passed.
#[inline]
pub(crate) fn number(bytes: &[u8], at: &mut usize, mut first: u8) -> Option<()> {
    if first == b'-' {
        first = *bytes.get(*at)?;
        *at += 1;
    }
    match first {
        b'0' if digits(bytes, at) => return None,
        b'1'..=b'9' => {
            digits(bytes, at);
        }
        b'0' => {}
        _ => return None,
    }
    if bytes.get(*at) == Some(&b'.') {
        *at += 1;
        if !digits(bytes, at) {
            return None;
        }
    }
    if let Some(b'e' | b'E') = bytes.get(*at) {
        *at += 1;
        if let Some(b'+' | b'-') = bytes.get(*at) {
            *at += 1;
        }
        if !digits(bytes, at) {
            return None;
        }
    }
    Some(())
}

/// Whether there were any.
#[inline]
fn digits(bytes: &[u8], at: &mut usize) -> bool {
    let start = *at;
    while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
        *at += 1;
    }
    *at > start
}

/// Passes a string whose first quote has been passed, up to and with its last, and says whether it has escapes.
#[inline]
pub(crate) fn string(bytes: &[u8], at: &mut usize) -> Option<bool> {
    let rest = bytes.get(*at..)?;
    // Most strings are names, and end soon.
    let (length, escaped) = match rest.first_chunk::<WORD>() {
        Some(word) => {
            let word = u64::from_le_bytes(*word);
            let ends = ends(word);
            if ends == 0 {
                string_from(rest, WORD)?
            } else if (word >> (ends.trailing_zeros() - 7)) & 0xff == u64::from(b'"') {
                (ends.trailing_zeros() as usize / 8 + 1, false)
            } else {
                string_from(rest, 0)?
            }
        }
        None => string_from(rest, 0)?,
    };
    *at += length;
    Some(escaped)
}

/// How long the string is, with its last quote, of which nothing stands before `at` that could end it.
#[inline(never)]
fn string_from(rest: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        plain(rest, &mut at);
        match *rest.get(at)? {
            b'"' => return Some((at + 1, escaped)),
            b'\\' => {
                escaped = true;
                at = escape(rest, at + 1)?;
            }
            _ => return None,
        }
    }
}

/// Passes an escape whose backslash has been passed. Whether `\u` names a character is not asked: nor does
/// `serde_json` where it skips.
fn escape(bytes: &[u8], at: usize) -> Option<usize> {
    match *bytes.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => {
            let digits = bytes.get(at + 1..at + 5)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(at + 5)
        }
        _ => None,
    }
}

/// Bytes that are looked at together.
const WORD: usize = 8;
const BLOCK: usize = 32;
/// How far single words are looked at before whole blocks are: names and short values end before.
const SHORT: usize = 4 * WORD;

/// Passes what stands in a string as it is: up to a quote, a backslash or a control character.
#[inline]
pub(crate) fn plain(bytes: &[u8], at: &mut usize) {
    *at = run(bytes, *at);
}

/// Where the plain run ends that goes on at `from`.
#[inline]
fn run(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<WORD>) {
        let ends = ends(u64::from_le_bytes(*word));
        if ends != 0 {
            return at + ends.trailing_zeros() as usize / 8;
        }
        at += WORD;
        if at - from == SHORT {
            at += blocks(bytes.get(at..).unwrap_or_default());
        }
    }
    at + tail(bytes.get(at..).unwrap_or_default())
}

/// How long whole blocks are that a plain run goes on with.
#[inline(never)]
fn blocks(run: &[u8]) -> usize {
    let mut rest = run;
    while let Some((block, after)) = rest.split_first_chunk::<BLOCK>()
        && !has_end(block)
    {
        rest = after;
    }
    run.len() - rest.len()
}

/// Where a plain run ends within the last bytes of the text.
#[inline(never)]
fn tail(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| !is_end(**byte)).count()
}

#[inline]
const fn is_end(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Whether a plain run ends in the block. Without a branch, so that it becomes vector code.
#[inline]
fn has_end(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(0, |found, byte| found | u8::from(byte ^ 2 <= b' ') | u8::from(*byte == b'\\')) != 0
}

/// The top bit of the first byte, counted from the lowest, at which a plain run ends; what stands in the bytes
/// above that one means nothing.
#[inline]
const fn ends(word: u64) -> u64 {
    const LOW: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    // With its second bit turned a quote stands right above the control characters.
    let low = (word ^ (LOW * 2)).wrapping_sub(LOW * 0x21);
    let backslash = (word ^ (LOW * b'\\' as u64)).wrapping_sub(LOW);
    (low | backslash) & !word & HIGH
}
