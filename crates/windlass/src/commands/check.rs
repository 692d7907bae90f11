//! `windlass check`: configurations and chains, offline, all problems at once.

use std::path::{Path, PathBuf};

use config::Config;
use document::{Diagnostic, Problems, Report, Source, Value};
use serde_json::json;

use crate::args::{Check, Cli};
use crate::exit::Failure;
use crate::{output, setup};

/// Checks each file, tells all problems of all of them, and fails if there was one.
pub(crate) fn check(cli: &Cli, args: &Check) -> Result<(), Failure> {
    let files = match (args.files.as_slice(), setup::path(cli)) {
        ([], Some(path)) => vec![path],
        ([], None) => {
            let message = "there is nothing to check: name a file, or write windlass.yaml";
            return Err(Failure::Usage(message.to_owned()));
        }
        (files, _) => files.to_vec(),
    };
    let mut checked: Vec<Checked> = Vec::new();
    let in_use = setup::load(cli).ok().filter(|loaded| loaded.path.is_some()).map(|loaded| loaded.config);
    for path in &files {
        let (file, offered) = one(path, cli, in_use.as_ref());
        checked.push(file);
        // Told with the configuration that offers them, unless they are asked for by themselves.
        checked.extend(offered.into_iter().filter(|chain| !files.contains(&chain.path)));
    }
    let bad = checked.iter().filter(|file| !file.is_valid()).count();
    if cli.json {
        let list: Vec<_> = checked
            .iter()
            .map(|file| json!({ "file": file.path, "kind": file.kind, "valid": file.is_valid(), "problems": file.problems }))
            .collect();
        output::json(&list)?;
    } else {
        for file in &checked {
            if let Some(report) = &file.problems {
                eprintln!("{}", output::harmless(&report.to_string()));
            }
            if file.is_valid() && !cli.quiet {
                output::line(format_args!("{}: a valid {}", file.path.display(), file.kind));
            }
        }
    }
    match bad {
        0 => Ok(()),
        _ => Err(Failure::Checked { bad, of: checked.len() }),
    }
}

struct Checked {
    path: PathBuf,
    kind: &'static str,
    /// Errors and warnings, if there are any.
    problems: Option<Report>,
}

impl Checked {
    fn is_valid(&self) -> bool {
        self.problems.as_ref().is_none_or(|report| report.errors == 0)
    }
}

/// A file; and of the chains that a configuration offers, those with problems: `serve` would not start with them.
fn one(path: &Path, cli: &Cli, in_use: Option<&Config>) -> (Checked, Vec<Checked>) {
    let name = path.display().to_string();
    let text = match text(path, &name) {
        Ok(text) => text,
        Err(report) => {
            let file = Checked { path: path.to_owned(), kind: "file", problems: Some(report) };
            return (file, Vec::new());
        }
    };
    let source = Source { name: &name, text: &text };
    if is_chain(&text) {
        return (chain(path, source, in_use), Vec::new());
    }
    let (config, report) = config::examine(source, &setup::environment, &setup::overrides(cli));
    let offered = offered(source).into_iter().filter_map(|file| {
        let path = setup::folder(Some(path)).join(file);
        let shown = path.display().to_string();
        let checked = match self::text(&path, &shown) {
            Ok(text) => chain(&path, Source { name: &shown, text: &text }, config.as_ref()),
            Err(report) => Checked { path, kind: "chain", problems: Some(report) },
        };
        checked.problems.is_some().then_some(checked)
    });
    let offered = offered.collect();
    let problems = Some(report).filter(|report| !report.problems.is_empty());
    (Checked { kind: "configuration", problems, path: path.to_owned() }, offered)
}

/// A file's text, or why there is none.
fn text(path: &Path, name: &str) -> Result<String, Report> {
    let message = match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(error) => {
                let before = error.utf8_error().valid_up_to();
                let lines = error.as_bytes().iter().take(before).filter(|byte| **byte == b'\n').count();
                format!("not UTF-8: line {} has bytes that are no text", lines + 1)
            }
        },
        Err(error) => format!("cannot be read: {error}"),
    };
    let diagnostic = Diagnostic::error(types::Code::BadConfig.as_str(), message);
    Err(Report::of(&Source { name, text: "" }, diagnostic))
}

fn chain(path: &Path, source: Source<'_>, config: Option<&Config>) -> Checked {
    let report = match chain::parse_with_warnings(&source) {
        Ok((_, warnings)) => warnings,
        Err(report) => report,
    };
    let report = match config {
        Some(config) => report.and(models(source, config)),
        None => report,
    };
    let problems = Some(report).filter(|report| !report.problems.is_empty());
    Checked { path: path.to_owned(), kind: "chain", problems }
}

/// The models that a chain names and the configuration in use does not know.
pub(super) fn models(source: Source<'_>, config: &Config) -> Report {
    let code = types::Code::UnknownModel.as_str();
    let problems = Problems::new(source, code);
    let root = match document::parse_what_there_is(&source, code) {
        Ok(root) => Some(root),
        Err(broken) => broken.rest,
    };
    let places =
        ["defaults", "config"].map(|name| (name.to_owned(), root.as_ref().and_then(|root| root.get(name))));
    let mut places = Vec::from(places);
    places.push((String::new(), root.as_ref()));
    for list in ["steps", "prompts"] {
        match root.as_ref().and_then(|root| root.get(list)).map(|node| &node.value) {
            Some(Value::Map(steps)) => {
                places.extend(steps.iter().map(|step| (format!("{list}.{}", step.key), Some(&step.value))));
            }
            Some(Value::List(steps)) => {
                places.extend(steps.iter().enumerate().map(|(n, step)| (format!("{list}[{n}]"), Some(step))));
            }
            _ => {}
        }
    }
    for (path, node) in places {
        let Some(named) = node.and_then(|node| node.get("model")) else { continue };
        let Value::Text(name) = &named.value else { continue };
        if config.resolve(name).is_some() {
            continue;
        }
        let all = config.model_names();
        let near = document::closest(name, all.iter().map(String::as_str));
        let help = near.map_or("see windlass models".to_owned(), |near| format!("did you mean `{near}`?"));
        let message = format!("the configuration knows no model, route or alias `{name}`");
        let path = if path.is_empty() { "model".to_owned() } else { format!("{path}.model") };
        problems.add(Diagnostic::error(code, message).with_path(path).with_span(named.span).with_help(help));
    }
    problems.into_report()
}

/// The chains that a configuration offers, valid or not: what has problems besides can be looked at all the same.
fn offered(source: Source<'_>) -> Vec<String> {
    let root = match document::parse_what_there_is(&source, "") {
        Ok(root) => Some(root),
        Err(broken) => broken.rest,
    };
    let Some(Value::Map(chains)) = root.as_ref().and_then(|root| root.get("chains")).map(|node| &node.value)
    else {
        return Vec::new();
    };
    let text = |node: &document::Node| match &node.value {
        Value::Text(text) if !text.contains("${") => Some(text.clone()),
        _ => None,
    };
    chains.iter().filter_map(|chain| text(&chain.value)).collect()
}

/// A chain file has steps or prompts at its top level; a configuration never does.
fn is_chain(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("steps:") || line.starts_with("prompts:"))
}
