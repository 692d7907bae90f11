//! What is told about calls and runs: metrics, traces, logs.
//!
//! [`metrics`] counts, [`trace`] exports spans, [`log`] writes lines to standard error. The engine decides
//! what is told and when; nothing here sees a prompt, an answer or a secret.

pub mod log;
pub mod metrics;
pub mod trace;

pub use metrics::Metrics;
