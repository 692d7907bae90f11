//! Traces: where a call stands in its caller's trace, and the spans that are sent to a collector.
//!
//! There are no live spans. When something has ended, the engine hands over the finished facts; what is not
//! sampled costs one comparison. Ids of spans are derived from the ids of calls and runs, so a parent need
//! not exist before its children, nor be kept. Prompts and answers are never part of a span.

mod call;
mod chain;
mod context;
mod exporter;
mod names;
mod span_id;
mod worker;

pub use call::{Attempt, CallSpan, Server};
pub use chain::{RunSpan, StepSpan};
pub use context::{BAGGAGE, Context, TRACEPARENT, TRACESTATE, Traceparent};
pub use exporter::{Exporter, FlushTimeout, Settings, StartError};
pub use span_id::SpanId;
