//! Percentiles and medians. Pure.

use serde::{Deserialize, Serialize};

/// Percentiles of a set of latencies, in microseconds.
#[expect(clippy::struct_field_names, reason = "the unit belongs in the name of what is written out")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}

impl Percentiles {
    /// Of latencies in nanoseconds, by the nearest-rank method; all zero when there are none.
    pub(crate) fn of(mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        let rank = |percent: usize| {
            let at = (nanos.len() * percent).div_ceil(100).saturating_sub(1);
            nanos.get(at).map_or(0.0, |n| micros(*n))
        };
        Self { p50_us: rank(50), p90_us: rank(90), p99_us: rank(99), max_us: rank(100) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^52 ns")]
pub(crate) fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

/// The middle value, or the mean of the two middle ones; `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => sorted.get(middle).copied(),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let p = Percentiles::of((1..=1000).rev().map(|n| n * 1000).collect());
        assert_eq!(p, Percentiles { p50_us: 500.0, p90_us: 900.0, p99_us: 990.0, max_us: 1000.0 });
        assert!((Percentiles::of(vec![7000]).p99_us - 7.0).abs() < f64::EPSILON);
        assert_eq!(Percentiles::of(vec![]), Percentiles::default());
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
