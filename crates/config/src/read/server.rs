//! `server`, `storage` and `telemetry`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::Secret;
use crate::fields::Fields;
use crate::server::{Compress, Database, Server, Storage};
use crate::table::{Is, Section, Words, field, option, words};
use crate::telemetry::{LogFormat, LogLevel, Telemetry};

pub(crate) static SERVER: Section = Section {
    name: "server",
    doc: "The process: where it listens and how much it takes.",
    fields: &[
        field("listen", Is::Address, "127.0.0.1:8080", "Where to listen; port 0 lets the system choose."),
        field("max_body", Is::Size, "32MB", "The largest request body."),
        field(
            "max_bodies",
            Is::Size,
            "256MB",
            "Memory for large request bodies (from 64 KB on) of all calls together. A call that finds no room \
             waits a little, and is then told to come back.",
        ),
        field("max_header", Is::Size, "64KB", "The largest request head."),
        field(
            "header_timeout",
            Is::Duration,
            "10s",
            "Time for the whole request head to arrive: a connection's first from when it is accepted, others from \
             their first byte.",
        ),
        field(
            "idle_timeout",
            Is::Duration,
            "5m",
            "How long a connection stays open between requests. Longer than what callers and balancers keep theirs \
             for, so that they never send into one that is being closed.",
        ),
        field(
            "body_timeout",
            Is::Duration,
            "30s",
            "Longest silence inside a request body, and longest time that an answer waits for its caller to read.",
        ),
        field(
            "body_rate",
            Is::Size,
            "8KB",
            "Least speed of a request body, in bytes a second: the whole of it may take `body_timeout`, and a second for \
             each of these that has come.",
        ),
        field(
            "drain",
            Is::Wait,
            "30s",
            "Time that calls in flight get to finish when the process is told to stop.",
        ),
        field(
            "drain_notice",
            Is::Wait,
            "2s",
            "How much of `drain` is for balancers: after SIGTERM the process goes on listening for so long, says at \
             `/readyz` that it is stopping, and refuses new calls with WL3004. SIGINT, or a second signal, gives no notice.",
        ),
        option("workers", Is::Integer(1, 1024), "one per core", "Worker threads."),
        field(
            "compress",
            words(&["auto", "off"]),
            "auto",
            "Whole answers from 1 KB on are compressed (gzip, br, zstd) where the caller accepts that. Streams \
             never are: a compressor would hold their events back.",
        ),
        field(
            "allow_open",
            Is::Bool,
            "false",
            "Serve anybody, although `listen` can be reached from other machines and there are no `keys`.",
        ),
    ],
};

pub(crate) static STORAGE: Section = Section {
    name: "storage",
    doc: "Where the ledger, runs and journals are kept.",
    fields: &[
        field(
            "database",
            Is::Text,
            "sqlite:./windlass.db",
            "`sqlite:PATH`, or `sqlite::memory:` to keep nothing.",
        ),
        option(
            "spool",
            Is::Path,
            "beside the database, with `.spool` at its end",
            "The folder where ledger rows wait for the database.",
        ),
        field("spool_max", Is::Size, "1GB", "What the spool may grow to while the database is away."),
        field(
            "count_tokens",
            Is::Bool,
            "false",
            "Whether calls of OpenAI's models of which no usage is reported (a stream that broke, a caller who hung \
             up) are counted exactly once they are over. The first such call loads a vocabulary, which stays: 65 MB \
             for `o200k`, half of it for `cl100k`. Else, and for other models, their rows hold an estimate. Whatever \
             is set here, `POST /v1/messages/count_tokens` loads a vocabulary, too, once: with its first call for a \
             model whose provider does not count itself.",
        ),
        field(
            "keep_responses",
            Is::Wait,
            "24h",
            "How long answers to `/v1/responses` are kept, contents and all, so that `previous_response_id` can go on \
             from them; `0s`: not at all. Where the provider speaks that dialect itself, it keeps them, not we.",
        ),
        option(
            "redis",
            Is::Secret,
            "each process counts for itself",
            "What replicas share: `redis://[user:password@]host:port[/number]`, `rediss://…` with TLS, `unix:///path` for a \
             socket, or `redis+cluster://[user:password@]host:port,host:port…` for a cluster (`rediss+cluster://…` with \
             TLS). While it is away, no call fails.",
        ),
        option(
            "redis_ca",
            Is::Path,
            "the public authorities",
            "A file of certificates in PEM: with TLS, Redis must show one that they have signed.",
        ),
        field(
            "redis_timeout",
            Is::Duration,
            "50ms",
            "The longest that a call waits for Redis; after that it goes on without, and for a second nobody asks.",
        ),
    ],
};

