//! Answers and streams from one dialect into the other.

use bytes::BytesMut;
use serde_json::Value;
use types::chat::{Event, Part, Stop};
use types::{CallId, Code, Dialect, Timestamp, Usage};
use wire::{AnswerMeta, StreamDecoder, StreamEncoder, answer_usage, decode_answer, encode_answer};

use crate::transcripts;

const OPENAI: Dialect = Dialect::OpenaiChat;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;

pub(crate) const WHOLE_OPENAI: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-x","choices":[{"index":0,
  "message":{"role":"assistant","content":"Hello","refusal":null,"reasoning_content":"hm","tool_calls":[
    {"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":12345678901234567890123}"}},
    {"id":"call_2","type":"function","function":{"name":"g","arguments":"not json"}}]},
  "logprobs":null,"finish_reason":"tool_calls"}],
  "usage":{"prompt_tokens":12,"completion_tokens":8,"total_tokens":20,"prompt_tokens_details":{"cached_tokens":5,"audio_tokens":1},
  "completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":0}},"system_fingerprint":"fp"}"#;

pub(crate) const WHOLE_ANTHROPIC: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[
  {"type":"thinking","thinking":"Hm.","signature":"c2ln"},{"type":"redacted_thinking","data":"b3BhcXVl"},
  {"type":"text","text":"Hello"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1.0e400}}],
  "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":30,
  "cache_read_input_tokens":5,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":9}}"#;

pub(crate) fn meta() -> AnswerMeta<'static> {
    let created = Timestamp::from_micros(1_700_000_000_000_000);
    AnswerMeta { created, model: "assistant", call: CallId::new(created, [7; 10]), previous: None }
}

pub(crate) fn events(dialect: Dialect, stream: &[u8]) -> Vec<Event> {
    let mut decoder = StreamDecoder::new(dialect);
    let mut events = Vec::new();
    decoder.push(stream, &mut events).unwrap();
    decoder.finish(&mut events).unwrap();
    events
}

pub(crate) fn written(dialect: Dialect, events: &[Event], include_usage: bool) -> BytesMut {
    let mut encoder = StreamEncoder::new(dialect, &meta(), include_usage);
    let mut out = BytesMut::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    out
}

pub(crate) fn shown(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn whole_answers_cross() {
    let answer = decode_answer(OPENAI, WHOLE_OPENAI.as_bytes()).unwrap();
    let out = encode_answer(ANTHROPIC, &answer, &meta());
    insta::assert_snapshot!("openai_to_anthropic", shown(&out));
    let answer = decode_answer(ANTHROPIC, WHOLE_ANTHROPIC.as_bytes()).unwrap();
    let out = encode_answer(OPENAI, &answer, &meta());
    insta::assert_snapshot!("anthropic_to_openai", shown(&out));
    // Signed reasoning comes back from OpenAI's dialect as it went in.
    let message = serde_json::from_slice::<Value>(&out).unwrap()["choices"][0]["message"].take();
    let body = serde_json::json!({ "model": "m", "messages": [message] }).to_string();
    let request = wire::decode_request(OPENAI, body.as_bytes()).unwrap();
    assert_eq!(request.messages[0].parts[..2], answer.choices[0].parts[..2]);
}

#[test]
fn streams_cross() {
    let anthropic = events(ANTHROPIC, transcripts::ANTHROPIC.as_bytes());
    insta::assert_snapshot!("stream_anthropic_to_openai", shown(&written(OPENAI, &anthropic, true)));
    let openai = events(OPENAI, transcripts::OPENAI.as_bytes());
    insta::assert_snapshot!("stream_openai_to_anthropic", shown(&written(ANTHROPIC, &openai, true)));
    insta::assert_debug_snapshot!("events_openai", openai);
    insta::assert_debug_snapshot!("events_anthropic", anthropic);
}

#[test]
fn signed_reasoning_comes_back_from_the_pieces_of_a_stream() {
    let anthropic = events(ANTHROPIC, transcripts::ANTHROPIC.as_bytes());
    let out = written(OPENAI, &anthropic, false);
    let details: Vec<Value> = shown(&out)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|mut chunk| match chunk["choices"][0]["delta"]["reasoning_details"].take() {
            Value::Array(details) => Some(details),
            _ => None,
        })
        .flatten()
        .collect();
    let turn = serde_json::json!({ "role": "assistant", "content": "", "reasoning_details": details });
    let body = serde_json::json!({ "model": "m", "messages": [turn] }).to_string();
    let request = wire::decode_request(OPENAI, body.as_bytes()).unwrap();
    let signed =
        Part::Thinking { text: "Let me see".into(), signature: Some("signed-by-anthropic:c2ln".into()) };
    assert_eq!(request.messages[0].parts[0], signed);
}

