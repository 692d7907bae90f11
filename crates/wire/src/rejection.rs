//! What a provider's refusal means: from status, headers and error body to a [`Fault`].
//!
//! What to do about it is `policy`'s decision. The provider's own message is passed on, because callers need
//! it, except where it may quote our credentials.

use std::time::Duration;

use serde_json::Value;
use types::{Blame, Code, Dialect, Fault, Kind, Progress, Retry, Timestamp};

use crate::retry_after::retry_after;

/// Longest message of a provider that is passed on, in characters.
const MESSAGE: usize = 1_000;

/// Reads a provider's answer with a status other than 2xx. `headers` looks a header up by its name in lower
/// case; `now` is needed where the provider names a date.
pub fn decode_error<'h>(
    dialect: Dialect,
    status: u16,
    headers: &dyn Fn(&'static str) -> Option<&'h str>,
    body: &[u8],
    now: Timestamp,
) -> Fault {
    let said = Said::of(std::str::from_utf8(body).unwrap_or_default());
    let mut fault = fault_of(status, &said).with_status(status).with_progress(Progress::PerhapsExecuted);
    if fault.retry == Retry::Maybe
        && let Some(wait) = retry_after(headers, now)
    {
        fault = fault.with_retry(Retry::After(wait));
    }
    let (first, second) = match dialect {
        Dialect::AnthropicMessages => ("request-id", "x-request-id"),
        Dialect::BedrockConverse => ("x-amzn-requestid", "x-request-id"),
        Dialect::OpenaiChat
        | Dialect::OpenaiEmbeddings
        | Dialect::OpenaiResponses
        | Dialect::GeminiContent => ("x-request-id", "request-id"),
    };
    let id = headers(first).or_else(|| headers(second)).map(str::to_owned);
    if let Some(id) = id.or(said.request_id) {
        fault = fault.with_request_id(clipped(&id));
    }
    fault
}

/// Reads the error object of an error event; there is no status, so its type has to say what it is.
pub(crate) fn in_stream(error: &str) -> Fault {
    let said = Said::of(error);
    let status = match said.kind.as_str() {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" | "rate_limit_exceeded" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => said.code.parse().ok().filter(|code| (400..600).contains(code)).unwrap_or(500),
    };
    fault_of(status, &said).with_progress(Progress::PerhapsExecuted)
}

/// What the provider says of its error, in whichever of the shapes in use.
#[derive(Debug, Default)]
struct Said {
    kind: String,
    code: String,
    param: Option<String>,
    message: String,
    request_id: Option<String>,
}

