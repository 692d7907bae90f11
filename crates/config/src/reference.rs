//! The reference page of the configuration, out of the tables that also read it.

use std::fmt::Write;

use crate::overrides::ALIASES;
use crate::read::ROOT;
use crate::table::{Default, Field, Is, Section};

/// The page as Markdown: every section with its keys, then the variables of the environment.
pub fn reference_markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    for section in sections() {
        let title = if section.name.is_empty() { "The file" } else { section.name };
        let _ = write!(page, "\n## {}\n\n{}\n\n", heading(title), section.doc);
        page.push_str("| key | value | without it | meaning |\n|---|---|---|---|\n");
        for field in section.fields {
            page.push_str(&row(field));
        }
    }
    page.push_str(ENVIRONMENT);
    for (variable, key) in ALIASES {
        let _ = writeln!(page, "| `{variable}` | `{key}` |");
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from the tables in crates/config/src/read; `cargo xtask reference` writes it. -->

One YAML file. Nothing in it is required, and a key that is not known is an error. Durations are `500ms`,
`30s`, `5m`; sizes are `32MB` (millions of bytes) or `32MiB`; prices are decimal dollars per million tokens.
`${NAME}` reads the environment, `${NAME:-default}` does so with a default, `$${` stands for `${`.

`windlass check` tells everything that is wrong with a file at once, without any network.
";

const ENVIRONMENT: &str = "
## Environment

`WINDLASS__SECTION__KEY=value` sets `section.key`: the parts between double underscores are the keys, without
regard to case, and `_` also finds a name that has `-` or `.`. A value in `[…]` or `{…}` is YAML. The
order of truth is defaults, file, environment, flags. These variables are accepted as well:

| variable | key |
|---|---|
";

/// All sections, each once, in the order in which they are met.
fn sections() -> Vec<&'static Section> {
    let mut found: Vec<&'static Section> = vec![&ROOT];
    let mut next = 0;
    while let Some(section) = found.get(next) {
        for field in section.fields {
            within(&field.is, &mut found);
        }
        next += 1;
    }
    found
}

fn within(is: &Is, found: &mut Vec<&'static Section>) {
    let mut add = |section: &'static Section| {
        if !found.iter().any(|known| known.name == section.name) {
            found.push(section);
        }
    };
    match is {
        Is::Section(section) => add(section),
        Is::Kinds(kinds) => kinds.iter().for_each(|(_, section)| add(section)),
        Is::Map(inner) | Is::List(inner) => within(inner, found),
        Is::Either(forms) => forms.iter().for_each(|form| within(form, found)),
        _ => {}
    }
}

fn heading(title: &str) -> String {
    match title.split_once(" (") {
        Some((name, rest)) => format!("`{name}` ({rest}"),
        None if title.contains(' ') => title.to_owned(),
        None => format!("`{title}`"),
    }
}

fn row(field: &Field) -> String {
    let default = match field.default {
        Default::Is(text) => format!("`{text}`"),
        Default::Unset(text) => text.to_owned(),
        Default::Required => "must be there".to_owned(),
    };
    format!("| `{}` | {} | {default} | {} |\n", field.key, words(&field.is), field.doc)
}

fn words(is: &Is) -> String {
    match is {
        Is::Bool => "`true` or `false`".to_owned(),
        Is::Text => "text".to_owned(),
        Is::Secret => "text, never shown".to_owned(),
        Is::Path => "path".to_owned(),
        Is::Url => "`http` or `https` address".to_owned(),
        Is::Address => "address and port".to_owned(),
        Is::Duration | Is::Wait => "duration".to_owned(),
        Is::Size => "size".to_owned(),
        Is::Integer(least, u64::MAX) => format!("whole number from {least}"),
        Is::Integer(least, most) if least == most => format!("{least}"),
        Is::Integer(least, most) => format!("whole number, {least} to {most}"),
        Is::Number(least, most) => format!("number, {least} to {most}"),
        Is::Share => "share, as `10%` or `0.1`".to_owned(),
        Is::Rate => "dollars per million tokens".to_owned(),
        Is::Words(words) => {
            let now: Vec<_> = words.now.iter().map(|word| format!("`{word}`")).collect();
            let later = if words.later.is_empty() {
                String::new()
            } else {
                format!(" (not yet: {})", words.later.join(", "))
            };
            format!("{}{later}", now.join(", "))
        }
        Is::Section(section) => format!("map, see {}", heading(section.name)),
        Is::Kinds(_) => "map by `kind`".to_owned(),
        Is::Map(inner) => format!("names, each with: {}", words(inner)),
        Is::List(inner) => format!("list of: {}", words(inner)),
        Is::Either(forms) => forms.iter().map(words).collect::<Vec<_>>().join("; or "),
        Is::Later => "comes later".to_owned(),
    }
}