/// What was said, however it was cut up: the joined texts and reasoning, the calls, why it stopped, what was
/// used.
pub(crate) type Gist = (String, String, Vec<(String, String)>, Vec<Stop>, Option<Usage>);

pub(crate) fn gist(events: &[Event]) -> Gist {
    let (mut text, mut thinking, mut calls, mut stops, mut usage) =
        (String::new(), String::new(), Vec::<(String, String)>::new(), Vec::new(), None);
    for event in events {
        match event {
            Event::Text { text: more, .. } => text.push_str(more),
            Event::Thinking { text: more, .. } => thinking.push_str(more),
            Event::ToolStart { id, name, .. } => calls.push((format!("{id} {name}"), String::new())),
            Event::ToolArguments { index, json, .. } => calls[*index as usize].1.push_str(json),
            Event::Stop { stop, .. } => stops.push(stop.clone()),
            Event::Usage(figures) => usage = Some(*figures),
            _ => {}
        }
    }
    (text, thinking, calls, stops, usage)
}

#[test]
fn a_stream_says_the_same_after_crossing() {
    for (from, stream) in [(OPENAI, transcripts::OPENAI), (ANTHROPIC, transcripts::ANTHROPIC)] {
        let before = events(from, stream.as_bytes());
        for to in [OPENAI, ANTHROPIC] {
            let after = events(to, &written(to, &before, true));
            let (mut expect, got) = (gist(&before), gist(&after));
            if to == OPENAI {
                // One figure for cache writes of either lifetime.
                expect.4 = expect.4.map(|usage| Usage {
                    cache_write: usage.cache_write + usage.cache_write_1h,
                    cache_write_1h: 0,
                    ..usage
                });
            }
            assert_eq!(got, expect, "{from} to {to}");
            assert_eq!(after.last(), Some(&Event::Done));
        }
    }
}

#[test]
fn calls_that_grow_side_by_side_are_written_one_after_the_other() {
    let start = |index, id: &str| Event::ToolStart { choice: 0, index, id: id.into(), name: "f".into() };
    let more = |index, json: &str| Event::ToolArguments { choice: 0, index, json: json.into() };
    let before = [
        Event::Start { id: "x".into(), model: String::new(), usage: None },
        start(0, "a"),
        start(1, "b"),
        more(1, "{\"b\""),
        more(0, "{\"a\":1}"),
        more(1, ":2}"),
        Event::Stop { choice: 0, stop: Stop::End },
        Event::Done,
    ];
    let out = written(ANTHROPIC, &before, true);
    let after = events(ANTHROPIC, &out);
    let calls = [("a f".to_owned(), "{\"a\":1}".to_owned()), ("b f".to_owned(), "{\"b\":2}".to_owned())];
    assert_eq!(gist(&after).2, calls);
    assert_eq!(gist(&after).3, [Stop::ToolCalls]);
    insta::assert_snapshot!(shown(&out));
}

