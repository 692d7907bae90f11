//! Every user-facing error has a code, and every code a section in the book. This rule keeps the list in
//! `types`, the uses in the rest of the source and the sections of the page the same.

use std::collections::BTreeMap;
use std::path::Path;

use super::Finding;
use crate::source::Source;
use crate::tree;

/// Where the codes are defined.
const LIST: &str = "crates/types/src/code.rs";
/// Where each has its section.
const PAGE: &str = "docs/book/reference/errors.md";

/// Where a code is first met: file and line.
type Places = BTreeMap<String, (String, usize)>;

/// Compares the three.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let mut defined = Places::new();
    let mut used = Places::new();
    for file in tree::files(root, "crates", ".rs")? {
        if !file.contains("/src/") {
            continue;
        }
        let text = tree::read(root, &file)?;
        let source = Source::new(&text);
        let places = if file == LIST { &mut defined } else { &mut used };
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        for (line, text) in lines.filter(|(line, _)| !source.is_test(*line)) {
            collect(places, &file, line, text);
        }
    }
    let mut sections = Places::new();
    for (index, line) in tree::read(root, PAGE)?.lines().enumerate().filter(|(_, line)| line.starts_with('#'))
    {
        collect(&mut sections, PAGE, index + 1, line);
    }
    let mut findings = missing(&used, &defined, |code| format!("{code} is not in the list of codes, {LIST}"));
    findings.extend(missing(&defined, &sections, |code| format!("{code} has no section in {PAGE}")));
    findings
        .extend(missing(&sections, &defined, |code| format!("{code} has a section but is not in {LIST}")));
    Ok(findings)
}

fn missing(here: &Places, there: &Places, what: impl Fn(&str) -> String) -> Vec<Finding> {
    let lonely = here.iter().filter(|(code, _)| !there.contains_key(*code));
    lonely.map(|(code, (file, line))| Finding::new(file, *line, what(code))).collect()
}

fn collect(places: &mut Places, file: &str, line: usize, text: &str) {
    for code in codes(text) {
        places.entry(code.to_owned()).or_insert_with(|| (file.to_owned(), line));
    }
}

/// `WL` and exactly four digits, standing alone.
fn codes(text: &str) -> Vec<&str> {
    let is_code = |word: &&str| {
        word.strip_prefix("WL")
            .is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_wl_and_four_digits() {
        assert_eq!(codes("## WL1001: body (see WL9004)"), ["WL1001", "WL9004"]);
        assert!(codes("WL123 WL12345 XWL1234 wl1234 WLabcd").is_empty());
    }

    #[test]
    fn what_is_missing_is_named_with_its_place() {
        let mut here = Places::new();
        collect(&mut here, "a.rs", 7, "WL1001");
        let found = missing(&here, &Places::new(), |code| format!("{code} is missing"));
        assert_eq!(found, [Finding::new("a.rs", 7, "WL1001 is missing")]);
        assert!(missing(&here, &here, |_| String::new()).is_empty());
    }
}
