//! The engine as a whole, on a driven clock.

mod goals;
mod storms;

use std::path::Path;
use std::sync::LazyLock;

use simulation::Traces;

static TRACES: LazyLock<Traces> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/traffic");
    Traces::load(Path::new(folder)).unwrap()
});
