//! The local model's configuration, completed by the environment: what the configuration leaves open is
//! looked for where `make setup` puts it.

use std::env::{current_dir, current_exe, var_os};
use std::path::PathBuf;

use config::Local;
use upstream::local::Settings;

/// Where `make setup` puts the server and the model, in a folder of the project.
const MADE_BY_SETUP: &str = ".cache/python/model";

pub(super) fn settings(configured: &Local) -> Settings {
    let named = |name: &str| var_os(name).map(PathBuf::from);
    Settings {
        server: configured.server.clone().or_else(|| named("WINDLASS_LOCAL_SERVER")),
        model: configured.model.clone().or_else(|| named("WINDLASS_LOCAL_MODEL")),
        roots: roots(),
        path: var_os("PATH"),
        threads: configured.threads,
        context: configured.context,
        parallel: configured.parallel,
        port: configured.port,
        start_timeout: configured.start_timeout,
        stop_after: configured.stop_after,
    }
}

/// Beside where we are, and beside where the program is: it lies in `target/` of the project.
fn roots() -> Vec<PathBuf> {
    let here = current_dir().ok();
    let program = current_exe().ok();
    let above =
        |path: &PathBuf| path.ancestors().map(|folder| folder.join(MADE_BY_SETUP)).collect::<Vec<_>>();
    let mut roots: Vec<PathBuf> = here.iter().flat_map(above).collect();
    for root in program.iter().flat_map(above) {
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    roots
}
