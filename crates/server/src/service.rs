//! The way of a request: calls straight to the engine, everything else through the router.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use axum::Router;
use bytes::Bytes;
use engine::Engine;
use futures_util::FutureExt as _;
use http::{Method, Request, Response};
use hyper::body::{Body as _, Incoming};
use tower::ServiceExt as _;
use types::{Dialect, Fault};

use crate::reply::ReplyBody;
use crate::room::{Held, Room};
use crate::{body, calls, reply, router};

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct Service {
    engine: Engine,
    router: Router,
    room: Room,
}

impl Service {
    pub(crate) fn new(engine: Engine) -> Self {
        let room = Room::new(engine.config().server.max_bodies);
        Self { router: router::make(engine.clone()), room, engine }
    }

    pub(crate) const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Answers one request. A panic ends the request, not the connection's task, let alone the process.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Result<Response<ReplyBody>, Infallible> {
        let dialect = calls::dialect(request.uri().path());
        let answer = AssertUnwindSafe(self.route(dialect, request)).catch_unwind().await;
        Ok(answer.unwrap_or_else(|_| {
            let fault = Fault::internal("a bug of this gateway ended the call; its log has the details");
            reply::fault(dialect.unwrap_or(Dialect::OpenaiChat), &fault, None)
        }))
    }

    async fn route(&self, dialect: Option<Dialect>, request: Request<Incoming>) -> Response<ReplyBody> {
        match dialect {
            Some(dialect) if request.method() == Method::POST => {
                calls::answer(&self.engine, &self.room, dialect, request).await
            }
            _ => {
                let config = self.engine.config();
                let coding = calls::coding(&config, request.headers());
                let (head, incoming) = request.into_parts();
                let (body, _held) = if incoming.is_end_stream() {
                    (axum::body::Body::empty(), Held::default())
                } else {
                    match Box::pin(body::read(incoming, body::Limits::from(&config.server), &self.room)).await
                    {
                        Ok((bytes, place)) => (axum::body::Body::from(bytes), place),
                        Err(fault) => return reply::fault(shape(head.uri.path()), &fault, None),
                    }
                };
                let request = Request::from_parts(head, body);
                let routed = Box::pin(self.router.clone().oneshot(request)).await;
                let routed = routed
                    .unwrap_or_else(|never| match never {})
                    .map(|body| ReplyBody::Routed(body, Bytes::new()));
                calls::coded(routed, coding).await
            }
        }
    }
}

/// The dialect in which what is no call is told of trouble.
pub(crate) fn shape(path: &str) -> Dialect {
    let anthropic = path.starts_with("/anthropic/") || path.starts_with("/v1/messages/");
    if anthropic { Dialect::AnthropicMessages } else { Dialect::OpenaiChat }
}
