//! Drives one scenario: a paused runtime, an engine, callers. Everything between a caller's body and a provider's is
//! the engine's own code.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use engine::{Answered, Engine, Head, Inbound, Overview, Relay, Stores};
use http_body::Body as _;
use store::Memory;
use store::drain::DrainOptions;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use types::ledger::Row;
use types::{CallId, Dialect, Fault};

use crate::breakers::{Change, Listener};
use crate::dice::Dice;
use crate::prequal::Prequal;
use crate::provider::{Providers, Visit, body};
use crate::rows::Rows;
use crate::scenario::{Call, Scenario};

/// How long after the last arrival everything must be over: longer than any deadline of a scenario.
const PATIENCE: Duration = Duration::from_secs(1_000);

/// Why a scenario could not be driven.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The machine.
    #[error("the simulation has no place to work")]
    Io(#[from] std::io::Error),
    /// Its configuration.
    #[error("the scenario's configuration is wrong:\n{0}")]
    Config(String),
    /// The engine.
    #[error("the engine did not start")]
    Start(#[from] engine::StartError),
    /// A reload.
    #[error("a reload failed: {0}")]
    Reload(Fault),
    /// A row that nobody can read.
    #[error("a ledger row cannot be read")]
    Row(#[from] store::StoreError),
}

/// How a call ended for its caller.
#[derive(Clone, Debug)]
pub enum End {
    /// With all of its answer.
    Good,
    /// In the middle of its answer.
    Broken,
    /// Without one.
    Refused(Box<Fault>),
    /// The caller hung up.
    Left,
    /// Not at all.
    Never,
}

/// A call as its caller saw it. Times are since its arrival.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When its answer began.
    pub first: Option<Duration>,
    /// When it was over.
    pub over: Duration,
    /// How.
    pub end: End,
    /// The call's id, where it was told.
    pub id: Option<CallId>,
    /// Attempts, where they were told.
    pub attempts: Option<u16>,
}

/// What happened.
#[derive(Debug)]
pub struct Run {
    /// The calls, as in the scenario's list.
    pub seen: Vec<Seen>,
    /// The ledger's rows, by call and attempt.
    pub rows: Vec<Row>,
    /// Who came to the providers, in order.
    pub visits: Vec<Visit>,
    /// What breakers did, in order.
    pub changes: Vec<Change>,
    /// Overload control, once a second.
    pub standings: Vec<(Duration, Overview)>,
    /// Where it stood at the end, and calls in flight.
    pub left: (Overview, usize),
    /// Places at providers that nobody gave back.
    pub busy: usize,
    /// Metrics at the end.
    pub metrics: String,
}

impl Run {
    /// All that happened, as text: the same for the same scenario and seed, byte for byte. Traces' ids are left out: they
    /// are drawn outside of the driven world, and decide nothing.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for seen in &self.seen {
            let _ = writeln!(text, "{seen:?}");
        }
        for visit in &self.visits {
            let _ = writeln!(text, "{visit:?}");
        }
        for change in &self.changes {
            let _ = writeln!(text, "{change:?}");
        }
        for row in &self.rows {
            let _ = writeln!(
                text,
                "{:?} {:?} {} {:?} {:?} {:?} {:?} {:?}",
                row.key, row.at, row.provider, row.outcome, row.fault, row.usage, row.cost, row.timing
            );
        }
        let _ = writeln!(text, "{:?} {:?}", self.standings, self.left);
        text
    }
}

/// Drives `scenario` with `seed`.
///
/// # Errors
/// [`DriveError`]: the scenario or the machine is wrong; what an engine does wrong stands in the [`Run`].
pub fn drive(scenario: &Scenario, seed: u64) -> Result<Run, DriveError> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let changes = Arc::new(Mutex::new(Vec::new()));
    let began = Arc::new(Mutex::new(None));
    let listener = Listener::new(Arc::clone(&changes), Arc::clone(&began));
    let run = tracing::subscriber::with_default(listener, || {
        runtime.block_on(async {
            if let Ok(mut began) = began.lock() {
                *began = Some(Instant::now());
            }
            inside(scenario, seed, &folder.path().display().to_string()).await
        })
    });
    let mut run = run?;
    if let Ok(mut changes) = changes.lock() {
        run.changes = std::mem::take(&mut *changes);
    }
    Ok(run)
}

