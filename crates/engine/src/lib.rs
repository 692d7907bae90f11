//! The engine: calls and chain runs, driven.
//!
//! Everything that decides is pure and lives elsewhere (`policy`, `chain`, `wire`); this crate brings the
//! clock, the sockets and the files to it. It knows no HTTP server: `server` and the command line are two
//! callers of the same [`Engine`].

mod call;
mod chains;
mod counting;
mod engine;
mod estimates;
mod gauges;
mod health;
mod ids;
mod limits;
mod line;
mod overload;
mod providers;
mod pulse;
mod runs;
mod snapshot;
mod start;
mod stores;
mod trouble;

pub use call::said;
pub use call::{
    About, Along, Answered, Counted, Head, Inbound, Plan, Refusal, Relay, Settled, Step, Target, Who, Whole,
};
pub use chains::{Chains, ChainsError, Offered};
pub use engine::Engine;
pub use overload::{Overview, Places};
pub use policy::analysis::Count;
pub use policy::degrade::Level;
pub use policy::limit::{Gauge, Standing};
pub use runs::{NewRun, Run, Seen, stored_chain};
pub use start::{StartError, Started};
pub use stores::Stores;
pub use trouble::{Action, Errors, Recurring};
