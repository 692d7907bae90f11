//! Requests to and from the dialect.

use proptest::prelude::*;
use serde_json::{Value, json};
use types::chat::{Part, Reasoning, Request, Role};
use types::{Code, Dialect, Quirks};
use wire::{Unsupported, Writing, decode_request, encode_request};

use crate::requests::{FULL_ANTHROPIC, FULL_OPENAI, both_say, encode, flat, spread, translated};

const RESPONSES: Dialect = Dialect::OpenaiResponses;
const OPENAI: Dialect = Dialect::OpenaiChat;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;

const FULL: &str = r#"{
  "model": "assistant", "stream": true, "stream_options": {"include_obfuscation": false}, "max_output_tokens": 900,
  "temperature": 0.50, "top_p": 1, "user": "u-1", "metadata": {"team": "x"}, "store": true, "background": false,
  "truncation": "disabled", "service_tier": "auto", "parallel_tool_calls": false, "prompt_cache_key": "k",
  "previous_response_id": null, "reasoning": {"effort": "high", "summary": "auto"}, "max_tool_calls": 4,
  "include": ["reasoning.encrypted_content"], "text": {"verbosity": "medium", "format": {"type": "json_schema", "name": "out", "strict": true, "schema": {"type": "object"}}},
  "tool_choice": {"type": "function", "name": "weather"},
  "tools": [{"type": "function", "name": "weather", "description": "now", "strict": true,
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 9007199254740993}}}},
    {"type": "function", "name": "none", "parameters": null, "strict": null}],
  "instructions": "Be brief.",
  "input": [
    {"role": "developer", "content": "Really."},
    {"type": "message", "role": "user", "content": [
      {"type": "input_text", "text": "What is on these?", "prompt_cache_breakpoint": {"mode": "explicit"}},
      {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"},
      {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"},
      {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}]},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "c2ln"},
    {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "b3BhcXVl", "status": "completed"},
    {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": null},
    {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "phase": "commentary", "content": [
      {"type": "output_text", "text": "Let me look.", "annotations": [], "logprobs": []}]},
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "status": "completed",
     "arguments": "{\"city\": \"Bern\", \"big\": 123456789012345678901234567890, \"odd\": 1.0e400}"},
    {"type": "function_call", "call_id": "call_2", "name": "none", "arguments": ""},
    {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    {"type": "function_call_output", "id": "o", "call_id": "call_2", "status": "completed", "output": [{"type": "input_text", "text": "nothing"}]},
    {"role": "assistant", "content": "Sunny."},
    {"role": "user", "content": "Thanks"},
    {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "I would rather not."}]}
  ]
}"#;

#[test]
fn a_full_request_to_the_others() {
    insta::assert_snapshot!(
        "responses_to_anthropic",
        spread(&translated(RESPONSES, FULL, ANTHROPIC, "claude-sonnet-4-5"))
    );
    insta::assert_snapshot!("responses_to_openai", spread(&translated(RESPONSES, FULL, OPENAI, "gpt-4o")));
    let request = decode_request(RESPONSES, FULL.as_bytes()).unwrap();
    insta::assert_json_snapshot!("neutral_responses", serde_json::to_value(request).unwrap());
}

