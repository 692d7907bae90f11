//! One YAML: raw to checked; JSON Schema; catalogue of models and prices. Pure.
//!
//! What the operator wrote and what it means are two things: [`load`](load::load) reads the first, reports
//! everything that is wrong with it at once, and returns the second, [`Config`], on which everybody relies.

pub mod access;
pub mod catalogue;
mod checked;
pub mod local;
pub mod provider;
pub mod resolve;
pub mod route;
pub mod secret;
pub mod server;
pub mod simulated;
pub mod telemetry;
pub mod url;

pub use access::{Allowed, Key};
pub use catalogue::Catalogue;
pub use checked::{Config, Meaning};
pub use local::Local;
pub use provider::{Model, Models, Provider, Remote};
pub use resolve::{Known, Resolved};
pub use route::{Deadlines, Route, Target};
pub use secret::Secret;
pub use server::{Database, Server, Storage};
pub use simulated::Simulated;
pub use telemetry::Telemetry;
pub use url::BaseUrl;
