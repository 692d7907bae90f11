//! Providers that fail on demand. [`Vendor`] is a real server on loopback that plays any [`Script`], down to the
//! byte and the broken connection, and tells what it has seen: tests write their own scripts. [`Wall`] is a
//! vendor whose script is a catalogue of [`Fault`]s, each asked for by name: `windlass certify` runs gateways
//! against it. A script waits at a [`Gate`] until a test opens it; only faults that are slowness itself wait for
//! a clock. Judging what a gateway makes of it all is not done here.

pub mod anthropic;
mod catalogue;
mod dialect;
mod fault;
pub mod openai;
mod play;
mod vendor;
mod visits;

pub use catalogue::{CASE, Wall};
pub use dialect::Dialect;
pub use fault::{Fault, Way};
pub use play::{PROMPT_TOKENS, RETRY_AFTER, TOKENS, text};
pub use vendor::{Answer, Closed, Framing, Gate, Request, Script, Vendor};
pub use visits::Visits;
