//! Requests for servers that differ from OpenAI: renamed, refused, or left as they are, byte for byte.

use types::quirks::{MaxTokens, ReasoningField, StreamUsage};
use types::{Code, Dialect, Quirks};
use wire::{Rope, Unsupported, Writing, adapt_request, decode_request, encode_request};

const ODD: Quirks = Quirks {
    max_tokens: MaxTokens::Old,
    stream_usage: StreamUsage::ByItself,
    seed: "random_seed",
    some_tool: "any",
    reasoning: ReasoningField::Object,
    developer: false,
    json_schema: false,
    refuses: &["logit_bias", "n"],
    ..Quirks::OPENAI
};

fn writing(quirks: &Quirks, unsupported: Unsupported) -> Writing<'_> {
    Writing { unsupported, quirks, ..Writing::plain(Dialect::OpenaiChat, "m") }
}

fn adapted(quirks: &Quirks, body: &str) -> Option<String> {
    let body = Rope::from(body.to_owned());
    let written = adapt_request(&body, &writing(quirks, Unsupported::Refuse)).unwrap();
    written.map(|written| String::from_utf8(written.body.to_vec()).unwrap())
}

#[test]
fn members_get_the_names_that_the_server_knows() {
    let body = r#"{"model":"m", "messages":[{"role":"developer","content":"a \"developer\" \u00e9"},{"role":"user","content":"b"}],
        "max_completion_tokens":7,"seed":123456789012345678901234567890,"tool_choice":"required",
        "reasoning_effort":"low","stream_options":{"include_usage":true},"n":1,"odd":1.0e400}"#;
    assert_eq!(
        adapted(&ODD, body).unwrap(),
        r#"{"model":"m","messages":[{"role":"system","content":"a \"developer\" \u00e9"},{"role":"user","content":"b"}],"max_tokens":7,"random_seed":123456789012345678901234567890,"tool_choice":"any","reasoning":{"effort":"low"},"odd":1.0e400}"#
    );
}

#[test]
fn what_fits_is_not_touched() {
    let body = r#"{ "model" : "m", "messages":[],"max_tokens":7, "tool_choice":"auto" }"#;
    assert_eq!(adapted(&ODD, body), None);
    assert_eq!(adapted(&Quirks::OPENAI, r#"{"max_tokens":1,"n":3}"#), None);
}

#[test]
fn what_the_server_refuses_is_refused_by_name_or_left_out_and_named() {
    for (field, name) in [
        (r#""n":2"#, "n"),
        (r#""logit_bias":{"1":2}"#, "logit_bias"),
        (r#""response_format":{"type":"json_schema","json_schema":{"name":"x"}}"#, "response_format"),
    ] {
        let body = Rope::from(format!(r#"{{"model":"m","messages":[],{field}}}"#));
        let fault = adapt_request(&body, &writing(&ODD, Unsupported::Refuse)).unwrap_err();
        assert_eq!((fault.code, fault.param.as_deref()), (Code::Unsupported, Some(name)));
        let written = adapt_request(&body, &writing(&ODD, Unsupported::Drop)).unwrap().unwrap();
        assert_eq!(written.dropped, [name]);
        assert_eq!(written.body, r#"{"model":"m","messages":[]}"#);
    }
}

#[test]
fn a_translated_request_meets_the_same_quirks() {
    let body = r#"{"model":"m","max_tokens":9,"stream":true,"tools":[{"name":"f","input_schema":{"type":"object"}}],
        "tool_choice":{"type":"any"},"thinking":{"type":"enabled","budget_tokens":2000},
        "messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}]}"#;
    let request = decode_request(Dialect::AnthropicMessages, body.as_bytes()).unwrap();
    let quirks = Quirks { cache_control: true, ..ODD };
    let written = encode_request(&request, &writing(&quirks, Unsupported::Refuse)).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(json["tool_choice"], "any");
    assert_eq!(json["reasoning"]["max_tokens"], 2000);
    assert_eq!(json["messages"][0]["content"][0]["cache_control"]["type"], "ephemeral");
    assert!(json.get("stream_options").is_none());
}
