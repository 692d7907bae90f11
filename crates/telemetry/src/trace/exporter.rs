//! The way from finished facts to the collector's door: sampling, and a bounded queue that never waits.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use types::{Timestamp, TraceId};

use super::worker::Worker;
use super::{Attempt, CallSpan, Context, RunSpan, SpanId, StepSpan, worker};
use crate::metrics::{Metrics, Spans};

/// Spans that wait for the collector; what comes when they are that many is dropped and counted.
const QUEUE: usize = 2_048;
/// Bits of a trace id that are random in every trace, whoever began it (W3C Trace Context level 2).
const RANDOM_BITS: u32 = 56;

/// The part of the section `telemetry` that is about traces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The collector's address without a path (`http://localhost:4318`), or with its `…/v1/traces`; `None`:
    /// nothing is exported and nothing is kept for it.
    pub otlp: Option<String>,
    /// Which part of the traces is exported, 0 to 1, where the caller has not decided.
    pub sample: f64,
}

/// Why traces cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Not an address that spans can be sent to.
    #[error("telemetry.otlp is not the address of an OTLP collector: {0}")]
    Address(#[from] opentelemetry_otlp::ExporterBuildError),
    /// TLS could not be set up.
    #[error("TLS for telemetry.otlp could not be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// A file of certificates that the environment names.
    #[error("the certificates for telemetry.otlp in {path} cannot be used: {why}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Called outside of a Tokio runtime.
    #[error("traces can only be exported from inside a Tokio runtime")]
    NoRuntime(#[from] tokio::runtime::TryCurrentError),
}

/// The collector did not take what was left in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trace collector did not take the last spans in time")]
pub struct FlushTimeout;

/// Hands finished calls and runs to a collector, or does nothing. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Exporter {
    /// Of 2⁵⁶ trace ids, this many are sampled.
    threshold: u64,
    running: Option<Arc<Running>>,
}

struct Running {
    queue: mpsc::Sender<SpanData>,
    spans: Arc<Spans>,
    stop: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Exporter {
    /// Exports nothing.
    pub const fn off() -> Self {
        Self { threshold: 0, running: None }
    }

    /// Starts the task that sends spans, in the current Tokio runtime. Does not connect yet; a collector
    /// that is away is an entry in the log, not an error. With no `otlp`, the same as [`Exporter::off`].
    ///
    /// `OTEL_EXPORTER_OTLP_HEADERS` adds headers for the collector, `OTEL_RESOURCE_ATTRIBUTES` attributes of
    /// this process, `OTEL_EXPORTER_OTLP_CERTIFICATE` (or `…_TRACES_CERTIFICATE`) names a PEM file of authorities
    /// to trust besides the public ones.
    pub fn start(settings: &Settings, version: &'static str, metrics: &Metrics) -> Result<Self, StartError> {
        let Some(address) = &settings.otlp else {
            return Ok(Self::off());
        };
        let runtime = tokio::runtime::Handle::try_current()?;
        let sender = worker::sender(address, version)?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (stop, spans) = (Arc::new(Notify::new()), metrics.spans());
        let worker = Worker::new(waiting, Arc::clone(&stop), sender, Arc::clone(&spans));
        let task = Mutex::new(Some(runtime.spawn(worker.run())));
        let running = Running { queue, spans, stop, task };
        Ok(Self { threshold: threshold(settings.sample), running: Some(Arc::new(running)) })
    }

    /// The same exporter with another ratio, after a reload; both share the task and the queue.
    #[must_use]
    pub fn with_sample(&self, ratio: f64) -> Self {
        Self { threshold: threshold(ratio), running: self.running.clone() }
    }

    /// Whether a trace is recorded, for the flag in outgoing headers: the caller's decision, else ours.
    pub fn sampled(&self, context: &Context) -> bool {
        context.sampled.unwrap_or_else(|| random_bits(context.trace) < self.threshold)
    }

    /// Whether spans of this trace go anywhere. Ask before collecting what a span needs.
    pub fn wants(&self, context: &Context) -> bool {
        self.running.is_some() && self.sampled(context)
    }

    /// A call ended: a span for it, and one for each attempt that is handed over with it.
    pub fn call(&self, call: &CallSpan<'_>) {
        if let Some(running) = self.running_for(&call.context) {
            running.send(call.spans());
        }
    }

    /// An attempt ended, of a call that is told later and without it. `context` is that of the call.
    pub fn attempt(&self, context: &Context, attempt: &Attempt<'_>) {
        if let Some(running) = self.running_for(context) {
            let inside = context.under(SpanId::from(attempt.row.key.call));
            running.send([attempt.span(inside)]);
        }
    }

    /// A run ended.
    pub fn run(&self, run: &RunSpan<'_>) {
        if let Some(running) = self.running_for(&run.context) {
            running.send([run.span()]);
        }
    }

    /// A step ended.
    pub fn step(&self, step: &StepSpan<'_>) {
        if let Some(running) = self.running_for(&step.context) {
            running.send([step.span()]);
        }
    }

    /// Takes no more spans and sends those that wait, for at most `deadline`; afterwards the task is gone.
    ///
    /// # Errors
    /// Not everything could be sent in time.
    pub async fn shutdown(&self, deadline: Duration) -> Result<(), FlushTimeout> {
        let Some(running) = &self.running else { return Ok(()) };
        let task = running.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return Ok(()) };
        running.stop.notify_one();
        if tokio::time::timeout(deadline, &mut task).await.is_err() {
            task.abort();
            return Err(FlushTimeout);
        }
        Ok(())
    }

