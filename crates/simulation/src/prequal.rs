//! Prequal (Wydrowski et al., NSDI 2024, arXiv 2312.10172), to be compared with: what `YouTube` balances with. Not part of
//! the product.
//!
//! Each query sends three probes to replicas drawn at random; their answers, requests in flight and the latency at that,
//! go into a pool. The hot-cold lexicographic rule chooses from it: a probe is hot whose requests in flight are above a
//! quantile of those seen lately; of the cold ones the quickest is taken, and if all are hot the one with the fewest
//! in flight. A probe is used a few times, gets older than a second never, and with each query one more goes: the
//! oldest and the worst by turns.
//!
//! It is given more than it would have: probes cost nothing, are answered at once, and know the provider's own line. The
//! paper leaves open how it turns away from who fails fast; here a failure counts as an answer after
//! five seconds, as it does in our own balance.

use std::collections::VecDeque;
use std::time::Duration;

use crate::dice::Dice;

/// Probes for each query.
const PROBES: usize = 3;
/// Probes that the pool holds: the paper's sixteen are for hundreds of replicas; half of them is what its rule for reuse
/// still has an answer to.
const POOL_OF_TEN: f64 = 0.5;
/// Probes that go with each query.
const REMOVED: f64 = 1.0;
/// The paper's δ.
const DELTA: f64 = 1.0;
/// Age at which a probe goes.
const OLD: Duration = Duration::from_secs(1);
/// The quantile of requests in flight from which on a replica is hot: 2^-0.25.
const HOT: f64 = 0.84;
/// Answers of which that quantile is taken.
const SEEN: usize = 128;

/// What a probe says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// Requests in flight.
    pub in_flight: usize,
    /// What requests have taken there of late with about so many in flight.
    pub latency: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    replica: usize,
    answer: Answer,
    at: Duration,
    uses: u32,
}

/// One client's balance.
#[derive(Debug)]
pub struct Prequal {
    replicas: usize,
    pool: Vec<Probe>,
    seen: VecDeque<usize>,
    dice: Dice,
    turn: bool,
}

impl Prequal {
    /// Over so many replicas.
    pub const fn new(replicas: usize, dice: Dice) -> Self {
        Self { replicas, pool: Vec::new(), seen: VecDeque::new(), dice, turn: false }
    }

    /// The replica for a query, and the probes that the query sends.
    pub fn choose(&mut self, now: Duration, ask: impl Fn(usize) -> Answer) -> usize {
        self.pool.retain(|probe| now.saturating_sub(probe.at) < OLD);
        let chosen = self.pick();
        self.remove();
        for replica in self.draw() {
            let answer = ask(replica);
            if self.seen.len() >= SEEN {
                self.seen.pop_front();
            }
            self.seen.push_back(answer.in_flight);
            if self.pool.len() >= self.capacity() {
                self.pool.remove(0);
            }
            self.pool.push(Probe { replica, answer, at: now, uses: 0 });
        }
        chosen
    }

    fn pick(&mut self) -> usize {
        // With fewer than two the pool says too little.
        if self.pool.len() < 2 {
            return self.dice.below(self.replicas);
        }
        let hot = self.hot();
        let key = |probe: &Probe| {
            let Answer { in_flight, latency } = probe.answer;
            if in_flight > hot { (true, in_flight, Duration::ZERO) } else { (false, 0, latency) }
        };
        let best = self.pool.iter().enumerate().min_by_key(|(_, probe)| key(probe)).map(|(at, _)| at);
        let most = self.reuse();
        let Some((at, probe)) = best.and_then(|at| Some((at, self.pool.get_mut(at)?))) else {
            return 0;
        };
        // What is sent there is in flight there.
        (probe.uses, probe.answer.in_flight) = (probe.uses + 1, probe.answer.in_flight + 1);
        let chosen = probe.replica;
        if probe.uses >= most {
            self.pool.remove(at);
        }
        chosen
    }

    /// How often a probe is used; a broken number by chance.
    fn reuse(&mut self) -> u32 {
        let (pool, replicas) = (count(self.capacity()), count(self.replicas));
        let often = (1.0 + DELTA) / ((1.0 - pool / replicas) * count(PROBES) - REMOVED);
        let chance = self.dice.unit();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
        let often = (often.max(1.0) + chance).floor() as u32;
        often
    }

    /// The oldest and the worst by turns.
    fn remove(&mut self) {
        if self.pool.is_empty() {
            return;
        }
        self.turn = !self.turn;
        if self.turn {
            self.pool.remove(0);
            return;
        }
        let hot = self.hot();
        let key = |probe: &Probe| {
            let Answer { in_flight, latency } = probe.answer;
            if in_flight > hot { (true, in_flight, Duration::ZERO) } else { (false, 0, latency) }
        };
        let worst = self.pool.iter().enumerate().max_by_key(|(_, probe)| key(probe)).map(|(at, _)| at);
        worst.map(|at| self.pool.remove(at));
    }

    /// Different replicas, drawn at random.
    fn draw(&mut self) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.replicas).collect();
        let mut drawn = Vec::with_capacity(PROBES);
        while drawn.len() < PROBES && !all.is_empty() {
            let at = self.dice.below(all.len());
            drawn.push(all.swap_remove(at));
        }
        drawn
    }

    /// Requests in flight above which a replica is hot.
    fn hot(&self) -> usize {
        let mut seen: Vec<usize> = self.seen.iter().copied().collect();
        seen.sort_unstable();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
        let at = (count(seen.len()) * HOT).ceil() as usize;
        seen.get(at.saturating_sub(1)).copied().unwrap_or(usize::MAX)
    }

    fn capacity(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
        let pool = (count(self.replicas) * POOL_OF_TEN) as usize;
        pool.clamp(2, 16)
    }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_one_among_the_cold_and_the_least_busy_among_the_hot() {
        let mut prequal = Prequal::new(10, Dice::new(1, 1));
        let millis = Duration::from_millis;
        prequal.seen = (0..100).collect();
        let probe = |replica, in_flight, latency| Probe {
            replica,
            answer: Answer { in_flight, latency: millis(latency) },
            at: millis(0),
            uses: 0,
        };
        prequal.pool = vec![probe(1, 90, 1), probe(2, 10, 30), probe(3, 80, 20)];
        assert_eq!(prequal.hot(), 83);
        assert_eq!(prequal.pick(), 3, "the quickest of those that are not hot");
        prequal.pool = vec![probe(1, 95, 9), probe(2, 90, 30), probe(3, 99, 2)];
        assert_eq!(prequal.pick(), 2, "all are hot: the fewest in flight");
        prequal.pool.clear();
        assert!(prequal.pick() < 10);
    }

    #[test]
    fn a_slow_replica_is_left_alone_and_the_others_share() {
        let mut prequal = Prequal::new(10, Dice::new(2, 1));
        let mut given = [0_u32; 10];
        for query in 0..10_000 {
            let slow = |replica| if replica == 4 { 1_000 } else { 200 };
            let ask = |replica| Answer { in_flight: 3, latency: Duration::from_millis(slow(replica)) };
            given[prequal.choose(Duration::from_millis(query * 30), ask)] += 1;
        }
        assert!(given[4] < 100, "{given:?}");
        assert!(given.iter().enumerate().all(|(replica, count)| replica == 4 || *count > 500), "{given:?}");
    }
}
