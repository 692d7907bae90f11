//! Priority load shedding (B9): when calls wait too long, the least important are refused at once, so that the
//! others are served. After `WeChat`'s DAGOR (Zhou et al. 2018) and Google's SRE book.
//!
//! Every call has a rank: its priority, and within it a place: the lower, the more its tenant has got of late beside
//! others, so that all tenants get as much; and within that a place that its user keeps for an hour, so that some
//! users are served well instead of all badly. Calls below the line are refused with 503 and `Retry-After`.
//! Once a window the line moves: overloaded, up until 5 % fewer of what came would pass; well again, down for
//! 1 % more. Between the two marks it stays.

mod shares;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use types::{Moment, Priority};

use crate::number::nanos;
use shares::Shares;

/// Places within one priority.
const PLACES: u32 = 64;
/// Ranks in all.
const RANKS: usize = 4 * PLACES as usize;

/// Calls that a window should have …
const ENOUGH: u32 = 40;
/// … for which it waits so many times its length more.
const PATIENCE: u64 = 3;

/// When to shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A mean wait over this is overload.
    pub overloaded: Duration,
    /// Only a mean wait under this is well again.
    pub well: Duration,
    /// How often the line moves.
    pub window: Duration,
    /// … or after so many calls, if that is sooner.
    pub calls: u32,
    /// Whether critical calls may be shed too, when everything else is.
    pub spare_critical: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            overloaded: Duration::from_millis(500),
            well: Duration::from_millis(100),
            window: Duration::from_secs(1),
            calls: 2_000,
            spare_critical: true,
        }
    }
}

/// A call that is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("overloaded: calls of this priority are not taken for now; try again in {} s", retry_after.as_secs())]
pub struct Shed {
    /// `Retry-After`: the lower the rank, the longer.
    pub retry_after: Duration,
}

/// The line and what it is moved by.
#[derive(Debug)]
pub struct Shedder {
    settings: Settings,
    /// Ranks below this are refused.
    line: AtomicU32,
    came: [AtomicU32; RANKS],
    total: AtomicU32,
    waited: AtomicU64,
    waits: AtomicU32,
    /// Something was refused for want of room in this window.
    full: AtomicBool,
    ends: AtomicU64,
    shed: AtomicU64,
    shares: Shares,
}

impl Shedder {
    /// A shedder that lets everything pass.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            line: AtomicU32::new(0),
            came: [const { AtomicU32::new(0) }; RANKS],
            total: AtomicU32::new(0),
            waited: AtomicU64::new(0),
            waits: AtomicU32::new(0),
            full: AtomicBool::new(false),
            ends: AtomicU64::new(0),
            shed: AtomicU64::new(0),
            shares: Shares::new(),
        }
    }

    /// As [`Shedder::admit`], for a call of `tenant` (a hash of its name), with the place that it has for that.
    pub fn admit_fairly(&self, priority: Priority, tenant: u64, place: u64, now: Moment) -> Result<(), Shed> {
        self.admit(priority, self.shares.place(tenant, place), now)?;
        self.shares.took(tenant);
        Ok(())
    }

    /// Whether a call passes. `place` is a hash of its user and of the hour, or random where there is none.
    pub fn admit(&self, priority: Priority, place: u64, now: Moment) -> Result<(), Shed> {
        let place = u32::try_from(place % u64::from(PLACES)).unwrap_or(0);
        let rank = priority as u32 * PLACES + place;
        if let Some(count) = self.came.get(rank as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let total = self.total.fetch_add(1, Ordering::Relaxed);
        self.turn(total, now);
        let line = self.line.load(Ordering::Relaxed);
        if rank >= line {
            return Ok(());
        }
        self.shed.fetch_add(1, Ordering::Relaxed);
        // From one to eight windows, by how far it is below the line.
        let windows = 1 + (line - rank) * 7 / 256;
        Err(Shed { retry_after: (self.settings.window * windows).max(Duration::from_secs(1)) })
    }

    /// An admitted call waited this long before it was sent.
    pub fn waited(&self, wait: Duration) {
        self.waited.fetch_add(nanos(wait), Ordering::Relaxed);
        self.waits.fetch_add(1, Ordering::Relaxed);
    }

    /// An admitted call found no room or waited in vain: overload, whatever the others say.
    pub fn refused(&self) {
        self.full.store(true, Ordering::Relaxed);
    }

    /// The lowest priority of which anything passes.
    pub fn lowest(&self) -> Priority {
        match self.line.load(Ordering::Relaxed) / PLACES {
            0 => Priority::Low,
            1 => Priority::Normal,
            2 => Priority::High,
            _ => Priority::Critical,
        }
    }

    /// Calls shed so far.
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// Moves the line if the window is over; one caller does it, nobody waits for it.
    fn turn(&self, total: u32, now: Moment) {
        let ends = self.ends.load(Ordering::Relaxed);
        // Of a few calls one is many percent: they are given time to become more.
        let ends_by = if ends > 0 && total < ENOUGH {
            ends.saturating_add(nanos(self.settings.window) * PATIENCE)
        } else {
            ends
        };
        if now.as_nanos() < ends_by && total < self.settings.calls {
            return;
        }
        let next = (now + self.settings.window).as_nanos();
        if self.ends.compare_exchange(ends, next, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return;
        }
        self.total.store(0, Ordering::Relaxed);
        self.shares.turn();
        let counts = std::array::from_fn(|rank| self.came[rank].swap(0, Ordering::Relaxed));
        let waits = self.waits.swap(0, Ordering::Relaxed);
        let waited = self.waited.swap(0, Ordering::Relaxed);
        let mean = Duration::from_nanos(waited / u64::from(waits.max(1)));
        let full = self.full.swap(false, Ordering::Relaxed);
        if ends == 0 {
            return;
        }
        let line = self.line.load(Ordering::Relaxed);
        let moved = if full || mean > self.settings.overloaded {
            self.raise(line, &counts)
        } else if mean < self.settings.well {
            lower(line, &counts)
        } else {
            line
        };
        self.line.store(moved, Ordering::Relaxed);
    }

    /// Up until at least 5 % of what passed, and one call, would not have.
    fn raise(&self, line: u32, counts: &[u32; RANKS]) -> u32 {
        let top = if self.settings.spare_critical { 3 * PLACES } else { 4 * PLACES - 1 };
        let passed: u32 = counts.iter().skip(line as usize).sum();
        let mut fewer = (passed / 20).max(1);
        let mut moved = line;
        while moved < top && fewer > 0 {
            fewer = fewer.saturating_sub(counts.get(moved as usize).copied().unwrap_or(0));
            moved += 1;
        }
        moved
    }
}

