//! One deployment: its machines, and what becomes of what they say.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use config::overload::Concurrency;
use config::route::Breaker;
use policy::analysis::{Action, Forecast, Outlook, Seen};
use policy::attempt::Cause;
use policy::balance::{Endpoint, Settings};
use policy::breaker::{Change, Judge, Permit, Sample, State};
use policy::health::Health;
use policy::shed;
use telemetry::log::BreakerChange;
use telemetry::metrics::BreakerState;
use types::Moment;

use crate::health::Room;
use crate::health::deeds::{Deed, Deeds};
use crate::health::switch::{Switch, Switches};
use crate::ids;
use crate::overload::Places;

/// A weight of one, in the hundredths in which weights are kept so that a share can be taken of them.
pub(crate) const WEIGHT: u32 = 100;

/// One model at one provider.
#[derive(Debug)]
pub(crate) struct Deployment {
    provider: Arc<str>,
    model: Arc<str>,
    /// Breaker, latencies and outcomes.
    pub(crate) health: Health,
    /// What it owes, and how quick it is believed to be.
    pub(crate) endpoint: Arc<Endpoint>,
    /// How many calls it has at once.
    pub(crate) room: Room,
    /// Whether what it says of its own limits is obeyed.
    pub(crate) obey: bool,
    /// Its breakers: the health's own, and those of routes with numbers of their own.
    switches: Switches,
    /// The share of its weight that it gets, in hundredths.
    share: AtomicU32,
    /// There once a breaker wants it.
    trend: Mutex<Option<Trend>>,
    metrics: Arc<telemetry::metrics::Target>,
    /// What was done of itself.
    deeds: Deeds,
}

/// The forecast and the totals of a second ago.
#[derive(Debug)]
struct Trend {
    forecast: Forecast,
    before: (u64, u64),
}

impl Deployment {
    pub(super) fn new(
        (provider, model): (&Arc<str>, &Arc<str>),
        judge: &Arc<Judge>,
        (breaker, concurrency, shed): (Breaker, Concurrency, Option<shed::Settings>),
        (metrics, now): (&Arc<telemetry::metrics::Target>, Moment),
    ) -> Self {
        let id = ids::hash(provider.bytes().chain(*b"/").chain(model.bytes()));
        let health = Health::new(Arc::clone(judge));
        Self {
            switches: Switches::new(&health.breaker, breaker),
            health,
            endpoint: Arc::new(Endpoint::new(id, WEIGHT, Settings::default(), now)),
            room: Room::new(concurrency, shed),
            obey: concurrency.obey,
            share: AtomicU32::new(WEIGHT),
            trend: Mutex::default(),
            metrics: Arc::clone(metrics),
            deeds: Deeds::default(),
            provider: Arc::clone(provider),
            model: Arc::clone(model),
        }
    }

    /// The breaker by the defaults.
    pub(crate) const fn usual(&self) -> &Arc<Switch> {
        self.switches.usual()
    }

    /// The breaker by the numbers of a route.
    pub(super) fn switch(&self, route: &str, settings: &Breaker, judge: &Arc<Judge>) -> Arc<Switch> {
        self.switches.of(route, settings, judge)
    }

    /// Forgets breakers with numbers that no route has any more.
    pub(super) fn keep(&self, wanted: &[Breaker]) {
        self.switches.keep(wanted);
    }

    /// What came of an attempt, told to every breaker as it is by its numbers. `permit` is that of `own`.
    pub(crate) fn settle(
        &self,
        own: &Switch,
        permit: Option<Permit>,
        sample: impl Fn(&Switch) -> Sample,
        now: Moment,
    ) {
        let change = own.settle(permit, sample(own), now, ids::seed());
        self.changed(own, change, now);
        self.switches.each(|other| {
            if !std::ptr::eq(other, own) {
                let change = other.settle(None, sample(other), now, ids::seed());
                self.changed(other, change, now);
            }
        });
    }

