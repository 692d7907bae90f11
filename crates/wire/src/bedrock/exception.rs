//! Errors inside a stream that began with a 200.

use serde_json::{Value, json};
use types::Fault;

use crate::eventstream::Frame;
use crate::rejection;

/// What a frame that is no event reports. There is no status, so its name has to say what it is.
pub(crate) fn fault(frame: Frame<'_>) -> Fault {
    let body: Value = serde_json::from_slice(frame.payload).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    // An error that the service's model does not know has its message as it is.
    let plain = std::str::from_utf8(frame.payload).ok().filter(|_| !body.is_object());
    let message = text("message").or_else(|| text("Message")).or_else(|| text("originalMessage")).or(plain);
    let message = message.unwrap_or_default();
    let kind = match frame.name {
        "throttlingException" => "rate_limit_error",
        "validationException" => "invalid_request_error",
        "serviceUnavailableException" | "modelNotReadyException" => "overloaded_error",
        "modelTimeoutException" => "timeout_error",
        "accessDeniedException" => "permission_error",
        // The service's own failures, and the model's.
        _ => "api_error",
    };
    let fault = rejection::in_stream(&json!({ "type": kind, "message": message }).to_string());
    let reason = if frame.name.is_empty() { "unknown" } else { frame.name };
    fault.with_provider_reason(reason)
}
