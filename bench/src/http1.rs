//! Reading HTTP/1.1 bodies and responses from bytes as they arrive, as little as a mock and a load generator
//! need. Pure: no sockets. It understands `Content-Length`, chunked coding and bodies that end with the
//! connection; it leaves alone trailers' contents, upgrades and `Expect`.

use anyhow::{Context, Result, bail};
use httparse::{Header, Status};

/// Header lines a peer may send before the message is refused.
const MAX_HEADERS: usize = 96;
/// Bytes of one message that are held before it is refused.
const MAX_MESSAGE: usize = 16 << 20;

/// What of a body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Bytes(usize),
    ChunkSize,
    ChunkData(usize),
    ChunkEnd,
    Trailer,
    UntilClose,
    Nothing,
}

/// One body, decoded as its bytes arrive.
#[derive(Debug)]
pub(crate) struct Body {
    rest: Rest,
    /// The bytes so far, without any transfer coding.
    pub(crate) bytes: Vec<u8>,
}

impl Body {
    /// The body that these headers announce; `open_ended` when one without a length ends with the connection
    /// (responses) rather than being empty (requests).
    fn announced(headers: &[Header<'_>], open_ended: bool, bytes: Vec<u8>) -> Result<Self> {
        let chunked =
            header(headers, "transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case(b"chunked"));
        let rest = if chunked {
            Rest::ChunkSize
        } else if let Some(length) = header(headers, "content-length") {
            let length =
                std::str::from_utf8(length)?.trim().parse().context("content-length is no number")?;
            Rest::Bytes(length)
        } else if open_ended {
            Rest::UntilClose
        } else {
            Rest::Nothing
        };
        Ok(Self { rest, bytes })
    }

    /// Takes what belongs to the body from the front of `input`; how many bytes that was, and whether the
    /// body is complete.
    fn take(&mut self, input: &[u8]) -> Result<(usize, bool)> {
        let mut at = 0;
        loop {
            let left = &input[at..];
            match self.rest {
                Rest::Nothing | Rest::Bytes(0) => return Ok((at, true)),
                Rest::Bytes(want) => {
                    at += self.keep(left, want);
                    self.rest = Rest::Bytes(want - left.len().min(want));
                }
                Rest::ChunkData(0) => self.rest = Rest::ChunkEnd,
                Rest::ChunkData(want) => {
                    at += self.keep(left, want);
                    self.rest = Rest::ChunkData(want - left.len().min(want));
                }
                Rest::UntilClose => at += self.keep(left, left.len()),
                Rest::ChunkSize => match httparse::parse_chunk_size(left) {
                    Ok(Status::Complete((used, size))) => {
                        at += used;
                        self.rest = match usize::try_from(size)? {
                            0 => Rest::Trailer,
                            size => Rest::ChunkData(size),
                        };
                    }
                    Ok(Status::Partial) => return Ok((at, false)),
                    Err(_) => bail!("a chunk's size line is not one"),
                },
                Rest::ChunkEnd => match left {
                    [b'\r', b'\n', ..] => {
                        at += 2;
                        self.rest = Rest::ChunkSize;
                    }
                    [] | [b'\r'] => {}
                    _ => bail!("a chunk is longer than its size line says"),
                },
                Rest::Trailer => match memchr::memmem::find(left, b"\r\n") {
                    Some(end) => {
                        at += end + 2;
                        if end == 0 {
                            self.rest = Rest::Nothing;
                        }
                    }
                    None => return Ok((at, false)),
                },
            }
            if self.bytes.len() > MAX_MESSAGE {
                bail!("a body is over {MAX_MESSAGE} bytes");
            }
            let complete = matches!(self.rest, Rest::Nothing | Rest::Bytes(0));
            let starved = at == input.len() || (self.rest == Rest::ChunkEnd && input.len() - at < 2);
            if complete || starved {
                return Ok((at, complete));
            }
        }
    }

    fn keep(&mut self, input: &[u8], want: usize) -> usize {
        let now = input.len().min(want);
        self.bytes.extend_from_slice(&input[..now]);
        now
    }
}

fn header<'a>(headers: &'a [Header<'_>], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value)
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The connection cannot carry another request.
    pub(crate) close: bool,
    pub(crate) body: Vec<u8>,
}

/// Reads responses from one connection. Push bytes into `input`, then ask [`Responses::next`].
#[derive(Debug, Default)]
pub(crate) struct Responses {
    /// Bytes received and not yet understood.
    pub(crate) input: Vec<u8>,
    open: Option<(u16, bool, Body)>,
    spare: Vec<u8>,
}

impl Responses {
    /// Begins with these bytes.
    #[cfg(test)]
    pub(crate) fn of(input: &[u8]) -> Self {
        Self { input: input.to_vec(), ..Self::default() }
    }

    /// The next complete response, or `None` while more bytes are needed. `ended` says that none will come.
    ///
    /// # Errors
    /// When the bytes are no HTTP/1.1 response, or end in the middle of one.
    pub(crate) fn next(&mut self, ended: bool) -> Result<Option<Response>> {
        if self.open.is_none() && !self.read_head()? {
            if ended {
                bail!("the connection ended before the response's head was complete");
            }
            return Ok(None);
        }
        let Some((status, close, mut body)) = self.open.take() else { return Ok(None) };
        let (used, complete) = body.take(&self.input)?;
        self.input.drain(..used);
        if complete || (ended && body.rest == Rest::UntilClose) {
            let close = close || body.rest == Rest::UntilClose;
            return Ok(Some(Response { status, close, body: body.bytes }));
        }
        if ended {
            bail!("the connection ended in the middle of a body");
        }
        self.open = Some((status, close, body));
        Ok(None)
    }

    /// Gives a used response's memory back, so that the next one allocates nothing.
    pub(crate) fn recycle(&mut self, response: Response) {
        self.spare = response.body;
    }

    /// Whether any byte of the next response has arrived.
    pub(crate) fn begun(&self) -> bool {
        self.open.is_some() || !self.input.is_empty()
    }

    fn read_head(&mut self) -> Result<bool> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let Status::Complete(used) = head.parse(&self.input).context("not an HTTP/1.1 response")? else {
            return Ok(false);
        };
        let status = head.code.unwrap_or(0);
        let close = header(head.headers, "connection").is_some_and(|v| v.eq_ignore_ascii_case(b"close"));
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        self.open = Some((status, close, Body::announced(head.headers, true, bytes)?));
        self.input.drain(..used);
        Ok(true)
    }
}

/// A complete request: where it goes and what it carries.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) post: bool,
    pub(crate) path: String,
    pub(crate) close: bool,
    pub(crate) body: Vec<u8>,
}

