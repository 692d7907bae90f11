//! A [`Fault`] in each dialect's error shape: the one place that maps faults to HTTP.
//!
//! Statuses and types are chosen so that the vendors' own SDKs raise the class a programmer expects. Beside
//! the dialect's fields every error carries `code` (`WL…`, with a page in the book), `call` and `hint`, and in OpenAI's
//! dialects `reason`: the code that OpenAI itself would give.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use types::{CallId, Code, Dialect, Fault, Kind};

/// The HTTP status and body that tell the caller of a fault.
pub fn encode_error(dialect: Dialect, fault: &Fault, call: Option<CallId>) -> (u16, Bytes) {
    (status_of(dialect, fault), Bytes::from(body_of(dialect, fault, call).to_string()))
}

/// The error event that ends a stream which cannot be completed. No end marker follows it.
pub fn error_event(dialect: Dialect, fault: &Fault, call: Option<CallId>) -> Bytes {
    Bytes::from(match dialect {
        Dialect::OpenaiChat
        | Dialect::OpenaiEmbeddings
        | Dialect::GeminiContent
        | Dialect::BedrockConverse => format!("data: {}\n\n", body_of(dialect, fault, call)),
        // Of a stream that was only watched the number of events is not known.
        Dialect::OpenaiResponses => responses_event(fault, call, 0),
        Dialect::AnthropicMessages => format!("event: error\ndata: {}\n\n", body_of(dialect, fault, call)),
    })
}

/// The `error` event of OpenAI's Responses dialect, the `sequence`th of its stream. Its fields stand beside its type,
/// as the SDKs' models have them, and once more under `error`, which is what makes the SDKs raise it.
pub(crate) fn responses_event(fault: &Fault, call: Option<CallId>, sequence: u64) -> String {
    let mut body = body_of(Dialect::OpenaiResponses, fault, call);
    let error = body["error"].take();
    let event = json!({
        "type": "error",
        "sequence_number": sequence,
        "code": error["code"],
        "message": error["message"],
        "param": error["param"],
        "error": error,
    });
    format!("event: error\ndata: {event}\n\n")
}

/// The HTTP status of a fault.
pub fn status_of(dialect: Dialect, fault: &Fault) -> u16 {
    let anthropic = dialect == Dialect::AnthropicMessages;
    match fault.code {
        Code::BadJson
        | Code::BadUtf8
        | Code::BadField
        | Code::Unsupported
        | Code::NameTooLong
        | Code::BadHeaders
        | Code::ContextTooLong
        | Code::ContentFiltered
        | Code::BadChain
        | Code::ChainCycle
        | Code::MissingVariable
        | Code::BadTemplate => 400,
        Code::BadKey => 401,
        Code::Forbidden => 403,
        Code::UnknownModel | Code::UnknownPath | Code::UnknownRun | Code::UnknownChain => 404,
        Code::SlowCaller => 408,
        Code::BodyTooLarge => 413,
        Code::BadCoding => 415,
        Code::RateLimited | Code::LimitExceeded | Code::TenantFull => 429,
        // OpenAI says this with 429 and `insufficient_quota`, Anthropic with 402 and `billing_error`.
        Code::QuotaExceeded | Code::RunLimit => {
            if anthropic {
                402
            } else {
                429
            }
        }
        Code::Cancelled => 499,
        Code::Overloaded | Code::Stopping if anthropic => 529,
        Code::Overloaded | Code::Stopping | Code::SpoolFull | Code::LocalModel => 503,
        Code::Timeout | Code::StreamStalled => 504,
        Code::ProviderError => match fault.kind {
            Kind::Throttling if anthropic => 529,
            Kind::Throttling => 503,
            Kind::RateLimit => 429,
            Kind::NetworkTimeout => 504,
            Kind::Validation | Kind::Parsing => 400,
            Kind::InvalidResponse
            | Kind::DependencyFailure
            | Kind::ResourceExhausted
            | Kind::Authentication
            | Kind::Permanent
            | Kind::Budget
            | Kind::Cancelled => 502,
        },
        // Our credentials, not the caller's: 401 would send them looking for the wrong key.
        Code::ProviderKey
        | Code::Unreachable
        | Code::BadAnswer
        | Code::StreamCut
        | Code::StreamDiverged
        | Code::StepFailed
        | Code::BadOutput => 502,
        Code::BadConfig | Code::CannotListen | Code::Internal | Code::Database => 500,
    }
}

fn body_of(dialect: Dialect, fault: &Fault, call: Option<CallId>) -> Value {
    let status = status_of(dialect, fault);
    let mut error = Map::new();
    let call = call.map(|call| Value::from(call.to_string()));
    let anthropic = dialect == Dialect::AnthropicMessages;
    if anthropic {
        error.insert("type".into(), anthropic_type(status).into());
        error.insert("message".into(), fault.message.as_str().into());
    } else {
        error.insert("message".into(), fault.message.as_str().into());
        error.insert("type".into(), openai_type(status, fault.code).into());
        error.insert("param".into(), json!(fault.param));
    }
    error.insert("code".into(), fault.code.as_str().into());
    if let Some(reason) = openai_reason(fault.code).filter(|_| !anthropic) {
        error.insert("reason".into(), reason.into());
    }
    let more = [
        ("param", fault.param.clone().filter(|_| anthropic).map(Value::from)),
        ("hint", fault.hint.clone().map(Value::from)),
        ("provider", fault.provider.clone().map(Value::from)),
        ("provider_status", fault.status.map(Value::from)),
        ("provider_reason", fault.provider_reason.clone().map(Value::from)),
        ("provider_request_id", fault.request_id.clone().map(Value::from)),
        ("call", call.clone()),
    ];
    error.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    if anthropic {
        json!({ "type": "error", "error": error, "request_id": call })
    } else {
        json!({ "error": error })
    }
}

fn openai_type(status: u16, code: Code) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        408 | 504 => "timeout_error",
        429 if code == Code::QuotaExceeded => "insufficient_quota",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "server_error",
    }
}

/// OpenAI's own code for it, which some clients look for to know what has happened: LiteLLM takes any other 404 for a
/// request that makes no sense.
const fn openai_reason(code: Code) -> Option<&'static str> {
    match code {
        Code::UnknownModel => Some("model_not_found"),
        Code::ContextTooLong => Some("context_length_exceeded"),
        Code::ContentFiltered => Some("content_policy_violation"),
        Code::QuotaExceeded => Some("insufficient_quota"),
        _ => None,
    }
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}
