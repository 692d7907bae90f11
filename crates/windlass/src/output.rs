//! Tables for people, JSON for programs.
//!
//! What people are shown may hold what strangers wrote: names that callers chose, words of providers and models. A
//! terminal obeys some characters instead of showing them, so those are shown as what they are.

use std::borrow::Cow;
use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, presets};
use serde::Serialize;
use types::{Money, Timestamp};

/// Prints a line, or several. A reader that has gone, as `head` does, is no failure of ours.
pub(crate) fn line(text: impl fmt::Display) {
    raw(&harmless(&text.to_string()));
}

/// Prints what a model has said: as it is into files and programs, without what a terminal obeys on one.
pub(crate) fn answer(text: &str) {
    if std::io::stdout().is_terminal() { line(text) } else { raw(text) }
}

fn raw(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A text of lines, in which nothing is obeyed.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    escaped(text, |c| obeyed(c) && !matches!(c, '\n' | '\t'))
}

/// The same on one line: a cell of a table, a name in a sentence.
pub(crate) fn harmless_line(text: &str) -> Cow<'_, str> {
    escaped(text, obeyed)
}

fn escaped(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&bad) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if bad(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Characters that change what comes after them, or where it is shown: controls, line separators, directions.
fn obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

/// Prints a value as JSON, indented on a terminal.
pub(crate) fn json(value: &impl Serialize) -> Result<(), crate::exit::Failure> {
    let text = if std::io::stdout().is_terminal() {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    raw(&text.map_err(anyhow::Error::from)?);
    Ok(())
}

/// A table whose cells are one line each.
#[derive(Debug)]
pub(crate) struct Table(comfy_table::Table);

impl Table {
    pub(crate) fn add_row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.add_row(cells.map(|cell| harmless_line(&cell).into_owned()));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A table with a header; columns in `right` are aligned to the right.
pub(crate) fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = comfy_table::Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Table(table)
}

/// `1.23 s`, `45 ms`, `0.8 ms`.
pub(crate) fn duration(value: Duration) -> String {
    let millis = value.as_secs_f64() * 1_000.0;
    if millis >= 1_000.0 {
        format!("{:.2} s", value.as_secs_f64())
    } else if millis >= 10.0 {
        format!("{millis:.0} ms")
    } else {
        format!("{millis:.2} ms")
    }
}

/// `$0.0012`, or that it is not known.
pub(crate) fn cost(value: Option<Money>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |cost| format!("${cost}"))
}

/// `2026-11-22 04:05:06`, UTC.
pub(crate) fn time(value: Timestamp) -> String {
    match jiff::Timestamp::from_microsecond(value.as_micros()) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "?".to_owned(),
    }
}
