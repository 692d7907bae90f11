//! One request to a provider and its answer: the two types that cross this crate's border.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use types::{Dialect, Fault, Moment, Timing};
use wire::Rope;

use crate::{coding, http1, http2};

/// One attempt's request, ready to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Which endpoint, and so which path and which answer.
    pub dialect: Dialect,
    /// The provider's name of the model, for providers that choose by it.
    pub model: std::sync::Arc<str>,
    /// The body, in the provider's dialect.
    pub body: Rope,
    /// Whether the body asks for a stream.
    pub stream: bool,
    /// W3C trace context to pass on.
    pub traceparent: Option<HeaderValue>,
    /// Headers of the caller that the provider's dialect defines (`anthropic-beta`, `openai-organization` …).
    pub passed: Vec<(http::HeaderName, HeaderValue)>,
    /// The connection must stand by then.
    pub connect_by: Moment,
}

/// A provider's answer: its head, and a body to poll.
#[derive(Debug)]
pub struct Exchange {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The rest of the answer.
    pub body: Body,
    /// What is known of the timing so far: DNS, connect, TLS, first byte.
    pub timing: Timing,
    /// When the request's first byte was written.
    pub sent_at: Moment,
}

/// An answer's body. Dropping it before its end cancels the provider's work.
#[derive(Debug)]
pub enum Body {
    /// Polled together with its connection.
    Http1(http1::Body),
    /// One stream of a shared connection.
    Http2(http2::Body),
    /// Made in this process by a simulated provider.
    Simulated(Box<crate::simulated::Body>),
    /// Any of these, coded, and read on the way.
    Coded(Box<coding::Body>),
}

impl Body {
    /// The next piece; `None` at the end. Errors are faults with [`types::Progress::PerhapsExecuted`].
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        match self {
            Self::Http1(body) => body.poll_chunk(cx),
            Self::Http2(body) => body.poll_chunk(cx),
            Self::Simulated(body) => body.poll_chunk(cx),
            Self::Coded(body) => body.poll_chunk(cx),
        }
    }
}
