//! The whole engine on a driven clock.
//!
//! **Real**: everything between a caller's body and a provider's bytes. Admission, overload control with its places
//! and lines, the plan, the balance, the attempt machine, breakers, budgets, hedging, the reading and relaying of
//! streams, the records and the spool, the housekeeping once a second: `engine`'s own code, called as `server` calls it.
//!
//! **Scripted**: the callers ([`Scenario`], with arrivals from measured [`Traces`]) and the providers ([`Model`]), which
//! stand behind the simulated kind of provider and answer in real bytes of OpenAI's dialect.
//!
//! **Driven**: tokio's clock, paused, so that time passes only when nobody has anything left to do; the wall clock; all
//! luck. The same scenario and seed give the same [`Run`] on every machine.
//!
//! **Left out**: sockets, the HTTP server, SQLite (rows go through the real spool to a ledger in memory), and how long
//! the gateway's own work takes: on this clock it takes no time. Readings of this process's memory and processor are
//! of the real one, so scenarios leave the guard and the load levels that use them off.

mod breakers;
mod dice;
mod drive;
pub mod figures;
mod invariants;
pub mod prequal;
mod provider;
mod rows;
mod scenario;
pub mod studies;
mod traffic;

pub use breakers::Change;
pub use dice::Dice;
pub use drive::{DriveError, End, Run, Seen, drive};
pub use invariants::{Promises, broken};
pub use provider::{Fate, Kind, Limits, Model, Trouble, Visit};
pub use scenario::{Call, Scenario, calls};
pub use traffic::{Arrival, Trace, TraceError, Traces};
