//! Reads along where a stream's bytes are forwarded, so that it can be gone on with by a writer of our own.

use bytes::BytesMut;
use memchr::memmem;
use serde::Deserialize;
use types::chat::Event;
use types::{Dialect, Timestamp, Usage};

use super::Trail;
use crate::anthropic::stream_out::Kind;
use crate::codec::{AnswerMeta, StreamEncoder};
use crate::piece::Str;
use crate::said::{Reader, Said};
use crate::sse::{Scanner, SseEvent};

/// What a caller has been sent of a stream that was forwarded, and where a writer would stand behind it.
#[derive(Clone, Debug)]
pub struct Shadow {
    scanner: Scanner,
    eye: Eye,
}

#[derive(Clone, Debug)]
struct Eye {
    dialect: Dialect,
    reader: Reader,
    trail: Trail,
    head: Head,
    /// Anthropic's blocks: how many have begun, and what the open one is.
    blocks: u32,
    open: Option<Kind>,
}

/// How the answer is called.
#[derive(Clone, Debug, Default)]
struct Head {
    id: String,
    model: String,
    created: Option<i64>,
    usage: Option<Usage>,
}

impl Shadow {
    /// A shadow at the start of a stream; `None` in a dialect in which another cannot go on: an answer in the
    /// Responses dialect is kept by the provider, under its own id.
    pub fn new(dialect: Dialect) -> Option<Self> {
        let fits = matches!(dialect, Dialect::OpenaiChat | Dialect::AnthropicMessages);
        let (reader, trail) = (Reader::new(dialect), Trail::default());
        let eye = Eye { dialect, reader, trail, head: Head::default(), blocks: 0, open: None };
        fits.then(|| Self { scanner: Scanner::new(), eye })
    }

    /// Looks at what the caller is sent: whole events.
    pub fn push(&mut self, forwarded: &[u8]) {
        let Self { scanner, eye } = self;
        let seen = scanner.scan(forwarded, |block| {
            if let Some(event) = block.event {
                eye.look(event);
            }
            Ok(())
        });
        if seen.is_err() {
            eye.trail.lose();
        }
    }

    /// All text so far; `None`: the answer cannot be gone on with.
    pub fn text(&self) -> Option<&str> {
        self.eye.trail.text()
    }

    /// All text so far, also of an answer that is at its end; `None`: there was more to it than one text.
    pub fn said(&self) -> Option<&str> {
        self.eye.trail.said()
    }

    /// A writer that stands where the stream has come to. `meta` tells what the stream itself did not.
    pub fn encoder(&self, meta: &AnswerMeta<'_>, include_usage: bool) -> StreamEncoder {
        let Head { id, model, created, usage } = &self.eye.head;
        let created =
            created.map_or(meta.created, |seconds| Timestamp::from_micros(seconds.saturating_mul(1_000_000)));
        let model = if model.is_empty() { meta.model } else { model };
        let mut encoder =
            StreamEncoder::new(self.eye.dialect, &AnswerMeta { created, model, ..*meta }, include_usage);
        // What it would write now has been sent.
        let mut sent = BytesMut::new();
        encoder.event(&Event::Start { id: id.clone(), model: model.to_owned(), usage: *usage }, &mut sent);
        match self.eye.dialect {
            Dialect::AnthropicMessages => encoder.stand(self.eye.blocks, self.eye.open),
            _ => encoder.event(&Event::Text { choice: 0, text: String::new() }, &mut sent),
        }
        encoder
    }
}

impl Eye {
    fn look(&mut self, event: SseEvent<'_>) {
        match self.dialect {
            Dialect::AnthropicMessages => self.block(event.data),
            _ if self.head.created.is_none() => self.created(event.data),
            _ => {}
        }
        let Self { reader, trail, head, .. } = self;
        let read = reader.read(event, |said: Said<'_, Str<'_>>| match said.into_event() {
            Some(Event::Start { id, model, usage }) => {
                (head.id, head.model, head.usage) = (id, model, usage);
            }
            Some(event) => trail.note(&event),
            // Sound.
            None => trail.lose(),
        });
        if read.is_err() {
            trail.lose();
        }
    }

    fn created(&mut self, data: &[u8]) {
        #[derive(Deserialize)]
        struct Chunk {
            created: Option<i64>,
        }
        let chunk: Option<Chunk> = serde_json::from_slice(data).ok();
        self.head.created = chunk.and_then(|chunk| chunk.created);
    }

