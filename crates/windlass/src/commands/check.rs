//! `windlass check`: configurations and chains, offline, all problems at once.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use document::{Report, Source};
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
    let checked: Vec<_> = files.into_iter().map(|path| one(path, cli)).collect::<Result<_, Failure>>()?;
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
                eprintln!("{report}");
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

fn one(path: PathBuf, cli: &Cli) -> Result<Checked, Failure> {
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.display().to_string();
    let source = Source { name: &name, text: &text };
    if is_chain(&text) {
        let problems = match chain::parse_with_warnings(&source) {
            Ok((_, warnings)) => Some(warnings).filter(|warnings| !warnings.problems.is_empty()),
            Err(report) => Some(report),
        };
        return Ok(Checked { kind: "chain", problems, path });
    }
    let loaded = config::load(source, &setup::environment, &setup::overrides(cli));
    let problems = match loaded {
        Err(report) => Some(report),
        Ok(config) => chains(&config, &path)?,
    };
    Ok(Checked { kind: "configuration", problems, path })
}

/// The chains that a configuration offers belong to it: `serve` would not start with a bad one.
fn chains(config: &config::Config, path: &Path) -> Result<Option<Report>, Failure> {
    match engine::Chains::read(config, setup::folder(Some(path))) {
        Ok(_) => Ok(None),
        Err(engine::ChainsError::Invalid(report)) => Ok(Some(report)),
        Err(error) => Err(Failure::Other(error.into())),
    }
}

/// A chain file has steps or prompts at its top level; a configuration never does.
fn is_chain(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("steps:") || line.starts_with("prompts:"))
}