impl Said {
    /// `{"error": {…}}`, `{"error": "…"}`, the object itself, or `{"detail": "…"}`; anything else says nothing.
    fn of(body: &str) -> Self {
        let Ok(body) = serde_json::from_str::<Value>(body) else { return Self::default() };
        let error = match body.get("error") {
            Some(error @ Value::Object(_)) => error,
            Some(Value::String(message)) => return Self { message: clipped(message), ..Self::default() },
            _ => &body,
        };
        let text = |name: &str| match error.get(name) {
            Some(Value::String(text)) => clipped(text),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let mut said = Self {
            kind: text("type"),
            code: text("code"),
            param: error.get("param").and_then(Value::as_str).map(clipped),
            message: text("message"),
            request_id: body.get("request_id").and_then(Value::as_str).map(str::to_owned),
        };
        if said.message.is_empty() {
            said.message = text("detail");
        }
        said
    }

    fn names(&self, reason: &str) -> bool {
        self.kind == reason || self.code == reason
    }

    fn mentions(&self, words: &[&str]) -> bool {
        let message = self.message.to_ascii_lowercase();
        words.iter().any(|word| message.contains(word))
    }
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn fault_of(status: u16, said: &Said) -> Fault {
    let fault = by_reason(said).unwrap_or_else(|| by_status(status, said));
    // Some servers repeat the status as the code.
    let reason =
        if said.code.parse::<u16>().is_ok() || said.code.is_empty() { &said.kind } else { &said.code };
    let fault = if reason.is_empty() { fault } else { fault.with_provider_reason(reason.as_str()) };
    match &said.param {
        Some(param) => fault.with_param(param.as_str()),
        None => fault,
    }
}

/// Reasons that say more than the status does.
fn by_reason(said: &Said) -> Option<Fault> {
    let quota = ["insufficient_quota", "billing_hard_limit_reached", "billing_error", "billing_not_active"];
    let filter = ["content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"];
    let context = ["context_length_exceeded", "exceed_context_size_error", "string_above_max_length"];
    if quota.iter().any(|reason| said.names(reason)) || said.mentions(&["credit balance is too low"]) {
        return Some(quota_exceeded(said));
    }
    let long =
        ["maximum context length", "prompt is too long", "context window", "exceeds the available context"];
    if context.iter().any(|reason| said.names(reason)) || said.mentions(&long) {
        let fault = Fault::new(
            Kind::ResourceExhausted,
            Code::ContextTooLong,
            message(said, "the prompt is too long"),
        );
        return Some(
            fault
                .with_blame(Blame::Caller)
                .with_retry(Retry::Never)
                .with_hint("shorten the prompt, lower max_tokens, or choose a model with a larger context"),
        );
    }
    if filter.iter().any(|reason| said.names(reason)) {
        let fault =
            Fault::new(Kind::Permanent, Code::ContentFiltered, message(said, "the content was refused"));
        return Some(fault.with_blame(Blame::Caller));
    }
    let unknown = ["model_not_found", "model_not_available", "invalid_model"];
    if unknown.iter().any(|reason| said.names(reason)) {
        return Some(unknown_model(said));
    }
    None
}

fn by_status(status: u16, said: &Said) -> Fault {
    match status {
        401 | 403 => {
            // The provider's message may quote the key, so it stays here.
            let message = format!("the provider refused our credentials (status {status})");
            Fault::new(Kind::Authentication, Code::ProviderKey, message)
                .with_blame(Blame::Operator)
                .with_hint("check this provider's api_key in the configuration")
        }
        402 => quota_exceeded(said),
        404 => unknown_model(said),
        408 | 504 | 524 => {
            let text = message(said, "the provider did not answer in time");
            Fault::new(Kind::NetworkTimeout, Code::Timeout, text).with_blame(Blame::Provider)
        }
        413 => Fault::new(Kind::Validation, Code::BodyTooLarge, message(said, "the request is too large")),
        400 | 422 => Fault::new(Kind::Validation, Code::BadField, message(said, "the request was refused")),
        429 => Fault::new(Kind::RateLimit, Code::RateLimited, message(said, "too many requests")),
        503 | 529 => {
            Fault::new(Kind::Throttling, Code::ProviderError, message(said, "the provider is overloaded"))
        }
        409 | 500..600 => {
            let plain = format!("the provider failed with status {status}");
            let fault = Fault::new(Kind::DependencyFailure, Code::ProviderError, message(said, &plain));
            let overloaded = said.names("overloaded_error") || said.names("engine_overloaded");
            if overloaded {
                Fault::new(Kind::Throttling, Code::ProviderError, &*fault.message)
            } else {
                fault
            }
        }
        _ => {
            let plain = format!("the provider answered with status {status}");
            Fault::new(Kind::Permanent, Code::ProviderError, message(said, &plain))
        }
    }
}

fn quota_exceeded(said: &Said) -> Fault {
    let text = message(said, "the provider's quota or credit is used up");
    Fault::new(Kind::Budget, Code::QuotaExceeded, text)
        .with_hint("the operator of this gateway has to raise the quota or top up the account")
}

fn unknown_model(said: &Said) -> Fault {
    let text = message(said, "the provider does not know this model");
    Fault::new(Kind::Validation, Code::UnknownModel, text).with_blame(Blame::Operator)
}

fn message(said: &Said, plain: &str) -> String {
    if said.message.is_empty() { plain.to_owned() } else { format!("{plain}: {}", said.message) }
}

/// Longest wait that is believed.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_hours(24);
