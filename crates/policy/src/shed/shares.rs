//! Whom to refuse first among equals: tenants that have got more than their share lately. Without it a line through
//! places that are hashes of names serves some tenants wholly and others not at all.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::number::{float, small};

/// Tenants that are told apart; two with the same hash below this count as one.
const TENANTS: usize = 1_024;
/// What one call counts.
const CALL: u32 = 256;
/// Places for how much a tenant has got, and for luck or the user's own place within.
const BASES: f64 = 48.0;
const LUCK: u64 = 16;
/// Places for each doubling of what it has got.
const STEEP: f64 = 32.0;

/// What each tenant has got of late: each window an eighth is forgotten.
#[derive(Debug)]
pub(super) struct Shares {
    got: Box<[AtomicU32]>,
    /// What those that got anything have got on average; 0: fewer than two did.
    fair: AtomicU32,
}

impl Shares {
    pub(super) fn new() -> Self {
        Self { got: (0..TENANTS).map(|_| AtomicU32::new(0)).collect(), fair: AtomicU32::new(0) }
    }

    /// The place of a call of `tenant` whose user has the place `own`; the lower, the sooner it is refused.
    pub(super) fn place(&self, tenant: u64, own: u64) -> u64 {
        let fair = self.fair.load(Ordering::Relaxed);
        if fair == 0 {
            return own;
        }
        let got = self.of(tenant).map_or(0, |got| got.load(Ordering::Relaxed)).max(1);
        let over = (float(u64::from(got)) / float(u64::from(fair))).log2();
        let base = STEEP.mul_add(-over, BASES / 2.0).clamp(0.0, BASES);
        u64::from(small(base)) + own % LUCK
    }

    /// A call of `tenant` was taken.
    pub(super) fn took(&self, tenant: u64) {
        if let Some(got) = self.of(tenant) {
            got.fetch_add(CALL, Ordering::Relaxed);
        }
    }

    /// A window is over.
    pub(super) fn turn(&self) {
        let (mut sum, mut tenants) = (0_u64, 0_u64);
        for got in &self.got {
            let before = got.load(Ordering::Relaxed);
            if before == 0 {
                continue;
            }
            // What is taken meanwhile is not lost; what is less than a quarter of a call is.
            let left = before - before.div_ceil(8);
            let left = if left < CALL / 4 { 0 } else { left };
            got.fetch_sub(before - left, Ordering::Relaxed);
            if left > 0 {
                (sum, tenants) = (sum + u64::from(left), tenants + 1);
            }
        }
        let fair = if tenants < 2 { 0 } else { sum / tenants };
        self.fair.store(u32::try_from(fair).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    fn of(&self, tenant: u64) -> Option<&AtomicU32> {
        // The upper bits, which a weak hash mixes better.
        self.got.get(usize::try_from((tenant ^ tenant >> 32) % TENANTS as u64).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_got_more_stands_lower() {
        let shares = Shares::new();
        assert_eq!(shares.place(1, 60), 60, "nobody has got anything yet");
        for call in 0..12 {
            shares.took(1);
            if call % 4 == 0 {
                shares.took(2);
                shares.took(3);
            }
        }
        shares.turn();
        let place = |tenant| shares.place(tenant, 0);
        assert!(
            place(1) < place(2) && place(2) == place(3) && place(3) <= place(4),
            "{} {}",
            place(1),
            place(2)
        );
        assert_eq!(shares.place(4, u64::MAX), 63, "the highest place there is");
        for _ in 0..60 {
            shares.turn();
        }
        assert_eq!(shares.place(1, 60), 60, "all is forgotten");
    }
}
