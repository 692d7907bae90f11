//! How the local model's server is started. The engine fills this in from the configuration and the
//! environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the local model's server is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The `llama-server` program, from the configuration or `WINDLASS_LOCAL_SERVER`; `None`: looked for.
    pub server: Option<PathBuf>,
    /// The model file (GGUF), from the configuration or `WINDLASS_LOCAL_MODEL`; `None`: looked for.
    pub model: Option<PathBuf>,
    /// Where `make setup` may have put them: Python environments such as `.cache/python/model` of the
    /// project.
    pub roots: Vec<PathBuf>,
    /// The value of `PATH`, where a server is looked for last.
    pub path: Option<OsString>,
    /// Threads that compute. One is often fastest on two hyperthreads of one core.
    pub threads: u16,
    /// Tokens of context for each call at once.
    pub context: u32,
    /// Calls at once.
    pub parallel: u16,
    /// The port on loopback; `None`: a free one.
    pub port: Option<u16>,
    /// Time for the server to be ready.
    pub start_timeout: Duration,
    /// Stop the server after this long without a call; `None`: never.
    pub stop_after: Option<Duration>,
}

impl Settings {
    /// The server's command line.
    pub(super) fn arguments(&self, model: &Path, port: u16) -> Vec<OsString> {
        // The server divides its context among its slots.
        let parallel = self.parallel.max(1);
        let context = self.context.saturating_mul(u32::from(parallel));
        let pairs: [(&str, OsString); 7] = [
            ("-m", model.into()),
            ("--alias", super::Local::MODELS.concat().into()),
            ("--host", "127.0.0.1".into()),
            ("--port", port.to_string().into()),
            ("-c", context.to_string().into()),
            ("-np", parallel.to_string().into()),
            ("-t", self.threads.max(1).to_string().into()),
        ];
        let mut arguments: Vec<OsString> =
            pairs.into_iter().flat_map(|(name, value)| [name.into(), value]).collect();
        arguments.push("--jinja".into());
        arguments
    }
}
