//! Requests from one dialect into the other.

use proptest::prelude::*;
use serde_json::{Value, json};
use types::chat::{Format, Image, Message, Part, Reasoning, Request, Role, Tool, ToolChoice};
use types::{Code, Dialect, Fault};
use wire::{EmbeddingInput, Writing, Written, decode_embeddings, decode_request, encode_embeddings};

const OPENAI: Dialect = Dialect::OpenaiChat;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;

pub(crate) const FULL_OPENAI: &str = r#"{
  "model": "assistant", "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false},
  "max_completion_tokens": 900, "temperature": 0.50, "top_p": 1, "stop": ["STOP", "END"], "user": "u-1",
  "n": 1, "logprobs": false, "frequency_penalty": 0, "presence_penalty": 0.0, "store": false, "metadata": {"team": "x"},
  "service_tier": "auto", "parallel_tool_calls": false, "reasoning_effort": "high", "seed": null,
  "tool_choice": {"type": "function", "function": {"name": "weather"}},
  "tools": [{"type": "function", "function": {"name": "weather", "description": "now", "strict": true,
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 9007199254740993}}}}},
    {"type": "function", "function": {"name": "none"}}],
  "response_format": {"type": "json_schema", "json_schema": {"name": "out", "strict": true, "schema": {"type": "object"}}},
  "messages": [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": [{"type": "text", "text": "Really."}]},
    {"role": "user", "content": [
      {"type": "text", "text": "What is on these?"},
      {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
      {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]},
    {"role": "assistant", "content": null, "tool_calls": [
      {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Bern\", \"big\": 123456789012345678901234567890, \"odd\": 1.0e400}"}},
      {"id": "call_2", "type": "function", "function": {"name": "none", "arguments": ""}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "nothing"}]},
    {"role": "user", "content": "Thanks"},
    {"role": "assistant", "content": "", "refusal": "I would rather not."}
  ]
}"#;