/// The request at the front of `input`, taken out of it, or `None` while more bytes are needed.
///
/// # Errors
/// When the bytes are no HTTP/1.1 request.
pub(crate) fn take_request(input: &mut Vec<u8>) -> Result<Option<Request>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let Status::Complete(used) = head.parse(input).context("not an HTTP/1.1 request")? else {
        return Ok(None);
    };
    let mut body = Body::announced(head.headers, false, Vec::new())?;
    let (body_used, complete) = body.take(&input[used..])?;
    if !complete {
        return Ok(None);
    }
    let request = Request {
        post: head.method == Some("POST"),
        path: head.path.unwrap_or("").split('?').next().unwrap_or("").to_owned(),
        close: header(head.headers, "connection").is_some_and(|v| v.eq_ignore_ascii_case(b"close")),
        body: body.bytes,
    };
    input.drain(..used + body_used);
    Ok(Some(request))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
        5\r\nhello\r\n1\r\n,\r\nA; x=y\r\n wide worl\r\n0\r\nt: v\r\n\r\n";
    const SIZED: &[u8] = b"HTTP/1.1 429 No\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";

    #[test]
    fn any_split_of_two_responses_reads_the_same() {
        let both = [CHUNKED, SIZED].concat();
        for first in 0..both.len() {
            for second in (first..both.len()).step_by(7) {
                let mut reader = Responses::default();
                let mut seen = Vec::new();
                for part in [&both[..first], &both[first..second], &both[second..]] {
                    reader.input.extend_from_slice(part);
                    while let Some(r) = reader.next(false).unwrap() {
                        seen.push((r.status, r.close, String::from_utf8(r.body).unwrap()));
                    }
                }
                let want = [(200, false, "hello, wide worl".to_owned()), (429, true, "abc".to_owned())];
                assert_eq!(seen, want, "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn an_early_end_is_an_error_unless_the_body_has_no_length() {
        for cut in 1..CHUNKED.len() {
            let mut reader = Responses::of(&CHUNKED[..cut]);
            assert!(reader.next(true).is_err(), "cut at {cut}");
        }
        let mut reader = Responses::of(b"HTTP/1.1 200 OK\r\n\r\nall");
        assert!(reader.next(false).unwrap().is_none());
        let response = reader.next(true).unwrap().unwrap();
        assert!(response.close);
        assert_eq!(response.body, b"all");
    }

    #[test]
    fn a_request_waits_for_its_body_and_leaves_the_next_one() {
        let mut input = b"POST /v1/x?y HTTP/1.1\r\ncontent-length: 4\r\n\r\nab".to_vec();
        assert!(take_request(&mut input).unwrap().is_none());
        input.extend_from_slice(b"cdGET / HTTP/1.1\r\n\r\n");
        let request = take_request(&mut input).unwrap().unwrap();
        assert_eq!(
            (request.post, request.path.as_str(), request.body.as_slice()),
            (true, "/v1/x", &b"abcd"[..])
        );
        assert!(!take_request(&mut input).unwrap().unwrap().post);
        assert!(input.is_empty());
    }
}
