//! Whole answers and streams to and from the dialect.

use serde_json::{Value, json};
use types::chat::{Answer, Choice, Event, Part, Stop};
use types::{Code, Dialect, Fault, Kind, Usage};
use wire::{answer_usage, decode_answer, decode_request, encode_answer};

use super::transcripts::{ALL, REFUSAL, TEXT, TOOLS, WHOLE};
use crate::answers::{WHOLE_ANTHROPIC, WHOLE_OPENAI, events, gist, meta, shown, written};
use crate::transcripts;

const RESPONSES: Dialect = Dialect::OpenaiResponses;
const OPENAI: Dialect = Dialect::OpenaiChat;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;

fn lines(body: &[u8]) -> String {
    serde_json::to_string_pretty(&serde_json::from_slice::<Value>(body).unwrap()).unwrap()
}

#[test]
fn whole_answers_cross() {
    let answer = decode_answer(RESPONSES, WHOLE.as_bytes()).unwrap();
    insta::assert_json_snapshot!("neutral_answer", answer);
    insta::assert_snapshot!("responses_to_openai", lines(&encode_answer(OPENAI, &answer, &meta())));
    insta::assert_snapshot!("responses_to_anthropic", lines(&encode_answer(ANTHROPIC, &answer, &meta())));
    for (name, dialect, body) in [("openai", OPENAI, WHOLE_OPENAI), ("anthropic", ANTHROPIC, WHOLE_ANTHROPIC)]
    {
        let answer = decode_answer(dialect, body.as_bytes()).unwrap();
        let out = encode_answer(RESPONSES, &answer, &meta());
        insta::assert_snapshot!(format!("{name}_to_responses"), lines(&out));
    }
}

#[test]
fn an_answer_says_the_same_after_crossing() {
    for (dialect, body) in [(RESPONSES, WHOLE), (OPENAI, WHOLE_OPENAI), (ANTHROPIC, WHOLE_ANTHROPIC)] {
        let answer = decode_answer(dialect, body.as_bytes()).unwrap();
        let back = decode_answer(RESPONSES, &encode_answer(RESPONSES, &answer, &meta())).unwrap();
        assert_eq!(back.choices, answer.choices);
        let usage = answer.usage.map(|usage| Usage {
            cache_write: usage.cache_write + usage.cache_write_1h,
            cache_write_1h: 0,
            ..usage
        });
        assert_eq!(back.usage, usage);
    }
}

/// What a caller of this dialect does: it sends the items back as they came.
fn sent_back(output: &Value) -> Vec<Part> {
    let body = json!({ "model": "m", "input": output }).to_string();
    let request = decode_request(RESPONSES, body.as_bytes()).unwrap();
    assert!(request.extra.is_empty(), "{:?}", request.extra);
    request.messages.into_iter().flat_map(|message| message.parts).collect()
}

#[test]
fn signed_reasoning_comes_back_as_it_went() {
    let parts = vec![
        Part::Thinking { text: "Hm.\n\nWell.".into(), signature: Some("signed-by-anthropic:c2ln".into()) },
        Part::HiddenThinking { data: "signed-by-openai:b3BhcXVl".into() },
        Part::Thinking { text: String::new(), signature: Some("signed-by-bedrock:b21pdHRlZA==".into()) },
        Part::Text { text: "Hello".into() },
        Part::ToolCall { id: "toolu_1".into(), name: "f".into(), arguments: "{}".into() },
    ];
    let choice = Choice { parts: parts.clone(), stop: Stop::ToolCalls, logprobs: None };
    let answer = Answer { choices: vec![choice], ..Answer::default() };
    let whole: Value = serde_json::from_slice(&encode_answer(RESPONSES, &answer, &meta())).unwrap();
    assert_eq!(sent_back(&whole["output"]), parts);

    let choice = 0;
    let said = [
        Event::Thinking { choice, text: "Hm.".into() },
        Event::Thinking { choice, text: "\n\nWell.".into() },
        Event::ThinkingSignature { choice, signature: "signed-by-anthropic:c2ln".into() },
        Event::HiddenThinking { choice, data: "signed-by-openai:b3BhcXVl".into() },
        Event::ThinkingSignature { choice, signature: "signed-by-bedrock:b21pdHRlZA==".into() },
        Event::Text { choice, text: "Hello".into() },
        Event::ToolStart { choice, index: 0, id: "toolu_1".into(), name: "f".into() },
        Event::ToolArguments { choice, index: 0, json: "{}".into() },
        Event::Stop { choice, stop: Stop::ToolCalls },
        Event::Done,
    ];
    let out = written(RESPONSES, &said, true);
    assert_eq!(sent_back(&last(&out)["response"]["output"]), parts);
    // What the stream says in pieces is what its last event holds.
    let again = events(RESPONSES, &out);
    assert_eq!(again[1..again.len() - 3], joined(&said)[..]);
}