    /// Tells a change of a breaker, if there was one.
    pub(crate) fn changed(&self, switch: &Switch, change: Option<Change>, now: Moment) {
        let Some(change) = change else { return };
        self.metrics.breaker_changed(told(change.to));
        self.metrics.set_breaker(self.worst(now));
        if change.to == State::Closed {
            self.endpoint.renew(now);
        }
        let deed = format!("breaker {} → {}", change.from.as_str(), change.to.as_str());
        self.deeds.note(now, deed, &change.why);
        let told = BreakerChange {
            provider: &self.provider,
            model: &self.model,
            route: switch.route(),
            from: change.from.as_str(),
            to: change.to.as_str(),
            worse: change.to == State::Open,
            wait: change.until.map(|until| until.since(now)),
        };
        telemetry::log::breaker_changed(&told, &change.why);
    }

    /// What the breaker does that lets the fewest calls through.
    fn worst(&self, now: Moment) -> BreakerState {
        let mut worst = BreakerState::Closed;
        self.switches.each(|switch| worst = worst.max(told(switch.breaker.state(now))));
        worst
    }

    /// `weight` as it is at the moment: less where trouble is foreseen.
    pub(crate) fn weighed(&self, weight: u32) -> u32 {
        weight.saturating_mul(self.share.load(Ordering::Relaxed))
    }

    /// An attempt is over; with a cause if it failed.
    pub(crate) fn ended(&self, now: Moment, cause: Option<Cause>) {
        self.health.tally.record(now, cause);
        if let Some(cause) = cause {
            self.metrics.failed(cause.as_str());
        }
    }

    /// The provider, and its name of the model.
    pub(crate) const fn names(&self) -> (&Arc<str>, &Arc<str>) {
        (&self.provider, &self.model)
    }

    /// What was done of itself lately, the oldest first.
    pub(crate) fn deeds(&self) -> Vec<Deed> {
        self.deeds.all()
    }

    /// How many calls it has.
    pub(crate) fn places(&self) -> Places {
        let limiter = self.room.limiter();
        Places {
            provider: Arc::clone(&self.provider),
            model: Arc::clone(&self.model),
            limit: limiter.limit(),
            running: limiter.in_flight(),
            waiting: self.room.waiting(),
            refused: limiter.refused(),
            shed: self.room.shed(),
        }
    }

    /// A second has passed.
    pub(super) fn tick(&self, now: Moment) {
        self.metrics.set_breaker(self.worst(now));
        let mut foresees = false;
        self.switches.each(|switch| foresees |= switch.settings().forecast);
        if !foresees {
            return;
        }
        let mut trend = self.trend.lock().unwrap_or_else(PoisonError::into_inner);
        let trend_now = trend.get_or_insert_with(|| {
            let shift_at = self.usual().settings().settings.threshold;
            let outlook = Outlook { shift_at, ..Outlook::default() };
            Trend { forecast: Forecast::new(outlook), before: (0, 0) }
        });
        let (attempts, failures) = self.health.tally.totals();
        let seen = Seen {
            attempts: attempts.saturating_sub(trend_now.before.0),
            failures: failures.saturating_sub(trend_now.before.1),
            p95: self.health.first_token.quantiles(now).p95(),
        };
        trend_now.before = (attempts, failures);
        let prediction = trend_now.forecast.tick(now, seen);
        drop(trend);
        let Some(prediction) = prediction else { return };
        match prediction.action {
            Action::OpenEarly => self.switches.each(|switch| {
                let settings = switch.settings();
                if settings.enabled && settings.forecast {
                    let change = switch.breaker.open_early(now, ids::seed(), prediction.sign);
                    if change.is_some() {
                        self.metrics.foreseen();
                    }
                    self.changed(switch, change, now);
                }
            }),
            // The weights are everybody's.
            Action::ShiftWeight(_) if !self.usual().settings().forecast => {}
            Action::ShiftWeight(share) => {
                let hundredths = hundredths(share);
                self.share.store(hundredths, Ordering::Relaxed);
                self.endpoint.set_weight(hundredths);
                self.metrics.foreseen();
                let action = format_args!("weight {hundredths} %").to_string();
                self.deeds.note(now, action.clone(), &prediction.sign);
                telemetry::log::foreseen(&self.provider, &self.model, &action, &prediction.sign);
            }
        }
    }
}

const fn told(state: State) -> BreakerState {
    match state {
        State::Closed => BreakerState::Closed,
        State::Open => BreakerState::Open,
        State::HalfOpen => BreakerState::HalfOpen,
        State::Ramping => BreakerState::Ramping,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is 0.1 to 1")]
fn hundredths(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * f64::from(WEIGHT)).round() as u32
}
