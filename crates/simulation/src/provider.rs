//! What the scripted providers do: places and a line before them, times from a distribution, windows of trouble, limits
//! of their own. They live in this process and take their time from the driven clock.

mod answer;
mod gate;
mod load;
mod quota;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, sleep};
use upstream::Outgoing;
use upstream::driven::{Act, Script};

pub(crate) use answer::body;
pub use quota::Limits;

use crate::dice::Dice;
use answer::Asked;
use gate::Gate;
use load::Load;
use quota::Quota;

/// One model, alone at a provider of the same name.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name, and its provider's.
    pub name: &'static str,
    /// How many calls it serves at once, from each time on.
    pub places: Vec<(Duration, usize)>,
    /// How many wait for a place before it answers 503.
    pub line: usize,
    /// The median time to the first token.
    pub first: Duration,
    /// How much it varies: the sigma of a log-normal.
    pub spread: f64,
    /// More of it for each token read.
    pub read: Duration,
    /// Time for each token written.
    pub write: Duration,
    /// Limits a minute.
    pub limits: Option<Limits>,
    /// When it is not well. The first that holds counts.
    pub troubles: Vec<Trouble>,
}

impl Model {
    /// One with room for 1,000, a first token after 200 ms and a hundred tokens a second.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            places: vec![(Duration::ZERO, 1_000)],
            line: 1_000,
            first: Duration::from_millis(200),
            spread: 0.25,
            read: Duration::ZERO,
            write: Duration::from_millis(10),
            limits: None,
            troubles: Vec::new(),
        }
    }

    /// The same with `kind` from `from` until `until`.
    #[must_use]
    pub fn trouble(mut self, from: Duration, until: Duration, kind: Kind) -> Self {
        self.troubles.push(Trouble { from, until, kind });
        self
    }

    fn places(&self, at: Duration) -> usize {
        self.places.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, places)| *places)
    }
}

/// A window in which a model is not well.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    /// From then.
    pub from: Duration,
    /// Until then.
    pub until: Duration,
    /// What is wrong.
    pub kind: Kind,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Every call gets this status, after so long.
    Fails(u16, Duration),
    /// No connection.
    Unreachable,
    /// No answer.
    Silent,
    /// A share of the calls gets a 500.
    Brown(f64),
    /// Everything takes this many times as long.
    Slow(f64),
    /// A share of the calls takes this many times as long to its first token.
    Tail(f64, f64),
    /// A share of the streams breaks after its first token.
    Cuts(f64),
}

/// What became of a request at a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was served, or would have been.
    Served,
    /// An error, a broken connection, silence: a trouble.
    Trouble,
    /// 503: the line was full.
    Busy,
    /// 429: over its limit.
    Limited,
}

/// A request that came to a model.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// Which model, as in the scenario's list.
    pub model: usize,
    /// Which call, as in the scenario's list.
    pub call: u64,
    /// When.
    pub at: Duration,
    /// What became of it.
    pub fate: Fate,
    /// How long it waited for a place.
    pub waited: Duration,
}

/// All models of a run.
pub(crate) struct Providers {
    models: Vec<Running>,
    began: Instant,
    visits: Mutex<Vec<Visit>>,
}

struct Running {
    model: Model,
    gate: Arc<Gate>,
    quota: Option<Mutex<Quota>>,
    dice: Mutex<Dice>,
    load: Mutex<Load>,
}

impl Providers {
    /// Those of a run that begins now.
    pub(crate) fn new(models: &[Model], seed: u64) -> Self {
        let running = |(model, salt): (&Model, u64)| Running {
            model: model.clone(),
            gate: Arc::default(),
            quota: model.limits.map(|limits| Mutex::new(Quota::new(limits))),
            dice: Mutex::new(Dice::new(seed, 1_000 + salt)),
            load: Mutex::default(),
        };
        let models = models.iter().zip(0..).map(running).collect();
        Self { models, began: Instant::now(), visits: Mutex::default() }
    }

    /// Who came, in order.
    pub(crate) fn visits(&self) -> Vec<Visit> {
        lock(&self.visits).clone()
    }

    /// Calls that hold a place anywhere.
    pub(crate) fn busy(&self) -> usize {
        self.models.iter().map(|model| model.gate.busy()).sum()
    }

