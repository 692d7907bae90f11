//! Requests from the callers' dialects into Bedrock's.

use proptest::prelude::*;
use serde_json::{Value, json};
use types::chat::{
    Document, Format, Image, Message, Part, Reasoning, Request, Role, Source, Tool, ToolChoice,
};
use types::{Code, Dialect, Fault, Quirks};
use wire::{Unsupported, Writing, Written, decode_request, encode_request};

use super::reader;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
const LLAMA: &str = "meta.llama3-3-70b-instruct-v1:0";

const FULL_OPENAI: &str = r#"{
  "model": "assistant", "stream": true, "stream_options": {"include_usage": true}, "max_completion_tokens": 900,
  "temperature": 0.50, "top_p": 1, "stop": ["STOP", "END"], "user": "u-1", "n": 1, "logprobs": false,
  "store": false, "metadata": {"team": "x"}, "parallel_tool_calls": true,
  "tool_choice": {"type": "function", "function": {"name": "weather"}},
  "tools": [{"type": "function", "function": {"name": "weather", "description": "now", "strict": true,
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 9007199254740993}}}}},
    {"type": "function", "function": {"name": "none", "description": ""}}],
  "response_format": {"type": "json_schema", "json_schema": {"name": "out", "strict": true, "schema": {"type": "object", "title": "\"é\""}}},
  "messages": [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": [{"type": "text", "text": "Really."}]},
    {"role": "user", "content": [
      {"type": "text", "text": "What is on these?"},
      {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,iVBORw0KGgo=", "detail": "low"}},
      {"type": "file", "file": {"filename": "report.v2.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
      {"type": "input_audio", "input_audio": {"format": "wav", "data": "UklGRg=="}}]},
    {"role": "user", "content": "  "},
    {"role": "user", "content": "Quickly."},
    {"role": "assistant", "content": null, "tool_calls": [
      {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Bern\", \"big\": 123456789012345678901234567890, \"odd\": 1.0e400}"}},
      {"id": "call_2", "type": "function", "function": {"name": "none", "arguments": ""}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "nothing"}]},
    {"role": "user", "content": "Thanks"},
    {"role": "assistant", "content": "", "refusal": "I would rather not."},
    {"role": "assistant", "content": ""}
  ]
}"#;

const FULL_ANTHROPIC: &str = r#"{
  "model": "assistant", "max_tokens": 9000, "temperature": 0.2, "top_p": 0.9, "top_k": 40,
  "stop_sequences": ["END"], "metadata": {"user_id": "u-2"}, "service_tier": "auto",
  "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
  "thinking": {"type": "enabled", "budget_tokens": 5000},
  "tools": [{"name": "weather", "description": "now", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
  "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
  "messages": [
    {"role": "user", "content": [
      {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "UklGRg=="}},
      {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}, "title": "Notes_1", "context": "mine", "citations": {"enabled": true}},
      {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}}]},
    {"role": "assistant", "content": [
      {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
      {"type": "redacted_thinking", "data": "b3BhcXVl"},
      {"type": "text", "text": "Let me look."},
      {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern", "n": 1.0e400}},
      {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}}]},
    {"role": "user", "content": [
      {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"},
      {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": [
        {"type": "text", "text": "no such city"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lGODlh"}, "cache_control": {"type": "ephemeral", "ttl": "5m"}}]},
      {"type": "text", "text": "And now?"}]}
  ]
}"#;

fn encode(request: &Request, model: &str) -> Result<Written, Fault> {
    encode_request(request, &Writing::plain(Dialect::BedrockConverse, model))
}

fn body(request: &Request, model: &str) -> Value {
    serde_json::from_slice(&encode(request, model).unwrap().body).unwrap()
}

/// The JSON text on lines of its own, every byte of its tokens as it was.
fn spread(json: &str) -> String {
    json.replace("},{", "},\n {").replace("],\"", "],\n\"")
}

fn translated(from: Dialect, body: &str, model: &str) -> String {
    let request = decode_request(from, body.as_bytes()).unwrap();
    let written = encode(&request, model).unwrap();
    // It is what Bedrock can read.
    if !std::str::from_utf8(&written.body).unwrap().contains("1.0e400") {
        reader::read(&written.body);
    }
    spread(std::str::from_utf8(&written.body).unwrap())
}

#[test]
fn a_full_request_from_openai() {
    insta::assert_snapshot!("bedrock_from_openai", translated(Dialect::OpenaiChat, FULL_OPENAI, LLAMA));
}

#[test]
fn a_full_request_from_anthropic() {
    let translated = translated(Dialect::AnthropicMessages, FULL_ANTHROPIC, CLAUDE);
    insta::assert_snapshot!("bedrock_from_anthropic", translated);
}

fn refused(from: Dialect, rest: &str, model: &str) -> Fault {
    let body = format!(r#"{{"model":"m",{rest}}}"#);
    let request = decode_request(from, body.as_bytes()).unwrap();
    let fault = encode(&request, model).unwrap_err();
    assert_eq!(fault.code, Code::Unsupported, "{rest}");
    // Where the route allows it, the rest goes, and the caller is told.
    let writing = Writing {
        dialect: Dialect::BedrockConverse,
        model,
        unsupported: Unsupported::Drop,
        quirks: &Quirks::OPENAI,
    };
    let written = encode_request(&request, &writing).unwrap();
    assert_eq!(written.dropped.first().map(String::as_str), fault.param.as_deref(), "{rest}");
    reader::read(&written.body);
    fault
}

#[test]
fn what_bedrock_cannot_say_is_refused_by_name() {
    let refuse = |field: &str, model: &str, place: &str| {
        let rest = format!(r#"{field},"messages":[{{"role":"user","content":"x"}}]"#);
        let fault = refused(Dialect::OpenaiChat, &rest, model);
        assert_eq!(fault.param.as_deref(), Some(place), "{field}");
        assert!(fault.message.contains("Bedrock's"), "{}", fault.message);
    };
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    refuse(r#""n":2"#, CLAUDE, "n");
    refuse(r#""logprobs":true"#, CLAUDE, "logprobs");
    refuse(r#""frequency_penalty":0.5"#, CLAUDE, "frequency_penalty");
    refuse(r#""presence_penalty":-1"#, CLAUDE, "presence_penalty");
    refuse(r#""seed":7"#, CLAUDE, "seed");
    refuse(r#""temperature":1.5"#, CLAUDE, "temperature");
    refuse(r#""logit_bias":{"50256":-100}"#, CLAUDE, "logit_bias");
    refuse(r#""response_format":{"type":"json_object"}"#, CLAUDE, "response_format");
    refuse(r#""reasoning_effort":"high""#, LLAMA, "reasoning_effort");
    refuse(&format!(r#""parallel_tool_calls":false,{tools}"#), LLAMA, "parallel_tool_calls");
}

#[test]
fn what_stands_deep_in_the_turns_is_refused_by_its_path() {
    let refuse = |from: Dialect, turns: &str, place: &str| {
        let max = r#""max_tokens":9,"messages":"#;
        assert_eq!(
            refused(from, &format!("{max}[{turns}]"), CLAUDE).param.as_deref(),
            Some(place),
            "{turns}"
        );
    };
    let (openai, anthropic) = (Dialect::OpenaiChat, Dialect::AnthropicMessages);
    let user = r#"{"role":"user","content":"x"}"#;
    let image = |url: &str| {
        format!(
            r#"{user},{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}"#
        )
    };
    refuse(openai, &image("https://example.org/a.png"), "messages[1].content");
    refuse(openai, &image("data:image/tiff;base64,AAAA"), "messages[1].content");
    refuse(openai, &format!(r#"{{"role":"user","name":"ann","content":"a"}},{user}"#), "messages[0].name");
    let document = |source: &str| {
        format!(
            r#"{{"role":"user","content":[{{"type":"text","text":"x"}},{{"type":"document","source":{source}}}]}}"#
        )
    };
    refuse(
        anthropic,
        &document(r#"{"type":"url","url":"https://example.org/a.pdf"}"#),
        "messages[0].content",
    );
    refuse(anthropic, &document(r#"{"type":"file","file_id":"file_1"}"#), "messages[0].content");
    let zip = r#"{"type":"base64","media_type":"application/zip","data":"AAAA"}"#;
    refuse(anthropic, &document(zip), "messages[0].content");
    let marker = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[
        {"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}]}]}"#;
    refuse(anthropic, marker, "messages[0].content");
    // Arguments that are no object are the caller's mistake in any dialect.
    let body = r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[
        {"id":"a","type":"function","function":{"name":"f","arguments":"[1]"}}]}]}"#;
    let request = decode_request(openai, body.as_bytes()).unwrap();
    let fault = encode(&request, CLAUDE).unwrap_err();
    assert_eq!(fault.code, Code::BadField);
    assert_eq!(fault.param.as_deref(), Some("messages[0].tool_calls[0].function.arguments"));
}

fn with_tool(tool_choice: Option<ToolChoice>, parallel_tool_calls: Option<bool>) -> Request {
    let parameters = json!({ "type": "object" }).into();
    let tool = Tool { name: "f".into(), description: None, parameters, strict: None, cache: None };
    Request { tools: vec![tool], tool_choice, parallel_tool_calls, ..Request::default() }
}

#[test]
fn choices_of_tools() {
    let said = |choice: Option<ToolChoice>, parallel: Option<bool>, model: &str| {
        let body = body(&with_tool(choice, parallel), model);
        json!([body["toolConfig"]["toolChoice"], body["additionalModelRequestFields"]["tool_choice"]])
    };
    assert_eq!(said(None, None, LLAMA), json!([null, null]));
    assert_eq!(said(Some(ToolChoice::Any), Some(true), LLAMA), json!([{ "any": {} }, null]));
    assert_eq!(
        said(Some(ToolChoice::Named("f".into())), None, CLAUDE),
        json!([{"tool": {"name": "f"}}, null])
    );
    // In both places, the model would refuse it.
    let one = json!([null, { "type": "auto", "disable_parallel_tool_use": true }]);
    assert_eq!(said(None, Some(false), CLAUDE), one);
    let this = json!([null, { "type": "tool", "name": "f", "disable_parallel_tool_use": true }]);
    assert_eq!(said(Some(ToolChoice::Named("f".into())), Some(false), CLAUDE), this);
    assert_eq!(said(Some(ToolChoice::None), Some(false), CLAUDE), json!([null, { "type": "none" }]));
    // Other models cannot be told; those that know of no tools call none.
    let none = with_tool(Some(ToolChoice::None), Some(false));
    assert_eq!(body(&none, LLAMA)["toolConfig"], Value::Null);
    let call = Part::ToolCall { id: "c".into(), name: "f".into(), arguments: "{}".into() };
    let turn = Message { role: Role::Assistant, parts: vec![call], name: None };
    let fault = encode(&Request { messages: vec![turn], ..none }, LLAMA).unwrap_err();
    assert_eq!(fault.param.as_deref(), Some("tool_choice"));
}

#[test]
fn reasoning_is_asked_for_in_the_models_own_words() {
    let asked = |reasoning: Reasoning, model: &str, max_tokens: Option<u64>| {
        let request = Request { reasoning: Some(reasoning), max_tokens, ..Request::default() };
        let body = body(&request, model);
        json!([body["additionalModelRequestFields"], body["inferenceConfig"]["maxTokens"]])
    };
    let high = || Reasoning::Effort("high".into());
    let budget = json!([{ "thinking": { "type": "enabled", "budget_tokens": 16384 } }, 20480]);
    assert_eq!(asked(high(), CLAUDE, None), budget);
    let adaptive =
        json!([{ "thinking": { "type": "adaptive" }, "output_config": { "effort": "high" } }, null]);
    assert_eq!(asked(high(), "global.anthropic.claude-opus-4-7", None), adaptive);
    let off = json!([{ "thinking": { "type": "disabled" } }, 7]);
    assert_eq!(asked(Reasoning::Off, CLAUDE, Some(7)), off);
    let nova = json!([{ "reasoningConfig": { "type": "enabled", "maxReasoningEffort": "high" } }, null]);
    assert_eq!(asked(high(), NOVA, None), nova);
    let open = json!([{ "reasoning_effort": "high" }, null]);
    assert_eq!(asked(high(), "openai.gpt-oss-120b-1:0", None), open);
    assert_eq!(asked(Reasoning::Off, LLAMA, None), json!([null, null]));
    let budget = Request { reasoning: Some(Reasoning::Budget(2_000)), ..Request::default() };
    assert_eq!(encode(&budget, NOVA).unwrap_err().param.as_deref(), Some("thinking"));
    assert_eq!(encode(&budget, LLAMA).unwrap_err().param.as_deref(), Some("thinking"));
}

#[test]
fn top_k_is_said_where_the_model_has_it() {
    let request = Request { top_k: Some(5), ..Request::default() };
    assert_eq!(body(&request, CLAUDE)["additionalModelRequestFields"], json!({ "top_k": 5 }));
    let nova = json!({ "inferenceConfig": { "topK": 5 } });
    assert_eq!(body(&request, NOVA)["additionalModelRequestFields"], nova);
    assert_eq!(encode(&request, LLAMA).unwrap_err().param.as_deref(), Some("top_k"));
}

#[test]
fn reasoning_of_other_providers_stays_behind() {
    let parts = vec![
        Part::Thinking { text: "unsigned".into(), signature: None },
        Part::Thinking { text: "Gemini's".into(), signature: Some("signed-by-gemini:c2ln".into()) },
        Part::HiddenThinking { data: "signed-by-bedrock:gAAAA_not-base64".into() },
        Part::Text { text: "hello".into() },
    ];
    let request = Request {
        messages: vec![Message { role: Role::Assistant, parts, name: None }],
        ..Request::default()
    };
    assert_eq!(body(&request, CLAUDE)["messages"][0]["content"], json!([{ "text": "hello" }]));
}

/// Text that shows something.
fn text() -> impl Strategy<Value = String> {
    "(\\PC|[\n\"\\\\]){0,8}x(\\PC|[\n\"\\\\]){0,4}"
}

fn marker() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({ "type": "ephemeral" })),
        Just(json!({ "type": "ephemeral", "ttl": "5m" })),
        Just(json!({ "type": "ephemeral", "ttl": "1h" })),
    ]
}

fn image() -> impl Strategy<Value = Part> {
    proptest::sample::select(vec!["png", "jpeg", "gif", "webp"]).prop_map(|format| {
        Part::Image(Image::Inline {
            media_type: format!("image/{format}"),
            data: "AAAA".into(),
            detail: None,
        })
    })
}

fn users_part() -> impl Strategy<Value = Part> {
    let document = (text(), any::<bool>(), any::<bool>());
    prop_oneof![
        text().prop_map(|text| Part::Text { text }),
        image(),
        document.prop_map(|(context, told, citations)| Part::Document(Document {
            source: Source::Inline { media_type: "text/csv".into(), data: "YSxi".into() },
            name: None,
            context: told.then_some(context),
            citations,
        })),
        Just(Part::Audio { format: "mp3".into(), data: "AAAA".into() }),
    ]
}

fn call() -> impl Strategy<Value = Part> {
    (0_u32..9, text()).prop_map(|(number, value)| Part::ToolCall {
        id: format!("call_{number}"),
        name: "f".into(),
        arguments: json!({ "a": value, "b": number }).to_string(),
    })
}

/// A round that Bedrock can say: the caller, the model with its reasoning and tool calls, their results.
fn round() -> impl Strategy<Value = Vec<Message>> {
    let turn = |role, parts| Message { role, parts, name: None };
    let user = proptest::collection::vec((users_part(), proptest::option::weighted(0.2, marker())), 1..4);
    let thought = proptest::option::of((text(), any::<bool>()));
    let calls = proptest::collection::vec((call(), any::<bool>(), proptest::option::of(image())), 0..3);
    (user, thought, text(), calls, text()).prop_map(move |(user, thought, said, calls, result)| {
        let user = user.into_iter().flat_map(|(part, marker)| {
            std::iter::once(part).chain(marker.map(|marker| Part::CachePoint { marker }))
        });
        let mut model: Vec<_> = thought
            .into_iter()
            .map(|(text, told)| {
                let hidden = Part::HiddenThinking { data: "signed-by-bedrock:b3BhcXVl".into() };
                if told {
                    Part::Thinking { text, signature: Some("signed-by-bedrock:c2ln".into()) }
                } else {
                    hidden
                }
            })
            .collect();
        model.push(Part::Text { text: said });
        model.extend(calls.iter().map(|(call, ..)| call.clone()));
        let mut round = vec![turn(Role::User, user.collect()), turn(Role::Assistant, model)];
        round.extend(calls.into_iter().filter_map(|(call, failed, image)| {
            let Part::ToolCall { id, .. } = call else { return None };
            let parts = std::iter::once(Part::Text { text: result.clone() }).chain(image).collect();
            Some(turn(Role::Tool, vec![Part::ToolResult { id, parts, failed }]))
        }));
        round
    })
}

fn bedrock_says() -> impl Strategy<Value = Request> {
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
            description: Some("d".into()),
            schema: json!({ "type": "object", "properties": { "a\"é": {} } }),
            strict: None
        }),
    ];
    let rounds = proptest::collection::vec(round(), 1..3);
    let sampling = (proptest::option::of(1_u64..9_999), proptest::option::of(1_u64..99), any::<bool>());
    let tool = proptest::option::of(marker());
    (proptest::option::of(text()), rounds, choice, format, sampling, tool).prop_map(
        |(system, rounds, tool_choice, format, (max_tokens, top_k, stop), cache)| {
            let parts = |text| vec![Part::Text { text }];
            let system = system.map(|text| Message { role: Role::System, parts: parts(text), name: None });
            Request {
                messages: system.into_iter().chain(rounds.into_iter().flatten()).collect(),
                tools: vec![Tool {
                    name: "f".into(),
                    description: Some("d".into()),
                    parameters: json!({ "type": "object", "properties": {} }).into(),
                    strict: cache.is_some().then_some(true),
                    cache,
                }],
                tool_choice,
                max_tokens,
                top_k,
                temperature: serde_json::Number::from_f64(0.25).filter(|_| stop),
                stop: if stop { vec!["END".into()] } else { Vec::new() },
                format,
                ..Request::default()
            }
        },
    )
}

/// The same conversation however it is grouped into turns; documents have got names.
fn flat(request: &Request) -> Value {
    let parts = request.messages.iter().flat_map(|message| {
        let role = if message.role == Role::Tool { Role::User } else { message.role };
        message.parts.iter().map(move |part| {
            let mut part = json!(part);
            if part["type"] == "document" {
                part["name"] = Value::Null;
            }
            json!([role, part])
        })
    });
    let parts: Vec<_> = parts.collect();
    let mut json = serde_json::to_value(request).unwrap();
    json["messages"] = parts.into();
    json
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_bedrock_can_say_is_kept(request in bedrock_says()) {
        let read = reader::read(&encode(&request, CLAUDE).unwrap().body);
        prop_assert_eq!(flat(&read), flat(&request));
    }
}
