//! Where a caller's limits stand, in the headers that its dialect has for it: OpenAI's `x-ratelimit-…` with spans
//! to the reset (`1m30s`), Anthropic's `anthropic-ratelimit-…` with moments (RFC 3339).

use std::time::Duration;

use engine::{Gauge, Standing};
use http::{HeaderMap, HeaderName, HeaderValue};
use types::Dialect;

/// The names for the limit, what is left of it, and its reset.
type Names = [HeaderName; 3];

const OPENAI_REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const OPENAI_TOKENS: Names = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];
const ANTHROPIC_REQUESTS: Names = [
    HeaderName::from_static("anthropic-ratelimit-requests-limit"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
];
const ANTHROPIC_TOKENS: Names = [
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
];

/// Writes them; nothing where nothing is limited.
pub(crate) fn tell(headers: &mut HeaderMap, dialect: Dialect, standing: &Standing) {
    let anthropic = dialect == Dialect::AnthropicMessages;
    let (requests, tokens) =
        if anthropic { (ANTHROPIC_REQUESTS, ANTHROPIC_TOKENS) } else { (OPENAI_REQUESTS, OPENAI_TOKENS) };
    for (gauge, [limit, remaining, reset]) in [(standing.requests, requests), (standing.tokens, tokens)] {
        let Some(gauge) = gauge else { continue };
        headers.insert(limit, HeaderValue::from(gauge.limit));
        headers.insert(remaining, HeaderValue::from(gauge.remaining));
        let text = if anthropic { moment(&gauge) } else { span(gauge.reset) };
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(reset, value);
        }
    }
}

fn moment(gauge: &Gauge) -> String {
    let now = jiff::Timestamp::now().as_second();
    // Rounded up: who comes back a little late is served.
    let seconds = gauge.reset.as_secs() + u64::from(gauge.reset.subsec_nanos() > 0);
    let at = now.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX));
    jiff::Timestamp::from_second(at).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// OpenAI's form: `6m0s`, `1h0m30s`, `1.5s`, `120ms`.
fn span(reset: Duration) -> String {
    let (seconds, millis) = (reset.as_secs(), reset.subsec_millis());
    match seconds {
        0 => format!("{}ms", reset.as_micros().div_ceil(1_000)),
        1..60 if millis == 0 => format!("{seconds}s"),
        1..60 => format!("{seconds}.{millis:03}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        _ => format!("{}h{}m{}s", seconds / 3_600, seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_has_its_own_names_and_forms() {
        let gauge = |reset| Gauge { limit: 60, remaining: 59, reset };
        let standing = Standing { requests: Some(gauge(Duration::from_millis(1_500))), tokens: None };
        let mut headers = HeaderMap::new();
        tell(&mut headers, Dialect::OpenaiChat, &standing);
        assert_eq!(headers["x-ratelimit-limit-requests"], "60");
        assert_eq!(headers["x-ratelimit-remaining-requests"], "59");
        assert_eq!(headers["x-ratelimit-reset-requests"], "1.500s");
        assert_eq!(headers.len(), 3);
        headers.clear();
        tell(&mut headers, Dialect::AnthropicMessages, &standing);
        let reset = headers["anthropic-ratelimit-requests-reset"].to_str().unwrap();
        assert!(reset.parse::<jiff::Timestamp>().unwrap() > jiff::Timestamp::now(), "{reset}");
    }

    #[test]
    fn spans_are_as_openai_writes_them() {
        let cases = [
            (0, "0ms"),
            (120, "120ms"),
            (1_000, "1s"),
            (1_500, "1.500s"),
            (360_000, "6m0s"),
            (3_630_000, "1h0m30s"),
        ];
        for (millis, text) in cases {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }
}
