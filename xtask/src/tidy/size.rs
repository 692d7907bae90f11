//! Files stay small enough to read, and lie where their name says.

use std::path::Path;

use super::Finding;
use crate::source::Source;
use crate::tree;

/// More lines than this outside tests want a reason.
const LIMIT: usize = 500;

/// Files that may be longer, each with its reason.
const LONG: &[(&str, &str)] = &[];

/// Folders with Rust files of ours.
const FOLDERS: &[&str] = &["crates", "bench", "xtask", "fuzz", "examples"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["utils.rs", "util.rs", "common.rs", "helpers.rs", "helper.rs", "manager.rs", "misc.rs"];

/// Looks at every Rust file.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        files.extend(tree::files(root, folder, ".rs")?);
    }
    let tests = test_files(root, &files)?;
    let mut findings = Vec::new();
    for file in &files {
        let name = file.rsplit('/').next().unwrap_or(file);
        if name == "mod.rs" {
            findings.push(Finding::new(
                file,
                0,
                "no mod.rs: name the file after the module, beside its folder",
            ));
        }
        if EMPTY_NAMES.contains(&name) {
            findings.push(Finding::new(file, 0, "name the file for the one concept that is in it"));
        }
        if file.contains("/src/") && !tests.contains(file) {
            let lines = Source::new(&tree::read(root, file)?).production_lines();
            let excused = LONG.iter().any(|(long, _)| long == file);
            findings.extend(too_long(lines, excused).map(|what| Finding::new(file, LIMIT + 1, what)));
        }
    }
    for (long, _) in LONG.iter().filter(|(long, _)| !files.iter().any(|file| file == long)) {
        findings.push(Finding::new(
            long,
            0,
            format!("is excused from the limit in {} but is not there", file!()),
        ));
    }
    Ok(findings)
}

/// Which of `files` are test modules, declared `#[cfg(test)] mod NAME;` by another of them.
pub(super) fn test_files(root: &Path, files: &[String]) -> Result<Vec<String>, String> {
    let mut tests = Vec::new();
    for file in files {
        let source = Source::new(&tree::read(root, file)?);
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        let own = match name {
            "lib.rs" | "main.rs" => folder.to_owned(),
            _ => file.trim_end_matches(".rs").to_owned(),
        };
        for module in source.test_modules() {
            let (beside, below) = (format!("{own}/{module}.rs"), format!("{own}/{module}/"));
            tests.extend(files.iter().filter(|file| **file == beside || file.starts_with(&below)).cloned());
        }
    }
    Ok(tests)
}

fn too_long(lines: usize, excused: bool) -> Option<String> {
    let over = lines > LIMIT && !excused;
    over.then(|| {
        format!(
            "{lines} lines outside tests; {LIMIT} is the limit: split it, or list it with a reason in {}",
            file!()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_a_limit() {
        assert_eq!(too_long(LIMIT, false), None);
        assert!(too_long(LIMIT + 1, false).unwrap().starts_with("501 lines"));
        assert_eq!(too_long(LIMIT + 1, true), None);
    }
}
