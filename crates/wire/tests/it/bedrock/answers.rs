//! Whole answers, and both kinds in the callers' dialects.

use bytes::BytesMut;
use types::chat::{Event, Part, Stop};
use types::{CallId, Code, Dialect, Timestamp, Usage};
use wire::{AnswerMeta, StreamDecoder, StreamEncoder, answer_usage, decode_answer, encode_answer};

use super::transcripts::{REASONING, TOOLS, stream};

const BEDROCK: Dialect = Dialect::BedrockConverse;

const WHOLE: &str = r#"{"metrics":{"latencyMs":1275},"output":{"message":{"content":[
  {"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"c2ln"}}},
  {"reasoningContent":{"redactedContent":"b3BhcXVl"}},
  {"text":"Hello"},
  {"citationsContent":{"content":[{"text":"It is so."}],"citations":[{"title":"t"}]}},
  {"toolUse":{"toolUseId":"s","name":"nova_grounding","input":{},"type":"server_tool_use"}},
  {"toolUse":{"toolUseId":"tooluse_1","name":"f","input":{"a":1.0e400,"b":[12345678901234567890123]}}},
  {"somethingNew":{}}],"role":"assistant"}},
  "stopReason":"tool_use","usage":{"inputTokens":10,"outputTokens":9,"totalTokens":54,"cacheReadInputTokens":5,
  "cacheWriteInputTokens":30,"cacheDetails":[{"ttl":"1h","inputTokens":20}]}}"#;

fn meta() -> AnswerMeta<'static> {
    let created = Timestamp::from_micros(1_700_000_000_000_000);
    AnswerMeta { created, model: "assistant", call: CallId::new(created, [7; 10]), previous: None }
}

fn shown(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_whole_answer_crosses() {
    let answer = decode_answer(BEDROCK, WHOLE.as_bytes()).unwrap();
    let usage = Usage { cache_read: 5, cache_write: 10, cache_write_1h: 20, ..Usage::plain(45, 9) };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(answer_usage(BEDROCK, WHOLE.as_bytes()).unwrap(), Some(usage));
    let openai = encode_answer(Dialect::OpenaiChat, &answer, &meta());
    insta::assert_snapshot!("bedrock_to_openai", shown(&openai));
    let anthropic = encode_answer(Dialect::AnthropicMessages, &answer, &meta());
    insta::assert_snapshot!("bedrock_to_anthropic", shown(&anthropic));
}

#[test]
fn streams_cross() {
    for (name, transcript) in [("tools", TOOLS), ("reasoning", REASONING)] {
        let mut decoder = StreamDecoder::new(BEDROCK);
        let mut events = Vec::new();
        decoder.push(&stream(transcript), &mut events).unwrap();
        decoder.finish(&mut events).unwrap();
        for dialect in [Dialect::OpenaiChat, Dialect::AnthropicMessages] {
            let mut encoder = StreamEncoder::new(dialect, &meta(), true);
            let mut out = BytesMut::new();
            for event in &events {
                encoder.event(event, &mut out);
            }
            insta::assert_snapshot!(format!("bedrock_stream_{name}_{dialect}"), shown(&out));
            // The other side reads from it what Bedrock said.
            let mut again = Vec::new();
            let mut reader = StreamDecoder::new(dialect);
            reader.push(&out, &mut again).unwrap();
            reader.finish(&mut again).unwrap();
            assert_eq!(texts(&again), texts(&events), "{name} {dialect}");
        }
    }
}

/// Text, arguments of each call, usage.
fn texts(events: &[Event]) -> (String, Vec<String>, Option<Usage>) {
    let (mut said, mut calls, mut used) = (String::new(), Vec::new(), None);
    for event in events {
        match event {
            Event::Text { text, .. } => said.push_str(text),
            Event::ToolStart { .. } => calls.push(String::new()),
            Event::ToolArguments { index, json, .. } => calls[*index as usize].push_str(json),
            Event::Usage(usage) => used = Some(*usage),
            _ => {}
        }
    }
    (said, calls, used)
}

#[test]
fn the_text_that_ended_an_answer_is_told() {
    let body = r#"{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"stop_sequence",
        "additionalModelResponseFields":{"stop_sequence":"END"}}"#;
    let answer = decode_answer(BEDROCK, body.as_bytes()).unwrap();
    assert_eq!(answer.choices[0].stop, Stop::Sequence(Some("END".into())));
    assert_eq!((answer.choices[0].parts.clone(), answer.usage), (Vec::<Part>::new(), None));
}

#[test]
fn what_is_no_answer_is_refused() {
    for body in ["", "[]", "{}", r#"{"output":{}}"#, r#"{"output":{"message":{"content":7}}}"#, "<html>"] {
        assert_eq!(decode_answer(BEDROCK, body.as_bytes()).unwrap_err().code, Code::BadAnswer, "{body}");
    }
}
