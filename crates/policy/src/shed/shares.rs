//! Whom to refuse first among equals: tenants that have got more than their share lately. Without it those who come
//! most often find a line with room most often.

use std::time::Duration;

use types::Moment;

use crate::number::{float, small};

/// Tenants that are told apart; two with the same hash below this count as one.
const TENANTS: usize = 1_024;
/// What one call counts.
const CALL: u32 = 256;
/// After so long a sixteenth of it is forgotten …
const TURN: Duration = Duration::from_secs(1);
/// … and after so many of these everything.
const FORGOTTEN: u64 = 240;
/// Ranks for how much a tenant has got, and for the user's own place within.
const BASES: f64 = 48.0;
const OWN: u64 = 16;
/// Ranks for each doubling of what it has got.
const STEEP: f64 = 32.0;

/// What each tenant has got of one line of late.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// Empty until a tenant has got something.
    got: Vec<u32>,
    /// What those that got anything have got on average; 0: fewer than two did.
    fair: u32,
    turned: Moment,
}

impl Shares {
    /// The rank of a call of `tenant` whose user has the place `own` of 64; the lower, the sooner it goes.
    pub(super) fn rank(&mut self, tenant: u64, own: u64, now: Moment) -> u8 {
        self.turn(now);
        if self.fair == 0 {
            return rank(own);
        }
        let got = self.got.get(slot(tenant)).copied().unwrap_or(0).max(1);
        let over = (float(u64::from(got)) / f64::from(self.fair)).log2();
        let base = STEEP.mul_add(-over, BASES / 2.0).clamp(0.0, BASES - 1.0);
        rank(u64::from(small(base)) + own * OWN / u64::from(super::PLACES))
    }

    /// A call of `tenant` was served.
    pub(super) fn took(&mut self, tenant: u64, now: Moment) {
        self.turn(now);
        if self.got.is_empty() {
            self.got = vec![0; TENANTS];
        }
        if let Some(got) = self.got.get_mut(slot(tenant)) {
            *got = got.saturating_add(CALL);
        }
    }

    fn turn(&mut self, now: Moment) {
        let turns = u64::try_from(now.since(self.turned).as_nanos() / TURN.as_nanos()).unwrap_or(u64::MAX);
        if turns == 0 {
            return;
        }
        self.turned = now;
        if turns >= FORGOTTEN {
            self.got.fill(0);
        }
        for _ in 0..turns.min(FORGOTTEN) {
            self.forget();
        }
    }

    fn forget(&mut self) {
        let (mut sum, mut tenants) = (0_u64, 0_u64);
        for got in self.got.iter_mut().filter(|got| **got > 0) {
            let left = *got - got.div_ceil(16);
            // Less than a quarter of a call is nothing.
            *got = if left < CALL / 4 { 0 } else { left };
            (sum, tenants) = (sum + u64::from(*got), tenants + u64::from(*got > 0));
        }
        let fair = if tenants < 2 { 0 } else { sum / tenants };
        self.fair = u32::try_from(fair).unwrap_or(u32::MAX);
    }
}

fn rank(place: u64) -> u8 {
    u8::try_from(place.min(u64::from(super::PLACES) - 1)).unwrap_or(0)
}

fn slot(tenant: u64) -> usize {
    // The upper bits, which a weak hash mixes better.
    usize::try_from((tenant ^ tenant >> 32) % TENANTS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn who_has_got_more_ranks_lower() {
        let mut shares = Shares::default();
        assert_eq!(shares.rank(1, 60, at(1)), 60, "nobody has got anything yet");
        for call in 0..12 {
            shares.took(1, at(1));
            if call % 4 == 0 {
                shares.took(2, at(1));
                shares.took(3, at(1));
            }
        }
        let mut rank = |tenant, own| shares.rank(tenant, own, at(2));
        assert!(rank(1, 0) < rank(2, 0) && rank(2, 0) == rank(3, 0) && rank(3, 0) <= rank(4, 0));
        assert_eq!(rank(4, 63), 62, "near the highest that there is");
        assert!(rank(1, 63) < rank(2, 0), "a user's own place does not make up for the tenant's");
        assert_eq!(shares.rank(1, 60, at(4_000)), 60, "all of it is forgotten in time");
    }
}
