//! Priority load shedding (B9): where more calls come than are served, the least important are refused at once, so that
//! the others wait little. One [`Shedder`] watches one line: that of the calls that found no place at a deployment.
//! A call that finds a place is never shed, nor is anybody for what another deployment does.
//!
//! How long the line may be is reckoned in time, from how quickly it goes forward, so that it is right at ten calls a
//! second as at a thousand. A line that has stood only for a moment is a burst: it may be as long as
//! anybody may wait. One that does not go away is a standing line, which serves nobody: it is kept at the target
//! (`CoDel`, Nichols and Jacobson 2012; as a rule for servers: Maurer, "Fail at Scale", 2015). What is too much goes one by
//! one, as others come, so that the line is never emptied and no place stays free.
//!
//! Who goes is who ranks lowest of all in the line: by priority; then, the more its tenant has got of late beside others;
//! then by a place that its user keeps for an hour, so that some users are served well instead of all badly
//! (`WeChat`'s DAGOR, Zhou et al. 2018); then who came last. With 503 and `Retry-After`.

mod drain;
mod shares;

use std::time::Duration;

use types::{Moment, Priority};

use crate::limit::{Queue, Rank};
use crate::number::small;
use drain::Drain;
use shares::Shares;

/// Ranks within one priority.
const PLACES: u32 = 64;
/// The rank of a call that names no user: neither before nor behind those that do.
const NOBODY: u64 = 32;
/// So many may wait even where that takes longer: with fewer, a place would stay free now and then until somebody
/// comes.
const LEAST: f64 = 4.0;

/// When to shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long one should wait at most in a line that does not go away.
    pub target: Duration,
    /// A line that has stood for less is a burst, and may be as long as anybody may wait.
    pub patience: Duration,
    /// Whether critical calls are never shed.
    pub spare_critical: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { target: Duration::from_millis(500), patience: Duration::from_secs(2), spare_critical: true }
    }
}

/// A call that is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("overloaded: calls of this priority are not taken for now; try again in {} s", retry_after.as_secs())]
pub struct Shed {
    /// `Retry-After`, 1 to 8 s: the lower the rank, the longer.
    pub retry_after: Duration,
}

/// What one line is watched by. Asked only by calls that find no place.
#[derive(Debug)]
pub struct Shedder {
    settings: Settings,
    /// How long anybody may wait.
    longest: Duration,
    drain: Drain,
    shares: Shares,
    shed: u64,
}

impl Shedder {
    /// Of a line in which nobody waits longer than `longest`.
    pub fn new(settings: Settings, longest: Duration) -> Self {
        Self { settings, longest, drain: Drain::default(), shares: Shares::default(), shed: 0 }
    }

    /// The rank of a call of `tenant` (a hash of its name), where it has one. `user` is a hash of the user and of the
    /// hour, where one is named.
    pub fn rank(&mut self, priority: Priority, tenant: Option<u64>, user: Option<u64>, now: Moment) -> Rank {
        if priority == Priority::Critical && self.settings.spare_critical {
            return Rank::Spared;
        }
        let own = user.map_or(NOBODY, |user| user % u64::from(PLACES));
        let rank = match tenant {
            Some(tenant) => self.shares.rank(tenant, own, now),
            None => u8::try_from(own).unwrap_or(0),
        };
        Rank::At(rank)
    }

    /// One more waits in `queue`. If that is one too many, who ranks lowest is taken out.
    pub fn came<T>(&mut self, queue: &mut Queue<T>, now: Moment) -> Option<(T, Shed)> {
        self.drain.stands(queue.len(), now);
        if queue.len() <= self.room(now) {
            return None;
        }
        let (priority, rank, item) = queue.shed()?;
        self.shed += 1;
        let stays = queue.lowest().map_or(0, |(priority, rank, _)| height(priority, rank));
        let below = stays.saturating_sub(height(priority, rank)).min(4 * PLACES);
        let retry_after = Duration::from_secs(u64::from(1 + below * 7 / (4 * PLACES)));
        Some((item, Shed { retry_after }))
    }

    /// One of those who waited was served, a call of `tenant`; so many still wait.
    pub fn served(&mut self, tenant: Option<u64>, waiting: usize, now: Moment) {
        self.drain.served(now);
        self.drain.stands(waiting, now);
        if let Some(tenant) = tenant {
            self.shares.took(tenant, now);
        }
    }

    /// So many still wait: others have gone away.
    pub const fn left(&mut self, waiting: usize, now: Moment) {
        self.drain.stands(waiting, now);
    }

    /// How many may wait now.
    fn room(&self, now: Moment) -> usize {
        let Some(every) = self.drain.every(now) else { return usize::MAX };
        let stood = self.drain.since().map_or(Duration::ZERO, |since| now.since(since));
        let wait = if stood < self.settings.patience { self.longest } else { self.settings.target };
        let room = (wait.as_secs_f64() / every).max(LEAST);
        usize::try_from(small(room)).unwrap_or(usize::MAX)
    }

    /// Calls shed so far.
    pub const fn shed(&self) -> u64 {
        self.shed
    }
}

const fn height(priority: Priority, rank: u8) -> u32 {
    priority as u32 * PLACES + rank as u32
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "test figures are small")]
mod tests;
