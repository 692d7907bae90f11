//! A model provider for tests: a real server on loopback that does what a script says, down to the byte and
//! the broken connection, and tells what it has seen. Nothing in it waits for a clock: a script waits at a
//! [`Gate`] until the test opens it.

pub mod anthropic;
pub mod openai;
mod vendor;

pub use vendor::{Answer, Closed, Framing, Gate, Request, Script, Vendor};
