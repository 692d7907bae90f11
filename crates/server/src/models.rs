//! `GET /v1/models`: what a caller may name, in a shape that OpenAI's and Anthropic's clients both read.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use engine::Engine;
use http::HeaderMap;
use serde_json::{Value, json};
use types::{Code, Dialect, Fault};

use crate::{head, reply};

/// All models, routes and aliases that the caller's key may use.
pub(crate) async fn list(State(engine): State<Engine>, headers: HeaderMap) -> Response {
    match names(&engine, &headers) {
        Ok(names) => {
            let data: Vec<Value> = names.iter().map(|name| model(name)).collect();
            let (first, last) = (names.first(), names.last());
            Json(json!({
                "object": "list", "data": data, "has_more": false, "first_id": first, "last_id": last
            }))
            .into_response()
        }
        Err(fault) => failed(&fault),
    }
}

/// One of them.
pub(crate) async fn one(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    match names(&engine, &headers) {
        Ok(names) if names.contains(&name) => Json(model(&name)).into_response(),
        Ok(_) => {
            let message = format!("no model, route or alias is called `{name}`");
            failed(
                &Fault::invalid(Code::UnknownModel, "model", message).with_hint("GET /v1/models lists all"),
            )
        }
        Err(fault) => failed(&fault),
    }
}

fn names(engine: &Engine, headers: &HeaderMap) -> Result<Vec<String>, Fault> {
    let who = engine.identify(&head::read(headers)?)?;
    Ok(engine.model_names(&who))
}

fn model(name: &str) -> Value {
    let owner = name.split_once('/').map_or("windlass", |(provider, _)| provider);
    json!({
        "id": name, "object": "model", "created": 0, "owned_by": owner,
        "type": "model", "display_name": name, "created_at": "1970-01-01T00:00:00Z"
    })
}

fn failed(fault: &Fault) -> Response {
    reply::fault(Dialect::OpenaiChat, fault, None).map(axum::body::Body::new).into_response()
}
