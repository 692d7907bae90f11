//! What calls used and cost: the ledger's rows.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use engine::Engine;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use store::ledger::Filter;
use types::{CallId, RunId};

use super::{Failed, admin, query};

/// The most rows of one answer.
const MOST: u32 = 1_000;

/// Which rows.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    call: Option<CallId>,
    run: Option<RunId>,
    provider: Option<String>,
    model: Option<String>,
    limit: Option<u32>,
}

/// `GET /api/v1/calls`: attempts, the newest first.
pub(super) async fn list(
    State(engine): State<Engine>,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Value>, Failed> {
    admin(&engine, &headers)?;
    let wanted = query(wanted)?;
    let filter = Filter {
        call: wanted.call,
        run: wanted.run,
        provider: wanted.provider.map(Into::into),
        model: wanted.model.map(Into::into),
        limit: Some(wanted.limit.unwrap_or(100).min(MOST)),
        ..Filter::default()
    };
    Ok(Json(json!({ "data": engine.ledger().query(&filter).await? })))
}