/// The content of the events, pieces of one kind joined.
fn joined(said: &[Event]) -> Vec<Event> {
    said[..said.len() - 2].to_vec()
}

/// The last event of a stream.
fn last(stream: &[u8]) -> Value {
    let data = shown(stream).lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    serde_json::from_str(data).unwrap()
}

#[test]
fn streams_cross() {
    for (name, stream) in [("text", TEXT), ("tools", TOOLS), ("refusal", REFUSAL)] {
        let said = events(RESPONSES, stream.as_bytes());
        insta::assert_debug_snapshot!(format!("events_{name}"), said);
        insta::assert_snapshot!(format!("{name}_to_openai"), shown(&written(OPENAI, &said, true)));
        insta::assert_snapshot!(format!("{name}_to_anthropic"), shown(&written(ANTHROPIC, &said, true)));
    }
    let openai = events(OPENAI, transcripts::OPENAI.as_bytes());
    insta::assert_snapshot!("stream_from_openai", shown(&written(RESPONSES, &openai, true)));
    let anthropic = events(ANTHROPIC, transcripts::ANTHROPIC.as_bytes());
    insta::assert_snapshot!("stream_from_anthropic", shown(&written(RESPONSES, &anthropic, true)));
}

#[test]
fn a_stream_says_the_same_after_crossing() {
    let others = [(OPENAI, transcripts::OPENAI), (ANTHROPIC, transcripts::ANTHROPIC)];
    for (from, stream) in ALL.map(|stream| (RESPONSES, stream)).into_iter().chain(others) {
        let before = events(from, stream.as_bytes());
        let out = written(RESPONSES, &before, true);
        let after = events(RESPONSES, &out);
        let (mut expect, got) = (gist(&before), gist(&after));
        expect.4 = expect.4.map(|usage| Usage {
            cache_write: usage.cache_write + usage.cache_write_1h,
            cache_write_1h: 0,
            ..usage
        });
        assert_eq!(got, expect);
        assert_eq!(after.last(), Some(&Event::Done));
        // The whole response at its end says the same, and its events are numbered from 0.
        let response = last(&out)["response"].take();
        let whole = decode_answer(RESPONSES, response.to_string().as_bytes()).unwrap();
        let texts: String = whole.choices[0]
            .parts
            .iter()
            .filter_map(|part| if let Part::Text { text } = part { Some(text.as_str()) } else { None })
            .collect();
        assert_eq!((texts, Some(&whole.choices[0].stop)), (got.0, got.3.first()));
        for (place, line) in shown(&out).lines().filter_map(|line| line.strip_prefix("data: ")).enumerate() {
            assert_eq!(serde_json::from_str::<Value>(line).unwrap()["sequence_number"], place);
        }
    }
}

#[test]
fn calls_that_grow_side_by_side_stay_apart() {
    let start = |index, id: &str| Event::ToolStart { choice: 0, index, id: id.into(), name: "f".into() };
    let more = |index, json: &str| Event::ToolArguments { choice: 0, index, json: json.into() };
    let text = Event::Text { choice: 0, text: "x".into() };
    let before = [
        start(0, "a"),
        start(1, ""),
        more(1, "{\"b\""),
        text,
        more(0, "{}"),
        more(1, ":2}"),
        Event::Stop { choice: 0, stop: Stop::Length },
        Event::Done,
    ];
    let out = written(RESPONSES, &before, true);
    let output = last(&out)["response"]["output"].take();
    assert_eq!((&output[0]["arguments"], &output[1]["arguments"]), (&json!("{}"), &json!("{\"b\":2}")));
    assert_eq!(output[1]["call_id"], json!(format!("call_{}_1", meta().call)));
    assert_eq!((&output[0]["status"], &output[2]["status"]), (&json!("completed"), &json!("incomplete")));
    assert_eq!(last(&out)["type"], "response.incomplete");
    assert_eq!(gist(&events(RESPONSES, &out)).2[1].1, "{\"b\":2}");
}

