//! What fails, where, how often, and what recurs (B16): worked out when somebody asks, from tallies that every
//! attempt feeds. Decides nothing; what was done of itself is told with its reason.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use policy::analysis::{self, Count, Metric, Pattern, Series};
use policy::attempt::Cause;
use types::Moment;
use upstream::clock;

use crate::health::Deployment;
use crate::{Engine, gauges};

/// Minutes that are looked back on.
const MINUTES: usize = 60;
/// Series that are searched for patterns: those with most failures.
const SERIES: usize = 512;
/// Patterns, models and actions that are told.
const TOLD: usize = 100;

/// Figures of this process, a minute at a time.
#[derive(Debug, Default)]
pub(crate) struct Figures(Mutex<VecDeque<Figure>>);

#[derive(Clone, Copy, Debug, Default)]
struct Figure {
    minute: u64,
    /// The most bytes of memory.
    memory: u64,
    /// The most calls under way.
    calls: usize,
    /// Seconds of processor time, and the whole use when the minute began.
    processor: f64,
    before: f64,
}

/// What fails, and what recurs.
#[derive(Clone, Debug)]
pub struct Errors {
    /// How far back the counts go.
    pub minutes: usize,
    /// Everything.
    pub all: Count,
    /// By class; those that did not happen are left out.
    pub by_class: Vec<(Cause, Count)>,
    /// By provider.
    pub by_provider: Vec<(Arc<str>, Count)>,
    /// By provider and model: those with most failures, at most a hundred.
    pub by_model: Vec<(Arc<str>, Arc<str>, Count)>,
    /// What came back or belongs together in the last hour.
    pub patterns: Vec<Recurring>,
    /// What was done of itself, the newest first.
    pub actions: Vec<Action>,
}

/// Something that recurs or belongs together.
#[derive(Clone, Debug)]
pub struct Recurring {
    /// `rhythm`, `provider`, `everywhere` or `follows`.
    pub kind: &'static str,
    /// In words.
    pub message: String,
}

/// Something that was done of itself.
#[derive(Clone, Debug)]
pub struct Action {
    /// How long ago.
    pub ago: Duration,
    /// The provider.
    pub provider: Arc<str>,
    /// Its model.
    pub model: Arc<str>,
    /// What was done.
    pub what: String,
    /// Why.
    pub why: String,
}

impl Figures {
    /// Takes a reading, once a second.
    pub(crate) fn read(&self, memory: u64, calls: usize, now: Moment) {
        let minute = minute(now);
        let used = gauges::processor().unwrap_or_default();
        let mut figures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if figures.back().is_none_or(|last| last.minute != minute) {
            if figures.len() >= MINUTES {
                figures.pop_front();
            }
            figures.push_back(Figure { minute, before: used, ..Figure::default() });
        }
        if let Some(last) = figures.back_mut() {
            last.memory = last.memory.max(memory);
            last.calls = last.calls.max(calls);
            last.processor = used - last.before;
        }
    }

    /// The last hour, the oldest minute first; a minute without a reading is 0.
    #[expect(clippy::cast_precision_loss, reason = "bytes and calls, for a correlation")]
    fn series(&self, now: Moment) -> [Metric<'static>; 3] {
        let figures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |name, value: fn(&Figure) -> f64| {
            let mut minutes = vec![0.0; MINUTES];
            for figure in &*figures {
                let age = minute(now).checked_sub(figure.minute).and_then(|age| usize::try_from(age).ok());
                let at = age.and_then(|age| (MINUTES - 1).checked_sub(age));
                if let Some(slot) = at.and_then(|at| minutes.get_mut(at)) {
                    *slot = value(figure);
                }
            }
            Metric { name, minutes }
        };
        [
            of("memory", |figure| figure.memory as f64),
            of("calls under way", |figure| figure.calls as f64),
            of("processor time", |figure| figure.processor),
        ]
    }
}

impl Engine {
    /// What failed in the last `minutes` (at most 60), what recurred in the last hour, and what was done about it.
    /// Takes milliseconds where many models fail: not for a thread that serves calls.
    pub fn errors(&self, minutes: usize) -> Errors {
        let now = clock::now();
        let minutes = minutes.clamp(1, MINUTES);
        let known = self.snapshot().deployments().all();
        let of = |at: &Arc<Deployment>| -> (Arc<str>, Arc<str>) {
            let (provider, model) = at.names();
            (Arc::clone(provider), Arc::clone(model))
        };
        let names: Vec<(Arc<str>, Arc<str>)> = known.iter().map(of).collect();
        let tallies = names.iter().zip(&known).map(|((provider, model), at)| analysis::Deployment {
            provider,
            model,
            tally: &at.health.tally,
        });
        let report = analysis::report(tallies, now, minutes);
        let mut by_model: Vec<_> = report
            .by_model
            .iter()
            .map(|((provider, model), count)| (Arc::from(*provider), Arc::from(*model), *count))
            .collect();
        by_model.sort_by_key(|(.., count): &(Arc<str>, Arc<str>, Count)| std::cmp::Reverse(count.failures));
        by_model.truncate(TOLD);
        Errors {
            minutes,
            all: report.all,
            by_class: report.by_class,
            by_provider: report.by_provider.iter().map(|(name, count)| (Arc::from(*name), *count)).collect(),
            by_model,
            patterns: recurring(&known, &self.0.figures, now),
            actions: actions(&known, now),
        }
    }
}

fn recurring(known: &[Arc<Deployment>], figures: &Figures, now: Moment) -> Vec<Recurring> {
    let mut series: Vec<(u64, Series<'_>)> = Vec::new();
    for at in known {
        let (provider, model) = at.names();
        for cause in Cause::ALL {
            let sum = at.health.tally.count(now, MINUTES, cause);
            if sum > 0 {
                let minutes = at.health.tally.series(now, cause);
                series.push((sum, Series { provider, model, cause, minutes }));
            }
        }
    }
    series.sort_by_key(|(sum, _)| std::cmp::Reverse(*sum));
    let series: Vec<_> = series.into_iter().take(SERIES).map(|(_, series)| series).collect();
    let told = |pattern: &Pattern<'_>| Recurring {
        kind: match pattern {
            Pattern::Rhythm { .. } => "rhythm",
            Pattern::Provider { .. } => "provider",
            Pattern::Everywhere { .. } => "everywhere",
            Pattern::Follows { .. } => "follows",
        },
        message: pattern.to_string(),
    };
    analysis::patterns(&series, &figures.series(now)).iter().take(TOLD).map(told).collect()
}

fn actions(known: &[Arc<Deployment>], now: Moment) -> Vec<Action> {
    let deeds = known.iter().flat_map(|at| at.deeds().into_iter().map(move |deed| (at, deed)));
    let mut actions: Vec<Action> = deeds
        .map(|(at, deed)| {
            let (provider, model) = at.names();
            Action {
                ago: now.since(deed.at),
                provider: Arc::clone(provider),
                model: Arc::clone(model),
                what: deed.what,
                why: deed.why,
            }
        })
        .collect();
    actions.sort_by_key(|action| action.ago);
    actions.truncate(TOLD);
    actions
}

const fn minute(now: Moment) -> u64 {
    now.as_nanos() / 60_000_000_000
}
