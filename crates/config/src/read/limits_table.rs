//! The keys of `limits`.

use crate::table::{Field, Is, Section, field, option, words};

pub(crate) static LIMITS: Section = Section {
    name: "limits",
    doc: "Rate limits: what may pass, for everybody together and for each tenant, user, key, path and model. A call \
          takes of all of them or of none; tokens are reserved by estimate and settled to what was used. Replicas that \
          share `storage.redis` keep them together, to the request.",
    fields: &[
        field("enabled", Is::Bool, "true", "`false`: nothing is limited, whatever stands here."),
        tier("global", "For everybody together."),
        tier("per_tenant", "For each tenant."),
        tier("per_user", "For each user of a tenant: the `user` that a call names."),
        tier("per_key", "For each key."),
        tier("per_endpoint", "For each path of the interface."),
        tier("per_model", "For each model of each provider."),
        own("tenants", "For one tenant, in place of `per_tenant`; an empty map: no limit."),
        own("users", "For one `tenant/user`, in place of `per_user`."),
        own("keys", "For one key, by its name in `keys`, in place of `per_key`."),
        own("endpoints", "For one path, such as `/v1/embeddings`, in place of `per_endpoint`."),
        own("models", "For one `provider/model`, in place of `per_model`."),
        field("algorithm", ALGORITHM, "token_bucket", ALGORITHM_DOC),
        option("adaptive", Is::Section(&ADAPTIVE), "see there", "How rates adapt."),
        option(
            "token_bucket",
            Is::Section(&TOKEN_BUCKET),
            "see there",
            "What buckets have that say nothing else.",
        ),
        option(
            "priorities",
            Is::Section(&PRIORITIES),
            "the whole for all",
            "What each priority may use of every limit.",
        ),
        option(
            "on_exceeded",
            ON_EXCEEDED,
            "`queue`",
            "What happens to a call that a limit does not let pass: it is refused (`deny`), it waits (`queue`), or it \
             passes on a degraded level (`degraded`).",
        ),
        option(
            "on_limit_exceeded",
            ON_EXCEEDED,
            "`queue`",
            "The reference configuration's name for `on_exceeded`.",
        ),
        field(
            "replicas",
            Is::Integer(1, 10_000),
            "1",
            "How many replicas there are: without Redis, and while it is away, each goes on with its share, so that together they stay \
             within the limits.",
        ),
    ],
};

pub(super) static RULES: Section = Section {
    name: "limits.TIER",
    doc: "Limits of one tier; every one of them holds. `0` lets nothing pass.",
    fields: &[
        rate("requests_per_second", "Calls a second."),
        rate("requests_per_minute", "Calls a minute."),
        rate("requests_per_hour", "Calls an hour."),
        rate("requests_per_day", "Calls a day."),
        rate("tokens_per_minute", "Tokens a minute, in and out."),
        rate("tokens_per_hour", "Tokens an hour."),
        rate("tokens_per_day", "Tokens a day."),
        option(
            "burst",
            Is::Integer(1, MOST),
            "the limit itself",
            "Calls that may pass at once after a pause: of the limit in calls with the shortest span. Not used by the \
             sliding window.",
        ),
        option(
            "burst_size",
            Is::Integer(1, MOST),
            "`burst`",
            "The reference configuration's name for `burst`.",
        ),
        option("algorithm", ALGORITHM, "as in `limits`", "How these are counted."),
    ],
};

