//! Windlass before the mock, with everything on: a key, the ledger's spool and database, metrics; and as one of
//! several replicas. Leaves starting it to `proxy` and `replicas`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

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

/// The same as one of two replicas, with limits of two tiers that are never reached; `{redis}` and
/// `{timeout}` are filled in, too.
const REPLICA: &str = r#"version: 1
server: { listen: "127.0.0.1:{port}" }
storage: { database: "sqlite:{dir}/windlass.db", redis: "{redis}", redis_timeout: {timeout} }
providers: { mock: { kind: openai, base_url: "http://{mock}/v1", api_key: "sk-mock" } }
keys: { bench: { key: "{key}" } }
limits:
  replicas: 2
  global: { requests_per_second: 1000000 }
  per_key: { requests_per_minute: 60000000, tokens_per_minute: 100000000000 }
"#;

/// What to do where there is no binary.
pub(crate) const MISSING: &str = "no binary; build it, or name it with --windlass PATH";

/// The gateway's binary: the one that is named, or beside this program, or in target/release.
///
/// # Errors
/// When the one that is named is not there.
pub(crate) fn binary(named: Option<&Path>) -> Result<Option<PathBuf>> {
    if let Some(path) = named {
        // Made absolute: the gateway is started in a directory of its own.
        return Ok(Some(path.canonicalize().with_context(|| format!("there is no {}", path.display()))?));
    }
    let beside = std::env::current_exe()?.with_file_name("windlass");
    let usual = crate::report::root().join("target/release/windlass");
    Ok([beside, usual].into_iter().find(|path| path.exists()))
}

/// Writes the configuration into `directory` and says how to start `binary` with it.
pub(crate) fn recipe(
    binary: &Path,
    mock: SocketAddr,
    port: u16,
    directory: &Path,
    core: usize,
) -> Result<Recipe> {
    configured(CONFIGURATION, binary, mock, port, directory, core)
}

/// The same for one of two replicas, which share the limits in Redis: its address, and how long a call waits.
pub(crate) fn replica(
    binary: &Path,
    mock: SocketAddr,
    port: u16,
    directory: &Path,
    core: usize,
    (redis, timeout): (&str, &str),
) -> Result<Recipe> {
    let text = REPLICA.replace("{redis}", redis).replace("{timeout}", timeout);
    configured(&text, binary, mock, port, directory, core)
}

fn configured(
    text: &str,
    binary: &Path,
    mock: SocketAddr,
    port: u16,
    directory: &Path,
    core: usize,
) -> Result<Recipe> {
    let file = directory.join("windlass.yaml");
    let text = text
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
    fn the_configurations_are_valid() {
        let directory = tempfile::tempdir().unwrap();
        let (binary, path) = (Path::new("windlass"), directory.path());
        let mock = SocketAddr::from((Ipv4Addr::LOCALHOST, 9000));
        let check = |_: Recipe| {
            let text = std::fs::read_to_string(path.join("windlass.yaml")).unwrap();
            let source = Source { name: "windlass.yaml", text: &text };
            let checked = config::load(source, &|_| None, &config::Overrides::default());
            checked.unwrap_or_else(|report| panic!("{report}"));
        };
        check(recipe(binary, mock, 8099, path, 0).unwrap());
        check(replica(binary, mock, 8099, path, 0, ("unix:///tmp/redis.sock", "50ms")).unwrap());
    }
}
