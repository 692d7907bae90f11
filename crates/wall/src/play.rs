//! What the wall answers: one fault, one way of asking, one dialect, and the number of the request.

use std::time::Duration;

use bytes::Bytes;

use crate::dialect::{Dialect, Parts};
use crate::{Answer, Fault, Framing, Way};

/// Tokens of every whole answer, one word each.
pub const TOKENS: u64 = 8;
/// Tokens that the prompt is said to have.
pub const PROMPT_TOKENS: u64 = 7;
/// What [`Fault::ThrottledOnce`] asks to wait.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Tokens that come before a stream breaks.
const BEFORE: usize = 3;
/// Before the answer of [`Fault::SlowStart`].
const SLOW_START: Duration = Duration::from_secs(1);
/// Before each few bytes of [`Fault::SlowBytes`]: a stream takes a second or two.
const SLOW_PART: Duration = Duration::from_millis(1);
const SLOW_BYTES: usize = 4;
/// Before each token of an endless stream: quick, and no race for the machine's memory.
const ENDLESS_TOKEN: Duration = Duration::from_millis(5);
/// An endless body is this piece so many times; then it is silent, so as not to fill the machine.
const ENDLESS_PIECE: usize = 1 << 20;
const ENDLESS_PIECES: usize = 96;
const HUGE_HEADER: usize = 1 << 20;
/// By the number of the request, again and again: is it well?
const FLAPS: [bool; 6] = [false, true, true, false, false, true];

/// The text of every whole answer.
pub fn text() -> String {
    (0..TOKENS).map(|token| format!("w{token} ")).collect::<Vec<_>>().concat()
}

/// A request as far as the wall minds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) dialect: Dialect,
    pub(crate) way: Way,
    /// Whether OpenAI's stream is to tell its usage.
    pub(crate) usage: bool,
    /// From 0, among the requests of its case.
    pub(crate) number: usize,
}

/// The answer to play.
pub(crate) fn answer(fault: Fault, asked: Asked) -> Answer {
    let first = asked.number == 0;
    match fault {
        Fault::ThrottledOnce if first => throttled(asked, Some(RETRY_AFTER)),
        Fault::ThrottledLong => throttled(asked, Some(Duration::from_secs(3_600))),
        Fault::ThrottledBare => throttled(asked, None),
        Fault::ErrorOnce if first => failed(asked, 500),
        Fault::Flapping if !FLAPS[asked.number % FLAPS.len()] => failed(asked, 500),
        Fault::Unavailable => failed(asked, 503),
        Fault::Reset => Answer::resets(),
        Fault::Closed => Answer::closed(),
        Fault::Silence => Answer::silent(),
        Fault::Empty => Answer::new(200, Framing::Length(None)).header("content-type", "application/json"),
        Fault::Html => Answer::new(200, Framing::Length(None))
            .header("content-type", "text/html; charset=utf-8")
            .piece("<!doctype html><title>Welcome</title><p>Please log in to use this network.</p>\n"),
        Fault::HugeHeader => whole(asked).header("x-wall", &"x".repeat(HUGE_HEADER)),
        Fault::WrongType => whole(asked).header("content-type", "text/plain"),
        Fault::OneByte => whole(asked).bytewise(),
        Fault::SlowBytes => whole(asked).sliced(SLOW_BYTES).paced(SLOW_PART),
        _ => match asked.way {
            Way::Plain => plain(fault, asked),
            Way::Streamed => streamed(fault, asked),
        },
    }
}

