//! What a provider would say of itself to who asks: what its requests have taken of late, by how many there were.

use std::collections::VecDeque;
use std::time::Duration;

/// Requests that are remembered.
const KEPT: usize = 64;
/// Of these as many count: those with the nearest number in flight.
const NEAREST: usize = 9;

/// Requests that are over, or whose first token is out.
#[derive(Debug, Default)]
pub(super) struct Load(VecDeque<Sample>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    /// When it is known.
    at: Duration,
    in_flight: usize,
    took: Duration,
}

impl Load {
    /// A request that came when so many were in flight has its first token at `at`, after `took`.
    pub(super) fn took(&mut self, in_flight: usize, took: Duration, at: Duration) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Sample { at, in_flight, took });
    }

    /// The median of what is known at `now` of requests that came with about so many in flight; nothing of none.
    pub(super) fn latency(&self, in_flight: usize, now: Duration) -> Duration {
        let mut known: Vec<(usize, Duration)> = self
            .0
            .iter()
            .rev()
            .filter(|sample| sample.at <= now)
            .map(|sample| (sample.in_flight.abs_diff(in_flight), sample.took))
            .collect();
        // Stable: of the same distance the newest come first.
        known.sort_by_key(|(away, _)| *away);
        let mut times: Vec<Duration> = known.into_iter().take(NEAREST).map(|(_, took)| took).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_for_as_many_as_there_are() {
        let mut load = Load::default();
        assert_eq!(load.latency(3, Duration::ZERO), Duration::ZERO);
        for at in 0..20 {
            load.took(1, Duration::from_millis(200), Duration::from_secs(at));
            load.took(9, Duration::from_millis(900), Duration::from_secs(at));
        }
        assert_eq!(load.latency(2, Duration::from_secs(30)).as_millis(), 200);
        assert_eq!(load.latency(8, Duration::from_secs(30)).as_millis(), 900);
        load.took(8, Duration::from_millis(500), Duration::from_secs(31));
        assert_eq!(load.latency(8, Duration::from_secs(30)).as_millis(), 900, "what is not known yet");
    }
}
