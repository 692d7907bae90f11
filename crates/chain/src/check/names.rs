//! What chains, steps and inputs may be called.

use document::{Problems, Span};

/// Longest name.
const LONGEST: usize = 64;
/// Words that templates give a meaning of their own.
const RESERVED: [&str; 20] = [
    "steps", "output", "outputs", "inputs", "loop", "range", "self", "true", "false", "none", "True",
    "False", "None", "and", "or", "not", "in", "is", "if", "else",
];

pub(super) fn chain(name: &str, span: Span, problems: &Problems<'_>) {
    if !fits(name, "-_.") {
        let message = format!("a chain's name has letters, digits, `-`, `_` and `.`, at most {LONGEST}");
        problems.error("name", span, message);
    }
}

pub(super) fn step(name: &str, span: Span, problems: &Problems<'_>) {
    if !fits(name, "-_") {
        let message = format!("a step's name has letters, digits, `-` and `_`, at most {LONGEST}");
        problems.error("steps", span, message);
    }
}

pub(super) fn input(name: &str, span: Span, problems: &Problems<'_>) {
    if RESERVED.contains(&name) {
        problems.error("inputs", span, format!("`{name}` has a meaning of its own in templates"));
    } else if !fits(name, "_") || name.starts_with(|c: char| c.is_ascii_digit()) {
        let message =
            format!("an input's name has letters, digits and `_`, at most {LONGEST}, no digit first");
        problems.error("inputs", span, message);
    }
}

fn fits(name: &str, also: &str) -> bool {
    (1..=LONGEST).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}
