//! The engine as a whole, on a driven clock.

#[cfg(test)]
mod goals;
#[cfg(test)]
mod storms;

use std::path::Path;
use std::sync::LazyLock;

use simulation::Traces;

static TRACES: LazyLock<Traces> = LazyLock::new(traces);

#[expect(clippy::unwrap_used, reason = "without traces there is nothing to test")]
fn traces() -> Traces {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/traffic");
    Traces::load(Path::new(folder)).unwrap()
}
