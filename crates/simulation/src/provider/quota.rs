//! A provider's own limits, as OpenAI keeps them: buckets that fill evenly, told in headers, and 429 beyond.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};

/// What a model takes in a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Requests a minute.
    pub requests: f64,
    /// Tokens a minute, read and written.
    pub tokens: f64,
    /// How much may come at once, in seconds of the rate.
    pub burst: f64,
    /// Whether its headers tell what is left.
    pub told: bool,
}

/// How full the buckets are.
#[derive(Debug)]
pub(super) struct Quota {
    limits: Limits,
    requests: f64,
    tokens: f64,
    at: Duration,
}

/// What is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    limits: Limits,
    requests: f64,
    tokens: f64,
}

impl Quota {
    /// Full buckets.
    pub(super) fn new(limits: Limits) -> Self {
        let (requests, tokens) = sizes(&limits);
        Self { limits, requests, tokens, at: Duration::ZERO }
    }

    /// Takes one request of so many tokens, or says how long to wait.
    #[expect(clippy::cast_precision_loss, reason = "calls have some thousand tokens")]
    pub(super) fn take(&mut self, tokens: u64, now: Duration) -> Result<Left, Duration> {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        let (most_requests, most_tokens) = sizes(&self.limits);
        self.at = now;
        self.requests = (self.requests + passed * self.limits.requests / 60.0).min(most_requests);
        self.tokens = (self.tokens + passed * self.limits.tokens / 60.0).min(most_tokens);
        let tokens = tokens as f64;
        // A hair's breadth for the rounding of sums.
        let missing = [
            (1.0 - self.requests - 1e-6) * 60.0 / self.limits.requests,
            (tokens.min(most_tokens) - self.tokens - 1e-6) * 60.0 / self.limits.tokens,
        ];
        let wait = missing.into_iter().fold(0.0, f64::max);
        if wait > 0.0 {
            return Err(Duration::from_secs_f64(wait));
        }
        self.requests -= 1.0;
        self.tokens -= tokens;
        Ok(Left { limits: self.limits, requests: self.requests, tokens: self.tokens })
    }
}

impl Left {
    /// Tells it as OpenAI does.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        if !self.limits.told {
            return;
        }
        let (most_requests, most_tokens) = sizes(&self.limits);
        let mut put = |kind: &str, most: f64, left: f64, rate: f64| {
            let left = left.max(0.0).floor();
            let reset = format!("{:.3}s", (most - left).max(0.0) * 60.0 / rate);
            for (what, value) in [
                ("limit", format!("{:.0}", most.floor())),
                ("remaining", format!("{left:.0}")),
                ("reset", reset),
            ] {
                let name = HeaderName::try_from(format!("x-ratelimit-{what}-{kind}"));
                if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                    headers.insert(name, value);
                }
            }
        };
        put("requests", most_requests, self.requests, self.limits.requests);
        put("tokens", most_tokens, self.tokens, self.limits.tokens);
    }
}

/// `retry-after`, in whole seconds upwards.
pub(super) fn come_back(wait: Duration) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    headers
}

fn sizes(limits: &Limits) -> (f64, f64) {
    let share = limits.burst / 60.0;
    ((limits.requests * share).max(1.0), (limits.tokens * share).max(1.0))
}