pub(crate) const FULL_ANTHROPIC: &str = r#"{
  "model": "assistant", "max_tokens": 2000, "stream": true, "temperature": 0.2, "top_p": 0.9,
  "stop_sequences": ["END"], "metadata": {"user_id": "u-2"}, "service_tier": "auto",
  "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
  "thinking": {"type": "enabled", "budget_tokens": 5000, "display": "omitted"},
  "tools": [{"name": "weather", "description": "now", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
  "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
  "messages": [
    {"role": "user", "content": [
      {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
      {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
      {"type": "text", "text": "What is this?"}]},
    {"role": "assistant", "content": [
      {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
      {"type": "redacted_thinking", "data": "b3BhcXVl"},
      {"type": "text", "text": "Let me look."},
      {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern", "n": 1.0e400}},
      {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}}]},
    {"role": "user", "content": [
      {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"},
      {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": [{"type": "text", "text": "no such city"}]},
      {"type": "text", "text": "And now?"}]}
  ]
}"#;

pub(crate) fn encode(to: Dialect, request: &Request, model: &str) -> Result<Written, Fault> {
    wire::encode_request(request, &Writing::plain(to, model))
}

pub(crate) fn translated(from: Dialect, body: &str, to: Dialect, model: &str) -> String {
    let request = decode_request(from, body.as_bytes()).unwrap();
    String::from_utf8(encode(to, &request, model).unwrap().body.to_vec()).unwrap()
}

/// The JSON text on lines of its own, every byte of its tokens as it was.
pub(crate) fn spread(json: &str) -> String {
    json.replace("},{", "},\n {").replace("],\"", "],\n\"")
}

#[test]
fn a_full_request_from_openai_to_anthropic() {
    insta::assert_snapshot!(spread(&translated(OPENAI, FULL_OPENAI, ANTHROPIC, "claude-sonnet-4-5")));
}

#[test]
fn a_full_request_from_anthropic_to_openai() {
    insta::assert_snapshot!(spread(&translated(ANTHROPIC, FULL_ANTHROPIC, OPENAI, "gpt-4o")));
}

#[test]
fn the_neutral_form_of_both() {
    for (name, dialect, body) in [("openai", OPENAI, FULL_OPENAI), ("anthropic", ANTHROPIC, FULL_ANTHROPIC)] {
        let request = decode_request(dialect, body.as_bytes()).unwrap();
        insta::assert_json_snapshot!(format!("neutral_{name}"), serde_json::to_value(request).unwrap());
    }
}

#[test]
fn what_anthropic_cannot_say_is_refused_by_name() {
    let refuse = |field: &str, place: &str| {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{field}}}"#);
        let request = decode_request(OPENAI, body.as_bytes()).unwrap();
        let fault = encode(ANTHROPIC, &request, "claude").unwrap_err();
        assert_eq!((fault.code, fault.param.as_deref()), (Code::Unsupported, Some(place)), "{field}");
        // The dialect that it came in still says it.
        assert!(encode(OPENAI, &Request { extra: Vec::new(), ..request }, "m").is_ok(), "{place}");
    };
    refuse(r#""n":2"#, "n");
    refuse(r#""logprobs":true"#, "logprobs");
    refuse(r#""top_logprobs":3"#, "logprobs");
    refuse(r#""frequency_penalty":0.5"#, "frequency_penalty");
    refuse(r#""presence_penalty":-1"#, "presence_penalty");
    refuse(r#""seed":7"#, "seed");
    refuse(r#""logit_bias":{"50256":-100}"#, "logit_bias");
    refuse(r#""modalities":["text","audio"]"#, "modalities");
    refuse(r#""store":true"#, "store");
    refuse(r#""service_tier":"flex""#, "service_tier");
    refuse(r#""web_search_options":{}"#, "web_search_options");
    refuse(r#""something_new":1.0e400"#, "something_new");
    refuse(r#""functions":[{"name":"f"}]"#, "functions");
    refuse(r#""temperature":1.5"#, "temperature");
    refuse(r#""response_format":{"type":"json_object"}"#, "response_format");
    refuse(r#""tools":[{"type":"custom","custom":{"name":"x"}}]"#, "tools[0].custom");
    refuse(r#""tool_choice":{"type":"allowed_tools","allowed_tools":{}}"#, "tool_choice.allowed_tools");
}

#[test]
fn what_stands_deep_in_the_turns_is_refused_by_its_path() {
    let refuse = |from: Dialect, turn: &str, to: Dialect, place: &str| {
        let body = format!(r#"{{"model":"m","max_tokens":9,"messages":[{turn}]}}"#);
        let request = decode_request(from, body.as_bytes()).unwrap();
        let fault = encode(to, &request, "x").unwrap_err();
        assert_eq!(fault.param.as_deref(), Some(place), "{turn}");
    };
    let audio = r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{"format":"wav","data":"AA=="}}]}"#;
    refuse(OPENAI, audio, ANTHROPIC, "messages[0].content");
    refuse(OPENAI, r#"{"role":"user","name":"ann","content":"a"}"#, ANTHROPIC, "messages[0].name");
    refuse(OPENAI, r#"{"role":"assistant","audio":{"id":"a"}}"#, ANTHROPIC, "messages[0].audio");
    let broken = r#"{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"[1]"}}]}"#;
    refuse(OPENAI, broken, ANTHROPIC, "messages[0].tool_calls[0].function.arguments");
    let document =
        r#"{"role":"user","content":[{"type":"document","source":{"type":"content","content":[]}}]}"#;
    refuse(ANTHROPIC, document, OPENAI, "messages[0].content[0].source");
    let picture = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[
        {"type":"image","source":{"type":"url","url":"u"}}]}]}"#;
    refuse(ANTHROPIC, picture, OPENAI, "messages");
    refuse(ANTHROPIC, r#"{"role":"user","content":"a"}],"top_k":5,"stop_sequences":["x""#, OPENAI, "top_k");
    refuse(ANTHROPIC, r#"{"role":"user","content":"a"}],"mcp_servers":[1"#, OPENAI, "mcp_servers");
}

#[test]
fn nonsense_is_refused_with_its_path() {
    let refuse = |dialect: Dialect, body: &str, place: &str| {
        let fault = decode_request(dialect, body.as_bytes()).unwrap_err();
        assert_eq!((fault.code, fault.param.as_deref()), (Code::BadField, Some(place)), "{body}");
    };
    refuse(OPENAI, r#"{"model":"m"}"#, "messages");
    refuse(OPENAI, r#"{"model":"m","messages":[7]}"#, "messages[0]");
    refuse(OPENAI, r#"{"model":"m","messages":[{"role":"king"}]}"#, "messages[0].role");
    refuse(OPENAI, r#"{"model":"m","messages":[{"role":"user","content":4}]}"#, "messages[0].content");
    refuse(OPENAI, r#"{"model":"m","messages":[{"role":"tool","content":"x"}]}"#, "messages[0].tool_call_id");
    refuse(OPENAI, r#"{"model":"m","messages":[],"max_tokens":"9"}"#, "max_tokens");
    refuse(OPENAI, r#"{"model":"m","messages":[],"temperature":1.0e400}"#, "temperature");
    refuse(OPENAI, r#"{"model":"m","messages":[],"tools":[{"function":{}}]}"#, "tools[0].function.name");
    refuse(OPENAI, r#"{"model":"m","messages":[{"role":"user","role":"user"}]}"#, "messages[0].role");
    refuse(ANTHROPIC, r#"{"model":"m","messages":[]}"#, "max_tokens");
    refuse(ANTHROPIC, r#"{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}"#, "messages[0].content");
    refuse(
        ANTHROPIC,
        r#"{"model":"m","max_tokens":1,"messages":[],"stop_sequences":[1]}"#,
        "stop_sequences[0]",
    );
    let deep = format!(
        r#"{{"model":"m","messages":[],"response_format":{{"type":"json_schema","json_schema":{{"name":"f","schema":{}}}}}}}"#,
        deep()
    );
    refuse(OPENAI, &deep, "response_format.json_schema.schema");
}

fn deep() -> String {
    format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000))
}

#[test]
fn schemas_of_tools_cross_as_they_were_written() {
    let odd = r#"{ "type":"object","a":12345678901234567890123, "b":1e400,"c":-0.0,"d":1.10, "e":"\u00e9"}"#;
    for schema in [odd, &deep()] {
        let openai = format!(
            r#"{{"model":"m","messages":[],"tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}]}}"#
        );
        let anthropic = format!(
            r#"{{"model":"m","max_tokens":1,"messages":[],"tools":[{{"name":"f","input_schema":{schema}}}]}}"#
        );
        for (from, body) in [(OPENAI, &openai), (ANTHROPIC, &anthropic)] {
            for to in [
                OPENAI,
                ANTHROPIC,
                Dialect::OpenaiResponses,
                Dialect::GeminiContent,
                Dialect::BedrockConverse,
            ] {
                let written = translated(from, body, to, "m");
                assert!(written.contains(schema), "{from:?} to {to:?}: {written}");
            }
        }
    }
}

#[test]
fn thinking_goes_by_what_the_model_takes() {
    let thinking = |effort: &str, model: &str, max_tokens: Option<u64>| {
        let request = Request {
            reasoning: Some(Reasoning::Effort(effort.to_owned())),
            max_tokens,
            ..Request::default()
        };
        let body: Value = serde_json::from_slice(&encode(ANTHROPIC, &request, model).unwrap().body).unwrap();
        json!([body["thinking"], body["output_config"], body["max_tokens"]])
    };
    let adaptive = json!([{ "type": "adaptive" }, { "effort": "high" }, 4096]);
    assert_eq!(thinking("high", "claude-opus-4-6", None), adaptive);
    assert_eq!(thinking("high", "claude-sonnet-5", None), adaptive);
    let budget = json!([{ "type": "enabled", "budget_tokens": 16384 }, null, 20480]);
    for model in ["claude-3-7-sonnet-20250219", "claude-sonnet-4-20250514", "anthropic/claude-haiku-4.5"] {
        assert_eq!(thinking("high", model, None), budget, "{model}");
    }
    let tight = json!([{ "type": "enabled", "budget_tokens": 1999 }, null, 2000]);
    assert_eq!(thinking("low", "claude-sonnet-4-5", Some(2000)), tight);
    assert_eq!(thinking("low", "claude-sonnet-4-5", Some(500)), json!([null, null, 500]));
}

#[test]
fn newer_openai_models_get_the_newer_field() {
    let request = Request { max_tokens: Some(5), ..Request::default() };
    for (model, field) in [
        ("gpt-4o", "max_tokens"),
        ("gpt-4.1-mini", "max_tokens"),
        ("gpt-5-mini", "max_completion_tokens"),
        ("openai/o3-mini", "max_completion_tokens"),
        ("openchat", "max_tokens"),
        ("gpt-oss-120b", "max_tokens"),
    ] {
        let body: Value = serde_json::from_slice(&encode(OPENAI, &request, model).unwrap().body).unwrap();
        assert_eq!(body[field], 5, "{model}");
    }
}

fn text() -> impl Strategy<Value = String> {
    "(\\PC|[\n\"\\\\]){1,12}"
}

fn both_say_part() -> impl Strategy<Value = Part> {
    prop_oneof![
        text().prop_map(|text| Part::Text { text }),
        Just(Part::Image(Image::Url { url: "https://example.org/x.png".into(), detail: None })),
        Just(Part::Image(Image::Inline {
            media_type: "image/png".into(),
            data: "AAAA".into(),
            detail: None
        })),
    ]
}

fn call() -> impl Strategy<Value = Part> {
    (0_u32..9, text()).prop_map(|(number, value)| Part::ToolCall {
        id: format!("call_{number}"),
        name: "f".into(),
        arguments: json!({ "a": value, "b": number }).to_string(),
    })
}

/// A round that both dialects can say: the caller, the model with its tool calls, their results.
fn round() -> impl Strategy<Value = Vec<Message>> {
    let turn = |role, parts| Message { role, parts, name: None };
    let user = proptest::collection::vec(both_say_part(), 1..4);
    let calls = proptest::collection::vec(call(), 0..3);
    (user, text(), calls, text()).prop_map(move |(user, said, calls, result)| {
        let results = calls.iter().filter_map(|call| match call {
            Part::ToolCall { id, .. } => Some(turn(
                Role::Tool,
                vec![Part::ToolResult {
                    id: id.clone(),
                    parts: vec![Part::Text { text: result.clone() }],
                    failed: false,
                }],
            )),
            _ => None,
        });
        let results: Vec<_> = results.collect();
        let mut model = vec![Part::Text { text: said }];
        model.extend(calls);
        let mut round = vec![turn(Role::User, user), turn(Role::Assistant, model)];
        round.extend(results);
        round
    })
}

pub(crate) fn both_say() -> impl Strategy<Value = Request> {
    let choice = prop_oneof![
        Just(None),
        Just(Some(ToolChoice::Auto)),
        Just(Some(ToolChoice::None)),
        Just(Some(ToolChoice::Any)),
        Just(Some(ToolChoice::Named("f".into()))),
    ];
    let format = prop_oneof![
        Just(Format::Text),
        Just(Format::Schema {
            name: "answer".into(),
            description: None,
            schema: json!({ "type": "object" }),
            strict: Some(true)
        }),
    ];
    let rounds = proptest::collection::vec(round(), 1..3);
    (proptest::option::of(text()), rounds, choice, format, any::<bool>(), 1_u64..9_999).prop_map(
        |(system, rounds, tool_choice, format, stream, max_tokens)| {
            let system = system.map(|text| Message {
                role: Role::System,
                parts: vec![Part::Text { text }],
                name: None,
            });
            Request {
                model: "m".into(),
                messages: system.into_iter().chain(rounds.into_iter().flatten()).collect(),
                tools: vec![Tool {
                    name: "f".into(),
                    description: Some("d".into()),
                    parameters: json!({ "type": "object", "properties": {} }).into(),
                    strict: None,
                    cache: None,
                }],
                tool_choice,
                max_tokens: Some(max_tokens),
                temperature: serde_json::Number::from_f64(0.25),
                stop: vec!["END".into()],
                format,
                stream,
                stream_usage: stream,
                user: Some("u".into()),
                ..Request::default()
            }
        },
    )
}

/// The same conversation however results are grouped into turns.
pub(crate) fn flat(request: &Request) -> Value {
    let parts: Vec<_> = request
        .messages
        .iter()
        .flat_map(|message| message.parts.iter().map(move |part| json!([message.role, part])))
        .collect();
    let mut json = serde_json::to_value(request).unwrap();
    json["messages"] = parts.into();
    json["stream_usage"] = Value::Null;
    json
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn what_both_can_say_survives_the_way_out_and_back(request in both_say()) {
        for dialect in [OPENAI, ANTHROPIC] {
            let body = encode(dialect, &request, "m").unwrap().body;
            let back = decode_request(dialect, &body).unwrap();
            prop_assert!(back.extra.is_empty(), "{:?}", back.extra);
            prop_assert_eq!(flat(&back), flat(&request));
        }
    }

    #[test]
    fn any_json_is_read_or_refused(body in crate::bodies::raw_json(), bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let wrapped = format!(r#"{{"model":"m","max_tokens":1,"messages":[{body}],"tools":[{body}],"system":{body},"stop":{body},"tool_choice":{body},"response_format":{body},"thinking":{body},"metadata":{body}}}"#);
        for dialect in [OPENAI, ANTHROPIC] {
            for text in [body.as_bytes(), wrapped.as_bytes(), &bytes] {
                if let Ok(request) = decode_request(dialect, text) {
                    let _ = encode(OPENAI, &request, "m");
                    let _ = encode(ANTHROPIC, &request, "m");
                }
            }
        }
        let _ = decode_embeddings(&bytes);
        let _ = decode_embeddings(format!(r#"{{"model":"m","input":{body}}}"#).as_bytes());
    }
}

#[test]
fn embeddings_are_read_and_written() {
    let inputs = |body: &str| decode_embeddings(body.as_bytes()).unwrap().inputs;
    let text = |text: &str| EmbeddingInput::Text(text.to_owned());
    assert_eq!(inputs(r#"{"model":"e","input":"a"}"#), [text("a")]);
    assert_eq!(inputs(r#"{"model":"e","input":["a","b"]}"#), [text("a"), text("b")]);
    assert_eq!(inputs(r#"{"model":"e","input":[1,2]}"#), [EmbeddingInput::Tokens(vec![1, 2])]);
    let two = [EmbeddingInput::Tokens(vec![1]), EmbeddingInput::Tokens(vec![2, 3])];
    assert_eq!(inputs(r#"{"model":"e","input":[[1],[2,3]]}"#), two);
    let body = encode_embeddings("e", &[vec![0.5, -1.0]], 3, false);
    insta::assert_snapshot!(std::str::from_utf8(&body).unwrap());
    let body: Value = serde_json::from_slice(&encode_embeddings("e", &[vec![0.5, -1.0]], 3, true)).unwrap();
    assert_eq!(body["data"][0]["embedding"], "AAAAPwAAgL8=");
}
