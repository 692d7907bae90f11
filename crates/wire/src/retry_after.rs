//! When a provider says to come again: `retry-after-ms`, `Retry-After` (seconds or a date, RFC 9110 10.2.3),
//! and, where neither is given, OpenAI's `x-ratelimit-reset-…` of the limit that is used up.

use std::time::Duration;

use types::Timestamp;

use crate::rejection::LONGEST_WAIT;

/// How long to wait, counted from `now`; `None` if the provider does not say.
pub(crate) fn retry_after<'h>(
    headers: &dyn Fn(&'static str) -> Option<&'h str>,
    now: Timestamp,
) -> Option<Duration> {
    let millis = || seconds(headers("retry-after-ms")?, 1e-3);
    let plain = || {
        let value = headers("retry-after")?;
        seconds(value, 1.0).or_else(|| until(value, now))
    };
    let reset = |remaining, reset| {
        if headers(remaining)?.trim() == "0" { span(headers(reset)?) } else { None }
    };
    let limits = || {
        let requests = reset("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests");
        requests.max(reset("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"))
    };
    millis().or_else(plain).or_else(limits).map(|wait| wait.min(LONGEST_WAIT))
}

/// A number of `unit` seconds.
fn seconds(value: &str, unit: f64) -> Option<Duration> {
    let count: f64 = value.trim().parse().ok()?;
    (count >= 0.0).then(|| Duration::try_from_secs_f64(count * unit).unwrap_or(LONGEST_WAIT))
}

/// Time until an HTTP date: `Sun, 06 Nov 1994 08:49:37 GMT`. The obsolete forms are not read.
fn until(value: &str, now: Timestamp) -> Option<Duration> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = value.trim().split_once(", ")?;
    let mut words = rest.split(' ');
    let day: i64 = words.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)?;
    let year: i64 = words.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut clock = words.next()?.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let in_day = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    if words.next() != Some("GMT") || !in_day {
        return None;
    }
    let days = days_before(year, month) + day - 1;
    let at = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let wait = at.saturating_mul(1_000_000).saturating_sub(now.as_micros());
    Some(Duration::from_micros(u64::try_from(wait).unwrap_or(0)))
}

/// Days from the epoch to the first of a month (0 is January), in the Gregorian calendar.
pub(crate) fn days_before(year: i64, month: usize) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let past = year - 1;
    let leaps = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let of_this = i64::from(leap && month > 1);
    (year - 1970) * 365 + leaps + of_this + BEFORE.get(month).copied().unwrap_or_default()
}

/// OpenAI's spans: `1s`, `6m0s`, `1h30m`, `120ms`, `1.5s`.
pub(crate) fn span(value: &str) -> Option<Duration> {
    let mut rest = value.trim();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let unit = match unit {
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total = total.saturating_add(seconds(count, unit)?);
        rest = tail;
    }
    (!value.trim().is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], expect: Option<Duration>) {
        // Sun, 06 Nov 1994 08:49:00 GMT
        let now = Timestamp::from_micros(784_111_740 * 1_000_000);
        let lookup = |name: &'static str| headers.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        assert_eq!(retry_after(&lookup, now), expect, "{headers:?}");
    }

    #[test]
    fn every_form_of_waiting_is_read() {
        let secs = |secs| Some(Duration::from_secs(secs));
        check(&[], None);
        check(&[("retry-after", "7")], secs(7));
        check(&[("retry-after", "0.25")], Some(Duration::from_millis(250)));
        check(&[("retry-after-ms", "1500"), ("retry-after", "9")], Some(Duration::from_millis(1500)));
        check(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], secs(37));
        check(&[("retry-after", "Sun, 06 Nov 1994 08:48:37 GMT")], secs(0));
        check(&[("retry-after", "Thu, 29 Feb 2024 00:00:00 GMT")], secs(86_400));
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "-3")], None);
        check(&[("retry-after", "NaN")], None);
        check(&[("retry-after", "1e300")], secs(86_400));
        check(&[("retry-after", "Sun, 99 Nov 1994 08:49:37 GMT")], None);
        let both = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ];
        check(&both, secs(360));
        check(&[("x-ratelimit-remaining-tokens", "5"), ("x-ratelimit-reset-tokens", "6m0s")], None);
    }
}