#[test]
fn a_call_without_arguments_holds_json_all_the_same() {
    let start = Event::ToolStart { choice: 0, index: 0, id: "a".into(), name: "f".into() };
    let stop = |stop| Event::Stop { choice: 0, stop };
    let arguments = |stopped| {
        last(&written(RESPONSES, &[start.clone(), stop(stopped), Event::Done], true))["response"]["output"][0]
            ["arguments"]
            .take()
    };
    assert_eq!((arguments(Stop::ToolCalls), arguments(Stop::Length)), (json!("{}"), json!("")));
    let part = Part::ToolCall { id: "a".into(), name: "f".into(), arguments: String::new() };
    let choice = Choice { parts: vec![part], stop: Stop::ToolCalls, logprobs: None };
    let whole = encode_answer(RESPONSES, &Answer { choices: vec![choice], ..Answer::default() }, &meta());
    assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap()["output"][0]["arguments"], "{}");
}

#[test]
fn log_probabilities_cross() {
    let tokens = json!([{ "token": "H", "logprob": -0.5, "bytes": null, "top_logprobs": [{ "token": "H", "logprob": -0.5, "bytes": null }] }]);
    let said = [
        Event::Text { choice: 0, text: "H".into() },
        Event::Logprobs { choice: 0, tokens: tokens.clone() },
        Event::Done,
    ];
    let out = written(RESPONSES, &said, true);
    let bytes = json!([{ "token": "H", "logprob": -0.5, "bytes": [], "top_logprobs": [{ "token": "H", "logprob": -0.5, "bytes": [] }] }]);
    assert_eq!(last(&out)["response"]["output"][0]["content"][0]["logprobs"], bytes);
    let again = events(RESPONSES, &out);
    assert!(again.contains(&Event::Logprobs { choice: 0, tokens: bytes }));
}

#[test]
fn ends_cross() {
    for (chat, status, reason) in [
        ("stop", "completed", Value::Null),
        ("tool_calls", "completed", Value::Null),
        ("length", "incomplete", json!({ "reason": "max_output_tokens" })),
        ("content_filter", "incomplete", json!({ "reason": "content_filter" })),
        ("something_new", "completed", Value::Null),
    ] {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"x"}},"finish_reason":"{chat}"}}]}}"#);
        let answer = decode_answer(OPENAI, body.as_bytes()).unwrap();
        let out: Value = serde_json::from_slice(&encode_answer(RESPONSES, &answer, &meta())).unwrap();
        assert_eq!((&out["status"], &out["incomplete_details"]), (&json!(status), &reason), "{chat}");
        assert_eq!(out["output"][0]["status"], status);
        assert_eq!(out["id"], json!(format!("resp_{}", meta().call)));
    }
}

#[test]
fn answers_that_failed_are_faults() {
    let failed = br#"{"id":"resp_1","status":"failed","error":{"code":"rate_limit_exceeded","message":"slow down"},"output":[],"usage":null}"#;
    let fault = decode_answer(RESPONSES, failed).unwrap_err();
    assert_eq!(
        (fault.kind, fault.provider_reason.as_deref()),
        (Kind::RateLimit, Some("rate_limit_exceeded"))
    );
    assert_eq!(answer_usage(RESPONSES, failed).unwrap_err().kind, Kind::RateLimit);
    for body in [&b"<html>"[..], b"", b"[]", b"{}", b"{\"output\":[{}]}"] {
        assert_eq!(decode_answer(RESPONSES, body).unwrap_err().code, Code::BadAnswer);
    }
    let usage = answer_usage(RESPONSES, WHOLE.as_bytes()).unwrap().unwrap();
    assert_eq!(
        (usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning),
        (328, 20, 3, 52, 30)
    );
}

#[test]
fn a_fault_ends_the_stream_as_the_sdks_read_it() {
    let fault = Fault::new(Kind::Throttling, Code::ProviderError, "busy");
    let said = [Event::Text { choice: 0, text: "H".into() }, Event::Failed(fault.clone())];
    let event = last(&written(RESPONSES, &said, true));
    insta::assert_json_snapshot!("error_event", event);
    let out = written(RESPONSES, &said, true);
    assert!(matches!(events(RESPONSES, &out).last(), Some(Event::Failed(_))));
    let alone = wire::error_event(RESPONSES, &fault, Some(meta().call));
    assert_eq!(last(&alone)["error"], event["error"]);
}
