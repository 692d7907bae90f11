//! What a provider's answer says about its own limits: OpenAI's `x-ratelimit-…` (spans to the reset) and
//! Anthropic's `anthropic-ratelimit-…` (RFC 3339 moments). Others send one of the two, or nothing.

use std::time::Duration;

use types::{Dialect, Timestamp};

use crate::retry_after::{days_before, span};

/// What is left of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The whole, if it is told.
    pub limit: Option<u64>,
    /// What is left.
    pub remaining: u64,
    /// Until all of it is there again.
    pub reset: Duration,
}

/// What is left of a provider's limits; `None` where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// In requests.
    pub requests: Option<Left>,
    /// In tokens.
    pub tokens: Option<Left>,
}

/// Reads an answer's headers; `now` tells the time, where it is needed.
pub fn rate_limits<'h>(
    dialect: Dialect,
    headers: &dyn Fn(&'static str) -> Option<&'h str>,
    now: impl Fn() -> Timestamp,
) -> RateLimits {
    let left = |[limit, remaining, reset]: [&'static str; 3]| {
        let remaining = headers(remaining)?.trim().parse().ok()?;
        let reset = headers(reset)?;
        let reset = span(reset).or_else(|| until(reset, now()))?;
        Some(Left { limit: headers(limit).and_then(|limit| limit.trim().parse().ok()), remaining, reset })
    };
    if dialect == Dialect::AnthropicMessages {
        return RateLimits {
            requests: left([
                "anthropic-ratelimit-requests-limit",
                "anthropic-ratelimit-requests-remaining",
                "anthropic-ratelimit-requests-reset",
            ]),
            tokens: left([
                "anthropic-ratelimit-tokens-limit",
                "anthropic-ratelimit-tokens-remaining",
                "anthropic-ratelimit-tokens-reset",
            ]),
        };
    }
    RateLimits {
        requests: left([
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
        ]),
        tokens: left([
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-tokens",
        ]),
    }
}

/// Time until an RFC 3339 moment in UTC: `2026-11-22T10:00:30Z`, with or without a fraction.
fn until(value: &str, now: Timestamp) -> Option<Duration> {
    let (date, clock) = value.trim().strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut clock = clock.splitn(3, ':');
    let hour: i64 = clock.next()?.parse().ok()?;
    let minute: i64 = clock.next()?.parse().ok()?;
    // A fraction of a second is not worth waiting less for.
    let second: i64 = clock.next()?.split('.').next()?.parse().ok()?;
    let sane = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !sane {
        return None;
    }
    let days = days_before(year, usize::try_from(month - 1).ok()?) + day - 1;
    let at = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let wait = at.saturating_mul(1_000_000).saturating_sub(now.as_micros());
    Some(Duration::from_micros(u64::try_from(wait).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dialect: Dialect, headers: &[(&'static str, &'static str)]) -> RateLimits {
        // 1994-11-06T08:49:00Z
        let now = Timestamp::from_micros(784_111_740 * 1_000_000);
        let header = |name: &'static str| headers.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        rate_limits(dialect, &header, || now)
    }

    #[test]
    fn both_vendors_forms_are_read() {
        let openai = [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ];
        let said = read(Dialect::OpenaiChat, &openai);
        let requests = Left { limit: Some(60), remaining: 59, reset: Duration::from_secs(1) };
        let tokens = Left { limit: None, remaining: 149_984, reset: Duration::from_secs(360) };
        assert_eq!(said, RateLimits { requests: Some(requests), tokens: Some(tokens) });
        let anthropic = [
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "1994-11-06T08:49:37Z"),
        ];
        let said = read(Dialect::AnthropicMessages, &anthropic);
        let requests = Left { limit: Some(50), remaining: 0, reset: Duration::from_secs(37) };
        assert_eq!(said, RateLimits { requests: Some(requests), tokens: None });
    }

    #[test]
    fn what_is_not_said_or_makes_no_sense_is_not_known() {
        assert_eq!(read(Dialect::OpenaiChat, &[]), RateLimits::default());
        for reset in ["soon", "", "1994-13-06T08:49:37Z", "1994-11-06 08:49:37", "-1s"] {
            let headers = [("x-ratelimit-remaining-requests", "3"), ("x-ratelimit-reset-requests", reset)];
            assert_eq!(read(Dialect::OpenaiChat, &headers), RateLimits::default(), "{reset}");
        }
        let past =
            [("x-ratelimit-remaining-requests", "3"), ("x-ratelimit-reset-requests", "1990-01-01T00:00:00Z")];
        assert_eq!(read(Dialect::OpenaiChat, &past).requests.unwrap().reset, Duration::ZERO);
    }
}
