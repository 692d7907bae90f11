//! What a request's headers say about the call.

use std::sync::Arc;
use std::time::Duration;

use config::Secret;
use engine::Head;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use telemetry::trace::Context;
use types::{Code, Fault};

/// Headers of the dialects that a provider of the same dialect should see.
const PASSED: [&str; 5] =
    ["anthropic-beta", "anthropic-version", "openai-beta", "openai-organization", "openai-project"];
/// The longest tenant or user name, in bytes: they are stored with every row.
const MAX_NAME: usize = 256;

/// Reads the headers of a call.
pub(crate) fn read(headers: &HeaderMap) -> Result<Head, Fault> {
    Ok(Head {
        key: key(headers),
        tenant: name(headers, "x-windlass-tenant")?,
        user: name(headers, "x-windlass-user")?,
        deadline: deadline(headers)?,
        trace: headers.get("traceparent").and_then(|value| Context::parse(value.as_bytes())),
        passed: passed(headers),
        step: None,
        operator: false,
    })
}

/// The caller's key: OpenAI's clients and Anthropic's newer ones send a bearer token, others `x-api-key`.
pub(crate) fn key(headers: &HeaderMap) -> Option<Secret> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer.or_else(|| text(headers, "x-api-key")).filter(|key| !key.is_empty()).map(Secret::new)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn name(headers: &HeaderMap, header: &'static str) -> Result<Option<Arc<str>>, Fault> {
    let Some(value) = headers.get(header) else { return Ok(None) };
    match value.to_str() {
        Ok(name) if !name.is_empty() && name.len() <= MAX_NAME => Ok(Some(Arc::from(name))),
        _ => Err(bad(header, &format!("must be visible ASCII, 1 to {MAX_NAME} bytes long"))),
    }
}

fn deadline(headers: &HeaderMap) -> Result<Option<Duration>, Fault> {
    const HEADER: &str = "x-windlass-deadline";
    let Some(value) = text(headers, HEADER) else { return Ok(None) };
    match document::parse_duration(value) {
        Some(wait) if !wait.is_zero() => Ok(Some(wait)),
        _ => Err(bad(HEADER, "must be a duration like 500ms, 30s or 5m")),
    }
}

fn passed(headers: &HeaderMap) -> Vec<(HeaderName, http::HeaderValue)> {
    let mut passed = Vec::new();
    for name in PASSED {
        for value in headers.get_all(name) {
            passed.push((HeaderName::from_static(name), value.clone()));
        }
    }
    passed
}

fn bad(header: &str, rule: &str) -> Fault {
    Fault::invalid(Code::BadField, header, format!("the header `{header}` {rule}"))
}
