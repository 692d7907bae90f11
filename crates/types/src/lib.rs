//! The vocabulary of Windlass: what a call is, what it costs, how it can fail.
//!
//! Plain data and the arithmetic on it. No clock, no sockets, no files: time and randomness come in
//! as arguments. Every other crate speaks in these words; none of them is defined twice.

pub mod chat;
pub mod code;
pub mod fault;
pub mod id;
pub mod ledger;
pub mod money;
pub mod name;
pub mod price;
pub mod profile;
pub mod quirks;
pub mod raw;
pub mod time;
pub mod timing;
pub mod usage;

pub use code::Code;
pub use fault::{Blame, Fault, Kind, Progress, Retry};
pub use id::{AttemptKey, CallId, RunId, TraceId};
pub use money::{Money, MoneyText};
pub use name::{Dialect, Priority};
pub use price::Price;
pub use profile::{Applied, Parameter, Parameters};
pub use quirks::Quirks;
pub use raw::RawJson;
pub use time::{Moment, Timestamp};
pub use timing::Timing;
pub use usage::{Usage, UsageSource};
