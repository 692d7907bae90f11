//! `providers`: those behind HTTP, and the local one.

use document::{Reader, Value};
use policy::Timeouts;
use types::Price;

use crate::catalogue::{Catalogue, Vendor};
use crate::compatible::COMPATIBLE;
use crate::fields::Fields;
use crate::provider::{Kind, Model, Models, Provider};
use crate::read::price::price;
use crate::read::provider_table::{ANTHROPIC, AZURE, GEMINI, KINDS, LOCAL, MODEL, OPENAI};
use crate::read::remote;
use crate::read::route::deadlines;
use crate::read::simulated::{SIMULATED, simulated};
use crate::table::Section;
use crate::{Compatible, Local};

/// Kinds that this version refuses by name.
const KINDS_LATER: [&str; 1] = ["vertex"];

/// Reads one provider. Prices of its models go to `prices` as `provider/model`.
pub(crate) fn provider(
    name: String,
    reader: &Reader<'_>,
    base: Timeouts,
    prices: &mut Vec<(String, Price)>,
) -> Option<Provider> {
    let (word, section) = kind_of(reader)?;
    let mut fields = Fields::open(section, Some(reader.clone()));
    fields.value("kind");
    let timeouts = deadlines(fields.section("timeouts")).over(base);
    let (kind, models, vendor) = match section.name {
        name if name == LOCAL.name => {
            let (local, models) = local(&mut fields);
            (Kind::Local(local), models, Vendor::None)
        }
        name if name == SIMULATED.name => {
            let simulated = simulated(&mut fields);
            let names = simulated.models.iter().map(|model| plain_model(model.name.clone()));
            let models = Models::Listed(names.collect());
            (Kind::Simulated(simulated), models, Vendor::None)
        }
        other => {
            let kind = if other == OPENAI.name {
                Kind::Openai(remote::openai(word, &mut fields))
            } else if other == ANTHROPIC.name {
                Kind::Anthropic(remote::anthropic(&mut fields))
            } else if other == GEMINI.name {
                Kind::Gemini(remote::plain(&mut fields))
            } else if other == AZURE.name {
                Kind::Azure(remote::azure(&mut fields))
            } else {
                Kind::Bedrock(remote::bedrock(&mut fields))
            };
            let vendor = vendor(&mut fields, &kind);
            let models = models(&mut fields);
            (kind, models, vendor)
        }
    };
    if section.field("prices").is_some() {
        for (model, at) in fields.names("prices") {
            prices.extend(price(Some(at)).map(|price| (format!("{name}/{model}"), price)));
        }
    }
    fields.finish();
    Some(Provider { name, kind, models, vendor, timeouts })
}

/// Which section a provider is read by.
fn kind_of(reader: &Reader<'_>) -> Option<(&'static str, &'static Section)> {
    let Value::Map(_) = &reader.node().value else {
        reader.error_with_help("a provider is a map with a `kind`", "for example { kind: local }");
        return None;
    };
    let Some(kind) = reader.node().get("kind").filter(|kind| !kind.is_null()) else {
        reader.problems().error(reader.path(), reader.key_span(), "`kind` is missing");
        return None;
    };
    if let Some(server) = Compatible::named(kind.raw()) {
        return Some((server.kind, &OPENAI));
    }
    if let Some(known) = KINDS.iter().find(|(word, _)| *word == kind.raw()) {
        return Some(*known);
    }
    // The reader's own words for an unknown one: list of kinds, did you mean.
    let kinds: Vec<_> = COMPATIBLE
        .iter()
        .map(|server| server.kind)
        .chain(KINDS[1..].iter().map(|(word, _)| *word))
        .map(|word| (word, ()))
        .collect();
    let at = reader.clone().map()?.take("kind")?;
    if KINDS_LATER.contains(&kind.raw()) && !kind.is_interpolated() {
        at.error_with_help(
            format!("`{}` comes in a later version of Windlass", kind.raw()),
            "a server that speaks OpenAI's dialect is of kind openai, whoever runs it",
        );
    } else {
        at.one_of(&kinds);
    }
    None
}

/// Whose list prices hold: what the operator says, else what the address or the kind tells.
fn vendor(fields: &mut Fields<'_>, kind: &Kind) -> Vendor {
    let Some(at) = fields.value("vendor") else { return vendor_of(kind) };
    let Some(name) = fields.text("vendor") else { return Vendor::None };
    if name == "none" {
        return Vendor::None;
    }
    if !Catalogue::embedded().has_vendor(&name) {
        at.error("the catalogue has no such vendor");
    }
    Vendor::named(&name)
}

fn vendor_of(kind: &Kind) -> Vendor {
    let (url, named) = match kind {
        Kind::Openai(openai) => (&openai.remote.base_url, openai.server.prices),
        Kind::Anthropic(remote) => (&remote.base_url, None),
        Kind::Gemini(_) => return Vendor::named("gemini"),
        Kind::Azure(_) => return Vendor::named("azure"),
        Kind::Bedrock(_) => return Vendor::named("bedrock"),
        Kind::Local(_) | Kind::Simulated(_) => return Vendor::None,
    };
    match (Vendor::at(url), named) {
        // `kind: openai` stands for any server of that kind: only the address tells whose it is.
        (Vendor::Unknown, Some(name)) if name != "openai" => Vendor::named(name),
        (known, _) => known,
    }
}

fn models(fields: &mut Fields<'_>) -> Models {
    let Some(at) = fields.value("models") else { return Models::Any };
    let models: Vec<Model> = if let Value::Map(_) = at.node().value {
        fields.names("models").into_iter().map(|(name, reader)| model(name, reader)).collect()
    } else {
        names(fields)
    };
    Models::Listed(models)
}

fn model(name: String, reader: Reader<'_>) -> Model {
    let mut fields = Fields::open(&MODEL, Some(reader));
    let price_at = fields.value("price");
    let model = Model {
        id: fields.text("id").unwrap_or_else(|| name.clone()),
        price: price_at.and_then(|at| price(Some(at))),
        context_tokens: fields.integer_if_set("context_tokens"),
        max_output_tokens: fields.integer_if_set("max_output_tokens"),
        name,
    };
    fields.finish();
    model
}

fn names(fields: &mut Fields<'_>) -> Vec<Model> {
    let mut models: Vec<Model> = Vec::new();
    for reader in fields.items("models") {
        let at = reader.clone();
        let Some(name) = reader.nonempty_text() else { continue };
        if models.iter().any(|model| model.name == name) {
            at.error("stands there twice");
        } else {
            models.push(plain_model(name));
        }
    }
    models
}

fn plain_model(name: String) -> Model {
    Model { id: name.clone(), name, ..Model::default() }
}

pub(crate) fn local(fields: &mut Fields<'_>) -> (Local, Models) {
    let mut models = names(fields);
    if fields.value("models").is_none() {
        models = vec![plain_model("smollm2".to_owned())];
    }
    let local = Local {
        server: fields.path("server"),
        model: fields.path("model"),
        threads: fields.integer("threads"),
        context: fields.integer("context"),
        parallel: fields.integer("parallel"),
        port: fields.integer_if_set("port"),
        start_timeout: fields.duration("start_timeout"),
        stop_after: fields.duration_if_set("stop_after"),
    };
    (local, Models::Listed(models))
}
