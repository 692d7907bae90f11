//! Decisions: how long a call may take, when it is tried again, where it goes next, whether it is taken at all.
//!
//! Pure: no clock, no sockets, no thread-local randomness. The driver in `engine` brings `now` and a seed,
//! and does what the machines say.

pub mod analysis;
pub mod attempt;
pub mod balance;
pub mod breaker;
pub mod bulkhead;
pub mod concurrency;
pub mod degrade;
pub mod health;
pub mod hedge;
pub mod keyed;
pub mod latency;
pub mod limit;
pub mod load;
pub mod memory;
mod number;
pub mod profile;
pub mod retry;
pub mod shed;
mod sync;
pub mod timeouts;
mod window;

pub use timeouts::Timeouts;
