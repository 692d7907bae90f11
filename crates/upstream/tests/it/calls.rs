//! Calls and clients for the tests.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::task::TaskTracker;
use types::{Dialect, Fault};
use upstream::{Body, Compression, Exchange, Http, HttpVersion, Outgoing, Settings, clock};

pub(crate) fn settings(url: &str) -> Settings {
    Settings {
        endpoints: upstream::Endpoints::Openai,
        auth: upstream::Auth::Headers,
        origin: url.parse().unwrap(),
        headers: Vec::new(),
        compression: Compression::default(),
        versions: HttpVersion::Auto,
        max_connections: 16,
        max_idle: 16,
        idle_timeout: Duration::from_secs(60),
        dns_ttl: Duration::from_secs(60),
        roots: None,
    }
}

pub(crate) fn client(url: &str) -> Http {
    Http::new(settings(url), TaskTracker::new()).unwrap()
}

pub(crate) fn chat(model: &str, body: impl Into<Bytes>) -> Outgoing {
    let body: Bytes = body.into();
    Outgoing {
        dialect: Dialect::OpenaiChat,
        model: model.into(),
        stream: body.windows(13).any(|bytes| bytes == b"\"stream\":true"),
        body: body.into(),
        traceparent: None,
        passed: Vec::new(),
        connect_by: clock::now() + Duration::from_secs(5),
    }
}

pub(crate) fn call() -> Outgoing {
    chat("m", "{}")
}

pub(crate) async fn next(body: &mut Body) -> Option<Result<Bytes, Fault>> {
    poll_fn(|cx| body.poll_chunk(cx)).await
}

/// The rest of a body, and the fault that it ended with, if any.
pub(crate) async fn rest(body: &mut Body) -> (String, Option<Fault>) {
    let mut text = Vec::new();
    let end = loop {
        match next(body).await {
            Some(Ok(bytes)) => text.extend_from_slice(&bytes),
            Some(Err(fault)) => break Some(fault),
            None => break None,
        }
    };
    (String::from_utf8(text).unwrap(), end)
}

/// A whole body.
pub(crate) async fn text(exchange: &mut Exchange) -> String {
    let (text, end) = rest(&mut exchange.body).await;
    assert_eq!(end, None, "after {text:?}");
    text
}
