//! A text with a name, and places in it.

use serde::{Deserialize, Serialize};

/// A text to be read and the name that diagnostics call it by, usually its file's.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The name, for people.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Bytes before it.
    pub offset: usize,
    /// Its length in bytes; zero if only the start is known.
    pub len: usize,
}

/// Longest line that an excerpt shows, in characters.
const EXCERPT: usize = 160;
/// Values of fields with these endings are not shown, in case a secret was written into the file.
const SECRET: [&str; 6] = ["key", "secret", "password", "token", "authorization", "credentials"];
/// No secret is shorter than this; a duration or a model's name usually is.
const SECRET_LENGTH: usize = 12;

impl<'a> Source<'a> {
    /// The place of the byte range `offset..offset + len`, which lies `base` or later on the same text.
    /// Counts lines from the start, so it is for errors, not for every node.
    pub fn span_at(&self, offset: usize, len: usize) -> Span {
        let offset = self.text.floor_char_boundary(offset);
        let before = &self.text[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Span {
            line: number(before.bytes().filter(|b| *b == b'\n').count() + 1),
            column: number(before[start..].chars().count() + 1),
            offset,
            len: len.min(self.text.len() - offset),
        }
    }

    /// The line's text without its line break; empty if there is no such line.
    pub fn line(&self, line: u32) -> &'a str {
        let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        self.text.lines().nth(index).unwrap_or("")
    }

    /// The line of `span` with a row of carets below it.
    pub(crate) fn excerpt(&self, span: Span) -> String {
        let line = self.line(span.line).replace('\t', " ");
        let shown = mask(&line);
        let column = usize::try_from(span.column).unwrap_or(1).saturating_sub(1);
        let width = shown.chars().count();
        let skip = if column > EXCERPT { column - EXCERPT / 2 } else { 0 };
        let text: String = shown.chars().skip(skip).take(EXCERPT).collect();
        let marked = self.text.get(span.offset..span.offset + span.len).unwrap_or("");
        let marked = marked.lines().next().unwrap_or("").trim_end().chars().count();
        let room = (width.min(skip + EXCERPT)).saturating_sub(column).max(1);
        let carets = "^".repeat(marked.clamp(1, room));
        let number = span.line.to_string();
        let gutter = " ".repeat(number.len());
        let indent = " ".repeat(column - skip);
        format!("  {number} | {text}\n  {gutter} | {indent}{carets}\n")
    }
}

/// The line with what may be a secret starred out.
fn mask(line: &str) -> String {
    let Some((head, tail)) = line.split_once(':') else { return line.to_owned() };
    let key = head.trim().trim_matches(['"', '\'', '-', ' ', '{']).to_ascii_lowercase();
    let value = tail.trim();
    let secret = SECRET.iter().any(|ending| key.ends_with(ending));
    if !secret || value.contains("${") || value.chars().count() < SECRET_LENGTH {
        return line.to_owned();
    }
    let stars: String = tail.chars().map(|c| if c.is_whitespace() { c } else { '*' }).collect();
    format!("{head}:{stars}")
}

/// A count as a line or column number.
pub(crate) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
