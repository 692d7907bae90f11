//! Runs to test with.

use std::time::Duration;

use serde_json::json;
use store::journal::NewRun;
use types::{RunId, Timestamp};

/// How long a run is claimed for.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// So many seconds after the moment at which all begins here.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + seconds * 1_000_000)
}

/// A usual run, begun so many seconds after that.
pub(crate) fn new_run(number: u8) -> NewRun {
    let at = at(i64::from(number));
    let id = RunId::new(at, [number; 10]);
    NewRun {
        id,
        chain: "research".into(),
        source: "name: research\nsteps: []\n".into(),
        inputs: json!({"topic": "tides"}),
        trace: id.into(),
        caller: Some("key".into()),
        tenant: Some("tenant".into()),
        at,
    }
}
