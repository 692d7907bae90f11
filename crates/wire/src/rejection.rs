//! What a provider's refusal means: from status, headers and error body to a [`Fault`].
//!
//! What to do about it is `policy`'s decision. The provider's own message is passed on, because callers need
//! it, except where it may quote our credentials.

mod body;

use std::time::Duration;

use types::{Blame, Code, Dialect, Fault, Kind, Progress, Retry, Timestamp};

use crate::retry_after::retry_after;
use body::{Said, clipped};

/// Reads a provider's answer with a status other than 2xx. `headers` looks a header up by its name in lower
/// case; `now` is needed where the provider names a date.
pub fn decode_error<'h>(
    dialect: Dialect,
    status: u16,
    headers: &dyn Fn(&'static str) -> Option<&'h str>,
    body: &[u8],
    now: Timestamp,
) -> Fault {
    let mut said = Said::of(std::str::from_utf8(body).unwrap_or_default());
    if let Some(exception) = headers("x-amzn-errortype").filter(|_| said.kind.is_empty()) {
        said.name_exception(exception);
    }
    let mut fault = fault_of(status, &said).with_status(status).with_progress(Progress::PerhapsExecuted);
    if fault.retry == Retry::Maybe
        && let Some(wait) = retry_after(headers, now).or(said.wait)
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
    // The Responses dialect has codes and no types.
    let status = status_named(&said.kind)
        .or_else(|| status_named(&said.code))
        .or_else(|| said.code.parse().ok().filter(|code| (400..600).contains(code)))
        .unwrap_or(500);
    fault_of(status, &said).with_progress(Progress::PerhapsExecuted)
}

/// A model that stopped before it had said anything, for a reason of the provider's own: it may do better when
/// asked again.
pub(crate) fn model_failed(reason: &str) -> Fault {
    let message = format!("the model stopped without an answer ({})", clipped(reason));
    Fault::new(Kind::InvalidResponse, Code::BadAnswer, message)
        .with_progress(Progress::PerhapsExecuted)
        .with_provider_reason(clipped(reason))
}

fn status_named(reason: &str) -> Option<u16> {
    Some(match reason {
        "invalid_request_error"
        | "invalid_prompt"
        | "invalid_image"
        | "invalid_image_format"
        | "invalid_base64_image"
        | "invalid_image_url"
        | "invalid_image_mode"
        | "image_too_large"
        | "image_too_small"
        | "image_parse_error"
        | "image_file_too_large"
        | "unsupported_image_media_type"
        | "empty_image_file"
        | "failed_to_download_image"
        | "image_file_not_found" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" | "rate_limit_exceeded" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => return None,
    })
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
    let quota = [
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_error",
        "billing_not_active",
        "ServiceQuotaExceededException",
    ];
    let filter = [
        "content_filter",
        "content_policy_violation",
        "image_content_policy_violation",
        "bio_policy",
        "misalignment_policy_violation",
        "ResponsibleAIPolicyViolation",
    ];
    let context = ["context_length_exceeded", "exceed_context_size_error", "string_above_max_length"];
    if quota.iter().any(|reason| said.names(reason))
        || said.mentions(&["credit balance is too low"])
        || said.daily
    {
        return Some(quota_exceeded(said));
    }
    let keys = ["API_KEY_INVALID", "API_KEY_EXPIRED", "IncompleteSignatureException"];
    if let Some(reason) = keys.iter().find(|reason| said.names(reason)) {
        return Some(key_refused(reason));
    }
    let long = [
        "maximum context length",
        "prompt is too long",
        "context window",
        "exceeds the available context",
        "exceeds the maximum number of tokens",
        "input is too long",
    ];
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
    if unknown.iter().any(|reason| said.names(reason)) || said.mentions(&["model identifier is invalid"]) {
        return Some(unknown_model(said));
    }
    if said.names("FAILED_PRECONDITION") {
        // Google's word for an account that may not be used from here, or not without billing.
        let text = message(said, "the provider refuses this account or its use from here");
        return Some(Fault::new(Kind::Permanent, Code::ProviderError, text).with_blame(Blame::Operator));
    }
    if said.names("ModelNotReadyException") {
        let text = message(said, "the provider's model is not ready");
        return Some(Fault::new(Kind::Throttling, Code::ProviderError, text));
    }
    None
}

fn by_status(status: u16, said: &Said) -> Fault {
    match status {
        401 | 403 => key_refused(&format!("status {status}")),
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
        // Bedrock says 424 where the model failed, and Google 499 where it gave up by itself.
        409 | 424 | 499 | 500..600 => {
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

/// The provider's message may quote the key, so it stays here.
fn key_refused(why: &str) -> Fault {
    let message = format!("the provider refused our credentials ({why})");
    Fault::new(Kind::Authentication, Code::ProviderKey, message)
        .with_blame(Blame::Operator)
        .with_hint("check this provider's api_key in the configuration")
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
