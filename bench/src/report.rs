//! `bench/results/TOPIC.json` and the same as a table: a head that says what was run where, and a list of
//! named figures with their goals.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::Serialize;

use crate::procfs;

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// Something to compare with, no promise.
    None,
}

impl Goal {
    fn text(self) -> Option<String> {
        match self {
            Self::AtMost(limit) => Some(format!("<= {limit}")),
            Self::AtLeast(limit) => Some(format!(">= {limit}")),
            Self::None => None,
        }
    }

    fn verdict(self, value: f64) -> &'static str {
        match self {
            Self::AtMost(limit) if value <= limit => "met",
            Self::AtLeast(limit) if value >= limit => "met",
            Self::None => "",
            Self::AtMost(_) | Self::AtLeast(_) => "MISSED",
        }
    }
}

#[derive(Debug, Serialize)]
struct Head {
    command: String,
    machine: String,
    /// At the start and at the end: figures of a busy machine are worth less.
    load_average: (String, String),
    date: String,
    commit: String,
}

#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    goal: Option<String>,
    #[serde(skip)]
    verdict: &'static str,
}

/// The figures of one topic.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    #[serde(skip)]
    topic: &'static str,
    head: Head,
    results: Vec<Figure>,
}

impl Report {
    /// Begun before anything is measured, so that the head shows how busy the machine was.
    pub(crate) fn new(topic: &'static str) -> Self {
        let mut words: Vec<String> = std::env::args().collect();
        if let Some(program) = words.first_mut() {
            "windlass-bench".clone_into(program);
        }
        let head = Head {
            command: words.join(" "),
            machine: procfs::machine(),
            load_average: (procfs::load_average(), String::new()),
            date: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            commit: commit(),
        };
        Self { topic, head, results: Vec::new() }
    }

    /// Adds a figure; kept to four significant digits, since no more of it would come out again.
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str, goal: Goal) {
        let value = significant(value);
        let verdict = goal.verdict(value);
        self.results.push(Figure { name: name.into(), value, unit, goal: goal.text(), verdict });
    }

    /// Writes the file and prints the table.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn publish(mut self) -> Result<()> {
        let path = root().join("bench/results").join(self.topic).with_extension("json");
        self.print();
        let mut text = serde_json::to_string_pretty(&self)?;
        text.push('\n');
        std::fs::create_dir_all(root().join("bench/results"))?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written to {}", path.display());
        Ok(())
    }

    /// Prints the table alone.
    pub(crate) fn print(&mut self) {
        self.head.load_average.1 = procfs::load_average();
        let Head { command, machine, load_average: (before, after), date, commit } = &self.head;
        println!("{command}\n{machine}; load average {before} before, {after} after\n{date} at {commit}");
        println!("{}", self.table());
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN).set_header(["name", "value", "unit", "goal", ""]);
        for figure in &self.results {
            let goal = figure.goal.clone().unwrap_or_default();
            table.add_row([&figure.name, &figure.value.to_string(), figure.unit, &goal, figure.verdict]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

/// The checkout that this program was built from.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The commit of the checkout, with `-dirty` where tracked files differ from it.
fn commit() -> String {
    let described = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok());
    described.map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn significant(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a finite double is small")]
    let digits = 3 - value.abs().log10().floor() as i32;
    let scale = 10f64.powi(digits);
    if digits <= 0 { value.round() } else { (value * scale).round() / scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_and_whole_numbers_stay() {
        for (value, want) in
            [(13.456_78, 13.46), (72_345.6, 72_346.0), (0.001_234_56, 0.001_235), (0.0, 0.0), (-2.5, -2.5)]
        {
            assert!((significant(value) - want).abs() < 1e-12, "{value}");
        }
    }

    #[test]
    fn goals_are_judged_on_the_right_side() {
        assert_eq!(Goal::AtMost(2.0).verdict(2.0), "met");
        assert_eq!(Goal::AtMost(2.0).verdict(2.1), "MISSED");
        assert_eq!(Goal::AtLeast(20.0).verdict(19.0), "MISSED");
        assert_eq!(Goal::None.verdict(1.0), "");
    }
}
