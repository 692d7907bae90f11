//! An answer's head: its status, its headers, and what they say of the body and the connection.

use std::mem::MaybeUninit;

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{StatusCode, Version};
use httparse::{ParserConfig, Response, Status};

use super::{Framing, NotHttp};

/// The longest head, in bytes.
pub const MAX_HEAD: usize = 128 << 10;
/// The most headers.
const MAX_HEADERS: usize = 128;

/// An answer up to its body.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers, in the order in which they came.
    pub headers: HeaderMap,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the connection takes another request once the body has ended.
    pub stays_open: bool,
}

/// Takes the head of an answer to a `GET` or `POST` out of `buffer`; `None` as long as it is not whole.
/// Interim answers (RFC 9110 §15.2) are passed over.
///
/// # Errors
/// [`NotHttp`]; nothing more can be read from the connection then.
pub fn read_head(buffer: &mut BytesMut) -> Result<Option<Answer>, NotHttp> {
    loop {
        // Empty lines before it are passed (RFC 9112 §2.2), once.
        let empty = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        buffer.advance(empty);
        let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut head = Response::new(&mut []);
        let read = ParserConfig::default().parse_response_with_uninit_headers(&mut head, buffer, &mut room);
        let length = match read {
            Ok(Status::Complete(length)) if length <= MAX_HEAD => length,
            Ok(Status::Partial) if buffer.len() < MAX_HEAD => return Ok(None),
            Ok(_) => return Err(NotHttp("its head is too long")),
            Err(httparse::Error::TooManyHeaders) => return Err(NotHttp("it has too many headers")),
            Err(_) => return Err(NotHttp("its head cannot be read")),
        };
        let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or(NotHttp("its status is none"))?;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(NotHttp("it changes the protocol"));
        }
        if status.is_informational() {
            buffer.advance(length);
            continue;
        }
        let version = if head.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
        // A copy of its own: a header that is kept for long must not keep the buffer.
        let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
        let start = buffer.as_ptr().addr();
        let mut headers = HeaderMap::with_capacity(head.headers.len());
        let mut said = Said::default();
        for field in &*head.headers {
            let from = field.value.as_ptr().addr() - start;
            let value = bytes.slice(from..from + field.value.len());
            let value = HeaderValue::from_maybe_shared(value);
            let value = value.map_err(|_| NotHttp("a header's value cannot be read"))?;
            let name = HeaderName::from_bytes(field.name.as_bytes());
            let name = name.map_err(|_| NotHttp("a header's name cannot be read"))?;
            said.note(&name, &value)?;
            headers.append(name, value);
        }
        buffer.advance(length);
        let framing = said.framing(status);
        let stays_open = said.stays_open(version, status) && framing != Framing::UntilClose;
        return Ok(Some(Answer { status, headers, framing, stays_open }));
    }
}

/// What the headers say of the connection.
#[derive(Default)]
struct Said {
    length: Option<u64>,
    /// A transfer coding stands there; whether the last one is `chunked`.
    coded: Option<bool>,
    close: bool,
    keep: bool,
}

impl Said {
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), NotHttp> {
        if *name == CONTENT_LENGTH {
            // `5, 5` and the same header twice say the same thing; two that differ are how answers are smuggled.
            for length in value.as_bytes().split(|&byte| byte == b',') {
                let length = digits(length.trim_ascii()).ok_or(NotHttp("its length is no number"))?;
                if self.length.replace(length).is_some_and(|before| before != length) {
                    return Err(NotHttp("it has two lengths"));
                }
            }
        } else if *name == TRANSFER_ENCODING {
            let last = value.as_bytes().rsplit(|&byte| byte == b',').next().unwrap_or_default();
            self.coded = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        } else if *name == CONNECTION {
            for word in value.as_bytes().split(|&byte| byte == b',') {
                let word = word.trim_ascii();
                self.close |= word.eq_ignore_ascii_case(b"close");
                self.keep |= word.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }

    /// RFC 9112 §9.3. An answer that says of its end what cannot be true is the last on its connection: one with both
    /// a length and a coding (§6.3), a coding in HTTP/1.0 (§6.1), a body where there is none.
    fn stays_open(&self, version: Version, status: StatusCode) -> bool {
        let coded = self.coded.is_some();
        let suspect = coded && (self.length.is_some() || version != Version::HTTP_11 || is_bare(status))
            || status == StatusCode::NO_CONTENT && self.length.is_some_and(|length| length > 0);
        !self.close && !suspect && (version == Version::HTTP_11 || self.keep)
    }

    /// RFC 9112 §6.3.
    fn framing(&self, status: StatusCode) -> Framing {
        match (self.coded, self.length) {
            _ if is_bare(status) => Framing::Length(0),
            (Some(true), _) => Framing::chunked(),
            (None, Some(length)) => Framing::Length(length),
            (Some(false), _) | (None, None) => Framing::UntilClose,
        }
    }
}

/// Answers of these kinds have no body, whatever they say.
fn is_bare(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn digits(text: &[u8]) -> Option<u64> {
    // `parse` would take a sign.
    let all = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    all.then(|| str::from_utf8(text).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Answer>, NotHttp> {
        read_head(&mut BytesMut::from(text))
    }

    #[test]
    fn the_headers_say_where_the_body_ends_and_what_comes_after() {
        for (head, framing, stays_open) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Framing::Length(5), true),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\ncontent-length: 5\r\n\r\n",
                Framing::Length(5),
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: x, Close\r\n\r\n",
                Framing::Length(5),
                false,
            ),
            ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\n", Framing::Length(5), false),
            (
                "HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: Keep-Alive\r\n\r\n",
                Framing::Length(5),
                true,
            ),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", Framing::chunked(), true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", Framing::chunked(), true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", Framing::UntilClose, false),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n",
                Framing::chunked(),
                false,
            ),
            ("HTTP/1.1 200 OK\r\n\r\n", Framing::UntilClose, false),
            ("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", Framing::Length(0), false),
            ("HTTP/1.1 304 x\r\ntransfer-encoding: chunked\r\n\r\n", Framing::Length(0), false),
            (
                "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n",
                Framing::chunked(),
                false,
            ),
            ("\r\nHTTP/1.1 204 No Content\r\n\r\n", Framing::Length(0), true),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 x\r\n\r\n", Framing::Length(0), true),
        ] {
            let answer = read(head).unwrap().unwrap();
            assert_eq!((answer.framing, answer.stays_open), (framing, stays_open), "{head}");
        }
    }

    #[test]
    fn a_head_that_is_not_whole_is_waited_for_and_one_that_never_ends_is_not() {
        let head =
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 5\r\nx: 1\r\nx: 2\r\ncontent-length: 2\r\n\r\nhi";
        for cut in 0..head.len() - 2 {
            assert!(read(&head[..cut]).unwrap().is_none(), "{cut}");
        }
        let mut buffer = BytesMut::from(head);
        let answer = read_head(&mut buffer).unwrap().unwrap();
        assert_eq!((answer.status.as_u16(), &buffer[..]), (429, &b"hi"[..]));
        assert_eq!(answer.headers["retry-after"], "5");
        assert_eq!(answer.headers.get_all("x").iter().count(), 2);
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_HEAD));
        assert_eq!(read(&endless).unwrap_err(), NotHttp("its head is too long"));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(read(&many).unwrap_err(), NotHttp("it has too many headers"));
    }

    #[test]
    fn what_is_not_http_or_could_be_read_in_two_ways_is_refused() {
        for head in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n",
            "HTTP/1.1 999999 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
        ] {
            assert!(read(head).is_err(), "{head}");
        }
    }
}
