//! What the process itself needs: where it listens, how much it takes, where it keeps things.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::Secret;

/// The `server` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where to listen. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Bytes of the largest request body.
    pub max_body: u64,
    /// Bytes of all large request bodies at once. Fixed when the process starts.
    pub max_bodies: u64,
    /// Bytes of the largest request head.
    pub max_header: u64,
    /// Time for the whole request head to arrive.
    pub header_timeout: Duration,
    /// Longest time that a connection without a call stays open.
    pub idle_timeout: Duration,
    /// Longest silence inside a request body.
    pub body_timeout: Duration,
    /// Bytes a second that a request body must come at, once `body_timeout` has gone by.
    pub body_rate: u64,
    /// Time that calls in flight get to finish after SIGTERM.
    pub drain: Duration,
    /// How much of that goes by, after SIGTERM, before the process listens no more.
    pub drain_notice: Duration,
    /// Worker threads; `None`: one per core that the process may use.
    pub workers: Option<u16>,
    /// Whether whole answers are compressed for callers that can read it.
    pub compress: Compress,
    /// Serve anybody, although `listen` is reachable from other machines and no key is configured.
    pub allow_open: bool,
}

/// When whole answers are compressed. Streams never are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compress {
    /// Where the caller's `accept-encoding` allows it and the answer is large enough to gain by it.
    #[default]
    Auto,
    /// Never: something in front does it, or the network is faster than the processor.
    Off,
}

/// The `storage` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The database.
    pub database: Database,
    /// The folder of the ledger's spool.
    pub spool: PathBuf,
    /// Bytes that the spool may grow to while the database is away.
    pub spool_max: u64,
    /// Whether what providers do not report of OpenAI's models is counted after the call.
    pub count_tokens: bool,
    /// How long answers in the Responses dialect are kept for later calls to go on from; zero: not at all.
    pub keep_responses: Duration,
    /// What replicas share. The address may hold a password.
    pub redis: Option<Secret>,
    /// A file of certificates that it is trusted by, in place of the public authorities.
    pub redis_ca: Option<PathBuf>,
    /// The longest that a call waits for it.
    pub redis_timeout: Duration,
}

/// Where rows are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// One file on this machine.
    Sqlite(PathBuf),
    /// Nothing outlives the process. For tests and demonstrations.
    Memory,
}
