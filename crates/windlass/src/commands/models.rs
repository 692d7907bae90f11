//! `windlass models`: what can be named and what it costs.

use config::{Catalogue, Resolved, Target};
use serde::Serialize;
use types::Price;

use crate::args::{Cli, Models};
use crate::exit::Failure;
use crate::{output, setup};

/// One line of the list.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stands_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_tokens: Option<u64>,
    /// `None`: unknown.
    price: Option<Price>,
}

/// Lists configured names, or the whole price list.
pub(crate) fn list(cli: &Cli, args: &Models) -> Result<(), Failure> {
    let wanted = |name: &str| args.filter.as_ref().is_none_or(|part| name.contains(part.as_str()));
    let mut lines = if args.all { catalogue() } else { configured(&setup::load(cli)?.config) };
    lines.retain(|line| wanted(&line.name));
    if cli.json {
        return output::json(&lines);
    }
    let mut table = output::table(&["MODEL", "STANDS FOR", "CONTEXT", "INPUT $/M", "OUTPUT $/M"], &[2, 3, 4]);
    for line in &lines {
        let rate = |rate: fn(&Price) -> types::price::Rate| {
            line.price.as_ref().map_or_else(|| "unknown".to_owned(), |price| rate(price).to_string())
        };
        table.add_row([
            line.name.clone(),
            line.stands_for.clone().unwrap_or_default(),
            line.context_tokens.map(|tokens| tokens.to_string()).unwrap_or_default(),
            rate(|price| price.input),
            rate(|price| price.output),
        ]);
    }
    output::line(&table);
    if !args.all && !cli.quiet {
        output::line(format_args!(
            "\nOpenAI- and Anthropic-kind providers without a list of models take any of theirs: provider/model."
        ));
    }
    Ok(())
}

fn catalogue() -> Vec<Line> {
    let line = |entry: config::catalogue::Entry| Line {
        name: format!("{}/{}", entry.provider, entry.model),
        stands_for: None,
        context_tokens: entry.context_tokens,
        price: entry.price,
    };
    Catalogue::embedded().entries().map(line).collect()
}

fn configured(config: &config::Config) -> Vec<Line> {
    let known = |target: &Target| config.known(target);
    config
        .model_names()
        .into_iter()
        .map(|name| match config.resolve(&name) {
            Some(Resolved::Route(route)) => {
                let targets: Vec<String> = route.targets.iter().map(ToString::to_string).collect();
                Line { name, stands_for: Some(targets.join(" → ")), context_tokens: None, price: None }
            }
            Some(Resolved::Model(target)) => {
                let (full, known) = (target.to_string(), known(&target));
                Line {
                    stands_for: (full != name).then_some(full),
                    context_tokens: known.as_ref().and_then(|known| known.context_tokens),
                    price: known.and_then(|known| known.price),
                    name,
                }
            }
            None => Line { name, stands_for: None, context_tokens: None, price: None },
        })
        .collect()
}