/// Down until 1 % more, and at least one call, would have passed; all the way if nobody is below.
fn lower(line: u32, counts: &[u32; RANKS]) -> u32 {
    let passed: u32 = counts.iter().skip(line as usize).sum();
    let mut more = (passed / 100).max(1);
    let mut moved = line;
    while moved > 0 && more > 0 {
        moved -= 1;
        more = more.saturating_sub(counts.get(moved as usize).copied().unwrap_or(0));
    }
    moved
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    const LADDER: [Priority; 4] = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];

    struct Random(u64);

    impl Random {
        fn draw(&mut self) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.0 >> 33
        }
    }

    /// A server of 100 calls a second in front of which calls wait, `rate` of them coming a second.
    fn simulate(shedder: &Shedder, (rate, from, until): (u64, u64, u64), backlog: &mut f64) -> [[u32; 2]; 4] {
        let mut random = Random(rate + from);
        let mut seen = [[0; 2]; 4];
        for tick in from * 100..until * 100 {
            let now = at(tick * 10);
            *backlog = (*backlog - 1.0).max(0.0);
            for _ in 0..rate / 100 + u64::from(random.draw() % 100 < rate % 100) {
                let which = (random.draw() % 4) as usize;
                let admitted = shedder.admit(LADDER[which], random.draw(), now).is_ok();
                seen[which][usize::from(admitted)] += 1;
                if admitted {
                    shedder.waited(Duration::from_secs_f64(*backlog / 100.0));
                    *backlog += 1.0;
                }
            }
        }
        seen
    }

    #[test]
    fn twice_too_much_serves_the_important_half_and_recovers() {
        let shedder = Shedder::new(Settings::default());
        let mut backlog = 0.0;
        let calm = simulate(&shedder, (60, 0, 60), &mut backlog);
        assert_eq!(calm.map(|seen| seen[0]), [0; 4], "nothing is shed without need");
        simulate(&shedder, (200, 60, 120), &mut backlog);
        let seen = simulate(&shedder, (200, 120, 240), &mut backlog);
        let part = |which: usize| f64::from(seen[which][1]) / f64::from(seen[which][0] + seen[which][1]);
        println!(
            "passed by priority: {:?}; backlog {:.1} s",
            LADDER.map(|p| part(p as usize)),
            backlog / 100.0
        );
        assert!(part(3) > 0.999 && part(2) > 0.9 && part(0) < 0.05);
        let served = seen.iter().map(|seen| seen[1]).sum::<u32>();
        assert!(served >= 11_400, "95 % of the capacity: {served}");
        assert!(backlog < 150.0, "{backlog}");
        simulate(&shedder, (60, 240, 400), &mut backlog);
        let after = simulate(&shedder, (60, 400, 420), &mut backlog);
        assert_eq!(after.map(|seen| seen[0]), [0; 4], "and it takes everything again");
    }

    proptest! {
        /// Whatever happens: a rank that passes means that every higher one passes.
        #[test]
        fn a_higher_rank_never_fares_worse(
            steps in prop::collection::vec((0_usize..4, any::<u64>(), 0_u64..800, 0_u64..2_000), 1..400),
        ) {
            let shedder = Shedder::new(Settings { calls: 10, ..Settings::default() });
            let mut now = 0;
            for (priority, place, pause, wait) in steps {
                now += pause;
                let admitted = shedder.admit(LADDER[priority], place, at(now)).is_ok();
                let line = shedder.line.load(Ordering::Relaxed);
                let rank = u32::try_from(priority).unwrap() * PLACES + (place % 64) as u32;
                prop_assert_eq!(admitted, rank >= line);
                prop_assert!(priority != 3 || admitted, "critical ones are spared");
                shedder.waited(Duration::from_millis(wait));
            }
        }
    }
}
