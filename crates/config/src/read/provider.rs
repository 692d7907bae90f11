//! `providers`: those behind HTTP, and the local one.

use document::{Reader, Value};
use policy::Timeouts;
use types::Price;

use crate::catalogue::{Catalogue, Vendor};
use crate::fields::{Fields, secret};
use crate::provider::{Http2, Kind, Model, Models, Pool, Provider, Remote};
use crate::read::price::{PRICE, price};
use crate::read::route::{TIMEOUTS, deadlines};
use crate::read::simulated::{SIMULATED, simulated};
use crate::table::{Field, Is, Section, field, option, required, words};
use crate::{BaseUrl, Local, Secret};

/// Kinds of providers, and the keys that each has.
pub(crate) static KINDS: [(&str, &Section); 4] =
    [("openai", &OPENAI), ("anthropic", &ANTHROPIC), ("local", &LOCAL), ("simulated", &SIMULATED)];

/// Kinds that this version refuses by name.
const KINDS_LATER: [&str; 4] = ["azure", "bedrock", "gemini", "vertex"];

const KIND_OPENAI: Field = required("kind", words(&["openai"]), KIND_DOC);
const KIND_ANTHROPIC: Field = required("kind", words(&["anthropic"]), KIND_DOC);
const KIND_LOCAL: Field = required("kind", words(&["local"]), KIND_DOC);
const KIND_DOC: &str = "How it is reached.";
const ONE_PRICE: Is = Is::Section(&PRICE);
const MODELS: Is = Is::Either(&[Is::List(&Is::Text), Is::Map(&Is::Section(&MODEL))]);
const HEADERS: Field = option(
    "headers",
    Is::Map(&Is::Secret),
    "none",
    "More headers for every request. Values are never shown.",
);
const API_KEY: Field = option(
    "api_key",
    Is::Secret,
    "none is sent",
    "The key that the provider asks for, usually `${VARIABLE}`.",
);
const LIST: Field = option(
    "models",
    MODELS,
    "any, and bare names by the price list",
    "The models that it offers: a list of names, or a map from names to more about each.",
);
const VENDOR: Field = option(
    "vendor",
    Is::Text,
    "told by the address",
    "Whose list prices hold: a name of the catalogue (`openai`, `groq`, …) or `none`.",
);
const PRICES: Field =
    option("prices", Is::Map(&ONE_PRICE), "list prices", "Prices of this provider's models, by model.");
const DEADLINES: Field = option("timeouts", Is::Section(&TIMEOUTS), "as `defaults.timeouts`", "Deadlines.");
const POOL_FIELD: Field = option("pool", Is::Section(&POOL), "see there", "Connections.");
const COMPRESS: Field =
    field("compress_requests", Is::Bool, "false", "Send request bodies over 1 KB with gzip.");

pub(crate) static OPENAI: Section = Section {
    name: "providers.NAME (kind: openai)",
    doc: "A server that speaks OpenAI's dialect: OpenAI itself, and most others.",
    fields: &[
        KIND_OPENAI,
        field(
            "base_url",
            Is::Url,
            "https://api.openai.com/v1",
            "Where its API starts, with the `/v1` or what stands for it.",
        ),
        API_KEY,
        LIST,
        HEADERS,
        DEADLINES,
        POOL_FIELD,
        COMPRESS,
        VENDOR,
        PRICES,
    ],
};

pub(crate) static ANTHROPIC: Section = Section {
    name: "providers.NAME (kind: anthropic)",
    doc: "Anthropic's Messages API, or a server that speaks it.",
    fields: &[
        KIND_ANTHROPIC,
        field(
            "base_url",
            Is::Url,
            "https://api.anthropic.com",
            "Where its API starts; a `/v1` at the end is dropped.",
        ),
        API_KEY,
        LIST,
        HEADERS,
        DEADLINES,
        POOL_FIELD,
        COMPRESS,
        VENDOR,
        PRICES,
    ],
};

pub(crate) static LOCAL: Section = Section {
    name: "providers.NAME (kind: local)",
    doc: "A small real model on this machine, behind a llama.cpp server that is started when first asked. It costs \
          nothing unless `prices` says so.",
    fields: &[
        KIND_LOCAL,
        option(
            "server",
            Is::Path,
            "looked for in the project, then in `PATH`",
            "The `llama-server` program.",
        ),
        option("model", Is::Path, "the one that `make run` fetched", "The model file (GGUF)."),
        field("models", Is::List(&Is::Text), "smollm2", "The model's names for callers."),
        field("threads", Is::Integer(1, 1024), "1", "Threads that compute."),
        field("context", Is::Integer(64, 4_194_304), "2048", "Tokens of context for each call."),
        field("parallel", Is::Integer(1, 256), "4", "Calls at once."),
        option("port", Is::Integer(1, 65_535), "a free one", "The server's port on loopback."),
        field("start_timeout", Is::Duration, "60s", "Time for the server to be ready."),
        option("stop_after", Is::Duration, "never", "Stop the server after this long without a call."),
        DEADLINES,
        option("prices", Is::Map(&ONE_PRICE), "free", "What you count for it, by model."),
    ],
};

pub(crate) static MODEL: Section = Section {
    name: "providers.NAME.models.MODEL",
    doc: "More about a model that a provider offers.",
    fields: &[
        option("id", Is::Text, "the same", "Its name for the provider."),
        option("price", Is::Section(&PRICE), "the list price", "What it charges."),
        option("context_tokens", Is::Integer(1, u64::MAX), "as listed", "Tokens that its context holds."),
        option("max_output_tokens", Is::Integer(1, u64::MAX), "as listed", "Tokens that it writes at most."),
    ],
};

pub(crate) static POOL: Section = Section {
    name: "providers.NAME.pool",
    doc: "Connections to one provider.",
    fields: &[
        field(
            "max_connections",
            Is::Integer(1, 65_536),
            "1024",
            "Open connections; calls beyond wait for one.",
        ),
        field("max_idle", Is::Integer(0, 65_536), "128", "Connections kept while nobody uses them."),
        field("idle_timeout", Is::Duration, "90s", "An unused connection is closed after this."),
        field("http2", words(&["auto", "on", "off"]), "auto", "HTTP/2: where it is offered, always, never."),
        field("dns_ttl", Is::Wait, "30s", "How long a looked-up address is believed."),
    ],
};

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
        compress_requests: fields.bool("compress_requests"),
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
