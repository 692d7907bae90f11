//! The scripted vendor: accepts connections, reads requests, plays answers, keeps a record.

mod answer;
mod connection;
mod gate;
mod inbox;
mod request;
mod script;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

pub use answer::{Answer, Framing};
pub use gate::Gate;
pub use request::Request;
pub use script::Script;

use inbox::Inbox;

/// A scripted vendor. Dropping it closes its port and its connections.
#[derive(Debug)]
pub struct Vendor {
    address: SocketAddr,
    record: Arc<Record>,
    accepting: JoinHandle<()>,
}

/// A connection that the client has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When it was noticed.
    pub at: Instant,
    /// Number of the connection, from 0.
    pub connection: usize,
    /// Whether an answer was on the way: the client has hung up. Else it was idle.
    pub during_answer: bool,
}

#[derive(Debug)]
struct Record {
    script: Script,
    connections: AtomicUsize,
    requests: Inbox<Request>,
    closed: Inbox<Closed>,
}

impl Vendor {
    /// Starts on a free port of the loopback interface.
    pub async fn start(script: impl Into<Script>) -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script).await
    }

    /// Starts at this address; port 0 is any that is free.
    pub async fn start_at(at: SocketAddr, script: impl Into<Script>) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let record = Record {
            script: script.into(),
            connections: AtomicUsize::new(0),
            requests: Inbox::default(),
            closed: Inbox::default(),
        };
        let record = Arc::new(record);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&record)));
        Ok(Self { address, record, accepting })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL with this path: `url("/v1")`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request that has come, in order. Waits for it.
    pub async fn request(&self) -> Request {
        self.record.requests.next().await
    }

    /// The next connection that the client has closed, in order. Waits for it.
    pub async fn closed(&self) -> Closed {
        self.record.closed.next().await
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.record.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, record: Arc<Record>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = record.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(connection::serve(stream, number, Arc::clone(&record)));
    }
}
