//! A simulated provider's errors, in OpenAI's shape.

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

/// What is wrong with a request.
pub(super) struct Wrong {
    /// The field that it is about, if it is about one.
    field: Option<&'static str>,
    why: String,
}

impl Wrong {
    pub(super) const fn field(name: &'static str, why: String) -> Self {
        Self { field: Some(name), why }
    }
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Self { field: None, why }
    }
}

/// No such model; says which there are.
pub(super) fn unknown_model<'a>(wanted: &str, offered: impl Iterator<Item = &'a str>) -> Bytes {
    let offered: Vec<_> = offered.collect();
    let message =
        format!("The model `{wanted}` does not exist. This simulated provider has: {}.", offered.join(", "));
    shape(&message, "invalid_request_error", Some("model"), Some("model_not_found"))
}

/// The request makes no sense.
pub(super) fn bad_request(wrong: &Wrong) -> Bytes {
    let message = format!("The request is not understood: {}", wrong.why);
    shape(&message, "invalid_request_error", wrong.field, None)
}

/// The model's limits are used up for now.
pub(super) fn rate_limited(model: &str) -> Bytes {
    let message = format!("Rate limit reached for the simulated model `{model}`.");
    shape(&message, "rate_limit_error", None, Some("rate_limit_exceeded"))
}

/// An error that the configuration asks for.
pub(super) fn configured(status: StatusCode) -> Bytes {
    let (kind, code) = match status.as_u16() {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => ("permission_error", None),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("rate_limit_error", Some("rate_limit_exceeded")),
        400..=499 => ("invalid_request_error", None),
        503 => ("server_error", Some("overloaded")),
        _ => ("server_error", None),
    };
    shape("The simulated provider is told to fail this call.", kind, None, code)
}

/// Whole seconds, upwards: a client that waits that long has waited enough.
pub(super) fn retry_after(wait: Option<Duration>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    if let Some(wait) = wait {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    headers
}

fn shape(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Bytes {
    let error = json!({"error": {"message": message, "type": kind, "param": param, "code": code}});
    error.to_string().into()
}
