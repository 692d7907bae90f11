//! Tables for people, JSON for programs.

use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use types::{Money, Timestamp};

/// Prints a line. A reader that has gone, as `head` does, is no failure of ours.
pub(crate) fn line(text: impl fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a value as JSON, indented on a terminal.
pub(crate) fn json(value: &impl Serialize) -> Result<(), crate::exit::Failure> {
    let text = if std::io::stdout().is_terminal() {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    line(text.map_err(anyhow::Error::from)?);
    Ok(())
}

/// A table with a header; columns in `right` are aligned to the right.
pub(crate) fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
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