    fn running_for(&self, context: &Context) -> Option<&Running> {
        self.running.as_deref().filter(|_| self.sampled(context))
    }
}

impl Running {
    fn send(&self, spans: impl IntoIterator<Item = SpanData>) {
        for span in spans {
            if self.queue.try_send(span).is_err() {
                self.spans.dropped.fetch_add(1, Relaxed);
            }
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("free", &self.queue.capacity()).finish_non_exhaustive()
    }
}

/// The last 56 bits: those of ids made by us and by standard-abiding callers are random.
fn random_bits(trace: TraceId) -> u64 {
    let half = trace.to_bytes().last_chunk().map_or(0, |half| u64::from_be_bytes(*half));
    half & ((1 << RANDOM_BITS) - 1)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the ratio is clamped to what fits"
)]
fn threshold(ratio: f64) -> u64 {
    (ratio.clamp(0.0, 1.0) * (1_u64 << RANDOM_BITS) as f64) as u64
}

/// What every span has.
pub(super) struct Facts {
    pub(super) context: Context,
    pub(super) id: SpanId,
    pub(super) kind: SpanKind,
    pub(super) name: Cow<'static, str>,
    pub(super) start: Timestamp,
    pub(super) duration: Duration,
    pub(super) attributes: Vec<KeyValue>,
    pub(super) status: Status,
}

/// A finished span in the library's terms.
pub(super) fn span(facts: Facts) -> SpanData {
    let id = |span: SpanId| opentelemetry::trace::SpanId::from_bytes(span.to_bytes());
    let start = system_time(facts.start);
    SpanData {
        span_context: SpanContext::new(
            opentelemetry::trace::TraceId::from_bytes(facts.context.trace.to_bytes()),
            id(facts.id),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: facts.context.parent_span.map_or(opentelemetry::trace::SpanId::INVALID, id),
        parent_span_is_remote: facts.kind == SpanKind::Server && facts.context.parent_span.is_some(),
        span_kind: facts.kind,
        name: facts.name,
        start_time: start,
        end_time: start.checked_add(facts.duration).unwrap_or(start),
        attributes: facts.attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: facts.status,
        instrumentation_scope: InstrumentationScope::builder("windlass").build(),
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    let since_epoch = Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0));
    SystemTime::UNIX_EPOCH.checked_add(since_epoch).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_decides_where_nobody_did() {
        let trace = |last: u8| {
            let mut bytes = [0x01; 16];
            bytes[9] = last;
            TraceId::from_bytes(bytes).unwrap()
        };
        let half = Exporter { threshold: threshold(0.5), running: None };
        assert!(half.sampled(&Context::root(trace(0x7f))));
        assert!(!half.sampled(&Context::root(trace(0x80))));
        let all = Exporter { threshold: threshold(1.0), running: None };
        assert!(all.sampled(&Context::root(TraceId::from_bytes([0xff; 16]).unwrap())));
        let none = Exporter::off();
        assert!(!none.sampled(&Context::root(trace(0))));
        let asked = Context { sampled: Some(true), ..Context::root(trace(0xff)) };
        assert!(none.sampled(&asked) && !none.wants(&asked));
        assert!(!all.sampled(&Context { sampled: Some(false), ..asked }));
    }

    #[test]
    fn a_ratio_that_is_no_number_samples_nothing() {
        assert_eq!(threshold(f64::NAN), 0);
        assert_eq!(threshold(-1.0), 0);
        assert_eq!(threshold(2.0), 1 << RANDOM_BITS);
    }
}
