//! `providers`: those behind HTTP, and the local one.

use document::{Reader, Value};
use policy::Timeouts;
use types::Price;

use crate::catalogue::{Catalogue, Vendor};
use crate::fields::{Fields, secret};
use crate::provider::{Http2, Kind, Model, Models, Pool, Provider, Remote};
use crate::read::price::price;
use crate::read::provider_table::{ANTHROPIC, KINDS, LOCAL, MODEL, OPENAI};
use crate::read::route::deadlines;
use crate::read::simulated::{SIMULATED, simulated};
use crate::table::Section;
use crate::{BaseUrl, Local, Secret};

/// Kinds that this version refuses by name.
const KINDS_LATER: [&str; 4] = ["azure", "bedrock", "gemini", "vertex"];

/// Reads one provider. Prices of its models go to `prices` as `provider/model`.
pub(crate) fn provider(
    name: String,
    reader: &Reader<'_>,
    base: Timeouts,
    prices: &mut Vec<(String, Price)>,
) -> Option<Provider> {
    let (_, section) = kind_of(reader)?;
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
            let remote = remote(&mut fields, other == ANTHROPIC.name);
            let vendor = vendor(&mut fields, &remote.base_url);
            let models = models(&mut fields);
            let kind = if other == OPENAI.name { Kind::Openai(remote) } else { Kind::Anthropic(remote) };
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
fn kind_of(reader: &Reader<'_>) -> Option<&'static (&'static str, &'static Section)> {
    let Value::Map(_) = &reader.node().value else {
        reader.error_with_help("a provider is a map with a `kind`", "for example { kind: local }");
        return None;
    };
    let Some(kind) = reader.node().get("kind").filter(|kind| !kind.is_null()) else {
        reader.problems().error(reader.path(), reader.key_span(), "`kind` is missing");
        return None;
    };
    if let Some(known) = KINDS.iter().find(|(word, _)| *word == kind.raw()) {
        return Some(known);
    }
    // The reader's own words for an unknown one: list of kinds, did you mean.
    let kinds = KINDS.map(|(word, _)| (word, ()));
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

fn remote(fields: &mut Fields<'_>, anthropic: bool) -> Remote {
    let url = fields.url("base_url");
    let url = match &url {
        Some(url) if anthropic => url.as_str().strip_suffix("/v1").and_then(|text| BaseUrl::parse(text).ok()),
        _ => None,
    }
    .or(url);
    let remote = Remote {
        base_url: url.unwrap_or_else(BaseUrl::nowhere),
        api_key: fields.secret("api_key"),
        headers: fields.names("headers").into_iter().filter_map(header).collect(),
        pool: pool(fields.section("pool")),
    };
    if remote.api_key.as_ref().is_some_and(|key| !key.expose().is_ascii())
        && let Some(at) = fields.value("api_key")
    {
        at.error("a key goes into a header, so it must be ASCII");
    }
    remote
}

/// A header that may be added. Those that frame a message or belong to the dialect may not.
fn header((name, reader): (String, Reader<'_>)) -> Option<(String, Secret)> {
    let lower = name.to_ascii_lowercase();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if lower.is_empty() || !lower.bytes().all(token) {
        reader.error("not a header's name");
        return None;
    }
    if ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"]
        .contains(&lower.as_str())
    {
        reader.error(format!("`{lower}` is set by Windlass itself"));
        return None;
    }
    let value = secret(&reader)?;
    if !value.expose().is_ascii() {
        reader.error("a header's value must be ASCII");
        return None;
    }
    Some((lower, value))
}

fn vendor(fields: &mut Fields<'_>, url: &BaseUrl) -> Vendor {
    let Some(at) = fields.value("vendor") else { return Vendor::at(url) };
    let Some(name) = fields.text("vendor") else { return Vendor::None };
    if name == "none" {
        return Vendor::None;
    }
    if !Catalogue::embedded().has_vendor(&name) {
        at.error("the catalogue has no such vendor");
    }
    Vendor::named(&name)
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

fn pool(mut fields: Fields<'_>) -> Pool {
    let http2 = [("auto", Http2::Auto), ("on", Http2::On), ("off", Http2::Off)];
    let pool = Pool {
        max_connections: fields.integer("max_connections"),
        max_idle: fields.integer("max_idle"),
        idle_timeout: fields.duration("idle_timeout"),
        http2: fields.word("http2", &http2).unwrap_or_default(),
        dns_ttl: fields.duration("dns_ttl"),
    };
    fields.finish();
    pool
}
