//! `${NAME}` and `${NAME:-default}` in the values of a tree. Keys are left alone. `$${` stands for `${`.

use crate::{Diagnostic, Node, Problems, Value};

/// Puts the environment into every text of the tree. `lookup` answers with a variable's value; the default
/// stands in for one that is missing or empty. A missing one without a default is noted with its name and
/// place. The values themselves appear in no diagnostic, here or in the readers.
pub fn interpolate(node: &mut Node, lookup: &dyn Fn(&str) -> Option<String>, problems: &Problems<'_>) {
    walk(node, lookup, problems, &mut String::new());
}

fn walk(
    node: &mut Node,
    lookup: &dyn Fn(&str) -> Option<String>,
    problems: &Problems<'_>,
    path: &mut String,
) {
    let before = path.len();
    match &mut node.value {
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
                walk(item, lookup, problems, path);
                path.truncate(before);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                if before > 0 {
                    path.push('.');
                }
                path.push_str(&entry.key);
                walk(&mut entry.value, lookup, problems, path);
                path.truncate(before);
            }
        }
        Value::Text(text) if text.contains("${") => match fill(text, lookup) {
            Ok((filled, touched)) => {
                *text = filled;
                node.interpolated |= touched;
            }
            Err(problem) => {
                let mut diagnostic = Diagnostic::error(problems.code(), problem.message);
                diagnostic.help = problem.help;
                problems.add(diagnostic.with_path(path.as_str()).with_span(node.span));
            }
        },
        _ => {}
    }
}

struct Problem {
    message: String,
    help: Option<String>,
}

/// The text with its variables filled in, and whether there were any.
fn fill(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<(String, bool), Problem> {
    let mut filled = String::with_capacity(text.len());
    let (mut rest, mut touched) = (text, false);
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            filled.push_str(&rest[..at]);
            filled.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        filled.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let literal = || Some("write $${ for a literal ${".to_owned());
        let Some(end) = inside.find('}') else {
            return Err(Problem { message: "`${` without its `}`".to_owned(), help: literal() });
        };
        let (name, default) = match inside[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inside[..end], None),
        };
        if !is_name(name) {
            return Err(Problem {
                message: format!("`${{{name}}}` does not name a variable"),
                help: literal(),
            });
        }
        match (lookup(name).filter(|value| !value.is_empty() || default.is_none()), default) {
            (Some(value), _) => filled.push_str(&value),
            (None, Some(default)) => filled.push_str(default),
            (None, None) => {
                let message = format!("the environment variable {name} is not set");
                return Err(Problem {
                    message,
                    help: Some(format!("set it, or write ${{{name}:-default}}")),
                });
            }
        }
        touched = true;
        rest = &inside[end + 1..];
    }
    filled.push_str(rest);
    Ok((filled, touched))
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
