//! Durations and sizes as people write them.

use std::time::Duration;

/// Nanoseconds in each unit of time.
const TIME: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Bytes in each unit of size: `KB` is 1,000 bytes (SI), `KiB` 1,024 (IEC 80000-13).
const SIZE: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Reads `500ms`, `30s`, `1.5h`, `1m30s`; units ns, us, ms, s, m, h, d. `None` if it is not that.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut nanos: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (name, tail) = tail.split_at(unit);
        let (_, scale) = TIME.iter().find(|(unit, _)| *unit == name.trim())?;
        nanos = nanos.checked_add(scaled(count, *scale)?)?;
        rest = tail;
    }
    Some(Duration::from_nanos(nanos))
}

/// Reads `64MB`, `1.5GiB`, `32 KB`, `1024` (bytes). `None` if it is not that.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let (_, scale) = SIZE.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()))?;
    scaled(count, *scale)
}

/// A decimal count times a whole scale, exactly; `None` if it is not whole or does not fit.
fn scaled(count: &str, scale: u64) -> Option<u64> {
    let (whole, part) = count.split_once('.').unwrap_or((count, ""));
    if whole.is_empty() || part.len() > 9 || (count.contains('.') && part.is_empty()) {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    if part.is_empty() {
        return Some(whole);
    }
    let power = 10_u128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let fraction = u128::from(part.parse::<u64>().ok()?) * u128::from(scale);
    if fraction % power != 0 {
        return None;
    }
    whole.checked_add(u64::try_from(fraction / power).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("1.5s", Some(1_500)),
            ("1m30s", Some(90_000)),
            ("0s", Some(0)),
            ("", None),
            ("30", None),
            ("s", None),
            ("-1s", None),
            ("1..5s", None),
            ("1.s", None),
            ("5 parsecs", None),
            ("99999999999h", None),
        ] {
            assert_eq!(parse_duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn reads_sizes() {
        for (text, bytes) in [
            ("64MB", Some(64_000_000)),
            ("32 KB", Some(32_000)),
            ("1KiB", Some(1024)),
            ("1.5kb", Some(1500)),
            ("1024", Some(1024)),
            ("0.5", None),
            ("MB", None),
            ("1TBD", None),
            ("", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }
}
