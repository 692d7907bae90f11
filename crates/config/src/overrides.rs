//! What the environment and the command line set on top of the file.
//!
//! `WINDLASS__SERVER__LISTEN=0.0.0.0:8080` sets `server.listen`: the parts between double underscores are the
//! keys, without regard to case, and `_` also finds a name with `-`. A value in `[…]` or `{…}` is YAML, any
//! other is the value itself, and is never shown. Later ones win: aliases, `WINDLASS__…`, flags.

use document::{Entry, Node, Problems, Report, Source, Span, Value, interpolate, parse};

/// Begins every variable that sets a key.
const PREFIX: &str = "WINDLASS__";

/// Variables of the seeds that are accepted for a key.
pub(crate) const ALIASES: [(&str, &str); 6] = [
    ("LLM_TRACE_SAMPLING_RATIO", "telemetry.sample"),
    ("DECISION_LOG_LEVEL", "telemetry.log_level"),
    ("LLM_RETRY_STRATEGY", "defaults.retry.backoff"),
    ("LLM_RETRY_MAX_ATTEMPTS", "defaults.retry.attempts"),
    ("LLM_RETRY_BASE_DELAY", "defaults.retry.base"),
    ("LLM_RETRY_MAX_DELAY", "defaults.retry.max"),
];

/// Settings on top of a file, in the order in which they are applied.
#[derive(Clone, Default)]
pub struct Overrides(Vec<Override>);

#[derive(Clone)]
struct Override {
    origin: String,
    path: Vec<String>,
    value: String,
}

impl std::fmt::Debug for Overrides {
    /// Names only: a value may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|one| &one.origin)).finish()
    }
}

impl Overrides {
    /// Those among `variables` (all of the environment, say) that set something.
    pub fn environment<N: AsRef<str>, V: AsRef<str>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut aliases = Vec::new();
        let mut own = Vec::new();
        for (name, value) in variables {
            let (name, value) = (name.as_ref(), value.as_ref().to_owned());
            if let Some((_, key)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
                aliases.push(Override::new(name, key.split('.'), value));
            } else if let Some(keys) = name.strip_prefix(PREFIX) {
                own.push(Override::new(name, keys.split("__"), value));
            }
        }
        // The environment has no order of its own.
        aliases.sort_by(|a, b| a.origin.cmp(&b.origin));
        own.sort_by(|a, b| a.origin.cmp(&b.origin));
        aliases.extend(own);
        Self(aliases)
    }

    /// Adds a flag: `flag("--listen", "server.listen", "127.0.0.1:0")`.
    #[must_use]
    pub fn flag(mut self, flag: &str, key: &str, value: impl Into<String>) -> Self {
        self.0.push(Override::new(flag, key.split('.'), value.into()));
        self
    }

    /// Puts all of them into the tree. Places in what they bring say which one it was.
    pub(crate) fn apply(&self, root: &mut Node, problems: &Problems<'_>) {
        for (index, one) in self.0.iter().enumerate() {
            let span = Span { line: u32::MAX - u32::try_from(index).unwrap_or(0), ..Span::default() };
            if one.path.iter().any(String::is_empty) {
                problems.error("", span, "an empty name between the underscores");
                continue;
            }
            set(root, &one.path, one, span, problems);
        }
    }

    /// Puts the override's name where [`Self::apply`] left a place.
    pub(crate) fn name_origins(&self, report: &mut Report) {
        for problem in &mut report.problems {
            let from_end = problem.span.map_or(u32::MAX, |span| u32::MAX - span.line);
            let one = usize::try_from(from_end).ok().and_then(|index| self.0.get(index));
            if let Some(one) = one {
                let key = one.path.join(".");
                problem.message = format!("{} ({key}): {}", one.origin, problem.message);
                problem.span = None;
                problem.excerpt = None;
            }
        }
    }
}

impl Override {
    fn new<'a>(origin: &str, path: impl Iterator<Item = &'a str>, value: String) -> Self {
        Self { origin: origin.to_owned(), path: path.map(str::to_lowercase).collect(), value }
    }

    /// The value as a tree, below those `keys` that do not exist yet.
    fn node(&self, keys: &[String], span: Span, problems: &Problems<'_>) -> Option<Node> {
        let value = self.value.trim();
        let yaml = [('[', ']'), ('{', '}')]
            .iter()
            .any(|(open, close)| value.starts_with(*open) && value.ends_with(*close));
        let mut text = match value {
            "" => "null".to_owned(),
            _ if yaml => value.to_owned(),
            _ => "\"${V}\"".to_owned(),
        };
        for key in keys.iter().rev() {
            let key = key.replace(['"', '\\'], "_");
            text = format!("{{\"{key}\": {text}}}");
        }
        let Ok(mut node) = parse(&Source { name: &self.origin, text: &text }, problems.code()) else {
            problems.error("", span, "not valid YAML");
            return None;
        };
        if !yaml {
            interpolate(&mut node, &|_| Some(value.to_owned()), problems);
        }
        place(&mut node, span);
        Some(node)
    }
}

fn set(node: &mut Node, path: &[String], one: &Override, span: Span, problems: &Problems<'_>) {
    let Some((key, rest)) = path.split_first() else {
        if let Some(value) = one.node(&[], span, problems) {
            *node = value;
        }
        return;
    };
    if node.is_null() {
        if let Some(value) = one.node(path, span, problems) {
            *node = value;
        }
        return;
    }
    let Value::Map(entries) = &mut node.value else {
        problems.error("", span, format!("there is no map to set `{key}` in"));
        return;
    };
    let same = |name: &str| name.to_lowercase().replace(['-', '.'], "_") == key.replace(['-', '.'], "_");
    let at = entries.iter().position(|e| e.key == *key).or_else(|| entries.iter().position(|e| same(&e.key)));
    match at.and_then(|at| entries.get_mut(at)) {
        Some(entry) => set(&mut entry.value, rest, one, span, problems),
        None => {
            if let Some(value) = one.node(rest, span, problems) {
                entries.push(Entry { key: key.clone(), key_span: span, value });
            }
        }
    }
}

fn place(node: &mut Node, span: Span) {
    node.span = span;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| place(item, span)),
        Value::Map(entries) => {
            for entry in entries {
                entry.key_span = span;
                place(&mut entry.value, span);
            }
        }
        _ => {}
    }
}
