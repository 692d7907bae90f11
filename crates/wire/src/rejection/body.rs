//! The bodies of errors: what a provider says, in whichever of the shapes in use.

use std::time::Duration;

use serde_json::Value;

use super::LONGEST_WAIT;

/// Longest message of a provider that is passed on, in characters.
const MESSAGE: usize = 1_000;

/// What the provider says of its error.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The kind of error: OpenAI's and Anthropic's `type`, Google's `status`, the name of AWS's exception.
    pub(super) kind: String,
    /// OpenAI's `code`, Google's reason, or the status once more.
    pub(super) code: String,
    pub(super) param: Option<String>,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
    /// How long to wait (Google's `RetryInfo`).
    pub(super) wait: Option<Duration>,
    /// What is used up is the day's (Google's `QuotaFailure`): no wait of seconds mends it.
    pub(super) daily: bool,
}

impl Said {
    /// `{"error": {…}}`, `{"error": "…"}`, the object itself, or `{"detail": "…"}`, alone or in an array of one;
    /// anything else says nothing.
    pub(super) fn of(body: &str) -> Self {
        let Ok(body) = serde_json::from_str::<Value>(body) else { return Self::default() };
        let body = body.get(0).unwrap_or(&body);
        let error = match body.get("error") {
            Some(error @ Value::Object(_)) => error,
            Some(Value::String(message)) => return Self { message: clipped(message), ..Self::default() },
            _ => body,
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
            wait: None,
            daily: false,
        };
        for name in ["detail", "Message"] {
            if said.message.is_empty() {
                said.message = text(name);
            }
        }
        // Some servers say a number here.
        if let Some(status) = error.get("status").and_then(Value::as_str).filter(|_| said.kind.is_empty()) {
            said.kind = clipped(status);
        }
        if let Some(exception) = error.get("__type").and_then(Value::as_str).filter(|_| said.kind.is_empty())
        {
            said.name_exception(exception);
        }
        for detail in error.get("details").and_then(Value::as_array).into_iter().flatten() {
            said.google_detail(detail);
        }
        said
    }

    /// AWS's name of an exception: `ThrottlingException:http://…`, `com.amazon.coral#ThrottlingException`.
    pub(super) fn name_exception(&mut self, exception: &str) {
        let exception = exception.split(':').next().unwrap_or(exception);
        self.kind = clipped(exception.rsplit('#').next().unwrap_or(exception));
    }

    /// One of Google's `details`, told apart by its `@type`.
    fn google_detail(&mut self, detail: &Value) {
        let text = |name: &str| detail.get(name).and_then(Value::as_str);
        match text("@type").and_then(|kind| kind.rsplit('.').next()) {
            Some("ErrorInfo") => {
                if let Some(reason) = text("reason") {
                    self.code = clipped(reason);
                }
            }
            Some("RetryInfo") => self.wait = text("retryDelay").and_then(seconds),
            Some("QuotaFailure") => {
                let violations = detail.get("violations").and_then(Value::as_array);
                self.daily |= violations.into_iter().flatten().any(|violation| {
                    let id = violation.get("quotaId").and_then(Value::as_str);
                    id.is_some_and(|id| id.contains("PerDay"))
                });
            }
            _ => {}
        }
    }

    pub(super) fn names(&self, reason: &str) -> bool {
        self.kind == reason || self.code == reason
    }

    pub(super) fn mentions(&self, words: &[&str]) -> bool {
        let message = self.message.to_ascii_lowercase();
        words.iter().any(|word| message.contains(word))
    }
}

/// A duration as Google writes it: `34.074824224s`.
fn seconds(text: &str) -> Option<Duration> {
    let wait =
        text.strip_suffix('s')?.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())?;
    Some(wait.min(LONGEST_WAIT))
}

pub(super) fn clipped(text: &str) -> String {
    match text.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
