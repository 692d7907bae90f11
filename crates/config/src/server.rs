//! What the process itself needs: where it listens, how much it takes, where it keeps things.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The `server` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where to listen. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Bytes of the largest request body.
    pub max_body: u64,
    /// Bytes of the largest request head.
    pub max_header: u64,
    /// Time for the whole request head to arrive.
    pub header_timeout: Duration,
    /// Longest silence inside a request body.
    pub body_timeout: Duration,
    /// Time that calls in flight get to finish after SIGTERM.
    pub drain: Duration,
    /// Worker threads; `None`: one per core that the process may use.
    pub workers: Option<u16>,
    /// Serve anybody, although `listen` is reachable from other machines and no key is configured.
    pub allow_open: bool,
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
}

/// Where rows are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// One file on this machine.
    Sqlite(PathBuf),
    /// Nothing outlives the process. For tests and demonstrations.
    Memory,
}
