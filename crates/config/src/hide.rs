//! Secrets that stand in the file itself, starred out of what a report shows.
//!
//! Values that come from the environment are never shown in the first place.

use document::{Node, Report, Value};

/// Keys whose values are secrets.
const SECRET: [&str; 2] = ["key", "api_key"];
/// A key whose value may hold a password, if it is an address.
const ADDRESS: &str = "redis";
/// Maps whose values all are.
const ALL_SECRET: &str = "headers";
/// Shorter ones are no secrets, and are parts of too many words.
const SHORTEST: usize = 4;

/// Stars out every secret of the tree wherever the report shows it.
pub(crate) fn secrets_of(root: &Node, report: &mut Report) {
    let mut secrets = Vec::new();
    collect(root, false, &mut secrets);
    // Longer ones first: one may be a part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for problem in &mut report.problems {
        let texts = [Some(&mut problem.message), problem.excerpt.as_mut(), problem.help.as_mut()];
        for text in texts.into_iter().flatten() {
            for secret in &secrets {
                star_out(text, secret);
            }
        }
    }
}

/// Stars out a secret where it stands by itself: in the middle of a word of ours it is that word, not the secret.
fn star_out(text: &mut String, secret: &str) {
    if !text.contains(secret) {
        return;
    }
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let (first, last) = (letter(secret.chars().next()), letter(secret.chars().next_back()));
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(secret) {
        let (before, from) = rest.split_at(at);
        let after = &from[secret.len()..];
        let inside = first && letter(before.chars().next_back().or_else(|| hidden.chars().next_back()))
            || last && letter(after.chars().next());
        hidden.push_str(before);
        if inside {
            hidden.push_str(secret);
        } else {
            hidden.extend(secret.chars().map(|_| '*'));
        }
        rest = after;
    }
    hidden.push_str(rest);
    *text = hidden;
}

/// Stars out what looks like a secret in a text that is no tree because it is not YAML.
pub(crate) fn secrets_in_excerpts(report: &mut Report) {
    for excerpt in report.problems.iter_mut().filter_map(|problem| problem.excerpt.as_mut()) {
        let mut hidden = String::with_capacity(excerpt.len());
        let mut rest = excerpt.as_str();
        while let Some(at) = after_key(rest) {
            let (before, value) = rest.split_at(at);
            hidden.push_str(before);
            let end = value.find([',', '}', '\n']).unwrap_or(value.len());
            let stars = |c: char| if c.is_whitespace() { c } else { '*' };
            if value.trim_start().starts_with("${") {
                hidden.push_str(&value[..end]);
            } else {
                hidden.extend(value[..end].chars().map(stars));
            }
            rest = &value[end..];
        }
        hidden.push_str(rest);
        *excerpt = hidden;
    }
}

/// Behind the first key of a secret.
fn after_key(text: &str) -> Option<usize> {
    let ends = ["key:", "redis:"].map(|key| text.find(key).map(|at| at + key.len()));
    ends.into_iter().flatten().min()
}

fn collect<'n>(node: &'n Node, secret: bool, secrets: &mut Vec<&'n str>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| collect(item, secret, secrets)),
        Value::Map(entries) => {
            for entry in entries {
                let address = entry.key == ADDRESS && entry.value.raw().contains('@');
                let secret =
                    secret || address || SECRET.contains(&entry.key.as_str()) || entry.key == ALL_SECRET;
                collect(&entry.value, secret, secrets);
            }
        }
        _ if secret && node.raw().len() >= SHORTEST => secrets.push(node.raw()),
        _ => {}
    }
}
