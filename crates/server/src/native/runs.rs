//! Chains and their runs.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use engine::{Engine, NewRun, Run};
use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::journal::{RunFilter, Seize};
use types::{Code, Fault, Kind};

use super::{Failed, admin, caller, events, run_id, visible};
use crate::head;

/// Runs in one list.
const MOST: u32 = 200;

/// What a run is started with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Start {
    /// The chain's variables.
    vars: Map<String, Value>,
    /// The model of steps that name none.
    model: Option<String>,
    /// Answer at once with the run's id instead of with its result.
    detach: bool,
}

/// `GET /api/v1/chains`.
pub(super) async fn chains(State(engine): State<Engine>, headers: HeaderMap) -> Result<Json<Value>, Failed> {
    caller(&engine, &headers)?;
    let chains = engine.chains();
    let list: Vec<Value> = chains
        .iter()
        .map(|(name, offered)| {
            let inputs: Vec<_> = offered.chain.inputs().map(|input| json!({
                "name": input.name, "type": input.kind.as_str(), "required": input.required, "default": input.default
            })).collect();
            let steps: Vec<_> = offered.chain.steps().iter().map(chain::PlannedStep::name).collect();
            json!({ "name": name, "version": offered.chain.version(), "inputs": inputs, "steps": steps })
        })
        .collect();
    Ok(Json(json!({ "data": list })))
}

/// `POST /api/v1/chains/{name}/runs`: the result, or events as they come (`Accept: text/event-stream`), or
/// at once the run's id (`detach`).
pub(super) async fn start(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: bytes::Bytes,
) -> Result<Response, Failed> {
    let who = caller(&engine, &headers)?;
    let start: Start = if body.is_empty() {
        Start::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| {
            let message = format!("the body is not what starts a run: {error}");
            let fault = match error.classify() {
                // It is JSON, but says something else.
                serde_json::error::Category::Data => Fault::new(Kind::Validation, Code::BadField, message),
                _ => Fault::new(Kind::Parsing, Code::BadJson, message),
            };
            let unknown = error.to_string();
            let unknown = unknown.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
            let fault = match unknown {
                Some(field) => fault.with_param(field),
                None => fault,
            };
            fault.with_hint("send { \"vars\": { … }, \"model\": …, \"detach\": false }")
        })?
    };
    let chains = engine.chains();
    let offered = chains.get(&name).ok_or_else(|| {
        let fault = Fault::invalid(Code::UnknownChain, "name", format!("no chain is called `{name}`"));
        match document::closest(&name, chains.iter().map(|(name, _)| name)) {
            Some(near) => fault.with_hint(format!("did you mean `{near}`? GET /api/v1/chains lists all")),
            None => fault.with_hint("GET /api/v1/chains lists all"),
        }
    })?;
    let new = NewRun {
        chain: std::sync::Arc::clone(&offered.chain),
        source: Some(std::sync::Arc::clone(&offered.source)),
        vars: start.vars,
        who,
        trace: head::read(&headers)?.trace,
        model: start.model,
    };
    if !start.detach && !wants_events(&headers) {
        return Ok(Json(engine.run(new).await?).into_response());
    }
    answer(&engine, &headers, engine.start_run(new).await?, start.detach).await
}

/// `POST /api/v1/runs/{id}/resume`.
pub(super) async fn resume(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    admin(&engine, &headers)?;
    let run = engine.resume_run(run_id(&id)?, Seize::Expired).await?;
    answer(&engine, &headers, run, false).await
}

async fn answer(engine: &Engine, headers: &HeaderMap, run: Run, detach: bool) -> Result<Response, Failed> {
    if wants_events(headers) {
        return events::stream(engine.clone(), run.id).await;
    }
    if detach {
        let body = json!({ "run": run.id, "trace_id": run.trace, "chain": run.chain.name() });
        return Ok((StatusCode::ACCEPTED, Json(body)).into_response());
    }
    Ok(Json(run.finished().await?).into_response())
}

fn wants_events(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"))
}

/// `GET /api/v1/runs`: the newest first.
pub(super) async fn list(State(engine): State<Engine>, headers: HeaderMap) -> Result<Json<Value>, Failed> {
    admin(&engine, &headers)?;
    let runs = engine.journal().list(&RunFilter { limit: Some(MOST), ..RunFilter::default() }).await?;
    Ok(Json(json!({ "data": runs })))
}

/// `GET /api/v1/runs/{id}`: how it stands, and its result once it has one.
pub(super) async fn show(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Failed> {
    let stored = visible(&engine, &headers, run_id(&id)?).await?;
    Ok(Json(json!({ "run": stored.head, "inputs": stored.inputs, "result": stored.result })))
}

/// `POST /api/v1/runs/{id}/cancel`.
pub(super) async fn cancel(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Failed> {
    let id = run_id(&id)?;
    visible(&engine, &headers, id).await?;
    if engine.cancel_run(id) {
        return Ok(Json(json!({ "run": id, "cancelled": true })));
    }
    let fault = Fault::invalid(Code::UnknownRun, "id", format!("this process does not work on {id}"));
    Err(fault.with_hint("GET /api/v1/runs/{id} says how it stands and who holds it").into())
}
