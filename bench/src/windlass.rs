//! Windlass before the mock, with everything on: a key, the ledger's spool and database, metrics. Leaves
//! starting it to `proxy`.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context, Result};

use crate::child::Recipe;

/// The caller's key.
pub(crate) const KEY: &str = "wl_bench_0123456789abcdef0123456789abcdef";

/// The configuration; `{port}`, `{mock}`, `{dir}` and `{key}` are filled in.
const CONFIGURATION: &str = r#"version: 1
server: { listen: "127.0.0.1:{port}" }
storage: { database: "sqlite:{dir}/windlass.db" }
providers: { mock: { kind: openai, base_url: "http://{mock}/v1", api_key: "sk-mock" } }
keys: { bench: { key: "{key}" } }
"#;

/// Writes the configuration into `directory` and says how to start `binary` with it.
pub(crate) fn recipe(
    binary: &Path,
    mock: SocketAddr,
    port: u16,
    directory: &Path,
    core: usize,
) -> Result<Recipe> {
    let file = directory.join("windlass.yaml");
    let text = CONFIGURATION
        .replace("{port}", &port.to_string())
        .replace("{mock}", &mock.to_string())
        .replace("{dir}", &directory.display().to_string())
        .replace("{key}", KEY);
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Recipe::new("windlass", binary, core).args(["serve", "--config"]).args([&file]).directory(directory))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ::windlass::{chain::Source, config};

    use super::*;

    #[test]
    fn the_configuration_is_valid() {
        let directory = tempfile::tempdir().unwrap();
        let mock = SocketAddr::from((Ipv4Addr::LOCALHOST, 9000));
        recipe(Path::new("windlass"), mock, 8099, directory.path(), 0).unwrap();
        let text = std::fs::read_to_string(directory.path().join("windlass.yaml")).unwrap();
        let source = Source { name: "windlass.yaml", text: &text };
        let checked = config::load(source, &|_| None, &config::Overrides::default());
        checked.unwrap_or_else(|report| panic!("{report}"));
    }
}