static ADAPTIVE: Section = Section {
    name: "limits.adaptive",
    doc: "How `algorithm: adaptive` moves limits in calls a second and calls a minute: a tenth less when too many calls \
          went wrong, a tenth more when not. Limits by the hour, by the day and in tokens stay as they are written.",
    fields: &[
        field("enabled", Is::Bool, "true", "`false`: `adaptive` counts as `token_bucket`."),
        field("target_error_rate", Is::Share, "1%", "The share of calls that may go wrong."),
        option("target_latency", Is::Duration, "only failures count", "A call slower than this went wrong."),
        option("adjustment_period", Is::Duration, "60s", "How often the rate is adjusted."),
        option(
            "adjustment_period_seconds",
            Is::Integer(1, 86_400),
            "60",
            "The reference configuration's name for `adjustment_period`.",
        ),
        option("min_rate", Is::Integer(1, MOST), "a tenth of the limit", "Calls a second, never less."),
        option("max_rate", Is::Integer(1, MOST), "ten times the limit", "Calls a second, never more."),
    ],
};

static TOKEN_BUCKET: Section = Section {
    name: "limits.token_bucket",
    doc: "What tiers have that are written and do not say it themselves.",
    fields: &[
        option("refill_rate", Is::Number(0.0, 1e12), "none", "Their `requests_per_second`: a whole number."),
        option("bucket_capacity", Is::Integer(1, MOST), "the limit itself", "Their `burst`."),
        field("cost_per_request", Is::Integer(1, 1), "1", "What a call takes of a limit in calls."),
    ],
};

static PRIORITIES: Section = Section {
    name: "limits.priorities",
    doc: "The part of every limit that calls of a priority may use; what is above it is kept for higher ones. In a bucket \
          it is a part of the burst, in a sliding window a part of the limit. The reference configuration has 1, 0.75, 0.5 \
          and 0.25; without this section everybody may use the whole.",
    fields: &[
        field("critical", Is::Share, "1", "For `critical`."),
        field("high", Is::Share, "1", "For `high`."),
        option("normal", Is::Share, "1", "For `normal`."),
        option("medium", Is::Share, "1", "Another name for `normal`."),
        field("low", Is::Share, "1", "For `low`."),
    ],
};

pub(super) static EXCESS: Section = Section {
    name: "limits.on_exceeded",
    doc: "What happens on excess, in full.",
    fields: &[
        field("action", ACTION, "queue", "Refused, waiting, or a degraded level."),
        option("queue_timeout", Is::Duration, "5s", "The longest wait."),
        option(
            "queue_timeout_ms",
            Is::Integer(1, 3_600_000),
            "5000",
            "The reference configuration's name for `queue_timeout`.",
        ),
        option(
            "retry_after",
            Is::Duration,
            "when it will pass",
            "The `Retry-After` of a refusal, in place of what the limit says.",
        ),
        option(
            "retry_after_seconds",
            Is::Integer(1, 86_400),
            "when it will pass",
            "The reference configuration's name for `retry_after`.",
        ),
        field("queue_capacity", Is::Integer(1, 1_000_000), "1024", "The most calls that wait."),
        field(
            "queue_aging",
            Is::Duration,
            "2s",
            "Waiting this long counts as one priority more, so that nobody waits for ever.",
        ),
    ],
};

/// Units that a limit may have: enough for anybody, and few enough for exact arithmetic in Redis.
const MOST: u64 = 1_000_000_000_000;

const ALGORITHM: Is = words(&["token_bucket", "sliding_window", "adaptive"]);
const ALGORITHM_DOC: &str = "How limits are counted: a bucket that refills evenly; never more than the limit in any span (full use \
                             is 98.3 % of it); or a bucket whose rate follows how calls fare.";
const ACTION: Is = words(&["deny", "queue", "degraded"]);
const ON_EXCEEDED: Is = Is::Either(&[ACTION, Is::Section(&EXCESS)]);

const EACH: Is = Is::Section(&RULES);

const fn tier(key: &'static str, doc: &'static str) -> Field {
    option(key, Is::Section(&RULES), "no limit", doc)
}

const fn own(key: &'static str, doc: &'static str) -> Field {
    option(key, Is::Map(&EACH), "none", doc)
}

const fn rate(key: &'static str, doc: &'static str) -> Field {
    option(key, Is::Integer(0, MOST), "no limit", doc)
}
