//! The keys that each kind of provider has.

use crate::read::price::PRICE;
use crate::read::route::TIMEOUTS;
use crate::read::simulated::SIMULATED;
use crate::table::{Field, Is, Section, field, later, option, required, words};

/// Kinds of providers, and the keys that each has.
pub(crate) static KINDS: [(&str, &Section); 4] =
    [("openai", &OPENAI), ("anthropic", &ANTHROPIC), ("local", &LOCAL), ("simulated", &SIMULATED)];

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
const COMPRESS: Field = later("compress_requests", "Send request bodies over 1 KB with gzip.");

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