    /// Takes down which block is open.
    fn block(&mut self, data: &[u8]) {
        #[derive(Deserialize)]
        struct Frame<'a> {
            #[serde(rename = "type", borrow)]
            kind: Str<'a>,
            #[serde(default)]
            index: u32,
            #[serde(borrow)]
            content_block: Option<Block<'a>>,
        }
        #[derive(Deserialize)]
        struct Block<'a> {
            #[serde(rename = "type", borrow)]
            kind: Str<'a>,
        }
        // Deltas are many, and none of them opens or ends a block.
        if memmem::find(data, b"content_block_st").is_none() {
            return;
        }
        let Ok(frame) = serde_json::from_slice::<Frame<'_>>(data) else { return };
        match (&*frame.kind.0, frame.content_block) {
            ("content_block_start", Some(block)) => {
                self.blocks = self.blocks.max(frame.index.saturating_add(1));
                self.open = match &*block.kind.0 {
                    "text" => Some(Kind::Text),
                    "thinking" | "redacted_thinking" => Some(Kind::Thinking),
                    _ => {
                        self.trail.lose();
                        None
                    }
                };
            }
            ("content_block_stop", _) => self.open = None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use types::{CallId, chat::Stop};

    use super::*;

    fn behind(dialect: Dialect, sent: &str) -> (Option<String>, String) {
        let mut shadow = Shadow::new(dialect).unwrap();
        for byte in sent.as_bytes() {
            shadow.push(std::slice::from_ref(byte));
        }
        let call = CallId::from_bytes([7; 16]);
        let created = Timestamp::from_micros(0);
        let mut encoder = shadow.encoder(&AnswerMeta { created, model: "asked", call, previous: None }, true);
        let mut out = BytesMut::new();
        for event in [
            Event::Text { choice: 0, text: "two".into() },
            Event::Stop { choice: 0, stop: Stop::End },
            Event::Usage(Usage::plain(5, 2)),
            Event::Done,
        ] {
            encoder.event(&event, &mut out);
        }
        (shadow.text().map(str::to_owned), String::from_utf8(out.to_vec()).unwrap())
    }

    const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"c\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n";

    fn start(index: u32, kind: &str) -> String {
        format!(
            "data: {{\"type\":\"content_block_start\",\"index\":{index},\"content_block\":{{\"type\":\"{kind}\",\"{kind}\":\"\"}}}}\n\n"
        )
    }

    #[test]
    fn a_chat_stream_goes_on_under_its_own_id_and_without_a_second_role() {
        let sent = "data: {\"id\":\"x\",\"created\":17,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"one \"}}]}\n\n";
        let (text, more) = behind(Dialect::OpenaiChat, sent);
        assert_eq!(text.as_deref(), Some("one "));
        assert!(more.starts_with(r#"data: {"id":"x","object":"chat.completion.chunk","created":17,"model":"m","choices":[{"index":0,"delta":{"content":"two"}"#), "{more}");
        assert!(!more.contains("role") && more.ends_with("data: [DONE]\n\n"), "{more}");
    }

    #[test]
    fn a_message_goes_on_in_the_block_that_is_open() {
        let delta = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"one \"}}\n\n";
        let (text, more) = behind(Dialect::AnthropicMessages, &[START, &start(0, "text"), delta].concat());
        assert_eq!(text.as_deref(), Some("one "));
        assert!(more.starts_with("event: content_block_delta\n") && more.contains(r#""index":0"#), "{more}");
        assert!(!more.contains("message_start") && more.contains("message_stop"), "{more}");
    }

    #[test]
    fn a_block_that_has_ended_is_followed_by_a_new_one() {
        let stop = "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n";
        let (_, more) = behind(Dialect::AnthropicMessages, &[START, &start(0, "thinking"), stop].concat());
        assert!(more.starts_with("event: content_block_start\n") && more.contains(r#""index":1"#), "{more}");
        let open = [START, &start(0, "thinking"), stop, &start(1, "text")].concat();
        let (_, more) = behind(Dialect::AnthropicMessages, &open);
        assert!(more.starts_with("event: content_block_delta\n") && more.contains(r#""index":1"#), "{more}");
        let open = [START, &start(0, "thinking")].concat();
        let (_, more) = behind(Dialect::AnthropicMessages, &open);
        // Its signature was lost with the stream: it is nobody's.
        let (signature, rest) = more.split_once("\n\n").unwrap();
        assert!(signature.contains(r#""signature":"signed-by-nobody:""#), "{more}");
        assert!(rest.starts_with("event: content_block_stop\n"), "{more}");
    }

    #[test]
    fn tools_and_what_has_ended_cannot_be_gone_on_with() {
        for kind in ["tool_use", "server_tool_use", "web_search_tool_result"] {
            let (text, _) = behind(Dialect::AnthropicMessages, &[START, &start(0, kind)].concat());
            assert_eq!(text, None, "{kind}");
        }
        for delta in [
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"x"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"refusal":"no"}}]}"#,
        ] {
            let (text, _) = behind(Dialect::OpenaiChat, &format!("data: {delta}\n\n"));
            assert_eq!(text, None, "{delta}");
        }
        assert!(Shadow::new(Dialect::OpenaiResponses).is_none());
    }
}
