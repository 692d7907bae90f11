//! How models are asked: `defaults`, a step's own settings, and the names of the seed's `ChainConfig`.

use std::time::Duration;

use document::{MapReader, Reader, Span};
use serde_json::Number;

use super::money;
use crate::Spec;
use crate::spec::{Backoff, Retries, Settings};

/// Everything that defaults and steps have in common.
pub(super) fn read(map: &mut MapReader<'_>, settings: &mut Settings, system: &mut Option<Span>) {
    read_sampling(map, settings);
    fill(
        &mut settings.system,
        map.optional("system", |r| {
            *system = Some(r.span());
            r.text()
        }),
    );
    map.optional("parameters", |r| {
        let mut map = r.map()?;
        read_sampling(&mut map, settings);
        map.finish();
        Some(())
    });
    fill(&mut settings.task, map.optional("task", Reader::nonempty_text));
    fill(&mut settings.profile, map.optional("profile", Reader::nonempty_text));
    fill(&mut settings.timeout, map.optional("timeout", duration));
    map.optional("retries", |r| {
        let retries = settings.retries.get_or_insert_default();
        if matches!(r.node().value, document::Value::Integer(_)) {
            retries.attempts = r.integer(1..=20);
            return Some(());
        }
        let mut map = r.map()?;
        fill(&mut retries.attempts, map.optional("attempts", |r| r.integer(1..=20)));
        let words =
            [("exponential", Backoff::Exponential), ("fixed", Backoff::Fixed), ("constant", Backoff::Fixed)];
        fill(&mut retries.backoff, map.optional("backoff", |r| r.one_of(&words)));
        fill(&mut retries.base, map.optional("base", duration));
        fill(&mut retries.max, map.optional("max", duration));
        map.finish();
        Some(())
    });
}

/// The model and what is sent along with the prompt.
pub(super) fn read_sampling(map: &mut MapReader<'_>, settings: &mut Settings) {
    fill(&mut settings.model, map.optional("model", Reader::nonempty_text));
    fill(&mut settings.temperature, map.optional("temperature", |r| number(r, 2.0)));
    fill(&mut settings.top_p, map.optional("top_p", |r| number(r, 1.0)));
    fill(&mut settings.max_tokens, map.optional("max_tokens", |r| r.integer(1..=10_000_000)));
    fill(&mut settings.stop, map.optional("stop", |r| r.one_or_many(Reader::text)));
}

/// The names of the seed's `ChainConfig` that differ from ours; accepted under `config` and at the top.
pub(super) fn read_seed(map: &mut MapReader<'_>, spec: &mut Spec) {
    fill(&mut spec.defaults.timeout, map.optional("timeout_seconds", |r| positive(&r.clone(), r.seconds()?)));
    fill(&mut spec.limits.cost, map.optional("cost_limit_usd", money));
    fill(&mut spec.switches.caching, map.optional("enable_caching", caching));
    fill(&mut spec.switches.tracing, map.optional("enable_tracing", Reader::bool));
    let levels = ["debug", "info", "warning", "warn", "error", "DEBUG", "INFO", "WARNING", "WARN", "ERROR"];
    let level = map.optional("log_level", |r| r.one_of(&levels.map(|word| (word, word))));
    let level = level.map(|word| word.to_ascii_lowercase().replace("warning", "warn"));
    fill(&mut spec.switches.log_level, level);
    let attempts = map.optional("retry_attempts", |r| r.integer(1..=20));
    let backoff = map.optional("retry_backoff_factor", |r| {
        let reader = r.clone();
        match r.float(0.0..=1e3)? {
            1.0 => Some(Backoff::Fixed),
            2.0 => Some(Backoff::Exponential),
            _ => {
                reader.error("only 1 (the same wait each time) and 2 (doubling) are supported");
                None
            }
        }
    });
    if attempts.is_some() || backoff.is_some() {
        let retries: &mut Retries = spec.defaults.retries.get_or_insert_default();
        fill(&mut retries.attempts, attempts);
        fill(&mut retries.backoff, backoff);
    }
}

/// Whether answers may come from the cache: read, and not yet acted on.
#[expect(clippy::needless_pass_by_value, reason = "the shape of a leaf reader")]
fn caching(reader: Reader<'_>) -> Option<bool> {
    let wanted = reader.clone().bool()?;
    if wanted {
        reader.warn("has no effect yet: answers are not cached, every step asks its model");
    }
    Some(wanted)
}

/// The later of two places wins, if it says anything.
fn fill<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}

fn number(reader: Reader<'_>, most: f64) -> Option<Number> {
    Number::from_f64(reader.float(0.0..=most)?)
}

pub(super) fn duration(reader: Reader<'_>) -> Option<Duration> {
    positive(&reader.clone(), reader.duration()?)
}

fn positive(reader: &Reader<'_>, duration: Duration) -> Option<Duration> {
    if duration.is_zero() {
        reader.error("must be longer than nothing");
        return None;
    }
    Some(duration)
}