fn plain(fault: Fault, asked: Asked) -> Answer {
    let body = body(asked);
    let (length, middle) = (body.len(), body.len() / 2);
    let half = Bytes::from(body[..middle].to_owned());
    let json = |said| Answer::new(200, Framing::Length(said)).header("content-type", "application/json");
    match fault {
        Fault::SlowStart => whole(asked).after(SLOW_START),
        Fault::Cut => json(Some(length)).piece(half).cut(),
        Fault::Stall => json(Some(length)).piece(half).stalls(),
        Fault::ShortLength => json(Some(middle)).piece(body).cut(),
        Fault::Malformed => json(None).piece(half),
        Fault::ErrorFirst => Answer::json(200, asked.dialect.error("The wall has failed.", "server_error")),
        Fault::Braces => Answer::json(200, "{}"),
        Fault::Endless => {
            let head = Answer::new(200, Framing::Chunked).header("content-type", "application/json");
            let piece = Bytes::from(vec![b'x'; ENDLESS_PIECE]);
            let head = head.piece("{\"id\":\"");
            (0..ENDLESS_PIECES).fold(head, |answer, _| answer.piece(piece.clone())).stalls()
        }
        _ => whole(asked),
    }
}

fn streamed(fault: Fault, asked: Asked) -> Answer {
    let Parts { opening, mut tokens, finish, mark } = parts(asked);
    let dialect = asked.dialect;
    let rest = tokens.split_off(BEFORE);
    let begun = || Answer::events(opening.iter().chain(&tokens).cloned());
    let on = |answer: Answer, more: Vec<String>| more.into_iter().fold(answer, Answer::piece);
    match fault {
        Fault::SlowStart => {
            let (waiting, marked) = (Answer::events(opening).pause(SLOW_START), vec![mark]);
            [tokens, rest, finish, marked].into_iter().fold(waiting, on)
        }
        Fault::Cut => begun().cut(),
        Fault::CutInside => {
            let next = rest.first().map(String::as_str).unwrap_or_default();
            begun().piece(next[..next.len() / 2].to_owned()).cut()
        }
        Fault::Stall => begun().stalls(),
        Fault::NoEnd => begun(),
        Fault::NoMark => on(on(begun(), rest), finish),
        Fault::Malformed => {
            let broken = begun().piece(dialect.broken_event());
            [rest, finish, vec![mark]].into_iter().fold(broken, on)
        }
        Fault::ErrorFirst => {
            Answer::events([dialect.error_event("The wall has failed.", "server_error"), mark])
        }
        Fault::ErrorMidway => {
            begun().piece(dialect.error_event("The wall has failed.", "server_error")).piece(mark)
        }
        Fault::Braces => Answer::events([dialect.empty_event().to_owned(), mark]),
        Fault::ShortLength => {
            let said: usize = opening.iter().chain(&tokens).map(String::len).sum();
            let head = Answer::new(200, Framing::Length(Some(said - 10)));
            let all = [opening, tokens, rest, finish, vec![mark]].concat().concat();
            head.header("content-type", "text/event-stream").piece(all).cut()
        }
        Fault::Endless => {
            let token = tokens.first().cloned().unwrap_or_default();
            begun().paced(ENDLESS_TOKEN).endless(token)
        }
        _ => whole(asked),
    }
}

fn whole(asked: Asked) -> Answer {
    match asked.way {
        Way::Plain => Answer::json(200, body(asked)),
        Way::Streamed => {
            let Parts { opening, tokens, finish, mark } = parts(asked);
            Answer::events([opening, tokens, finish, vec![mark]].concat())
        }
    }
}

fn body(asked: Asked) -> String {
    asked.dialect.whole(&text(), PROMPT_TOKENS, TOKENS)
}

fn parts(asked: Asked) -> Parts {
    asked.dialect.stream(PROMPT_TOKENS, TOKENS, asked.usage)
}

fn throttled(asked: Asked, wait: Option<Duration>) -> Answer {
    let answer = Answer::json(429, asked.dialect.error("The wall is asked too often.", "rate_limit_error"));
    match wait {
        Some(wait) => answer.header("retry-after", &wait.as_secs().to_string()),
        None => answer,
    }
}

fn failed(asked: Asked, status: u16) -> Answer {
    Answer::json(status, asked.dialect.error("The wall has failed.", "server_error"))
}
