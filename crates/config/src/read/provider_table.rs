//! The keys that each kind of provider has.

use crate::compatible::COMPATIBLE;
use crate::read::price::PRICE;
use crate::read::route::TIMEOUTS;
use crate::read::simulated::SIMULATED;
use crate::table::{Field, Is, Section, field, option, required, words};

/// Kinds of providers, and the keys that each has.
pub(crate) static KINDS: [(&str, &Section); 7] = [
    ("openai", &OPENAI),
    ("anthropic", &ANTHROPIC),
    ("gemini", &GEMINI),
    ("azure", &AZURE),
    ("bedrock", &BEDROCK),
    ("local", &LOCAL),
    ("simulated", &SIMULATED),
];

/// The words for servers of the OpenAI kind.
static SERVERS: [&str; COMPATIBLE.len()] = {
    let mut words = [""; COMPATIBLE.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = COMPATIBLE[at].kind;
        at += 1;
    }
    words
};

const KIND_OPENAI: Field = required("kind", words(&SERVERS), KIND_DOC);
const KIND_GEMINI: Field = required("kind", words(&["gemini"]), KIND_DOC);
const KIND_AZURE: Field = required("kind", words(&["azure"]), KIND_DOC);
const KIND_BEDROCK: Field = required("kind", words(&["bedrock"]), KIND_DOC);
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
const COMPRESS: Field = field(
    "compress_requests",
    Is::Bool,
    "false",
    "Send request bodies with gzip from `compress_above` on. Only where the provider is known to take it.",
);
const COMPRESS_ABOVE: Field =
    field("compress_above", Is::Size, "1KB", "Smaller bodies are sent as they are.");
const ACCEPT_COMPRESSED: Field = field(
    "accept_compressed",
    Is::Bool,
    "true",
    "Ask for whole answers with gzip, br or zstd. Streams are never asked for so: a compressor holds events back.",
);
const API: Field = option(
    "api",
    words(&["chat", "both", "responses"]),
    "`both` where the vendor has both, else `chat`",
    "Which of OpenAI's two APIs is spoken: Chat Completions, Responses, or each call by the one it came in.",
);

pub(crate) static OPENAI: Section = Section {
    name: "providers.NAME (kind: openai, groq, mistral, ollama …)",
    doc: "A server that speaks OpenAI's dialect. The kind names whose server it is, and with that its address, its \
          prices and the ways in which it differs from OpenAI; `openai` stands for OpenAI itself and for any other.",
    fields: &[
        KIND_OPENAI,
        option(
            "base_url",
            Is::Url,
            "the vendor's own",
            "Where its API starts, with the `/v1` or what stands for it. Servers of your own need it.",
        ),
        API_KEY,
        API,
        LIST,
        HEADERS,
        DEADLINES,
        POOL_FIELD,
        COMPRESS,
        COMPRESS_ABOVE,
        ACCEPT_COMPRESSED,
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
        COMPRESS_ABOVE,
        ACCEPT_COMPRESSED,
        VENDOR,
        PRICES,
    ],
};

pub(crate) static GEMINI: Section = Section {
    name: "providers.NAME (kind: gemini)",
    doc: "Google's Gemini API by its own dialect, `generateContent`.",
    fields: &[
        KIND_GEMINI,
        field(
            "base_url",
            Is::Url,
            "https://generativelanguage.googleapis.com/v1beta",
            "Where its API starts, with its version.",
        ),
        API_KEY,
        LIST,
        HEADERS,
        DEADLINES,
        POOL_FIELD,
        COMPRESS,
        COMPRESS_ABOVE,
        ACCEPT_COMPRESSED,
        VENDOR,
        PRICES,
    ],
};

pub(crate) static AZURE: Section = Section {
    name: "providers.NAME (kind: azure)",
    doc: "OpenAI's models on Azure. A model's name (or its `id` under `models`) is the deployment's.",
    fields: &[
        KIND_AZURE,
        required("base_url", Is::Url, "The resource: `https://NAME.openai.azure.com`."),
        API_KEY,
        option(
            "oauth",
            Is::Section(&OAUTH),
            "the key is sent",
            "Microsoft Entra client credentials in place of a key.",
        ),
        option(
            "api_version",
            Is::Text,
            "the `v1` API",
            "A dated version, `2024-10-21`: asks by the older paths that name the deployment.",
        ),
        API,
        LIST,
        HEADERS,
        DEADLINES,
        POOL_FIELD,
        COMPRESS,
        COMPRESS_ABOVE,
        ACCEPT_COMPRESSED,
        VENDOR,
        PRICES,
    ],
};

pub(crate) static OAUTH: Section = Section {
    name: "providers.NAME.oauth",
    doc: "OAuth 2.0 client credentials. A token is fetched when first needed and again a minute before it ends.",
    fields: &[
        option("tenant", Is::Text, "needed unless `token_url` is given", "The directory's id."),
        option("token_url", Is::Url, "Microsoft's, for `tenant`", "Where tokens are had."),
        required("client_id", Is::Text, "The application's id."),
        required("client_secret", Is::Secret, "The application's secret, usually `${VARIABLE}`."),
        field("scope", Is::Text, "https://cognitiveservices.azure.com/.default", "What the token is for."),
    ],
};

pub(crate) static BEDROCK: Section = Section {
    name: "providers.NAME (kind: bedrock)",
    doc: "AWS Bedrock by its Converse API. Requests are signed with a key pair, or carry a Bedrock API key.",
    fields: &[
        KIND_BEDROCK,
        required("region", Is::Text, "The region: `us-east-1`."),
        option("base_url", Is::Url, "the region's endpoint", "Another endpoint: a private one, or a proxy."),
        API_KEY,
        option(
            "access_key_id",
            Is::Text,
            "`api_key` is used",
            "The key pair's id, usually `${AWS_ACCESS_KEY_ID}`.",
        ),
        option("secret_access_key", Is::Secret, "none", "The key pair's secret."),
        option("session_token", Is::Secret, "none", "The token of a temporary key pair."),
        LIST,
        HEADERS,
        DEADLINES,
        POOL_FIELD,
        COMPRESS,
        COMPRESS_ABOVE,
        ACCEPT_COMPRESSED,
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
