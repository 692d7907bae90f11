//! Files of the repository that are made from the code: reference pages and schemas. `write` makes them,
//! `check` says which of them are stale.

use std::fs;
use std::path::Path;

/// One generated file: where it goes, and what makes its text.
type Document = (&'static str, fn() -> Result<String, String>);

const DOCUMENTS: &[Document] = &[
    ("docs/book/reference/configuration.md", || Ok(config::reference_markdown())),
    ("docs/book/reference/configuration.schema.json", || pretty(&config::json_schema())),
    ("docs/book/reference/chain.schema.json", || pretty(&chain::json_schema())),
];

fn pretty(json: &serde_json::Value) -> Result<String, String> {
    let text = serde_json::to_string_pretty(json).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}

/// Writes every generated file that has changed.
///
/// # Errors
/// The file that could not be made or written.
pub(crate) fn write(root: &Path) -> Result<String, String> {
    let mut report = String::new();
    for (path, make) in DOCUMENTS {
        let text = make().map_err(|error| format!("generated: {path}: {error}"))?;
        if fs::read_to_string(root.join(path)).is_ok_and(|old| old == text) {
            continue;
        }
        fs::write(root.join(path), text).map_err(|error| format!("generated: {path}: {error}"))?;
        report.push_str("generated: wrote ");
        report.push_str(path);
        report.push('\n');
    }
    report.push_str("generated: up to date");
    Ok(report)
}

/// Compares every generated file with what the code would make.
///
/// # Errors
/// The stale ones, with the command that mends them.
pub(crate) fn check(root: &Path) -> Result<String, String> {
    let mut stale = Vec::new();
    for (path, make) in DOCUMENTS {
        let text = make().map_err(|error| format!("generated: {path}: {error}"))?;
        if !fs::read_to_string(root.join(path)).is_ok_and(|old| old == text) {
            stale.push(*path);
        }
    }
    if stale.is_empty() {
        return Ok(format!("generated: {} files are up to date", DOCUMENTS.len()));
    }
    Err(format!("generated: stale: {}\ngenerated: run `cargo xtask generated` and commit", stale.join(", ")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_generated_is_stale() {
        if let Err(complaint) = super::check(&crate::tree::root()) {
            panic!("\n{complaint}");
        }
    }
}
