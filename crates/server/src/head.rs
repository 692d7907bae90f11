//! What a request's headers say about the call.

use config::Secret;
use engine::{Head, said};
use http::{HeaderMap, HeaderName, HeaderValue};
use telemetry::trace::{BAGGAGE, Context, TRACEPARENT, TRACESTATE};
use types::{Code, Fault};

/// Reads the headers of a call, in one pass: looking each up by its name costs more than going through all.
/// Of a header that comes twice the first counts; W3C's lists go on over several.
pub(crate) fn read(headers: &HeaderMap) -> Result<Head, Fault> {
    let mut head = Head::default();
    let mut api_key = None;
    for (name, value) in headers {
        match name.as_str() {
            "authorization" => head.key = head.key.or_else(|| bearer(value)),
            "x-api-key" => api_key = api_key.or_else(|| value.to_str().ok()),
            "x-windlass-tenant" if head.tenant.is_none() => head.tenant = Some(by(said::name, name, value)?),
            "x-windlass-user" if head.user.is_none() => head.user = Some(by(said::name, name, value)?),
            "x-windlass-task" if head.task.is_none() => head.task = Some(by(said::name, name, value)?),
            "x-windlass-profile" if head.profile.is_none() => {
                head.profile = Some(by(said::name, name, value)?);
            }
            "x-windlass-deadline" if head.deadline.is_none() => {
                head.deadline = Some(by(said::deadline, name, value)?);
            }
            "x-windlass-priority" => head.priority = Some(by(said::priority, name, value)?),
            "x-windlass-min-level" => head.floor = Some(by(said::floor, name, value)?),
            "x-windlass-max-cost" => return Err(said::no_ceiling(name.as_str())),
            TRACEPARENT => head.trace = head.trace.or_else(|| Context::parse(value.as_bytes())),
            TRACESTATE => joined(&mut head.along.get_or_insert_default().tracestate, value),
            BAGGAGE => joined(&mut head.along.get_or_insert_default().baggage, value),
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

/// A list over several headers of one name, as one.
fn joined(list: &mut Option<HeaderValue>, value: &HeaderValue) {
    *list = match list.take() {
        None => (!value.is_empty()).then(|| value.clone()),
        Some(before) => HeaderValue::from_bytes(&[before.as_bytes(), b",", value.as_bytes()].concat()).ok(),
    };
}

/// The token of OpenAI's clients and Anthropic's newer ones; others send `x-api-key`.
fn bearer(value: &HeaderValue) -> Option<Secret> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}

/// The value by the rule of its field, which is the same in the body.
fn by<T>(
    rule: impl Fn(&str) -> Result<T, String>,
    header: &HeaderName,
    value: &HeaderValue,
) -> Result<T, Fault> {
    // What is no visible text breaks every rule.
    rule(value.to_str().unwrap_or_default()).map_err(|rule| bad(header, &rule))
}

fn bad(header: &HeaderName, rule: &str) -> Fault {
    Fault::invalid(Code::BadField, header.as_str(), format!("the header `{header}` {rule}"))
        .with_hint("send another value, or leave the header out")
}
