//! The keeper of limits in Redis: the rules of `policy`, exact over every process that asks the same Redis.
//!
//! A take is one script: all tiers or none, by the clock of Redis, in one round trip. Settlements go in the
//! background, in batches. A reply that is lost leaves its units taken: never too much passes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use policy::limit::{Claim, Denial, MAX_RULES, Take};
use tokio::sync::{mpsc, oneshot};
use types::Moment;

use super::address::{NoAddress, Place};
use super::ask::{Asked, Call, Clock, Part, Taken};
use super::link::{Away, Job, Link, WAITING, tend};

/// How Redis is reached.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// `redis://[user:password@]host:port[/number]`, `rediss://` with TLS, `unix:///path`; or
    /// `redis+cluster://[user:password@]host:port,host:port…`, `rediss+cluster://` with TLS.
    pub address: &'a str,
    /// Certificates in PEM that are trusted with TLS in place of the public ones.
    pub authority: Option<&'a [u8]>,
    /// The longest that a call waits for it.
    pub patience: Duration,
    /// How long nobody asks it after it failed. A second, outside tests.
    pub rest: Duration,
}

impl std::fmt::Debug for Settings<'_> {
    /// Without the address: it may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl<'a> Settings<'a> {
    /// With a rest of a second.
    pub const fn new(address: &'a str, patience: Duration) -> Self {
        Self { address, authority: None, patience, rest: Duration::from_secs(1) }
    }

    /// Trusting these certificates, in PEM.
    #[must_use]
    pub const fn trusting(self, authority: Option<&'a [u8]>) -> Self {
        Self { authority, ..self }
    }
}

/// Limits in Redis. A clone is the same.
#[derive(Clone, Debug)]
pub struct RedisLimits {
    link: Arc<Link>,
    jobs: mpsc::Sender<Job>,
    clock: Clock,
}

impl RedisLimits {
    /// The keeper, and the task that connects it and sends settlements: spawn it. It ends when the keeper and
    /// all that was taken are gone. Until it has connected, Redis is away.
    pub fn new(
        settings: Settings<'_>,
    ) -> Result<(Self, impl Future<Output = ()> + Send + 'static), NoAddress> {
        let place = Place::of(settings.address, settings.authority)?;
        let link = Arc::new(Link::new(place, settings.patience, settings.rest));
        let (jobs, waiting) = mpsc::channel(WAITING);
        let task = tend(Arc::clone(&link), waiting);
        Ok((Self { link, jobs, clock: Clock::Redis }, task))
    }

    /// For tests: time is what callers say, not what the clock of Redis says.
    #[must_use]
    pub fn with_callers_clock(mut self) -> Self {
        self.clock = Clock::Caller;
        self
    }

    /// Whether it answered when it was last asked.
    pub fn is_there(&self) -> bool {
        self.link.is_there()
    }

    /// Waits until it is there (`true`) or away.
    pub async fn until(&self, there: bool) {
        self.link.until(there).await;
    }

    /// Waits until everything that was settled so far has been sent, or Redis is away.
    pub async fn flush(&self) {
        let (done, sent) = oneshot::channel();
        if self.is_there() && self.jobs.send(Job::Flush(done)).await.is_ok() {
            tokio::select! {
                _ = sent => {}
                () = self.until(false) => {}
            }
        }
    }

    /// Settlements that never reached it: their units stay taken as estimated.
    pub fn dropped(&self) -> u64 {
        self.link.dropped.load(Ordering::Relaxed)
    }

    /// Takes of every claim or of none. `rates` says where the adaptive rules of a claim are. `Away` says
    /// nothing about what was taken: perhaps it was, and then it stays taken.
    pub(super) async fn take(
        &self,
        take: &Take<'_>,
        rates: impl Fn(Claim<'_>) -> Option<[u64; MAX_RULES]>,
    ) -> Result<Result<Taken, Denial>, Away> {
        let parts = take.claims.iter().flatten().map(|claim| Part::new(*claim, rates(*claim)));
        let asked = Asked::new(take, parts.collect());
        let reply = self.link.run(&asked.call(self.clock, take.now)).await?;
        asked.answer(&reply).ok_or_else(|| self.link.misunderstood())
    }

    pub(super) fn settle(&self, taken: &Taken, tokens: u64, now: Moment) {
        self.shift(taken.settle(tokens, self.clock, now));
    }

    pub(super) fn cancel(&self, taken: &Taken, now: Moment) {
        self.shift(taken.cancel(self.clock, now));
    }

    fn shift(&self, call: Option<Call>) {
        let Some(call) = call else { return };
        if self.jobs.try_send(Job::Shift(call)).is_err() {
            self.link.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
