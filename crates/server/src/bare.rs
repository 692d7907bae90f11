//! What hyper answers by itself to a head that it cannot read, told as an error of ours.
//!
//! Such a request never reaches the service: hyper writes a status without a body (400, 414, 431) and closes. No
//! hook is there to say more, so the socket looks at what is written: a head of one of these statuses that
//! announces no body and stands alone gets ours. Nothing else that we write looks like it: our own errors have
//! bodies, and what providers send leaves behind a head or inside a chunk, and is JSON or events.
//!
//! HTTP/2 has answers of its own kind for this and is left alone.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use engine::Engine;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use types::{CallId, Code, Dialect, Fault, Kind};

/// hyper's bare answers are shorter.
const LONGEST: usize = 256;
const NO_BODY: &str = "content-length: 0\r\n";
/// What is still read of a peer that has been told, so that a reset does not overtake the answer …
const DRAIN: usize = 1 << 20;
/// … and for how long.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// A socket on which hyper's bare answers become ours.
pub(crate) struct Explained<S> {
    stream: S,
    /// The largest head that hyper reads, in bytes.
    largest: usize,
    engine: Engine,
    state: State,
}

enum State {
    /// Nothing bare was written.
    Watching,
    /// Our answer is on its way instead of so many bytes.
    Telling { ours: Bytes, instead_of: usize },
    /// It has left.
    Told { drained: usize, until: Pin<Box<Sleep>> },
}

impl<S> Explained<S> {
    pub(crate) fn new(stream: S, largest: usize, engine: Engine) -> Self {
        Self { stream, largest, engine, state: State::Watching }
    }

    /// Begins to tell where hyper would say nothing more than a status.
    fn look(&mut self, head: &[u8]) {
        if matches!(self.state, State::Watching)
            && let Some(ours) = explained(head, self.largest, |fault| self.engine.turned_away(fault))
        {
            self.state = State::Telling { ours, instead_of: head.len() };
        }
    }
}

impl<S: AsyncWrite + Unpin> Explained<S> {
    /// Our answer instead of hyper's; `None` where there is none to give.
    fn tell(&mut self, cx: &mut Context<'_>) -> Option<Poll<Result<usize>>> {
        let State::Telling { ours, instead_of } = &mut self.state else { return None };
        let instead_of = *instead_of;
        while ours.has_remaining() {
            match Pin::new(&mut self.stream).poll_write(cx, ours) {
                Poll::Ready(Ok(written)) if written > 0 => ours.advance(written),
                ended => return Some(ended),
            }
        }
        let until = Box::pin(sleep_until(Instant::now() + DRAIN_TIME));
        self.state = State::Told { drained: 0, until };
        Some(Poll::Ready(Ok(instead_of)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Explained<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Explained<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        this.look(buf);
        match this.tell(cx) {
            Some(told) => told,
            None => Pin::new(&mut this.stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        if let Some((first, rest)) = bufs.split_first()
            && rest.iter().all(|rest| rest.is_empty())
        {
            this.look(first);
        }
        match this.tell(cx) {
            Some(told) => told,
            None => Pin::new(&mut this.stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    /// Whoever was told may still be sending: closing at once would reset the connection, and with it take the
    /// answer from those who have not read it yet.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        let State::Told { drained, until } = &mut this.state else { return Poll::Ready(Ok(())) };
        let mut bytes = [0; 4 << 10];
        while *drained < DRAIN && until.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                break;
            }
            *drained += buf.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

/// Our answer, if this is one of hyper's bare ones; `named` names its request.
fn explained(head: &[u8], largest: usize, named: impl FnOnce(&Fault) -> CallId) -> Option<Bytes> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    if head.len() > LONGEST || !rest.ends_with(b"\r\n\r\n") {
        return None;
    }
    let (message, hint) = match rest.get(2..5)? {
        b"400" => (
            "the request's head is not HTTP as it should be".to_owned(),
            "send a request line and headers of HTTP/1.1; this port speaks http, not https",
        ),
        b"414" => (
            "the request's path is too long".to_owned(),
            "send what is long in the body, not in the path or the query",
        ),
        b"431" => (
            format!("the request's head takes more than {largest} bytes, or has more than a hundred headers"),
            "send fewer or shorter headers; the operator sets server.max_header",
        ),
        _ => return None,
    };
    let head = std::str::from_utf8(head).ok()?;
    // One head, and no body after it.
    if head.find("\r\n\r\n") != Some(head.len() - 4) || head.contains("content-type") {
        return None;
    }
    let (before, after) = head.split_once(NO_BODY)?;
    let fault = Fault::new(Kind::Validation, Code::BadHeaders, message).with_hint(hint);
    // Nobody knows what was asked for, so in the usual dialect.
    let (_, body) = wire::encode_error(Dialect::OpenaiChat, &fault, Some(named(&fault)));
    let length = body.len();
    let head = format!("{before}content-type: application/json\r\ncontent-length: {length}\r\n{after}");
    Some(Bytes::from([head.as_bytes(), &body].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(_: &Fault) -> CallId {
        CallId::from_bytes([7; 16])
    }

    #[test]
    fn only_what_is_bare_is_explained() {
        let bare = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\
             date: Sun, 22 Nov 2026 13:00:00 GMT\r\n\r\n";
        let ours = explained(bare.as_bytes(), 1_000, call).unwrap();
        let ours = std::str::from_utf8(&ours).unwrap();
        let (head, body) = ours.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"));
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
        assert!(body.contains("\"call\":\"call_"), "{body}");
        assert!(body.contains("WL1008") && body.contains("more than 1000 bytes"), "{body}");
        let hints = ["not https", "in the body", "fewer or shorter"];
        for (status, hint) in ["400", "414", "431"].into_iter().zip(hints) {
            let bare = bare.replace("431", status);
            let ours = explained(bare.as_bytes(), 1_000, call).unwrap();
            let has = |hint: &&str| std::str::from_utf8(&ours).unwrap().contains(hint);
            assert_eq!(hints.into_iter().filter(has).collect::<Vec<_>>(), [hint], "{bare}");
        }
        for other in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "HTTP/1.1 431 Too Large\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
            format!("{bare}{bare}"),
            format!("{bare}{{}}"),
            bare.replace("content-length: 0\r\n", ""),
            bare.replace("431", "404"),
            format!("x{bare}"),
            String::new(),
        ] {
            assert_eq!(explained(other.as_bytes(), 1_000, call), None, "{other}");
        }
    }
}
