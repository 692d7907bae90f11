//! What fails, where, how often, what recurs, and what was done about it.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use engine::{Count, Engine, Errors};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Code, Fault};

use super::{Failed, admin, query};

/// How far back.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    minutes: Option<usize>,
}

/// `GET /api/v1/errors`.
pub(super) async fn show(
    State(engine): State<Engine>,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Value>, Failed> {
    admin(&engine, &headers)?;
    let wanted = query(wanted)?;
    let minutes = wanted.minutes.unwrap_or(60);
    if !(1..=60).contains(&minutes) {
        return Err(Fault::invalid(Code::BadField, "minutes", "`minutes` must be 1 to 60").into());
    }
    // Looking for patterns takes a while: not on a thread that serves calls.
    let found = tokio::task::spawn_blocking(move || engine.errors(minutes)).await;
    let Errors { minutes, all, by_class, by_provider, by_model, patterns, actions } =
        found.map_err(|_| Fault::internal("looking at the errors failed"))?;
    let by_class = by_class.iter().map(|(class, count)| with(*count, json!({ "class": class.as_str() })));
    let by_provider = by_provider.iter().map(|(name, count)| with(*count, json!({ "provider": name })));
    let by_model = by_model
        .iter()
        .map(|(provider, model, count)| with(*count, json!({ "provider": provider, "model": model })));
    let patterns = patterns.iter().map(|it| json!({ "kind": it.kind, "message": it.message }));
    let actions = actions.iter().map(|it| {
        json!({
            "seconds_ago": it.ago.as_secs(), "provider": it.provider, "model": it.model, "action": it.what,
            "why": it.why,
        })
    });
    Ok(Json(json!({
        "minutes": minutes,
        "all": with(all, json!({})),
        "by_class": by_class.collect::<Vec<_>>(),
        "by_provider": by_provider.collect::<Vec<_>>(),
        "by_model": by_model.collect::<Vec<_>>(),
        "patterns": patterns.collect::<Vec<_>>(),
        "actions": actions.collect::<Vec<_>>(),
    })))
}

fn with(count: Count, mut row: Value) -> Value {
    if let Some(row) = row.as_object_mut() {
        row.insert("attempts".to_owned(), count.attempts.into());
        row.insert("failures".to_owned(), count.failures.into());
        row.insert("rate".to_owned(), count.rate().into());
    }
    row
}
