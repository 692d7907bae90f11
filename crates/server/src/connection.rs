//! One caller's connection.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;

use crate::bare::Explained;
use crate::closing::Closing;
use crate::patience::Patient;
use crate::service::Service;
use crate::waiting::{HeadTimer, Watch};

/// Spawns what hyper wants spawned, which is the calls of HTTP/2 connections: they are polled by their own tasks.
#[derive(Clone, Debug)]
struct Waking(Arc<Closing>);

impl<F> Executor<F> for Waking
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        let closing = Arc::clone(&self.0);
        tokio::spawn(async move { waking(future, &closing).await });
    }
}

/// Does `work`, and polls it once more when calls in flight are told to end.
async fn waking<F: Future>(work: F, closing: &Closing) -> F::Output {
    let mut work = pin!(work);
    let mut abort = pin!(closing.abort.told());
    let mut told = false;
    poll_fn(|cx| {
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() && !told && abort.as_mut().poll(cx).is_ready() {
            told = true;
            return work.as_mut().poll(cx);
        }
        polled
    })
    .await
}

/// What a connection may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    header_timeout: Duration,
    max_header: usize,
    write_timeout: Duration,
}

impl From<&config::Server> for Settings {
    fn from(server: &config::Server) -> Self {
        Self {
            header_timeout: server.header_timeout,
            max_header: usize::try_from(server.max_header).unwrap_or(usize::MAX),
            write_timeout: server.body_timeout,
        }
    }
}

/// The least buffer that hyper takes.
const MIN_BUFFER: usize = 8 << 10;

/// Serves a connection until it ends; once it is asked to finish, until nothing is in flight on it or it is
/// cut off.
pub(crate) async fn serve(
    stream: TcpStream,
    service: Arc<Service>,
    settings: Settings,
    closing: Arc<Closing>,
) {
    // Room to read a head that is too large, so that it can be answered with a reason.
    let largest = settings.max_header.saturating_mul(2).max(MIN_BUFFER);
    let timer = HeadTimer::new();
    let mut builder = Builder::new(Waking(Arc::clone(&closing)));
    builder.http1().timer(timer.clone()).header_read_timeout(settings.header_timeout).max_buf_size(largest);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(u32::try_from(largest).unwrap_or(u32::MAX));
    let stream = Patient::new(stream, settings.write_timeout);
    let io = TokioIo::new(Explained::new(stream, largest, service.engine().clone()));
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { service.answer(request).await }
    });
    let mut connection = pin!(builder.serve_connection(io, answer));
    let mut finish = pin!(closing.finish.told());
    let mut watch = Watch::new(timer);
    let ended = poll_fn(|cx| match watch.poll(connection.as_mut(), cx) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending => finish.as_mut().poll(cx).map(|()| None),
    });
    let ended = if let Some(ended) = ended.await {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        let watched = poll_fn(|cx| watch.poll(connection.as_mut(), cx));
        let mut connection = pin!(waking(watched, &closing));
        tokio::select! {
            ended = &mut connection => ended,
            () = closing.cut.told() => return,
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a caller's connection ended early");
    }
}