    /// What the model of this number says of itself to who asks.
    pub(crate) fn probe(&self, model: usize) -> crate::prequal::Answer {
        let Some(running) = self.models.get(model) else {
            return crate::prequal::Answer { in_flight: 0, latency: Duration::ZERO };
        };
        let in_flight = running.gate.in_flight();
        let latency = lock(&running.load).latency(in_flight, self.began.elapsed());
        crate::prequal::Answer { in_flight, latency }
    }

    async fn serve(&self, request: &Outgoing) -> Act {
        let asked = Asked::read(request);
        let found = self.models.iter().position(|running| running.model.name == &*request.model);
        let Some((index, running)) = found.and_then(|index| Some((index, self.models.get(index)?))) else {
            return answer::error(404, HeaderMap::new());
        };
        let at = self.began.elapsed();
        let model = &running.model;
        let luck = running.luck();
        let trouble = model.troubles.iter().find(|trouble| trouble.from <= at && at < trouble.until);
        let visit = self.note(Visit {
            model: index,
            call: asked.call,
            at,
            fate: Fate::Trouble,
            waited: Duration::ZERO,
        });
        let mut slower = (1.0, 1.0);
        let mut cut = None;
        match trouble.map(|trouble| trouble.kind) {
            Some(Kind::Fails(status, after)) => {
                // Failing fast is not being fast.
                running.took(FAILED, at + after);
                sleep(after).await;
                return answer::error(status, HeaderMap::new());
            }
            Some(Kind::Unreachable) => return Act::Refuse,
            Some(Kind::Silent) => return Act::Hang,
            Some(Kind::Brown(share)) if luck.chance < share => {
                sleep(model.first.mul_f64(luck.spread)).await;
                return answer::error(500, HeaderMap::new());
            }
            Some(Kind::Slow(factor)) => slower = (factor, factor),
            Some(Kind::Tail(share, factor)) if luck.chance < share => slower = (factor, 1.0),
            Some(Kind::Cuts(share)) if luck.chance < share => cut = Some(1),
            Some(Kind::Brown(_) | Kind::Tail(..) | Kind::Cuts(_)) | None => {}
        }
        let mut headers = HeaderMap::new();
        if let Some(quota) = &running.quota {
            let taken = lock(quota).take(asked.input + asked.output, at);
            match taken {
                Ok(left) => left.tell(&mut headers),
                Err(wait) => {
                    self.fate(visit, Fate::Limited, Duration::ZERO);
                    return answer::error(429, quota::come_back(wait));
                }
            }
        }
        let Some(place) = running.gate.enter(|| model.places(self.began.elapsed()), model.line).await else {
            self.fate(visit, Fate::Busy, Duration::ZERO);
            return answer::error(503, HeaderMap::new());
        };
        let waited = self.began.elapsed().saturating_sub(at);
        self.fate(visit, Fate::Served, waited);
        let first =
            model.first.mul_f64(luck.spread * slower.0) + times(model.read, asked.input).mul_f64(slower.0);
        let write = times(model.write, asked.output).mul_f64(slower.1);
        running.took(waited + first, at + waited + first);
        answer::answer(&asked, headers, (first, write), cut, place).await
    }

    fn note(&self, visit: Visit) -> usize {
        let mut visits = lock(&self.visits);
        visits.push(visit);
        visits.len() - 1
    }

    fn fate(&self, visit: usize, fate: Fate, waited: Duration) {
        if let Some(visit) = lock(&self.visits).get_mut(visit) {
            (visit.fate, visit.waited) = (fate, waited);
        }
    }
}

impl Script for Providers {
    fn arrived<'a>(&'a self, request: &'a Outgoing) -> Pin<Box<dyn Future<Output = Act> + Send + 'a>> {
        Box::pin(self.serve(request))
    }
}

struct Luck {
    chance: f64,
    spread: f64,
}

/// What a failure counts for who asks how quick a model is.
const FAILED: Duration = Duration::from_secs(5);

impl Running {
    fn took(&self, took: Duration, at: Duration) {
        lock(&self.load).took(self.gate.in_flight(), took, at);
    }

    fn luck(&self) -> Luck {
        let mut dice = lock(&self.dice);
        Luck { chance: dice.unit(), spread: dice.spread(self.model.spread) }
    }
}

fn times(each: Duration, tokens: u64) -> Duration {
    each.saturating_mul(u32::try_from(tokens).unwrap_or(u32::MAX))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
