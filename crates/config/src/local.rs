//! The `local` provider: a small real model behind a server process on this machine.

use std::path::PathBuf;
use std::time::Duration;

/// How the local model's server is started. What is `None` is found by the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// The `llama-server` program; `None`: looked for beside the project, then in `PATH`.
    pub server: Option<PathBuf>,
    /// The model file (GGUF); `None`: the one that `make run` fetched.
    pub model: Option<PathBuf>,
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
