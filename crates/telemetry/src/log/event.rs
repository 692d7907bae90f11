//! One function for each thing that is logged, with the fields that its line has.
//!
//! Ids are fields of their own (`call`, `trace`, `run`), so that a line can be found from a trace and back.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use tracing::{Level, debug, error, info, warn};
use types::ledger::{Outcome, Row};
use types::{Blame, CallId, Fault, Kind, Money, RunId, TraceId};

/// Bytes of a message that are shown. Faults name no contents, but a provider may put much into its reason.
const LONGEST: usize = 512;

/// A call that ended, however many attempts it took.
#[derive(Clone, Copy, Debug)]
pub struct CallEnd<'a> {
    /// The call.
    pub call: CallId,
    /// Its trace.
    pub trace: TraceId,
    /// Name of the caller's key, if keys are on.
    pub caller: Option<&'a str>,
    /// What was asked for.
    pub asked: &'a str,
    /// How it ended.
    pub outcome: Outcome,
    /// How many attempts were made.
    pub attempts: u16,
    /// How long it took.
    pub duration: Duration,
    /// What it cost; `None` where a price is not known.
    pub cost: Option<Money>,
}

/// A run that ended.
#[derive(Clone, Copy, Debug)]
pub struct RunEnded<'a> {
    /// The run.
    pub run: RunId,
    /// Its trace.
    pub trace: TraceId,
    /// The chain.
    pub chain: &'a str,
    /// Steps that were finished.
    pub steps: u64,
    /// How long it took.
    pub duration: Duration,
    /// What it cost; `None` where a price is not known.
    pub cost: Option<Money>,
}

/// A breaker whose state changed.
#[derive(Clone, Copy, Debug)]
pub struct BreakerChange<'a> {
    /// The provider, as configured.
    pub provider: &'a str,
    /// Its name of the model.
    pub model: &'a str,
    /// The route, where it is the breaker of one with numbers of its own.
    pub route: Option<&'a str>,
    /// The state before: `closed`, `open`, `half_open`, `ramping`.
    pub from: &'static str,
    /// The state now.
    pub to: &'static str,
    /// Whether fewer calls go through than before.
    pub worse: bool,
    /// For how long none does.
    pub wait: Option<Duration>,
}

macro_rules! at_level {
    ($level:expr, $($fields:tt)*) => {
        match $level {
            Level::ERROR => error!($($fields)*),
            Level::WARN => warn!($($fields)*),
            _ => info!($($fields)*),
        }
    };
}

/// An attempt failed; the call may still succeed.
pub fn attempt_failed(row: &Row, fault: &Fault) {
    at_level!(
        level(fault).max(Level::WARN),
        call = %row.key.call,
        attempt = row.key.attempt,
        trace = %row.trace,
        run = row.run.map(tracing::field::display),
        step = row.step.as_deref(),
        provider = &*row.provider,
        model = &*row.model,
        outcome = row.outcome.as_str(),
        kind = fault.kind.as_str(),
        code = fault.code.as_str(),
        status = fault.status,
        provider_reason = fault.provider_reason.as_deref().map(cut),
        request_id = fault.request_id.as_deref().map(cut),
        reason = cut(&fault.message),
        "attempt failed"
    );
}

/// A call failed for its caller.
pub fn call_failed(end: &CallEnd<'_>, fault: &Fault) {
    at_level!(
        level(fault),
        call = %end.call,
        trace = %end.trace,
        caller = end.caller,
        asked = cut(end.asked),
        outcome = end.outcome.as_str(),
        attempts = end.attempts,
        duration_ms = millis(end.duration),
        cost_usd = end.cost.map(tracing::field::display),
        kind = fault.kind.as_str(),
        code = fault.code.as_str(),
        param = fault.param.as_deref().map(cut),
        provider = fault.provider.as_deref(),
        status = fault.status,
        reason = cut(&fault.message),
        "call failed"
    );
}

/// So many requests like those that were told before were refused and not told. The log is not whole, so it warns.
pub(super) fn refusals_left_out(kind: Kind, left_out: u32) {
    warn!(kind = kind.as_str(), left_out, "more requests were refused than are logged");
}

/// A call was answered.
pub fn call_done(end: &CallEnd<'_>) {
    debug!(
        call = %end.call,
        trace = %end.trace,
        caller = end.caller,
        asked = cut(end.asked),
        outcome = end.outcome.as_str(),
        attempts = end.attempts,
        duration_ms = millis(end.duration),
        cost_usd = end.cost.map(tracing::field::display),
        "call answered"
    );
}

/// An attempt had more input tokens than `telemetry.large_call_tokens`.
pub fn large_call(row: &Row) {
    info!(
        call = %row.key.call,
        trace = %row.trace,
        caller = row.caller.as_deref(),
        provider = &*row.provider,
        model = &*row.model,
        input_tokens = row.usage.input,
        cost_usd = row.cost.map(tracing::field::display),
        "large call"
    );
}

