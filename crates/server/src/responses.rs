//! Answers in the Responses dialect that are kept: read and forgotten by their ids.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use engine::Engine;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use types::{Dialect, Fault};

use crate::{head, reply};

/// `GET /v1/responses/{id}`.
pub(crate) async fn show(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let who = engine.identify(&head::read(&headers)?)?;
        engine.response(&id, &who).await
    };
    match found.await {
        Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(fault) => refused(&fault),
    }
}

/// `DELETE /v1/responses/{id}`.
pub(crate) async fn forget(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let gone = async {
        let who = engine.identify(&head::read(&headers)?)?;
        engine.forget_response(&id, &who).await
    };
    match gone.await {
        Ok(()) => {
            let body = serde_json::json!({ "id": id, "object": "response", "deleted": true });
            ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
        }
        Err(fault) => refused(&fault),
    }
}

fn refused(fault: &Fault) -> Response {
    reply::fault(Dialect::OpenaiResponses, fault, None).map(Body::new).into_response()
}
