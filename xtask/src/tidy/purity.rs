//! Pure crates stay pure: no clock, no sockets, no files, no environment, no tasks, no randomness of
//! their own. `now` and generators come in as arguments, so that every decision can be repeated in a test.

use std::path::Path;

use super::Finding;
use crate::source::{Source, is_word};
use crate::tree;

/// The pure crates.
pub(super) const PURE: &[&str] = &["types", "document", "wire", "policy", "learn", "chain", "config"];

/// What may not stand in them, and why. A name matches as a whole word.
const FORBIDDEN: &[(&str, &str)] = &[
    ("Instant::now", "reads a clock"),
    ("SystemTime::now", "reads a clock"),
    ("Timestamp::now", "reads a clock"),
    ("Zoned::now", "reads a clock"),
    ("Uuid::now_v7", "reads a clock"),
    ("Uuid::new_v4", "makes its own randomness"),
    ("thread_rng", "makes its own randomness"),
    ("rand::rng", "makes its own randomness"),
    ("rand::random", "makes its own randomness"),
    ("OsRng", "makes its own randomness"),
    ("SysRng", "makes its own randomness"),
    ("from_os_rng", "makes its own randomness"),
    // Not `std::net` as a whole: addresses are plain data.
    ("TcpStream", "uses the network"),
    ("TcpListener", "uses the network"),
    ("UdpSocket", "uses the network"),
    ("ToSocketAddrs", "uses the network"),
    ("std::fs", "uses files"),
    ("std::env", "reads the environment"),
    ("std::process", "touches the process"),
    ("std::thread", "uses threads"),
    ("thread::", "uses threads"),
    ("thread_local!", "keeps state outside its arguments"),
    ("tokio", "needs a runtime"),
];

/// Scans every pure crate's `src`.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for room in PURE {
        let files = tree::files(root, &format!("crates/{room}/src"), ".rs")?;
        let tests = super::size::test_files(root, &files)?;
        for file in files.iter().filter(|file| !tests.contains(file)) {
            let source = Source::new(&tree::read(root, file)?);
            let found = impurities(&source);
            findings.extend(found.into_iter().map(|(line, what)| {
                Finding::new(
                    file,
                    line,
                    format!("`{room}` is a pure crate and {what}; take it as an argument"),
                )
            }));
        }
    }
    Ok(findings)
}

fn impurities(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // An import is looked at written out: `use std::{fs, io}` does not contain `std::fs`.
    for (line, text) in source.production().into_iter().chain(source.imports()) {
        for (name, why) in FORBIDDEN {
            let entry = (line, format!("`{name}` {why}"));
            if contains_word(&text, name) && !found.contains(&entry) {
                found.push(entry);
            }
        }
    }
    found
}

fn contains_word(text: &str, name: &str) -> bool {
    let open_end = name.ends_with([':', '!']);
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(is_word) && (open_end || !after.is_some_and(is_word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        impurities(&Source::new(text)).len()
    }

    #[test]
    fn what_is_impure_is_found() {
        assert_eq!(found("let t = Instant::now();"), 1);
        assert_eq!(found("let t = std::time::SystemTime::now();"), 1);
        assert_eq!(found("use std::{fs, io};"), 1);
        assert_eq!(found("use std::{collections::BTreeMap, net::TcpStream};"), 1);
        assert_eq!(found("let mut rng = rand::rng();"), 1);
        assert_eq!(found("thread::spawn(|| ());"), 1);
    }

    #[test]
    fn what_only_looks_like_it_is_not() {
        assert_eq!(found("use std::net::{IpAddr, SocketAddr};"), 0);
        assert_eq!(found("// std::fs\nlet text = \"tokio\";"), 0);
        assert_eq!(found("let tokio_like = my_thread::ident();"), 0);
        assert_eq!(found("use rand::rngs::StdRng;\nlet x: std::time::Instant = now;"), 0);
        assert_eq!(found("#[cfg(test)]\nmod tests {\n    use std::fs;\n}"), 0);
    }
}
