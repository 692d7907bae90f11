//! What a request's headers say about the call.

use std::sync::Arc;
use std::time::Duration;

use config::Secret;
use engine::{Head, Level};
use http::{HeaderMap, HeaderName, HeaderValue};
use telemetry::trace::Context;
use types::{Code, Fault, Priority};

/// The longest tenant or user name, in bytes: they are stored with every row.
const MAX_NAME: usize = 256;

/// Reads the headers of a call, in one pass: looking each up by its name costs more than going through all.
/// Of a header that comes twice the first counts.
pub(crate) fn read(headers: &HeaderMap) -> Result<Head, Fault> {
    let mut head = Head::default();
    let mut api_key = None;
    for (name, value) in headers {
        match name.as_str() {
            "authorization" => head.key = head.key.or_else(|| bearer(value)),
            "x-api-key" => api_key = api_key.or_else(|| value.to_str().ok()),
            "x-windlass-tenant" if head.tenant.is_none() => head.tenant = Some(owner(name, value)?),
            "x-windlass-user" if head.user.is_none() => head.user = Some(owner(name, value)?),
            "x-windlass-task" if head.task.is_none() => head.task = Some(owner(name, value)?),
            "x-windlass-profile" if head.profile.is_none() => head.profile = Some(owner(name, value)?),
            "x-windlass-deadline" if head.deadline.is_none() => head.deadline = Some(deadline(name, value)?),
            "x-windlass-priority" => head.priority = priority(name, value)?,
            "x-windlass-min-level" => head.floor = Some(floor(name, value)?),
            "x-windlass-max-cost" => return Err(no_ceiling(name.as_str())),
            "traceparent" => head.trace = head.trace.or_else(|| Context::parse(value.as_bytes())),
            // Headers of the dialects that a provider of the same dialect should see.
            "anthropic-beta"
            | "anthropic-version"
            | "openai-beta"
            | "openai-organization"
            | "openai-project" => head.passed.push((name.clone(), value.clone())),
            _ => {}
        }
    }
    head.key = head.key.or_else(|| api_key.filter(|key| !key.is_empty()).map(Secret::new));
    Ok(head)
}

/// The token of OpenAI's clients and Anthropic's newer ones; others send `x-api-key`.
fn bearer(value: &HeaderValue) -> Option<Secret> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}

fn owner(header: &HeaderName, value: &HeaderValue) -> Result<Arc<str>, Fault> {
    match value.to_str() {
        Ok(name) if !name.is_empty() && name.len() <= MAX_NAME => Ok(Arc::from(name)),
        _ => Err(bad(header, &format!("must be visible ASCII, 1 to {MAX_NAME} bytes long"))),
    }
}

fn deadline(header: &HeaderName, value: &HeaderValue) -> Result<Duration, Fault> {
    match value.to_str().ok().and_then(document::parse_duration) {
        Some(wait) if !wait.is_zero() => Ok(wait),
        _ => Err(bad(header, "must be a duration like 500ms, 30s or 5m")),
    }
}

fn priority(header: &HeaderName, value: &HeaderValue) -> Result<Priority, Fault> {
    match value.as_bytes() {
        b"low" => Ok(Priority::Low),
        b"normal" | b"medium" => Ok(Priority::Normal),
        b"high" => Ok(Priority::High),
        b"critical" => Ok(Priority::Critical),
        _ => Err(bad(header, "must be low, normal, high or critical")),
    }
}

/// A level's name, or the least quality from 0 to 1.
fn floor(header: &HeaderName, value: &HeaderValue) -> Result<Level, Fault> {
    let text = value.to_str().unwrap_or_default().trim();
    let quality = || text.parse().ok().filter(|quality| (0.0..=1.0).contains(quality)).map(Level::floor);
    Level::named(text).or_else(quality).ok_or_else(|| {
        bad(header, "must be full, reduced, minimal or emergency, or a quality between 0 and 1")
    })
}

/// A ceiling that nobody would hold is worse than none.
fn no_ceiling(field: &str) -> Fault {
    let message = format!("`{field}` is not supported yet: nothing would hold a call to that ceiling");
    Fault::invalid(Code::Unsupported, field, message)
        .with_hint("leave it out and set `max_tokens`; a chain's `limits.cost` bounds a run")
}

fn bad(header: &HeaderName, rule: &str) -> Fault {
    Fault::invalid(Code::BadField, header.as_str(), format!("the header `{header}` {rule}"))
}
