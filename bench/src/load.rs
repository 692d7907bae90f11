//! The load generator: closed loop (each connection sends its next request when the last is answered) and open
//! loop (a fixed rate, latency counted from the moment a request was meant to go out, so that a slow server
//! cannot hide its delay by holding the generator up). Bounded in count and time. Leaves process control to
//! the comparison.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{self, timeout_at},
};

use crate::{
    caller::Caller,
    latency::Percentiles,
    pace::Pace,
    target::{Endpoint, request},
};

/// What a run may take after its time is up before unanswered requests count as errors.
const GRACE: Duration = Duration::from_secs(20);

/// `windlass-bench load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The full address of the endpoint, on loopback.
    #[arg(long)]
    url: Endpoint,
    /// Connections of a closed loop; the most that an open loop opens.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Closed loop: requests in all.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    requests: u64,
    /// Open loop: requests a second.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000), conflicts_with = "requests")]
    rate: Option<u64>,
    /// The most seconds a run sends requests for.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Ask for a stream, and count one without its end mark as an error.
    #[arg(long)]
    stream: bool,
    /// Sent as `Authorization: Bearer`.
    #[arg(long)]
    key: Option<String>,
    #[arg(long, default_value = "mock/gpt-4o-mini")]
    model: String,
    /// A further header line, `name: value`; may be repeated.
    #[arg(long, value_name = "LINE")]
    header: Vec<String>,
    /// Print the outcome as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Count requests that fail, and do not fail for them unless all do.
    #[arg(long)]
    count_failures: bool,
}

/// What a run found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Requests answered with 200 and completely.
    pub(crate) done: u64,
    pub(crate) errors: u64,
    /// The first few errors, in words.
    pub(crate) samples: Vec<String>,
    /// Kept-alive connections that the server closed and that were opened again; no error.
    pub(crate) reconnects: u64,
    pub(crate) seconds: f64,
    pub(crate) rps: f64,
    pub(crate) latency: Percentiles,
}

/// What one connection, or all of them, counted.
#[derive(Debug, Default)]
struct Tally {
    nanos: Vec<u64>,
    errors: u64,
    samples: Vec<String>,
    reconnects: u64,
}

impl Tally {
    fn note(&mut self, result: Result<()>, since: Instant) {
        match result {
            Ok(()) => self.nanos.push(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)),
            Err(error) => self.fail(1, &format!("{error:#}")),
        }
    }

    fn fail(&mut self, count: u64, what: &str) {
        self.errors += count;
        if self.samples.len() < 3 {
            self.samples.push(what.to_owned());
        }
    }

    fn add(&mut self, other: Self) {
        self.nanos.extend(other.nanos);
        self.errors += other.errors;
        self.reconnects += other.reconnects;
        self.samples.extend(other.samples);
        self.samples.truncate(3);
    }
}

/// Runs and prints.
///
/// # Errors
/// When any request failed: figures of a run with errors are no figures, unless errors are what is counted.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let outcome = measure(options).await?;
    if options.json {
        println!("{}", serde_json::to_string(&outcome)?);
    } else {
        println!(
            "{} answered in {:.2} s: {:.0} requests/s; p50 {:.0} µs, p90 {:.0} µs, p99 {:.0} µs, max {:.0} µs; \
             {} errors, {} reconnects",
            outcome.done,
            outcome.seconds,
            outcome.rps,
            outcome.latency.p50_us,
            outcome.latency.p90_us,
            outcome.latency.p99_us,
            outcome.latency.max_us,
            outcome.errors,
            outcome.reconnects
        );
    }
    if (outcome.errors > 0 && !options.count_failures) || outcome.done == 0 {
        bail!(
            "{} of {} requests failed: {}",
            outcome.errors,
            outcome.errors + outcome.done,
            outcome.samples.join("; ")
        );
    }
    Ok(())
}

