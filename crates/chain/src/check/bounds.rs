//! Numbers within their bounds, for chains that were built; a file's have been checked with their places.

use std::time::Duration;

use document::{Problems, Span};

use crate::spec::{Settings, Spec};

pub(super) fn check(spec: &Spec, problems: &Problems<'_>) {
    settings("defaults", &spec.defaults, problems);
    for step in &spec.steps {
        settings(&format!("steps.{}", step.name), &step.settings, problems);
        if step.prompt.trim().is_empty() {
            problems.error(&format!("steps.{}.prompt", step.name), Span::default(), "must not be empty");
        }
    }
    within("limits.concurrency", spec.limits.concurrency, |n| (1..=1_000).contains(&n), problems);
    within("limits.time", spec.limits.time, positive, problems);
    within("limits.cost", spec.limits.cost, |cost| cost >= types::Money::ZERO, problems);
    for input in spec.inputs.iter().flatten() {
        let fits = input.default.as_ref().is_none_or(|value| input.kind.accepts(value));
        within(&format!("inputs.{}.default", input.name), Some(fits), |fits| fits, problems);
    }
}

fn settings(path: &str, settings: &Settings, problems: &Problems<'_>) {
    let float = |number: &serde_json::Number| number.as_f64().unwrap_or(f64::NAN);
    let name = |field: &str| format!("{path}.{field}");
    within(
        &name("temperature"),
        settings.temperature.as_ref(),
        |t| (0.0..=2.0).contains(&float(t)),
        problems,
    );
    within(&name("top_p"), settings.top_p.as_ref(), |p| (0.0..=1.0).contains(&float(p)), problems);
    within(&name("max_tokens"), settings.max_tokens, |n| (1..=10_000_000).contains(&n), problems);
    within(&name("timeout"), settings.timeout, positive, problems);
    within(&name("model"), settings.model.as_ref(), |model| !model.trim().is_empty(), problems);
    for (field, value) in [("task", &settings.task), ("profile", &settings.profile)] {
        within(&name(field), value.as_ref(), |value| !value.trim().is_empty(), problems);
    }
    if let Some(retries) = settings.retries {
        within(&name("retries.attempts"), retries.attempts, |n| (1..=20).contains(&n), problems);
    }
}

fn positive(duration: Duration) -> bool {
    !duration.is_zero()
}

fn within<T>(path: &str, value: Option<T>, fits: impl FnOnce(T) -> bool, problems: &Problems<'_>) {
    if value.is_some_and(|value| !fits(value)) {
        problems.error(path, Span::default(), "out of bounds");
    }
}