#[test]
fn usage_is_only_shown_to_those_who_asked() {
    let openai = events(OPENAI, transcripts::OPENAI.as_bytes());
    assert!(!shown(&written(OPENAI, &openai, false)).contains("usage"));
    assert!(shown(&written(OPENAI, &openai, true)).contains(r#""usage":{"prompt_tokens":11"#));
}

#[test]
fn the_usage_of_a_whole_answer_is_read_without_the_rest() {
    let usage = answer_usage(OPENAI, WHOLE_OPENAI.as_bytes()).unwrap().unwrap();
    let expect =
        Usage { input: 12, output: 8, cache_read: 5, reasoning: 3, audio_input: 1, ..Usage::default() };
    assert_eq!(usage, expect);
    assert_eq!(decode_answer(OPENAI, WHOLE_OPENAI.as_bytes()).unwrap().usage, Some(expect));
    let usage = answer_usage(ANTHROPIC, WHOLE_ANTHROPIC.as_bytes()).unwrap().unwrap();
    assert_eq!((usage.input, usage.cache_write, usage.cache_write_1h, usage.output), (45, 10, 20, 9));
    let embeddings =
        br#"{"object":"list","data":[{"embedding":[1.0e400]}],"usage":{"prompt_tokens":4,"total_tokens":4}}"#;
    assert_eq!(answer_usage(Dialect::OpenaiEmbeddings, embeddings).unwrap(), Some(Usage::plain(4, 0)));
    assert_eq!(answer_usage(OPENAI, br#"{"choices":[],"usage":null}"#).unwrap(), None);
    let odd = br#"{"choices":[],"usage":{"prompt_tokens":7.0,"completion_tokens":-1,"completion_tokens_details":null}}"#;
    assert_eq!(answer_usage(OPENAI, odd).unwrap(), Some(Usage::plain(7, 0)));
    let apart = br#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":10,"completion_tokens_details":{"reasoning_tokens":3}}}"#;
    assert_eq!(answer_usage(OPENAI, apart).unwrap().unwrap().output, 5);
}

#[test]
fn answers_that_are_none_are_faults() {
    for dialect in [OPENAI, ANTHROPIC] {
        for body in [&b"<html>"[..], b"", b"[]", b"\xff", b"{\"choices\":[{}]}"] {
            assert_eq!(decode_answer(dialect, body).unwrap_err().code, Code::BadAnswer);
        }
        assert_eq!(answer_usage(dialect, b"<html>").unwrap_err().code, Code::BadAnswer);
        let error = br#"{"error":{"type":"overloaded_error","message":"busy"}}"#;
        assert_eq!(decode_answer(dialect, error).unwrap_err().kind, types::Kind::Throttling);
        assert_eq!(answer_usage(dialect, error).unwrap_err().kind, types::Kind::Throttling);
    }
}

#[test]
fn an_answer_that_is_forwarded_has_what_makes_it_one() {
    for (dialect, whole) in [
        (OPENAI, "choices"),
        (ANTHROPIC, "content"),
        (Dialect::OpenaiEmbeddings, "data"),
        (Dialect::OpenaiResponses, "output"),
        (Dialect::GeminiContent, "candidates"),
        (Dialect::GeminiContent, "promptFeedback"),
    ] {
        let good = format!(r#" {{ "x":1,"{whole}" : [],"error":null }} "#);
        assert_eq!(answer_usage(dialect, good.as_bytes()).unwrap(), None, "{good}");
        for bad in [
            "{}".to_owned(),
            r#"{"usage":{}}"#.to_owned(),
            format!(r#"{{"{whole}":null}}"#),
            format!(r#"{{"{whole}":[]"#),
            format!(r#"{{"{whole}":[]}}}}"#),
            format!(r#"{{"{whole}":[],}}"#),
            format!(r#"{{"{whole}":[],"usage":{{}},"usage":{{}}}}"#),
            format!(r#"{{"{whole}":[],"usage":[]}}"#).replace("[]}", "7}"),
            format!(r#"[{{"{whole}":[]}}]"#),
        ] {
            let fault = answer_usage(dialect, bad.as_bytes()).unwrap_err();
            assert_eq!((fault.code, fault.kind), (Code::BadAnswer, types::Kind::InvalidResponse), "{bad}");
        }
    }
    let fault = answer_usage(OPENAI, b"{\n\"choices\":[],\n\"id\":x}").unwrap_err();
    assert!(fault.message.ends_with("(line 3)"), "{}", fault.message);
}

#[test]
fn refusals_and_ends_cross() {
    let refusal = r#"{"id":"c","model":"m","choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]}"#;
    let answer = decode_answer(OPENAI, refusal.as_bytes()).unwrap();
    assert_eq!(answer.choices[0].parts, [Part::Refusal { text: "No.".into() }]);
    let out: Value = serde_json::from_slice(&encode_answer(ANTHROPIC, &answer, &meta())).unwrap();
    assert_eq!((&out["stop_reason"], &out["content"][0]["text"]), (&"refusal".into(), &"No.".into()));
    for (anthropic, openai) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("something_new", "stop"),
    ] {
        let body = format!(r#"{{"content":[],"stop_reason":"{anthropic}"}}"#);
        let answer = decode_answer(ANTHROPIC, body.as_bytes()).unwrap();
        let out: Value = serde_json::from_slice(&encode_answer(OPENAI, &answer, &meta())).unwrap();
        assert_eq!(out["choices"][0]["finish_reason"], openai);
    }
}
