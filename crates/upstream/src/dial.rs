//! From a name to an open connection: DNS with a cache, TCP, TLS; each part timed.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use types::{Code, Fault, Kind, Moment, Timing};

use crate::tls::Trust;
use crate::{HttpVersion, Origin, clock};

/// Opens connections to one origin.
#[derive(Debug)]
pub(crate) struct Dialer {
    origin: Origin,
    versions: HttpVersion,
    dns_ttl: Duration,
    trust: Trust,
    /// The addresses found last, and until when they may be used.
    known: Mutex<Option<(Arc<[SocketAddr]>, Moment)>>,
}

/// A connection that nobody has spoken on yet.
pub(crate) struct Dialed {
    pub(crate) stream: Stream,
    pub(crate) http2: bool,
    pub(crate) timing: Timing,
}

/// The bytes' way, plain or encrypted.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Dialer {
    pub(crate) fn new(origin: Origin, versions: HttpVersion, dns_ttl: Duration, trust: Trust) -> Self {
        Self { origin, versions, dns_ttl, trust, known: Mutex::new(None) }
    }

    /// Opens a connection by `by`, or says what stood in the way.
    pub(crate) async fn dial(&self, by: Moment) -> Result<Dialed, Fault> {
        match tokio::time::timeout_at(clock::instant(by), self.connect()).await {
            Ok(result) => result,
            Err(_) => Err(unreachable(&self.origin, "the connection was not open in time")
                .with_hint("check the network, or raise timeouts.connect")),
        }
    }

    async fn connect(&self) -> Result<Dialed, Fault> {
        let mut timing = Timing::default();
        let began = clock::now();
        let (addresses, looked_up) = self.addresses().await?;
        let resolved = clock::now();
        timing.dns = looked_up.then(|| resolved - began);
        let tcp = self.open(&addresses).await?;
        let connected = clock::now();
        timing.connect = Some(connected - resolved);
        if !self.origin.tls {
            let http2 = self.versions == HttpVersion::Http2;
            return Ok(Dialed { stream: Stream::Plain(tcp), http2, timing });
        }
        let name = ServerName::try_from(self.origin.host.clone())
            .map_err(|_| unreachable(&self.origin, "the host is not a valid TLS server name"))?;
        let connector = TlsConnector::from(self.trust.client_config(self.versions)?);
        let tls = connector.connect(name, tcp).await;
        let tls = tls.map_err(|error| unreachable(&self.origin, &format!("TLS failed: {error}")))?;
        timing.tls = Some(clock::now() - connected);
        let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Dialed { stream: Stream::Tls(Box::new(tls)), http2, timing })
    }

    /// The origin's addresses, and whether they had to be looked up.
    async fn addresses(&self) -> Result<(Arc<[SocketAddr]>, bool), Fault> {
        let port = self.origin.port;
        if let Ok(address) = self.origin.host.parse::<IpAddr>() {
            return Ok((Arc::from([SocketAddr::new(address, port)]), false));
        }
        let now = clock::now();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((addresses, until)) = known
            && now < until
        {
            return Ok((addresses, false));
        }
        let found = tokio::net::lookup_host((self.origin.host.as_str(), port)).await;
        let found: Arc<[SocketAddr]> = match found {
            Ok(found) => found.collect(),
            Err(error) => return Err(unreachable(&self.origin, &format!("name look-up failed: {error}"))),
        };
        if found.is_empty() {
            return Err(unreachable(&self.origin, "the name has no address"));
        }
        let entry = (Arc::clone(&found), now + self.dns_ttl);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry);
        Ok((found, true))
    }

    /// The first address that takes a connection.
    async fn open(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Fault> {
        let mut last = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Small writes must not wait for the peer's acknowledgement (Nagle).
                    stream
                        .set_nodelay(true)
                        .map_err(|error| unreachable(&self.origin, &error.to_string()))?;
                    return Ok(stream);
                }
                Err(error) => last = Some(error),
            }
        }
        // The addresses may be stale: look again next time.
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let why = last.map_or_else(|| "no address".to_owned(), |error| error.to_string());
        Err(unreachable(&self.origin, &why))
    }
}

pub(crate) fn unreachable(origin: &Origin, why: &str) -> Fault {
    let message = format!("could not reach {}: {why}", origin.authority);
    Fault::new(Kind::NetworkTimeout, Code::Unreachable, message)
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
