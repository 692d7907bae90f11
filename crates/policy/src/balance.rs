//! Which of several deployments of one model is asked (B10): in turn, by weight, by what is outstanding, or the
//! better of two random ones by time to first token; and by prefix, where a provider keeps the beginnings of
//! prompts.
//!
//! The caller brings the candidates, already without those whose breaker is open, and random bits. No lock,
//! no allocation; only [`Kind::LeastOutstanding`], [`Kind::Weighted`] and [`affine`] look at all candidates.

mod endpoint;

use std::borrow::Borrow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use types::Moment;

pub use endpoint::{Endpoint, Outstanding, Settings};

/// How to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// One after the other.
    RoundRobin,
    /// As often as its weight says, evenly spread (nginx's smooth weighted round robin).
    Weighted,
    /// The one with the fewest predicted tokens outstanding for its weight.
    LeastOutstanding,
    /// Two at random, and of these the one with the lower peak-EWMA of the time to first token, times what is
    /// outstanding (Finagle, linkerd).
    #[default]
    PowerOfTwo,
}

/// One pool's choice.
#[derive(Debug, Default)]
pub struct Balance {
    kind: Kind,
    turn: AtomicUsize,
    /// The load that winners of two usually have, and their time to first token: the bits of two `f32`. A lost update does
    /// no harm.
    usual: AtomicU64,
}

/// One with more load than the usual winner is busy, and one that takes more time slow, by this factor: taken only where
/// others are too.
const POOR: f64 = 2.0;
/// Draws at most.
const DRAWS: usize = 3;

impl Balance {
    /// A choice of this kind.
    pub const fn new(kind: Kind) -> Self {
        Self { kind, turn: AtomicUsize::new(0), usual: AtomicU64::new(0) }
    }

    /// The index of the one to ask; `None` only if there is none. `random` is 64 uniform bits; `tokens` what
    /// the call will likely take.
    pub fn pick<E: Borrow<Endpoint>>(
        &self,
        among: &[E],
        tokens: u64,
        random: u64,
        now: Moment,
    ) -> Option<usize> {
        let turn = || self.turn.fetch_add(1, Ordering::Relaxed);
        match (self.kind, among) {
            (_, []) => None,
            (_, [_]) => Some(0),
            (Kind::RoundRobin, _) => Some(turn() % among.len()),
            (Kind::Weighted, _) => weighted(among),
            (Kind::LeastOutstanding, _) => least(among, random),
            (Kind::PowerOfTwo, _) => self.better_of_two(among, tokens, random, now),
        }
    }

    /// Of ten members of which two are bad, one pair in 45 is both of them: two in a hundred calls, enough to
    /// be the p99. So a pair whose better one is slow or busy is drawn anew. And who is slow has little to do, because
    /// little is sent there, so that its load looks good beside a busy one's, most of all in a burst, when all others are
    /// busy: so whether one is slow comes before whether it is busy, and this before the load, much as Prequal's rule puts
    /// hot and cold before latency. Should the others be too busy to be quick, what is usual grows with them, and who was
    /// slow is so no more.
    fn better_of_two<E: Borrow<Endpoint>>(
        &self,
        among: &[E],
        tokens: u64,
        mut random: u64,
        now: Moment,
    ) -> Option<usize> {
        let (usual_load, usual_time) = halves(self.usual.load(Ordering::Relaxed));
        let look = |at: usize| {
            let endpoint = among.get(at)?.borrow();
            let (load, time) = (endpoint.load(tokens, now), endpoint.seconds(now));
            Some(Look { slow: time > usual_time * POOR, busy: load > usual_load * POOR, load, time, at })
        };
        let mut best: Option<Look> = None;
        for _ in 0..DRAWS {
            let (one, two) = two_of(among.len(), random);
            // Equal: the one drawn first, which is chance.
            let (first, second) = (look(one)?, look(two)?);
            let winner = if second.before(&first) { second } else { first };
            if best.is_none_or(|best| winner.before(&best)) {
                best = Some(winner);
            }
            if best.is_some_and(|best| !best.slow && !best.busy) {
                break;
            }
            random = mix(random.wrapping_add(0x9E37_79B9_7F4A_7C15));
        }
        let Look { load, time, at, .. } = best?;
        let next = |usual: f64, seen: f64| if usual == 0.0 { seen } else { usual + (seen - usual) / 32.0 };
        self.usual.store(word(next(usual_load, load), next(usual_time, time)), Ordering::Relaxed);
        Some(at)
    }
}

