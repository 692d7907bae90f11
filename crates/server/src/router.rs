//! Everything that is not a call: models, health, metrics, the native API.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use engine::Engine;
use http::header::CONTENT_TYPE;
use http::{Method, Uri};
use types::{Code, Fault, Kind};

use crate::{health, models, native, reply, responses, service, tokens};

/// The router of one engine.
pub(crate) fn make(engine: Engine) -> Router {
    let max_body = usize::try_from(engine.config().server.max_body).unwrap_or(usize::MAX);
    let count = post(tokens::count).layer(DefaultBodyLimit::max(max_body));
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/openai/v1/models", get(models::list))
        .route("/anthropic/v1/models", get(models::list))
        .route("/v1/models/{*model}", get(models::one))
        .route("/openai/v1/models/{*model}", get(models::one))
        .route("/v1/messages/count_tokens", count.clone())
        .route("/anthropic/v1/messages/count_tokens", count)
        .route("/v1/responses/{id}", get(responses::show).delete(responses::forget))
        .route("/openai/v1/responses/{id}", get(responses::show).delete(responses::forget))
        .route("/healthz", get(health::alive))
        .route("/livez", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics))
        .merge(native::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(engine)
}

async fn metrics(State(engine): State<Engine>) -> impl IntoResponse {
    // With many models it is megabytes of text: not on a thread that serves calls.
    let metrics = engine.metrics().clone();
    let text = tokio::task::spawn_blocking(move || metrics.render()).await.unwrap_or_default();
    ([(CONTENT_TYPE, telemetry::metrics::CONTENT_TYPE)], text)
}

/// No such path, or not with this method.
async fn unknown(method: Method, uri: Uri) -> Response {
    let message = format!("there is no {method} {}", uri.path());
    let fault = Fault::new(Kind::Validation, Code::UnknownPath, message).with_hint(
        "calls are POST /v1/chat/completions, /v1/responses, /v1/embeddings and /v1/messages; the book lists all paths",
    );
    reply::fault(service::shape(uri.path()), &fault, None).map(axum::body::Body::new).into_response()
}