/// A circuit breaker changed, and `why`.
pub fn breaker_changed(change: &BreakerChange<'_>, why: &dyn Display) {
    at_level!(
        if change.worse { Level::WARN } else { Level::INFO },
        provider = change.provider,
        model = change.model,
        route = change.route,
        from = change.from,
        to = change.to,
        wait_ms = change.wait.map(millis),
        why = %why,
        "circuit breaker"
    );
}

/// Failure or slowness is coming, says the trend: what is done about it, and `why`.
pub fn foreseen(provider: &str, model: &str, action: &dyn Display, why: &dyn Display) {
    info!(provider, model, action = %action, why = %why, "foreseen");
}

/// How near the end of memory this process is, when that changes.
pub fn memory_zone(zone: &str, percent: u32) {
    at_level!(if zone == "ample" { Level::INFO } else { Level::WARN }, zone, percent, "memory");
}

/// The load level changed.
pub fn load_level(from: &str, to: &str, points: u32) {
    info!(from, to, points, "load");
}

/// A run was completed.
pub fn run_done(end: &RunEnded<'_>) {
    info!(
        run = %end.run,
        trace = %end.trace,
        chain = cut(end.chain),
        steps = end.steps,
        duration_ms = millis(end.duration),
        cost_usd = end.cost.map(tracing::field::display),
        "run completed"
    );
}

/// A run failed or was cancelled.
pub fn run_failed(end: &RunEnded<'_>, step: Option<&str>, fault: &Fault) {
    at_level!(
        level(fault),
        run = %end.run,
        trace = %end.trace,
        chain = cut(end.chain),
        step = step.map(cut),
        steps = end.steps,
        duration_ms = millis(end.duration),
        cost_usd = end.cost.map(tracing::field::display),
        kind = fault.kind.as_str(),
        code = fault.code.as_str(),
        reason = cut(&fault.message),
        "run failed"
    );
}

/// A run goes on where it was interrupted.
pub fn run_resumed(run: RunId, chain: &str, finished_steps: u64) {
    info!(run = %run, chain = cut(chain), finished_steps, "run resumed");
}

/// The process takes calls.
pub fn serving(address: SocketAddr, version: &str) {
    info!(address = %address, version, "serving");
}

/// The process takes no more calls, and listens for so long to say so.
pub fn leaving(notice: Duration) {
    info!(notice_ms = millis(notice), "leaving: no new calls are taken");
}

/// The process takes no more calls and waits for those that run.
pub fn stopping(in_flight: u64, deadline: Duration) {
    info!(in_flight, deadline_ms = millis(deadline), "stopping");
}

/// The process ends; `cut` calls did not end in time.
pub fn stopped(cut: u64) {
    info!(cut, "stopped");
}

/// A new configuration is in force.
pub fn config_reloaded() {
    info!("configuration reloaded");
}

/// Settings of the new configuration that only a start reads: what the old one said goes on.
pub fn config_waits(settings: &str) {
    warn!(
        settings = cut(settings),
        "these settings have changed, and take effect when the process is started again"
    );
}

/// A new configuration has problems; the old one stays in force. `first` is the first problem, without the
/// excerpt, because that may show a secret.
pub fn config_refused(problems: usize, first: &str) {
    error!(problems, first = cut(first), "configuration refused, the old one stays in force");
}

/// The ledger cannot be written.
pub fn ledger_failed(rows: u64, error: &dyn Display) {
    error!(rows, error = cut(&error.to_string()), "ledger rows cannot be stored");
}

/// Answers in the Responses dialect could not be kept, read or forgotten.
pub fn response_not_kept(error: &dyn Display) {
    error!(error = cut(&error.to_string()), "kept answers cannot be written or read");
}

/// The ledger is written again.
pub fn ledger_recovered(rows: u64) {
    info!(rows, "ledger rows are stored again");
}

/// A local model's server runs.
pub fn provider_started(provider: &str, duration: Duration) {
    info!(provider, duration_ms = millis(duration), "local model started");
}

/// A local model's server stopped by itself.
pub fn provider_stopped(provider: &str, status: &dyn Display) {
    warn!(provider, status = cut(&status.to_string()), "local model stopped");
}

/// A bug of ours ended a call; `place` is file and line, never the panic's own message, which may quote data.
pub fn panicked(call: Option<CallId>, trace: Option<TraceId>, place: &str) {
    error!(
        call = call.map(tracing::field::display),
        trace = trace.map(tracing::field::display),
        place,
        "a bug ended a call"
    );
}

/// The trace collector cannot be reached or refuses spans. Logged once until it is back.
pub fn collector_away(error: &dyn Display) {
    warn!(error = cut(&error.to_string()), "the trace collector takes no spans; trying on in silence");
}

/// The trace collector takes spans again.
pub fn collector_back() {
    info!("the trace collector takes spans again");
}

/// The last spans were not sent in time.
pub fn spans_lost() {
    warn!("the trace collector did not take the last spans in time");
}

/// Callers' own mistakes are none of the operator's worries; our bugs and our configuration are.
fn level(fault: &Fault) -> Level {
    match fault.blame {
        Blame::Caller => Level::INFO,
        Blame::Provider | Blame::Network => Level::WARN,
        Blame::Operator | Blame::Us => Level::ERROR,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
