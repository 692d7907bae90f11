//! How long a deployment takes, over the last minute: p50, p95 and p99 of the time to first token or of whole
//! calls, and the deadlines that follow from them (B4).
//!
//! Attempts that were cut off (a lost hedge, a timeout) are known to have taken *at least* so long. Leaving
//! them out would make a slow deployment look quick, so they go in as what they are: censored, by the
//! estimator of Kaplan and Meier (1958).

mod adaptive;
mod answers;
mod histogram;
mod quantiles;

pub use adaptive::Adaptive;
pub use answers::Answers;
pub use histogram::Window;
pub use quantiles::Quantiles;

#[cfg(test)]
mod tests;
