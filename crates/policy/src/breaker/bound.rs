//! How many failures among `n` calls prove that the true rate lies above a threshold.
//!
//! Proof means: the lower bound of the rate, the `doubt` quantile of Beta(1 + f, 1 + s), is above the
//! threshold. That is so exactly where the distribution has less than `doubt` of its mass below the threshold,
//! so no quantile is ever inverted. The answers for small `n` are computed once, when settings are read; past
//! them the normal bound is close and always a little stricter.

/// Calls up to which the table is exact.
pub(super) const EXACT: usize = 256;

/// The least failures, in halves, that prove a rate above the threshold, for each number of calls.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    threshold: f64,
    /// The normal deviate of `doubt`: 1.645 for 5 %.
    deviate: f64,
    halves: Box<[u16]>,
}

impl Bound {
    /// `threshold` and `doubt` are shares, kept within 0.001 and 0.999.
    pub(super) fn new(threshold: f64, doubt: f64) -> Self {
        let threshold = threshold.clamp(0.001, 0.999);
        let doubt = doubt.clamp(1e-9, 0.5);
        let mut halves = Vec::with_capacity(EXACT + 1);
        let mut need = 0_u16;
        for calls in 0..=EXACT {
            // More calls never need fewer failures, so the search goes on where it stood.
            while need <= 2 * count(calls) && !proves(f64::from(need) / 2.0, calls, threshold, doubt) {
                need += 1;
            }
            halves.push(need);
        }
        Self { threshold, deviate: deviate(doubt), halves: halves.into_boxed_slice() }
    }

    /// Whether `halves` half failures among `calls` calls prove it.
    #[expect(clippy::cast_precision_loss, reason = "a window holds far fewer than 2^52 calls")]
    pub(super) fn proven(&self, halves: u64, calls: u64) -> bool {
        if let Some(need) = usize::try_from(calls).ok().and_then(|calls| self.halves.get(calls)) {
            return halves >= u64::from(*need);
        }
        let (n, t) = (calls as f64, self.threshold);
        let need =
            n * t + self.deviate * (n * t * (1.0 - t)).sqrt() + self.deviate * self.deviate / 2.0 + 1.0;
        halves as f64 / 2.0 >= need
    }
}

fn count(calls: usize) -> u16 {
    u16::try_from(calls).unwrap_or(u16::MAX)
}

fn proves(failures: f64, calls: usize, threshold: f64, doubt: f64) -> bool {
    let successes = f64::from(count(calls)) - failures;
    successes >= 0.0 && beta_below(1.0 + failures, 1.0 + successes, threshold) < doubt
}

/// The share of Beta(a, b) below `x`: the regularised incomplete beta function, by its continued fraction
/// (DLMF 8.17.22, evaluated by Lentz's method).
#[expect(clippy::many_single_char_names, reason = "the names of the formula")]
pub(super) fn beta_below(a: f64, b: f64, x: f64) -> f64 {
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_below(b, a, 1.0 - x);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    let tiny = 1e-300;
    let away = |value: f64| if value.abs() < tiny { tiny } else { value };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut result = d;
    for step in 1..300 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        result *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        result *= d * c;
        if (d * c - 1.0).abs() < 1e-12 {
            break;
        }
    }
    front * result
}

/// The logarithm of the gamma function for `x` ≥ 1: Stirling's series after shifting `x` up (DLMF 5.11.1).
fn ln_gamma(x: f64) -> f64 {
    let (mut shifted, mut product) = (x, 1.0);
    while shifted < 12.0 {
        product *= shifted;
        shifted += 1.0;
    }
    let inverse = 1.0 / shifted;
    let square = inverse * inverse;
    let series =
        inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1_260.0 - square / 1_680.0)));
    let half_ln_two_pi = 0.918_938_533_204_672_7;
    (shifted - 0.5) * shifted.ln() - shifted + half_ln_two_pi + series - f64::ln(product)
}

/// The normal deviate that is exceeded with probability `doubt` ≤ 0.5 (Abramowitz and Stegun 26.2.23; the
/// error is below 4.5e-4).
fn deviate(doubt: f64) -> f64 {
    let t = (-2.0 * doubt.ln()).sqrt();
    t - (2.515_517 + 0.802_853 * t + 0.010_328 * t * t)
        / (1.0 + 1.432_788 * t + 0.189_269 * t * t + 0.001_308 * t * t * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P(Bin(n, p) >= k), summed term by term.
    fn binomial_tail(n: u32, k: u32, p: f64) -> f64 {
        let mut term = (f64::from(n) * (1.0 - p).ln()).exp();
        let mut sum = if k == 0 { term } else { 0.0 };
        for i in 1..=n {
            term *= f64::from(n - i + 1) / f64::from(i) * p / (1.0 - p);
            if i >= k {
                sum += term;
            }
        }
        sum
    }

    #[test]
    fn the_incomplete_beta_is_a_binomial_tail() {
        for n in [1_u32, 5, 20, 60, 250] {
            for k in 1..=n {
                for p in [0.01, 0.1, 0.5, 0.8] {
                    let exact = binomial_tail(n, k, p);
                    let got = beta_below(f64::from(k), f64::from(n - k + 1), p);
                    assert!((exact - got).abs() < 1e-9, "n {n} k {k} p {p}: {exact} {got}");
                }
            }
        }
    }

    #[test]
    fn the_table_says_what_the_exact_bound_says() {
        for (threshold, doubt) in [(0.1, 0.05), (0.1, 0.01), (0.5, 0.05), (0.02, 0.05)] {
            let bound = Bound::new(threshold, doubt);
            for calls in 0..=EXACT {
                for halves in 0..=2 * count(calls) {
                    let exact = proves(f64::from(halves) / 2.0, calls, threshold, doubt);
                    let got = bound.proven(u64::from(halves), calls as u64);
                    assert_eq!(got, exact, "{halves}/2 of {calls}, threshold {threshold}");
                }
            }
        }
    }

    /// Past the table: never proven where the exact bound says no, and at most 1.5 % of the calls later.
    #[test]
    fn the_normal_bound_is_strict_and_near() {
        for (threshold, doubt) in [(0.1, 0.05), (0.1, 0.01), (0.5, 0.05), (0.02, 0.05)] {
            let bound = Bound::new(threshold, doubt);
            for calls in [257_u16, 400, 1_000, 5_000, 20_000] {
                let least = |proven: &dyn Fn(u16) -> bool| (0..=calls).find(|f| proven(*f)).unwrap();
                let exact = least(&|failures| {
                    let successes = f64::from(calls - failures);
                    beta_below(1.0 + f64::from(failures), 1.0 + successes, threshold) < doubt
                });
                let got = least(&|failures| bound.proven(2 * u64::from(failures), u64::from(calls)));
                assert!(got >= exact, "{calls} calls, threshold {threshold}: {got} before {exact}");
                assert!(
                    f64::from(got - exact) <= 0.015 * f64::from(calls),
                    "{calls}: {got} long after {exact}"
                );
            }
        }
    }
}
