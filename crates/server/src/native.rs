//! The native API: chains, runs, calls. Errors are in OpenAI's shape, with our code and what to do.

mod calls;
mod errors;
mod events;
mod limits;
mod runs;

use axum::Router;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use engine::{Engine, Who};
use http::HeaderMap;
use store::StoreError;
use store::journal::Stored;
use types::{Code, Dialect, Fault, Kind, RunId};

use crate::{head, reply};

/// The routes under `/api/v1`.
pub(crate) fn routes() -> Router<Engine> {
    Router::new()
        .route("/api/v1/chains", get(runs::chains))
        .route("/api/v1/chains/{name}/runs", post(runs::start))
        .route("/api/v1/runs", get(runs::list))
        .route("/api/v1/runs/{id}", get(runs::show))
        .route("/api/v1/runs/{id}/events", get(events::follow))
        .route("/api/v1/runs/{id}/cancel", post(runs::cancel))
        .route("/api/v1/runs/{id}/resume", post(runs::resume))
        .route("/api/v1/calls", get(calls::list))
        .route("/api/v1/errors", get(errors::show))
        .route("/api/v1/limits", get(limits::show))
}

/// A fault as the native API tells it.
pub(crate) struct Failed(Fault);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        reply::fault(Dialect::OpenaiChat, &self.0, None).map(axum::body::Body::new)
    }
}

impl<E: Into<Fault>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The run that a path names.
fn run_id(text: &str) -> Result<RunId, Failed> {
    text.parse()
        .map_err(|error| Failed(Fault::invalid(Code::UnknownRun, "id", format!("`{text}` is {error}"))))
}

/// What a query asks for.
fn query<T>(wanted: Result<Query<T>, QueryRejection>) -> Result<T, Failed> {
    let Query(wanted) = wanted.map_err(|error| Fault::invalid(Code::BadField, "query", error.body_text()))?;
    Ok(wanted)
}

/// A caller that may use the native API.
fn caller(engine: &Engine, headers: &HeaderMap) -> Result<Who, Failed> {
    Ok(engine.identify(&head::read(headers)?)?)
}

/// A run that the caller may see: one that its own key started, for the same tenant; any, for an
/// administrator. To everybody else it is as if there were no such run.
async fn visible(engine: &Engine, headers: &HeaderMap, run: RunId) -> Result<Stored, Failed> {
    let who = caller(engine, headers)?;
    let stored = engine.journal().load(run).await?;
    let own =
        stored.head.caller.is_some() && (&stored.head.caller, &stored.head.tenant) == (&who.key, &who.tenant);
    if who.admin || own { Ok(stored) } else { Err(StoreError::UnknownRun(run).into()) }
}

/// A caller that may see what others did.
fn admin(engine: &Engine, headers: &HeaderMap) -> Result<Who, Failed> {
    let who = caller(engine, headers)?;
    if who.admin {
        return Ok(who);
    }
    let fault = Fault::new(
        Kind::Authentication,
        Code::Forbidden,
        "this key may not see the calls and runs of others",
    );
    Err(Failed(fault.with_hint("use a key with `admin: true`")))
}
