//! HTTP/2 by prior knowledge, against hyper's server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use upstream::{Http, HttpVersion};

use crate::calls::{call, rest, settings, text};

/// Answers with the request's path and body, once it is let.
pub(crate) struct Echo {
    pub(crate) permits: Semaphore,
    pub(crate) waiting: Semaphore,
    pub(crate) connections: AtomicUsize,
}

impl Echo {
    pub(crate) fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            permits: Semaphore::new(permits),
            waiting: Semaphore::new(0),
            connections: AtomicUsize::new(0),
        })
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        self.waiting.add_permits(1);
        self.permits.acquire().await.unwrap().forget();
        assert!(head.headers.get("host").is_none());
        let text = format!("{:?} {} {}", head.version, head.uri, String::from_utf8_lossy(&body));
        Ok(Response::new(Full::new(text.into())))
    }

    /// Serves one connection until it ends.
    pub(crate) async fn serve(
        self: Arc<Self>,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        streams: u32,
    ) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let service = service_fn(move |request| Arc::clone(&self).answer(request));
        // A client that goes is no concern of the server's.
        let _ = http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(streams)
            .serve_connection(TokioIo::new(io), service)
            .await;
    }
}

async fn serve(echo: Arc<Echo>, streams: u32) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(Arc::clone(&echo).serve(stream, streams));
        }
    });
    address
}

fn client(address: SocketAddr) -> Arc<Http> {
    let mut settings = settings(&format!("http://{address}/v1"));
    settings.versions = HttpVersion::Http2;
    Arc::new(Http::new(settings, TaskTracker::new()).unwrap())
}

#[tokio::test]
async fn calls_share_a_connection() {
    let echo = Echo::new(100);
    let address = serve(Arc::clone(&echo), 200).await;
    let http = client(address);
    let mut first = http.send(call()).await.unwrap();
    let expect = format!("HTTP/2.0 http://{address}/v1/chat/completions {{}}");
    assert_eq!(text(&mut first).await, expect);
    assert!(first.timing.connect.is_some() && first.timing.first_byte.is_some());
    let (mut second, mut third) = (http.send(call()).await.unwrap(), http.send(call()).await.unwrap());
    assert_eq!((text(&mut second).await, text(&mut third).await), (expect.clone(), expect));
    assert_eq!(second.timing.connect, None);
    assert_eq!(echo.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn more_calls_than_a_connection_carries_open_another() {
    for (streams, calls, connections) in [(200, 150, 2), (10, 25, 3)] {
        let echo = Echo::new(1);
        let http = client(serve(Arc::clone(&echo), streams).await);
        // The first call lets the server say how many it takes.
        text(&mut http.send(call()).await.unwrap()).await;
        echo.waiting.acquire().await.unwrap().forget();
        let mut answers = JoinSet::new();
        for _ in 0..calls {
            let http = Arc::clone(&http);
            answers.spawn(async move { rest(&mut http.send(call()).await.unwrap().body).await });
        }
        // All of them are at the server at once: none waits behind another.
        let at_once = echo.waiting.acquire_many(calls);
        let all =
            tokio::time::timeout(Duration::from_secs(20), at_once).await.expect("some calls wait").unwrap();
        assert_eq!(echo.connections.load(Ordering::SeqCst), connections, "{streams} streams");
        drop(all);
        echo.permits.add_permits(usize::try_from(calls).unwrap());
        assert!(answers.join_all().await.iter().all(|(text, end)| text.ends_with("{}") && end.is_none()));
    }
}

#[tokio::test]
async fn a_connection_that_has_gone_is_replaced() {
    let echo = Echo::new(2);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = client(listener.local_addr().unwrap());
    for round in 1..=2 {
        let (accepted, exchange) = tokio::join!(
            async {
                let (stream, _) = listener.accept().await.unwrap();
                let server = tokio::spawn(Arc::clone(&echo).serve(stream, 100));
                Some(server)
            },
            http.send(call())
        );
        let server = accepted.unwrap();
        text(&mut exchange.unwrap()).await;
        assert_eq!(echo.connections.load(Ordering::SeqCst), round);
        server.abort();
        // The client's side is polled until it has seen the end.
        assert!(server.await.unwrap_err().is_cancelled());
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
    }
}
