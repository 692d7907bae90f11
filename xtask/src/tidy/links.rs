//! Links between the repository's own pages lead somewhere, and every page of the book is in its table of
//! contents. Links to other hosts are not followed.

use std::path::{Path, PathBuf};

use super::Finding;
use crate::tree;

const BOOK: &str = "docs/book";
const CONTENTS: &str = "docs/book/SUMMARY.md";

/// Follows every relative link.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let pages = tree::files(root, BOOK, ".md")?;
    let mut findings = Vec::new();
    for top in ["README.md", "ARCHITECTURE.md"].map(str::to_owned).iter().chain(&pages) {
        if !root.join(top).is_file() {
            continue;
        }
        for (line, target) in links(&tree::read(root, top)?) {
            let folder = Path::new(top).parent().map_or_else(PathBuf::new, Path::to_path_buf);
            if !root.join(folder).join(&target).exists() {
                findings.push(Finding::new(top, line, format!("the link to {target} leads nowhere")));
            }
        }
    }
    if root.join(CONTENTS).is_file() {
        let listed: Vec<String> =
            links(&tree::read(root, CONTENTS)?).into_iter().map(|(_, target)| target).collect();
        let is_listed = |page: &str| {
            listed.iter().any(|target| format!("{BOOK}/{}", target.trim_start_matches("./")) == page)
        };
        let lost = pages.iter().filter(|page| *page != CONTENTS && !is_listed(page));
        findings.extend(lost.map(|page| Finding::new(page, 0, format!("is not in {CONTENTS}"))));
    }
    Ok(findings)
}

/// The relative links of a Markdown text, without their `#section`, each with its line.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let mut rest = if in_code { "" } else { line };
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let target = rest.split([')', ' ', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains(':') && !target.starts_with('/') {
                found.push((index + 1, target.to_owned()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_links_outside_code_count() {
        let text =
            "[a](b.md) [c](https://example.com) [d](#here) [e](../f.md#g)\n```\n[x](y.md)\n```\n[h](i.md)";
        let found: Vec<(usize, String)> = links(text);
        let wanted =
            [(1, "b.md"), (1, "../f.md"), (5, "i.md")].map(|(line, target)| (line, target.to_owned()));
        assert_eq!(found, wanted);
    }
}
