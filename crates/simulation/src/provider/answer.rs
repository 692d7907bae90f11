//! Requests and answers as bytes of OpenAI's dialect: what a request says of its size, and an answer that says how
//! many tokens it was. Its text comes in two pieces, however long it took to write.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::sleep;
use upstream::Outgoing;
use upstream::driven::{Act, Held, Reply};

use super::gate::Place;

/// Pieces that an answer's text comes in.
const PIECES: u32 = 2;

/// What a request says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// Which call.
    pub(super) call: u64,
    /// Tokens to read.
    pub(super) input: u64,
    /// Tokens to write.
    pub(super) output: u64,
    stream: bool,
}

/// A request of call `call`, for `model`.
pub(crate) fn body(model: &str, call: u64, (input, output): (u32, u32), stream: bool) -> String {
    // Some text, so that the gateway has something to look at; its length says how many tokens there are.
    let text = "word".repeat(usize::try_from(input.min(1_024)).unwrap_or(1));
    format!(
        r#"{{"model":"{model}","stream":{stream},"max_tokens":{output},"seed":{call},"metadata":{{"input":"{input}"}},"messages":[{{"role":"user","content":"{text}"}}]}}"#
    )
}

impl Asked {
    pub(super) fn read(request: &Outgoing) -> Self {
        let number = |name: &str| {
            let at = request.body.windows(name.len()).position(|part| part == name.as_bytes())?;
            let digits = request.body.get(at + name.len()..)?;
            let digits = digits.iter().copied().take_while(u8::is_ascii_digit);
            Some(digits.fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0')))
        };
        Self {
            call: number("\"seed\":").unwrap_or(0),
            input: number("\"input\":\"").unwrap_or(1),
            output: number("\"max_tokens\":").unwrap_or(1).max(1),
            stream: request.stream,
        }
    }
}

/// A whole answer or a stream, with the first token after `first` and the rest within `write`.
pub(super) async fn answer(
    asked: &Asked,
    mut headers: HeaderMap,
    (first, write): (Duration, Duration),
    cut: Option<u32>,
    place: Place,
) -> Act {
    let Asked { call, input, output, stream } = *asked;
    let usage = format!(
        r#"{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{}}}"#,
        input + output
    );
    let mut body = String::with_capacity(1024);
    let mut marks = Vec::new();
    if stream {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        let head = format!(
            r#"data: {{"id":"chatcmpl-{call}","object":"chat.completion.chunk","created":0,"model":"m""#
        );
        for piece in 1..=PIECES {
            let _ = write!(
                body,
                r#"{head},"choices":[{{"index":0,"delta":{{"role":"assistant","content":"word "}},"finish_reason":null}}]}}"#
            );
            body.push_str("\n\n");
            marks.push((body.len(), piece));
        }
        let _ = write!(
            body,
            "{head},\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n{head},\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n"
        );
        marks.push((body.len(), PIECES + 1));
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        sleep(first + write).await;
        let _ = write!(
            body,
            r#"{{"id":"chatcmpl-{call}","object":"chat.completion","created":0,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"word word word"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
        );
    }
    Act::Answer(Box::new(Reply {
        status: StatusCode::OK,
        headers,
        body: body.into(),
        marks,
        first,
        each: write / (PIECES - 1),
        cut,
        held: Some(Held(Box::new(place))),
    }))
}

/// An error.
pub(super) fn error(status: u16, mut headers: HeaderMap) -> Act {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let kind = if status == 429 { "rate_limit_error" } else { "server_error" };
    let body = format!(r#"{{"error":{{"message":"scripted","type":"{kind}","param":null,"code":null}}}}"#);
    Act::Answer(Box::new(Reply {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        headers,
        body: body.into(),
        marks: Vec::new(),
        first: Duration::ZERO,
        each: Duration::ZERO,
        cut: None,
        held: None,
    }))
}
