//! Talking to model providers: HTTP with pools of our own, providers that are simulated, and a real model on
//! this machine.
//!
//! One attempt goes in ([`Outgoing`]), one answer head and a body to poll come out ([`Exchange`]). What an
//! answer means is `wire`'s business; whether to try again is `policy`'s. Nothing here retries, but for one
//! case: a pooled connection that turns out to be closed before a byte of the request was written.
//!
//! The connection that serves a call is polled by the task that owns the call. Dropping an [`Exchange`]
//! before its end closes the connection, and with it cancels the provider's work.

mod auth;
pub mod clock;
mod coding;
mod dial;
#[cfg(feature = "driven")]
pub mod driven;
mod endpoints;
mod exchange;
mod http;
mod http1;
mod http2;
pub mod local;
mod origin;
mod parcel;
mod provider;
mod request;
mod sigv4;
pub mod simulated;
mod tls;

pub use auth::OauthSettings;
pub use coding::Compression;
pub use endpoints::Endpoints;
pub use exchange::{Body, Exchange, Outgoing};
pub use http::{Auth, Http, HttpVersion, Settings};
pub use local::Local;
pub use origin::{Origin, ParseOriginError};
pub use provider::{Api, Family, Provider, Transport};
pub use sigv4::{Keys, Signer};
pub use simulated::Simulated;
