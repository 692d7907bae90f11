//! `POST /v1/messages/count_tokens`: how many tokens a request would be.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use engine::{Engine, Inbound};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use types::Dialect;

use crate::{head, reply};

/// Says that the figure is an estimate.
const ESTIMATED: HeaderName = HeaderName::from_static("x-windlass-estimated");

/// Counts. The figure is the provider's own, or counted by the model's own vocabulary, or an estimate that says so.
pub(crate) async fn count(State(engine): State<Engine>, headers: HeaderMap, body: Bytes) -> Response {
    let counted = async {
        let head = head::read(&headers)?;
        engine.count_tokens(Inbound { dialect: Dialect::AnthropicMessages, body, head }).await
    };
    match counted.await {
        Ok(counted) => {
            let body = serde_json::json!({ "input_tokens": counted.tokens }).to_string();
            let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
            if !counted.exact {
                response.headers_mut().insert(ESTIMATED, http::HeaderValue::from_static("true"));
            }
            response
        }
        Err(fault) => reply::fault(Dialect::AnthropicMessages, &fault, None).map(Body::new).into_response(),
    }
}
