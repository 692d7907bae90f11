//! One YAML: raw to checked; JSON Schema; catalogue of models and prices. Pure.
//!
//! What the operator wrote and what it means are two things: [`load`] reads the first, reports
//! everything that is wrong with it at once, and returns the second, [`Config`], on which everybody relies.

pub mod access;
mod around;
pub mod catalogue;
mod checked;
pub mod compatible;
mod fields;
mod hide;
pub mod limits;
mod load;
pub mod local;
mod names;
pub mod overload;
mod overrides;
pub mod provider;
mod read;
mod reference;
pub mod resolve;
pub mod route;
mod schema;
pub mod secret;
pub mod server;
pub mod simulated;
mod table;
pub mod telemetry;
pub mod url;
mod variables;

pub use access::{Allowed, Key};
pub use catalogue::Catalogue;
pub use checked::{Config, Meaning};
pub use compatible::Compatible;
pub use limits::Limits;
pub use load::{examine, load};
pub use local::Local;
pub use overload::Overload;
pub use overrides::Overrides;
pub use provider::{Model, Models, Provider, Remote};
pub use reference::reference_markdown;
pub use resolve::{Known, Resolved};
pub use route::{Deadlines, Route, Target};
pub use schema::json_schema;
pub use secret::Secret;
pub use server::{Compress, Database, Server, Storage};
pub use simulated::Simulated;
pub use telemetry::Telemetry;
pub use url::BaseUrl;
