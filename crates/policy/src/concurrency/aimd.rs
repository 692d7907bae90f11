//! One more for each good answer near the limit, a tenth less for each round with a refusal.

use types::Moment;

/// The numbers of AIMD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aimd {
    /// What is left after a refusal.
    pub backoff: f64,
}

impl Default for Aimd {
    fn default() -> Self {
        Self { backoff: 0.9 }
    }
}

#[derive(Debug)]
pub(super) struct State {
    limit: f64,
    decreased: Option<Moment>,
}

impl State {
    pub(super) fn new(initial: u32) -> Self {
        Self { limit: f64::from(initial), decreased: None }
    }

    pub(super) fn answered(&mut self, busy: u32, (least, most): (f64, f64)) -> f64 {
        if f64::from(busy) * 2.0 >= self.limit {
            self.limit = (self.limit + 1.0).clamp(least, most);
        }
        self.limit
    }

    /// Calls that began before the last decrease have not felt it.
    pub(super) fn overloaded(
        &mut self,
        settings: Aimd,
        (started, now): (Moment, Moment),
        (least, most): (f64, f64),
    ) -> f64 {
        if self.decreased.is_none_or(|last| started >= last) {
            self.limit = (self.limit * settings.backoff.clamp(0.1, 0.99)).clamp(least, most);
            self.decreased = Some(now);
        }
        self.limit
    }
}
