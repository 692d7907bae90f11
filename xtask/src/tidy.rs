//! The rules of the house that the compiler does not know (ARCHITECTURE.md). Each rule is a module with
//! `check`, which gives what it found; this file runs them all and reports everything at once.

mod codes;
mod edges;
mod examples;
mod links;
mod purity;
mod size;

use std::fmt;
use std::path::Path;

/// One broken rule, at one place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Relative to the root of the repository.
    pub(crate) file: String,
    /// From 1; 0 when the whole file is meant.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

type Rule = fn(&Path) -> Result<Vec<Finding>, String>;

const RULES: &[(&str, Rule)] = &[
    ("edges", edges::check),
    ("purity", purity::check),
    ("size", size::check),
    ("codes", codes::check),
    ("links", links::check),
    ("examples", examples::check),
];

/// Runs every rule.
///
/// # Errors
/// All findings of all rules, one a line.
pub(crate) fn run(root: &Path) -> Result<String, String> {
    let mut complaint = String::new();
    for (name, rule) in RULES {
        // A rule that could not do its work is a complaint like any other: the rest still runs.
        let mut findings = rule(root).unwrap_or_else(|error| vec![Finding::new("the rule itself", 0, error)]);
        findings.sort();
        for finding in findings {
            complaint.push_str(&format_finding(name, &finding));
        }
    }
    if complaint.is_empty() { Ok(format!("tidy: {} rules hold", RULES.len())) } else { Err(complaint) }
}

fn format_finding(rule: &str, finding: &Finding) -> String {
    format!("tidy ({rule}): {finding}\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        if let Err(complaint) = super::run(&crate::tree::root()) {
            panic!("\n{complaint}");
        }
    }
}