#[test]
fn full_requests_of_the_others() {
    let plain = |body: &str| {
        body.replace(r#""stop": ["STOP", "END"], "#, "").replace(r#""stop_sequences": ["END"], "#, "")
    };
    insta::assert_snapshot!(
        "openai_to_responses",
        spread(&translated(OPENAI, &plain(FULL_OPENAI), RESPONSES, "gpt-5"))
    );
    insta::assert_snapshot!(
        "anthropic_to_responses",
        spread(&translated(ANTHROPIC, &plain(FULL_ANTHROPIC), RESPONSES, "gpt-5"))
    );
    insta::assert_snapshot!(
        "responses_to_responses",
        spread(&translated(RESPONSES, FULL, RESPONSES, "gpt-4o"))
    );
}

fn neutral(fields: &str) -> Request {
    decode_request(RESPONSES, format!(r#"{{"model":"m",{fields}}}"#).as_bytes()).unwrap()
}

#[test]
fn a_string_is_the_users_turn() {
    let request = neutral(r#""input":"Hi""#);
    assert_eq!(request.messages[0].role, Role::User);
    assert_eq!(request.messages[0].parts, [Part::Text { text: "Hi".into() }]);
    assert!(request.stream_usage);
}

#[test]
fn what_has_no_word_is_refused_by_its_path() {
    for (fields, place) in [
        (r#""input":"x","tools":[{"type":"web_search"}]"#, "tools[0].web_search"),
        (r#""input":"x","tools":[{"type":"mcp","server_label":"x"}]"#, "tools[0].mcp"),
        (r#""input":"x","tools":[{"type":"custom","name":"x"}]"#, "tools[0].custom"),
        (
            r#""input":"x","tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]}"#,
            "tool_choice.allowed_tools",
        ),
        (r#""input":"x","previous_response_id":"resp_1""#, "previous_response_id"),
        (r#""input":"x","background":true"#, "background"),
        (r#""input":"x","truncation":"auto""#, "truncation"),
        (r#""input":"x","conversation":"conv_1""#, "conversation"),
        (r#""prompt":{"id":"p"}"#, "prompt"),
        (r#""input":"x","service_tier":"flex""#, "service_tier"),
        (r#""input":"x","text":{"verbosity":"low"}"#, "text.verbosity"),
        (r#""input":"x","include":["reasoning.encrypted_content","file_search_call.results"]"#, "include[1]"),
        (r#""input":"x","something_new":1.0e400"#, "something_new"),
        (r#""input":[{"type":"item_reference","id":"msg_1"}]"#, "input[0].item_reference"),
        (r#""input":[{"id":"msg_1"}]"#, "input[0].item_reference"),
        (
            r#""input":[{"type":"web_search_call","id":"ws","status":"completed"}]"#,
            "input[0].web_search_call",
        ),
        (
            r#""input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]"#,
            "input[0].content[0].file_id",
        ),
        (
            r#""input":[{"role":"user","content":[{"type":"input_video","x":1}]}]"#,
            "input[0].content[0].input_video",
        ),
        (r#""input":[{"role":"user","content":"x","weight":1}]"#, "input[0].weight"),
        (
            r#""input":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}","namespace":"n"}]"#,
            "input[0].namespace",
        ),
    ] {
        let request = neutral(fields);
        let fault = encode(ANTHROPIC, &request, "claude").unwrap_err();
        assert_eq!((fault.code, fault.param.as_deref()), (Code::Unsupported, Some(place)), "{fields}");
        let quirks = Quirks::OPENAI;
        let writing =
            Writing { dialect: ANTHROPIC, model: "claude", unsupported: Unsupported::Drop, quirks: &quirks };
        assert_eq!(encode_request(&request, &writing).unwrap().dropped, [place]);
    }
}

#[test]
fn what_the_dialect_cannot_say_is_refused_by_name() {
    for (field, place) in [
        (r#""stop":"END""#, "stop"),
        (r#""seed":1"#, "seed"),
        (r#""n":2"#, "n"),
        (r#""top_k":2"#, "top_k"),
        (r#""frequency_penalty":1"#, "frequency_penalty"),
        (r#""presence_penalty":1"#, "presence_penalty"),
        (r#""logit_bias":{"1":1}"#, "logit_bias"),
        (r#""user":"u","messages":[{"role":"user","name":"n","content":"x"}]"#, "messages[0].name"),
    ] {
        let turns =
            if field.contains("messages") { "" } else { r#""messages":[{"role":"user","content":"x"}],"# };
        let body = format!(r#"{{"model":"m",{turns}{field}}}"#);
        let request = decode_request(OPENAI, body.as_bytes()).unwrap();
        let fault = encode(RESPONSES, &request, "gpt-4o").unwrap_err();
        assert_eq!((fault.code, fault.param.as_deref()), (Code::Unsupported, Some(place)), "{field}");
    }
}

#[test]
fn nonsense_is_refused_with_its_path() {
    for (fields, place) in [
        (r#""input":7"#, "input"),
        (r#""input":[7]"#, "input[0]"),
        (r#""input":[{"role":"tool","content":"x"}]"#, "input[0].role"),
        (r#""input":[{"role":"user"}]"#, "input[0].content"),
        (r#""input":[{"type":"function_call","name":"f","arguments":"{}"}]"#, "input[0].call_id"),
        (r#""input":[{"type":"function_call_output","call_id":"c"}]"#, "input[0].output"),
        (
            r#""input":[{"role":"user","content":[{"type":"input_image","image_url":"data:x,y"}]}]"#,
            "input[0].content[0]",
        ),
        (
            r#""input":[{"role":"user","content":[{"type":"input_file","file_data":"JVBE"}]}]"#,
            "input[0].content[0].file_data",
        ),
        (r#""input":[{"role":"user","content":[{"type":"input_file"}]}]"#, "input[0].content[0]"),
        (r#""input":"x","instructions":7"#, "instructions"),
        (r#""input":"x","tool_choice":"any""#, "tool_choice"),
        (r#""input":"x","tools":[{"name":"f"}]"#, "tools[0].type"),
        (r#""input":"x","text":{"format":{"type":"xml"}}"#, "text.format.type"),
        (r#""input":"x","include":[1]"#, "include[0]"),
        (r#""input":"x","max_output_tokens":1.5"#, "max_output_tokens"),
        (r#""input":"x","reasoning":7"#, "reasoning"),
    ] {
        let body = format!(r#"{{"model":"m",{fields}}}"#);
        let fault = decode_request(RESPONSES, body.as_bytes()).unwrap_err();
        assert_eq!((fault.code, fault.param.as_deref()), (Code::BadField, Some(place)), "{fields}");
    }
}

fn written(request: &Request, model: &str) -> Value {
    serde_json::from_slice(&encode(RESPONSES, request, model).unwrap().body).unwrap()
}

#[test]
fn reasoning_is_asked_for_in_the_form_that_can_be_sent_back() {
    let encrypted = json!(["reasoning.encrypted_content"]);
    let plain = neutral(r#""input":"x""#);
    assert_eq!(written(&plain, "gpt-5")["include"], encrypted);
    assert_eq!(written(&plain, "gpt-4o")["include"], Value::Null);
    for (reasoning, include, effort) in [
        (Reasoning::Off, Value::Null, Value::Null),
        (Reasoning::Effort("low".into()), encrypted.clone(), json!({ "effort": "low" })),
        (Reasoning::Budget(9_000), encrypted.clone(), json!({ "effort": "medium" })),
    ] {
        let body = written(&Request { reasoning: Some(reasoning), ..plain.clone() }, "some-model");
        assert_eq!((&body["include"], &body["reasoning"]), (&include, &effort));
        assert_eq!(body["store"], json!(false));
    }
    let tokens = neutral(r#""input":"x","include":["message.output_text.logprobs"],"top_logprobs":3"#);
    assert_eq!(tokens.logprobs, Some(3));
    let body = written(&tokens, "gpt-4o");
    assert_eq!(
        (&body["include"], &body["top_logprobs"]),
        (&json!(["message.output_text.logprobs"]), &json!(3))
    );
}

#[test]
fn what_only_openais_two_dialects_know_is_carried_over() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}],"verbosity":"low","prompt_cache_key":"k",
        "service_tier":"flex","response_format":{"type":"json_object"}}"#;
    let request = decode_request(OPENAI, body.as_bytes()).unwrap();
    let body = written(&request, "m");
    assert_eq!(body["text"], json!({ "format": { "type": "json_object" }, "verbosity": "low" }));
    assert_eq!((&body["prompt_cache_key"], &body["service_tier"]), (&json!("k"), &json!("flex")));
}

#[test]
fn unsigned_reasoning_goes_only_where_it_is_taken() {
    let request = neutral(
        r#""input":[{"role":"user","content":"x"},{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Hm."}]},{"role":"assistant","content":"y"}]"#,
    );
    assert_eq!(request.messages[1].parts[0], Part::Thinking { text: "Hm.".into(), signature: None });
    assert_eq!(written(&request, "m")["input"].as_array().unwrap().len(), 2);
    let quirks = Quirks { reasoning_back: true, ..Quirks::OPENAI };
    let writing =
        Writing { dialect: RESPONSES, model: "m", unsupported: Unsupported::Refuse, quirks: &quirks };
    let body: Value = serde_json::from_slice(&encode_request(&request, &writing).unwrap().body).unwrap();
    assert_eq!(body["input"][1]["summary"][0]["text"], "Hm.");
}

#[test]
fn results_may_hold_more_than_text_and_may_have_failed() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[
        {"type":"tool_result","tool_use_id":"a","is_error":true,"content":"no such city"},
        {"type":"tool_result","tool_use_id":"b","is_error":true,"content":[{"type":"image","source":{"type":"url","url":"https://example.org/a.png"}}]},
        {"type":"tool_result","tool_use_id":"c"},
        {"type":"document","source":{"type":"url","url":"https://example.org/a.pdf"}},
        {"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"D"}},
        {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}]}]}"#;
    let body = written(&decode_request(ANTHROPIC, body.as_bytes()).unwrap(), "m");
    insta::assert_json_snapshot!("results_and_documents", body["input"]);
    let request = decode_request(RESPONSES, body.to_string().as_bytes()).unwrap();
    assert_eq!(written(&request, "m"), body);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn what_can_be_said_survives_the_way_out_and_back(request in both_say()) {
        let mut request = Request { stop: Vec::new(), ..request };
        // Nothing said means not strict here.
        request.tools[0].strict = Some(false);
        let body = encode(RESPONSES, &request, "m").unwrap().body;
        let back = decode_request(RESPONSES, &body).unwrap();
        prop_assert!(back.extra.is_empty(), "{:?}", back.extra);
        let (mut back, mut request) = (flat(&back), flat(&request));
        // What stands for the caller's silence on how closely to look.
        for json in [&mut back, &mut request] {
            for part in json["messages"].as_array_mut().unwrap() {
                if let Some(image) = part[1].as_object_mut() {
                    image.remove("detail");
                }
            }
        }
        prop_assert_eq!(back, request);
    }

    #[test]
    fn any_json_is_read_or_refused(body in crate::bodies::raw_json(), bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let wrapped = format!(r#"{{"model":"m","input":[{body},{{"role":"user","content":[{body}]}}],"tools":[{body}],"text":{body},"tool_choice":{body},"reasoning":{body}}}"#);
        let item = format!(r#"{{"model":"m","input":[{{"type":"reasoning","summary":{body}}},{{"type":"function_call_output","call_id":"c","output":{body}}}],"include":{body}}}"#);
        for text in [body.as_bytes(), wrapped.as_bytes(), item.as_bytes(), &bytes] {
            if let Ok(request) = decode_request(RESPONSES, text) {
                for dialect in [OPENAI, ANTHROPIC, RESPONSES] {
                    let _ = encode(dialect, &request, "m");
                }
            }
        }
    }
}
