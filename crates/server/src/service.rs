//! The way of a request: calls straight to the engine, everything else through the router.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use axum::Router;
use engine::Engine;
use futures_util::FutureExt as _;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use tower::ServiceExt as _;
use types::{Dialect, Fault};

use crate::reply::ReplyBody;
use crate::room::Room;
use crate::{calls, reply, router};

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
                let coding = calls::coding(&self.engine.config(), request.headers());
                let routed = Box::pin(self.router.clone().oneshot(request.map(axum::body::Body::new))).await;
                let routed = routed.unwrap_or_else(|never| match never {}).map(ReplyBody::Routed);
                calls::coded(routed, coding).await
            }
        }
    }
}