async fn measure(options: &Options) -> Result<Outcome> {
    let bytes =
        request(&options.url, &options.model, options.key.as_deref(), &options.header, options.stream);
    let caller = Caller::new(options.url.address, bytes.into(), options.stream);
    let start = Instant::now();
    let tally = match options.rate {
        None => closed(options, caller).await?,
        Some(rate) => open(options, &caller, rate).await?,
    };
    let seconds = start.elapsed().as_secs_f64();
    let done = tally.nanos.len() as u64;
    #[expect(clippy::cast_precision_loss, reason = "bounded by the number of requests")]
    let rps = done as f64 / seconds;
    Ok(Outcome {
        done,
        errors: tally.errors,
        samples: tally.samples,
        reconnects: tally.reconnects,
        seconds,
        rps,
        latency: Percentiles::of(tally.nanos),
    })
}

async fn closed(options: &Options, caller: Caller) -> Result<Tally> {
    let budget = Arc::new(AtomicU64::new(options.requests));
    let stop = Instant::now() + Duration::from_secs(options.seconds);
    let mut workers = JoinSet::new();
    for _ in 0..options.connections {
        let (mut caller, budget) = (caller.clone(), Arc::clone(&budget));
        workers.spawn(async move {
            let mut tally = Tally::default();
            let mut failures = 0;
            // One that only fails gives up: the run is lost already.
            while failures < 20 && Instant::now() < stop && take_one(&budget) {
                let sent = Instant::now();
                let result = timeout_at(time::Instant::from_std(stop + GRACE), caller.call())
                    .await
                    .unwrap_or_else(|_| late());
                failures += u32::from(result.is_err());
                tally.note(result, sent);
            }
            tally.reconnects = caller.reconnects;
            tally
        });
    }
    let mut all = Tally::default();
    while let Some(worker) = workers.join_next().await {
        all.add(worker?);
    }
    Ok(all)
}

fn take_one(budget: &AtomicU64) -> bool {
    budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

fn late() -> Result<()> {
    bail!("no complete answer within {} s of the run's end", GRACE.as_secs())
}

async fn open(options: &Options, caller: &Caller, rate: u64) -> Result<Tally> {
    let total = rate * options.seconds;
    let end = Instant::now() + Duration::from_secs(options.seconds) + GRACE;
    let pace = Pace::every(Duration::from_nanos(1_000_000_000 / rate))?;
    let mut idle: Vec<Caller> = Vec::new();
    let mut opened = 0;
    let mut due: VecDeque<Instant> = VecDeque::new();
    let mut sent = 0;
    let mut calls = JoinSet::new();
    let mut tally = Tally::default();
    let mut answered = 0;
    while answered < total {
        tokio::select! {
            biased;
            turns = pace.turns(), if sent < total => {
                for _ in 0..turns?.min(total - sent) {
                    due.push_back(pace.intended(sent));
                    sent += 1;
                }
            }
            Some(call) = calls.join_next() => {
                let (caller, result, nanos): (Caller, Result<()>, u64) = call?;
                idle.push(caller);
                answered += 1;
                match result {
                    Ok(()) => tally.nanos.push(nanos),
                    Err(error) => tally.fail(1, &format!("{error:#}")),
                }
            }
            () = time::sleep_until(time::Instant::from_std(end)) => {
                tally.fail(total - answered, "no complete answer in time");
                break;
            }
        }
        while !due.is_empty() && (!idle.is_empty() || opened < options.connections) {
            let Some(intended) = due.pop_front() else { break };
            let mut caller = idle.pop().unwrap_or_else(|| {
                opened += 1;
                caller.clone()
            });
            calls.spawn(async move {
                let result = caller.call().await;
                let nanos = u64::try_from(intended.elapsed().as_nanos()).unwrap_or(u64::MAX);
                (caller, result, nanos)
            });
        }
    }
    tally.reconnects = idle.iter().map(|caller| caller.reconnects).sum();
    Ok(tally)
}
