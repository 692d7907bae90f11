//! Where this process's own limits stand: who is refused, who waits, what is full.

use axum::Json;
use axum::extract::State;
use engine::{Engine, Overview};
use http::HeaderMap;
use serde_json::{Value, json};

use super::{Failed, admin};

/// `GET /api/v1/limits`.
pub(super) async fn show(State(engine): State<Engine>, headers: HeaderMap) -> Result<Json<Value>, Failed> {
    admin(&engine, &headers)?;
    let Overview { level, load, memory, ceiling, shed, bulkheads, places, limited } = engine.overview();
    let bulkheads: Vec<_> = bulkheads
        .iter()
        .map(|row| {
            json!({
                "kind": row.kind.as_str(), "name": row.name, "size": row.size, "running": row.running,
                "peak": row.peak, "refused": row.refused, "utilisation": row.utilisation(),
            })
        })
        .collect();
    let places: Vec<_> = places
        .iter()
        .map(|at| {
            json!({
                "provider": at.provider, "model": at.model, "limit": at.limit, "running": at.running,
                "waiting": at.waiting, "refused": at.refused, "shed": at.shed,
            })
        })
        .collect();
    Ok(Json(json!({
        "level": level,
        "load": load,
        "memory": memory.map(|(zone, percent)| json!({ "zone": zone, "percent": percent })),
        "calls": { "running": engine.calls_in_flight(), "most": ceiling },
        "shed": { "calls": shed },
        "bulkheads": bulkheads,
        "places": places,
        "waiting_for_limits": limited,
    })))
}
