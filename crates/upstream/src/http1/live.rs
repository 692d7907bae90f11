//! One connection: a request on its way out, an answer's head on its way in.

use std::future::{Future as _, poll_fn};
use std::io::{self, IoSlice, Write as _};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, BytesMut};
use http::Method;
use tokio::io::AsyncWrite as _;
use tokio::task::unconstrained;
use tokio_util::io::poll_read_buf;
use types::{Code, Fault, Kind, Progress};
use wire::http1::{Answer, MAX_HEAD, NotHttp, read_head};

use crate::dial::Stream;
use crate::request::Ready;

/// Bytes that there is room for with every read: most answers come whole in one.
const ROOM: usize = 8 << 10;
/// The same, once a read has filled all the room that there was.
const LARGE_ROOM: usize = 64 << 10;
/// Pieces of a body that one write takes.
const PIECES: usize = 8;

/// An open connection with nothing on the way.
pub(crate) struct Live {
    stream: Stream,
    /// What was read and not yet understood.
    pub(super) read: BytesMut,
    /// A request's head.
    head: Vec<u8>,
    /// Whether the last read filled its room.
    filled: bool,
}

/// Why a request on a connection failed.
pub(crate) enum SendError {
    /// The connection was closed before it took the request or a part of it, which comes back unharmed.
    Unsent(Box<Ready>),
    /// Something went wrong after that.
    Failed(Fault),
}

impl Live {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, read: BytesMut::new(), head: Vec::new(), filled: false }
    }

    /// Whether the peer has kept the connection open since it was last used, and has said nothing unasked.
    pub(super) fn is_good(&mut self) -> bool {
        // Without a budget nothing would be asked, and every connection look good.
        let read = unconstrained(poll_fn(|cx| self.poll_read(cx)));
        pin!(read).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Sends a request and waits for the answer's head. A refusal that comes before the request has left ends it, and
    /// is the last answer on its connection; who begins a good answer before that is sent the rest first.
    pub(crate) async fn send(&mut self, mut request: Ready) -> Result<Answer, SendError> {
        write_head(&request, &mut self.head);
        self.filled = false;
        let mut sending = Sending { head: 0, over: false, error: None };
        let mut early: Option<Answer> = None;
        let answer = poll_fn(|cx| {
            if !sending.over
                && let Poll::Ready(written) = self.poll_write(cx, &mut sending, &mut request)
            {
                sending.over = true;
                sending.error = written.err();
                if sending.error.is_some() && sending.head == 0 {
                    return Poll::Ready(Err(None));
                }
            }
            if let Some(answer) = early.take_if(|_| sending.over) {
                return Poll::Ready(Ok(Answer {
                    stays_open: sending.error.is_none() && answer.stays_open,
                    ..answer
                }));
            }
            if early.is_some() {
                return Poll::Pending;
            }
            // Whoever refuses a request may answer before all of it has come, and take no more.
            let failed =
                |sending: &mut Sending, fault| sending.error.take().map_or(fault, |error| failed(&error));
            loop {
                let before = self.read.len();
                match ready!(self.poll_read(cx)) {
                    Ok(0) => return Poll::Ready(Err(Some(failed(&mut sending, cut_off())))),
                    Ok(_) => {}
                    Err(error) => return Poll::Ready(Err(Some(failed(&mut sending, self::failed(&error))))),
                }
                // A head ends with a line: a byte at a time, it is not read from its beginning with every byte.
                let new = self.read.get(before..).unwrap_or_default();
                if !new.contains(&b'\n') && self.read.len() < MAX_HEAD {
                    continue;
                }
                match read_head(&mut self.read) {
                    Ok(Some(answer)) if !sending.over && answer.status.is_success() => {
                        early = Some(answer);
                        return Poll::Pending;
                    }
                    Ok(Some(mut answer)) => {
                        answer.stays_open &= sending.over && sending.error.is_none();
                        return Poll::Ready(Ok(answer));
                    }
                    Ok(None) => {}
                    Err(error) => return Poll::Ready(Err(Some(not_http(error)))),
                }
            }
        });
        match answer.await {
            Ok(answer) => Ok(answer),
            Err(Some(fault)) => Err(SendError::Failed(fault)),
            Err(None) => Err(SendError::Unsent(Box::new(request))),
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        sending: &mut Sending,
        request: &mut Ready,
    ) -> Poll<io::Result<()>> {
        loop {
            let head = self.head.get(sending.head..).unwrap_or_default();
            if head.is_empty() && !request.body().has_remaining() {
                return Pin::new(&mut self.stream).poll_flush(cx);
            }
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let (first, rest) = pieces.split_at_mut(usize::from(!head.is_empty()));
            first.fill(IoSlice::new(head));
            let count = first.len() + request.body().chunks_vectored(rest);
            let pieces = pieces.get(..count).unwrap_or_default();
            let mut written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, pieces))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_head = written.min(self.head.len() - sending.head);
            sending.head += of_head;
            written -= of_head;
            request.body_mut().advance(written);
        }
    }

    /// Reads what has come: how many bytes, or 0 at the connection's end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let room = if self.filled { LARGE_ROOM } else { ROOM };
        if self.read.capacity() - self.read.len() < room / 2 {
            self.read.reserve(room);
        }
        let room = self.read.capacity() - self.read.len();
        let read = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.read))?;
        self.filled = read == room;
        Poll::Ready(Ok(read))
    }
}

/// How far a request is.
struct Sending {
    /// Bytes of the head that were written.
    head: usize,
    /// All of it has left, or no more of it can.
    over: bool,
    error: Option<io::Error>,
}

/// Writes a request's first line and headers over what `head` holds.
fn write_head(request: &Ready, head: &mut Vec<u8>) {
    head.clear();
    head.extend_from_slice(request.method().as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(request.uri().path_and_query().map_or("/", |path| path.as_str()).as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    if request.method() == Method::GET {
        head.extend_from_slice(b"\r\n");
    } else {
        // Writing to a vector does not fail.
        let _ = write!(head, "content-length: {}\r\n\r\n", request.body().remaining());
    }
}

pub(super) fn cut_off() -> Fault {
    broken("the connection was closed before the answer was whole".to_owned())
}

pub(super) fn failed(error: &io::Error) -> Fault {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return cut_off();
    }
    broken(format!("the connection failed: {error}"))
}

fn broken(why: String) -> Fault {
    Fault::new(Kind::NetworkTimeout, Code::Unreachable, why).with_progress(Progress::PerhapsExecuted)
}

pub(super) fn not_http(error: NotHttp) -> Fault {
    let why = format!("the answer is not HTTP: {error}");
    Fault::new(Kind::InvalidResponse, Code::BadAnswer, why).with_progress(Progress::PerhapsExecuted)
}
