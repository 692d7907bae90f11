//! Accepting connections, and letting them go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::closing::Closing;
use crate::connection;
use crate::service::Service;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// The pause after an accept that failed for want of file descriptors: trying at once would only burn CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the last bytes of answers may take to leave once all calls have ended or run out of time.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// The address cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.source)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
    connections: TaskTracker,
    closing: Arc<Closing>,
}

impl Server {
    /// Listens where the engine's configuration says.
    pub fn bind(engine: Engine) -> Result<Self, BindError> {
        let config = engine.config();
        let address = config.server.listen;
        let fail = |source| BindError { address, source };
        let listener = listen(address).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self {
            listener,
            address,
            service: Arc::new(Service::new(engine)),
            connections: TaskTracker::new(),
            closing: Arc::default(),
        })
    }

    /// Where it listens: the port that was chosen, if the configuration left it open.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done, then accepts no more and asks connections to end. Returns what cuts
    /// off those that do not.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Rest {
        tokio::select! {
            () = shutdown => {}
            () = self.accept() => {}
        }
        self.connections.close();
        self.closing.finish.say();
        Rest { connections: self.connections, closing: self.closing }
    }

    /// Never returns.
    async fn accept(&self) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => self.take(stream),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    if !is_the_peers(&error) {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    fn take(&self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended before it began");
            return;
        }
        let (service, closing) = (Arc::clone(&self.service), Arc::clone(&self.closing));
        let settings = connection::Settings::from(&self.service.engine().config().server);
        self.connections.spawn(connection::serve(stream, service, settings, closing));
    }
}

/// Connections that are still open after the server has stopped accepting.
#[derive(Debug)]
pub struct Rest {
    connections: TaskTracker,
    closing: Arc<Closing>,
}

impl Rest {
    /// Lets calls that the engine has told to end say so, and the last bytes of answers leave; then cuts off what is
    /// still open and waits until it is gone.
    pub async fn cut(self) {
        self.closing.abort.say();
        // A call is over, and its row written, before its caller has read all of it.
        let _ = tokio::time::timeout(LAST_BYTES, self.connections.wait()).await;
        self.closing.cut.say();
        self.connections.wait().await;
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the process before it.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Whether an accept failed because of the connection itself, not for want of resources.
fn is_the_peers(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionReset)
}
