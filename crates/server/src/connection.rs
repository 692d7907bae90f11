//! One caller's connection.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;

use crate::bare::Explained;
use crate::closing::Closing;
use crate::patience::Patient;
use crate::service::Service;
use crate::streams::{Calls, waking};
use crate::waiting::{HeadTimer, Waits, Watch};

/// What a connection may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    waits: Waits,
    max_header: usize,
    write_timeout: Duration,
}

impl From<&config::Server> for Settings {
    fn from(server: &config::Server) -> Self {
        Self {
            waits: Waits { header: server.header_timeout, idle: server.idle_timeout },
            max_header: usize::try_from(server.max_header).unwrap_or(usize::MAX),
            write_timeout: server.body_timeout,
        }
    }
}

/// The least buffer that hyper takes.
const MIN_BUFFER: usize = 8 << 10;

/// Serves a connection until it ends; once it is asked to finish, or has waited for too long, until nothing is in
/// flight on it or it is cut off.
pub(crate) async fn serve(
    stream: TcpStream,
    service: Arc<Service>,
    settings: Settings,
    closing: Arc<Closing>,
) {
    // Room to read a head that is too large, so that it can be answered with a reason.
    let largest = settings.max_header.saturating_mul(2).max(MIN_BUFFER);
    let Settings { waits, write_timeout, .. } = settings;
    let timer = HeadTimer::new(waits.header);
    let calls = Calls { closing: Arc::clone(&closing), timer: timer.clone(), patience: write_timeout };
    let mut builder = Builder::new(calls);
    builder.http1().timer(timer.clone()).header_read_timeout(waits.idle).max_buf_size(largest);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(u32::try_from(largest).unwrap_or(u32::MAX));
    let stream = Patient::new(stream, write_timeout, timer.clone());
    let io = TokioIo::new(Explained::new(stream, largest, service.engine().clone()));
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { service.answer(request).await }
    });
    let mut connection = pin!(builder.serve_connection(io, answer));
    let mut finish = pin!(closing.finish.told());
    let mut watch = Watch::new(timer, waits);
    let ended = poll_fn(|cx| match watch.poll(connection.as_mut(), cx) {
        Poll::Ready(ended) => Poll::Ready(ended),
        Poll::Pending => finish.as_mut().poll(cx).map(|()| None),
    });
    let ended = if let Some(ended) = ended.await {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        watch.ending();
        let watched = poll_fn(|cx| watch.poll(connection.as_mut(), cx));
        let mut connection = pin!(waking(watched, &closing));
        tokio::select! {
            Some(ended) = &mut connection => ended,
            () = closing.cut.told() => return,
            else => return,
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a caller's connection ended early");
    }
}
