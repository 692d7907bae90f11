//! The mock and the load generator against each other and against servers that misbehave, as processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot start its parts has failed")]

mod errors;
mod program;
mod together;
