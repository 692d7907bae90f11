//! How quickly a line goes forward, and since when it stands.

use types::Moment;

/// The weight of one who was served, once some were.
const WEIGHT: f64 = 1.0 / 16.0;

/// One line.
#[derive(Debug, Default)]
pub(super) struct Drain {
    /// Since when somebody waits without a break; `None`: nobody does.
    stands: Option<Moment>,
    /// When somebody was served last while others waited, or the line began.
    last: Moment,
    /// Mean seconds from one who is served to the next.
    every: f64,
    /// How many were served, up to those that the mean spans.
    seen: u32,
}

impl Drain {
    /// So many wait now.
    pub(super) const fn stands(&mut self, waiting: usize, now: Moment) {
        match (self.stands, waiting) {
            (_, 0) => self.stands = None,
            (None, _) => (self.stands, self.last) = (Some(now), now),
            (Some(_), _) => {}
        }
    }

    /// One of those who wait was served.
    pub(super) fn served(&mut self, now: Moment) {
        self.seen = (self.seen + 1).min(1 << 16);
        let weight = WEIGHT.max(1.0 / f64::from(self.seen));
        self.every += weight * (now.since(self.last).as_secs_f64() - self.every);
        self.last = now;
    }

    /// Since when the line stands.
    pub(super) const fn since(&self) -> Option<Moment> {
        self.stands
    }

    /// Seconds from one who is served to the next as it is now: longer, where the next is overdue. `None`: nobody has
    /// been served yet.
    pub(super) fn every(&self, now: Moment) -> Option<f64> {
        if self.seen == 0 {
            return None;
        }
        let overdue = now.since(self.last).as_secs_f64() - self.every;
        let overdue = if self.stands.is_some() { overdue.max(0.0) } else { 0.0 };
        Some(WEIGHT.mul_add(overdue, self.every).max(1e-9))
    }
}
