//! Is the process there, and does it take work?

use axum::Json;
use axum::extract::State;
use engine::Engine;
use http::StatusCode;
use serde_json::{Value, json};

/// The process is there.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// The process takes work: it is not stopping, and its calls can be accounted for.
pub(crate) async fn ready(State(engine): State<Engine>) -> (StatusCode, Json<Value>) {
    match engine.readiness() {
        Ok(()) => (StatusCode::OK, Json(json!({ "ready": true }))),
        Err(fault) => {
            let body = json!({ "ready": false, "code": fault.code, "reason": fault.message });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
    }
}