/// One of those that were drawn.
#[derive(Clone, Copy, Debug)]
struct Look {
    slow: bool,
    busy: bool,
    load: f64,
    time: f64,
    at: usize,
}

impl Look {
    fn before(&self, other: &Self) -> bool {
        (self.slow, self.busy, self.load) < (other.slow, other.busy, other.load)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "seven digits are enough, and these are the parts of a word"
)]
fn word(load: f64, time: f64) -> u64 {
    u64::from((load as f32).to_bits()) << 32 | u64::from((time as f32).to_bits())
}

#[expect(clippy::cast_possible_truncation, reason = "the parts of a word")]
fn halves(word: u64) -> (f64, f64) {
    (f32::from_bits((word >> 32) as u32).into(), f32::from_bits(word as u32).into())
}

/// Two different numbers below `of` (at least 2), each pair equally likely.
fn two_of(of: usize, random: u64) -> (usize, usize) {
    let below = |bits: u64, of: usize| {
        // The high half of the product maps 32 uniform bits onto 0..of.
        usize::try_from(((bits & 0xFFFF_FFFF) * of as u64) >> 32).unwrap_or(0)
    };
    let one = below(random, of);
    let two = below(random >> 32, of - 1);
    (one, if two >= one { two + 1 } else { two })
}

/// Every weight is added, the heaviest goes, and pays the sum. Racing callers may disturb the order, not the
/// shares.
fn weighted<E: Borrow<Endpoint>>(among: &[E]) -> Option<usize> {
    let mut sum = 0;
    let mut best: Option<(i64, usize)> = None;
    for (at, endpoint) in among.iter().enumerate() {
        let endpoint = endpoint.borrow();
        let weight = i64::from(endpoint.weight());
        sum += weight;
        let credit = endpoint.credit(weight);
        if weight > 0 && best.is_none_or(|(highest, _)| credit > highest) {
            best = Some((credit, at));
        }
    }
    let (_, at) = best?;
    among.get(at)?.borrow().credit(-sum);
    Some(at)
}

/// The least outstanding; of equals one by chance.
fn least<E: Borrow<Endpoint>>(among: &[E], random: u64) -> Option<usize> {
    let start = two_of(among.len(), random).0;
    let order = (start..among.len()).chain(0..start);
    let mut best: Option<(f64, usize)> = None;
    for at in order {
        let load = among.get(at)?.borrow().outstanding_for_weight();
        if best.is_none_or(|(lowest, _)| load < lowest) {
            best = Some((load, at));
        }
    }
    best.map(|(_, at)| at)
}

/// Calls over the bound that do not yet move a prefix: with few calls running, 1.25 times the mean is one call,
/// and every second one would leave its cache behind (77 % of the possible hits instead of 97 %).
const SLACK: u64 = 2;

/// The candidate that keeps this prefix (highest random weight, Thaler and Ravishankar 1998), unless it has
/// two calls more than 1.25 times the mean: then the next one in this prefix's own order (bounded loads,
/// Mirrokni et al. 2018). A candidate that leaves or comes moves only its own prefixes.
pub fn affine<E: Borrow<Endpoint>>(among: &[E], prefix: u64) -> Option<usize> {
    let running: u64 = among.iter().map(|endpoint| u64::from(endpoint.borrow().in_flight())).sum();
    let bound = SLACK + ((running + 1) * 5).div_ceil(4 * among.len().max(1) as u64);
    let mut best: Option<(u64, usize)> = None;
    for (at, endpoint) in among.iter().enumerate() {
        let endpoint = endpoint.borrow();
        let score = mix(prefix ^ mix(endpoint.id()));
        if u64::from(endpoint.in_flight()) < bound && best.is_none_or(|(highest, _)| score > highest) {
            best = Some((score, at));
        }
    }
    best.map(|(_, at)| at)
}

/// The finisher of `SplitMix64`.
const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "test figures are small")]
mod tests;