async fn inside(scenario: &Scenario, seed: u64, folder: &str) -> Result<Run, DriveError> {
    let began = Instant::now();
    let providers = Arc::new(Providers::new(&scenario.models, seed));
    let _driven = upstream::driven::enter(seed, Arc::clone(&providers) as _);
    let ledger = Arc::new(Rows::default());
    let stores = Stores {
        ledger: Arc::clone(&ledger) as _,
        journal: Arc::new(Memory::default()),
        responses: Arc::clone(&ledger) as _,
        // Rows are carried once, at the end.
        drain: DrainOptions {
            batch: 1 << 20,
            interval: Duration::from_secs(1 << 30),
            ..DrainOptions::default()
        },
        database: None,
    };
    let started = Engine::start_with(config(scenario, &scenario.config, folder)?, stores)?;
    let engine = started.engine.clone();

    let mut callers = JoinSet::new();
    let (mut next, mut ends) = (scenario.calls.iter().enumerate().peekable(), Vec::new());
    ends.resize_with(scenario.calls.len(), || Seen {
        first: None,
        over: Duration::ZERO,
        end: End::Never,
        id: None,
        attempts: None,
    });
    let mut reloads = scenario.reloads.iter().peekable();
    let mut prequal = scenario.prequal.map(|to| (to, Prequal::new(to.len(), Dice::new(seed, 14))));
    let standings = Arc::new(Mutex::new(Vec::new()));
    let watch = tokio::spawn(watch(engine.clone(), began, Arc::clone(&standings)));
    loop {
        let call = next.peek().map(|(_, call)| call.at);
        let reload = reloads.peek().map(|(at, _)| *at);
        let Some(at) = call.into_iter().chain(reload).min() else { break };
        sleep_until(began + at).await;
        if let Some((_, text)) = reloads.next_if(|(due, _)| *due <= at) {
            engine.reload(config(scenario, text, folder)?).map_err(DriveError::Reload)?;
        } else if let Some((number, call)) = next.next() {
            let mut call = call.clone();
            if let Some((routes, prequal)) = &mut prequal {
                let chosen = prequal.choose(began.elapsed(), |model| providers.probe(model));
                call.model = routes.get(chosen).copied().unwrap_or(call.model);
            }
            callers.spawn(caller(engine.clone(), number, call));
        }
    }
    let rest = async {
        while let Some(done) = callers.join_next().await {
            if let Ok((number, one)) = done
                && let Some(place) = ends.get_mut(number)
            {
                *place = one;
            }
        }
    };
    // Whoever is not back by then has no end.
    let _ = timeout(PATIENCE, rest).await;
    watch.abort();
    let left = (engine.overview(), engine.calls_in_flight());
    let metrics = engine.metrics().render();
    drop(callers);
    drop(engine);
    started.stop(Duration::ZERO, std::future::ready(())).await;
    let mut rows = ledger.rows()?;
    rows.sort_by_key(|row| row.key);
    Ok(Run {
        seen: ends,
        rows,
        visits: providers.visits(),
        changes: Vec::new(),
        standings: standings.lock().map(|mut all| std::mem::take(&mut *all)).unwrap_or_default(),
        left,
        busy: providers.busy(),
        metrics,
    })
}

fn config(scenario: &Scenario, rest: &str, folder: &str) -> Result<config::Config, DriveError> {
    let text = scenario.text(rest, folder);
    let source = document::Source { name: scenario.name, text: &text };
    config::load(source, &|_| None, &config::Overrides::default())
        .map_err(|report| DriveError::Config(report.to_string()))
}

/// Notes once a second where overload control stands.
async fn watch(engine: Engine, began: Instant, standings: Arc<Mutex<Vec<(Duration, Overview)>>>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        if let Ok(mut standings) = standings.lock() {
            standings.push((began.elapsed(), engine.overview()));
        }
    }
}

/// One caller, from its arrival until it is answered, refused or tired.
async fn caller(engine: Engine, number: usize, call: Call) -> (usize, Seen) {
    let came = Instant::now();
    let mut seen = Seen { first: None, over: Duration::ZERO, end: End::Left, id: None, attempts: None };
    let work = ask(&engine, number, &call, came, &mut seen);
    match call.patience {
        Some(patience) => {
            let _ = timeout(patience, work).await;
        }
        None => work.await,
    }
    seen.over = came.elapsed();
    (number, seen)
}

async fn ask(engine: &Engine, number: usize, call: &Call, came: Instant, seen: &mut Seen) {
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    let inbound = Inbound {
        dialect: Dialect::OpenaiChat,
        body: Bytes::from(body(call.model, number, (call.input, call.output), call.stream)),
        head: Head { tenant: call.tenant.map(Into::into), priority: Some(call.priority), ..Head::local() },
    };
    match engine.call(inbound).await {
        Ok(Answered::Whole(whole)) => {
            (seen.id, seen.attempts) = (Some(whole.about.call), Some(whole.about.attempts));
            seen.first = Some(came.elapsed());
            seen.end = if whole.body.ends_with(b"}") { End::Good } else { End::Broken };
        }
        Ok(Answered::Stream(relay)) => {
            (seen.id, seen.attempts) = (Some(relay.about.call), Some(relay.about.attempts));
            seen.first = Some(came.elapsed());
            seen.end = listen(*relay).await;
        }
        Err(refusal) => {
            (seen.id, seen.attempts) = (Some(refusal.call), Some(refusal.attempts));
            seen.end = End::Refused(Box::new(refusal.fault));
        }
    }
}

/// Reads a stream to its end.
async fn listen(mut relay: Relay) -> End {
    let mut last = Bytes::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut relay).poll_frame(cx)).await {
        if let Ok(bytes) = frame.map(http_body::Frame::into_data)
            && let Ok(bytes) = bytes
            && !bytes.is_empty()
        {
            last = bytes;
        }
    }
    let good = last.ends_with(b"data: [DONE]\n\n") && !contains(&last, b"\"error\"");
    if good { End::Good } else { End::Broken }
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|part| part == what)
}
