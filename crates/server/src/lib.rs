//! HTTP in front of the engine: the vendors' dialects for applications, the native API for people.
//!
//! Only this crate listens. Calls take a short way: the connection's task matches the path, reads the body
//! and polls the engine itself. Everything else goes through an ordinary router.

mod bare;
mod body;
mod calls;
mod closing;
mod coded;
mod connection;
mod head;
mod health;
mod limits;
mod listener;
mod models;
mod native;
mod patience;
mod reply;
mod responses;
mod room;
mod router;
mod service;
mod streams;
mod tokens;
mod waiting;

pub use listener::{BindError, Server};