pub(crate) static TELEMETRY: Section = Section {
    name: "telemetry",
    doc: "Logs, traces and alerts.",
    fields: &[
        option(
            "otlp",
            Is::Url,
            "no traces are sent",
            "Where traces go: the base address of an OTLP/HTTP receiver.",
        ),
        field("sample", Is::Number(0.0, 1.0), "1", "Which part of the traces is sent."),
        field(
            "capture_content",
            Is::Bool,
            "false",
            "Prompts and answers are in no trace; `true` comes later.",
        ),
        field(
            "pass_baggage",
            Is::Bool,
            "false",
            "Pass callers' `baggage` headers on to providers. They hold what applications tell each other, which may be \
             nobody else's business.",
        ),
        field("log_level", LOG_LEVEL, "info", "The least level that is logged."),
        field("log_format", words(&["json", "text"]), "json", "How logs are written."),
        field(
            "large_call_tokens",
            Is::Integer(1, u64::MAX),
            "3000",
            "A call of more input tokens than this is counted and logged as large.",
        ),
    ],
};

const LOG_LEVEL: Is = Is::Words(Words { now: &["error", "warn", "info", "debug", "trace"], later: &[] });

pub(crate) fn server(mut fields: Fields<'_>) -> Server {
    let server = Server {
        listen: fields.address("listen").unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
        max_body: fields.size("max_body"),
        max_bodies: fields.size("max_bodies"),
        max_header: fields.size("max_header"),
        header_timeout: fields.duration("header_timeout"),
        idle_timeout: fields.duration("idle_timeout"),
        body_timeout: fields.duration("body_timeout"),
        body_rate: fields.size("body_rate"),
        drain: fields.duration("drain"),
        drain_notice: fields.duration("drain_notice"),
        workers: fields.integer_if_set("workers"),
        compress: fields
            .word("compress", &[("auto", Compress::Auto), ("off", Compress::Off)])
            .unwrap_or_default(),
        allow_open: fields.bool("allow_open"),
    };
    fields.finish();
    server
}

pub(crate) fn storage(mut fields: Fields<'_>) -> Storage {
    let at = fields.value("database");
    let text = fields.text("database").unwrap_or_default();
    let database = match text.strip_prefix("sqlite:") {
        Some(":memory:") => Database::Memory,
        Some(path) if !path.is_empty() => {
            Database::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
        }
        _ => {
            if let Some(at) = at {
                let later = text.starts_with("postgres:") || text.starts_with("postgresql:");
                let message =
                    if later { "Postgres comes in a later version of Windlass" } else { "not a database" };
                at.error_with_help(message, "write sqlite:./windlass.db or sqlite::memory:");
            }
            Database::Memory
        }
    };
    let beside = match &database {
        Database::Sqlite(path) => path.with_extension("spool"),
        Database::Memory => PathBuf::from("windlass.spool"),
    };
    let redis = redis(&mut fields);
    let storage = Storage {
        database,
        spool: fields.path("spool").unwrap_or(beside),
        spool_max: fields.size("spool_max"),
        count_tokens: fields.bool("count_tokens"),
        keep_responses: fields.duration("keep_responses"),
        redis_ca: fields.path("redis_ca"),
        redis,
        redis_timeout: fields.duration("redis_timeout"),
    };
    fields.finish();
    storage
}

/// Only the scheme is looked at: the rest may be a secret, and what is wrong with it is known when it is asked.
fn redis(fields: &mut Fields<'_>) -> Option<Secret> {
    let at = fields.value("redis")?;
    let secret = fields.secret("redis")?;
    let scheme = secret.expose().split_once("://").map(|(scheme, rest)| (scheme, !rest.is_empty()));
    match scheme {
        Some(("redis" | "rediss" | "redis+cluster" | "rediss+cluster" | "unix", true)) => {}
        Some(("redis+sentinel" | "rediss+sentinel", _)) => {
            at.error("this way to reach Redis comes in a later version of Windlass");
        }
        _ => at.error_with_help(
            "not the address of a Redis",
            "write redis://host:6379, rediss://host:6380, redis+cluster://host:7000 or unix:///run/redis.sock",
        ),
    }
    Some(secret)
}

pub(crate) fn telemetry(mut fields: Fields<'_>) -> Telemetry {
    let levels = LogLevel::ALL.map(|level| (level.as_str(), level));
    if fields.bool("capture_content")
        && let Some(at) = fields.value("capture_content")
    {
        at.error("`capture_content: true` comes in a later version of Windlass");
    }
    let telemetry = Telemetry {
        otlp: fields.url("otlp"),
        sample: fields.number("sample"),
        pass_baggage: fields.bool("pass_baggage"),
        log_level: fields.word("log_level", &levels).unwrap_or_default(),
        log_format: fields
            .word("log_format", &[("json", LogFormat::Json), ("text", LogFormat::Text)])
            .unwrap_or_default(),
        large_call_tokens: fields.integer("large_call_tokens"),
    };
    fields.finish();
    telemetry
}
