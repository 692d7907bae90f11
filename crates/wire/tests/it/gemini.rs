//! What Gemini is asked, beyond what the matrix of fixtures shows.

mod reader;

use proptest::prelude::*;
use serde_json::{Value, json};
use types::chat::{Image, Message, Part, Reasoning, Request, Role};
use types::{Code, Dialect};
use wire::{Unsupported, Writing, decode_request, encode_request};

const GEMINI: Dialect = Dialect::GeminiContent;

fn body(request: &Request, model: &str) -> Value {
    serde_json::from_slice(&encode_request(request, &Writing::plain(GEMINI, model)).unwrap().body).unwrap()
}

fn refused(request: &Request, model: &str) -> (Code, Option<String>) {
    let fault = encode_request(request, &Writing::plain(GEMINI, model)).unwrap_err();
    (fault.code, fault.param.clone())
}

fn turn(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts, name: None }
}

fn text(text: &str) -> Part {
    Part::Text { text: text.into() }
}

fn call(id: &str) -> Part {
    Part::ToolCall { id: id.into(), name: "f".into(), arguments: "{}".into() }
}

fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::ToolResult { id: id.into(), parts, failed: false }
}

fn signature(signature: &str) -> Part {
    Part::Thinking { text: String::new(), signature: Some(signature.into()) }
}

#[test]
fn thinking_goes_by_what_the_model_takes() {
    let thinking = |reasoning: Reasoning, model: &str| {
        let request = Request { reasoning: Some(reasoning), ..Request::default() };
        body(&request, model)["generationConfig"]["thinkingConfig"].clone()
    };
    let level = |word: &str| json!({ "thinkingLevel": word, "includeThoughts": true });
    let budget = |tokens: u64| json!({ "thinkingBudget": tokens, "includeThoughts": true });
    let effort = |word: &str| Reasoning::Effort(word.to_owned());
    for (word, flash, pro, first_pro, old_flash, old_pro, lite) in [
        ("minimal", "minimal", "low", "low", 1_024, 1_024, 1_024),
        ("low", "low", "low", "low", 1_024, 1_024, 1_024),
        ("medium", "medium", "medium", "high", 8_192, 8_192, 8_192),
        ("high", "high", "high", "high", 24_576, 24_576, 24_576),
        ("xhigh", "high", "high", "high", 24_576, 32_768, 24_576),
    ] {
        assert_eq!(thinking(effort(word), "gemini-3-flash-preview"), level(flash), "{word}");
        assert_eq!(thinking(effort(word), "models/gemini-3.1-pro-preview"), level(pro), "{word}");
        assert_eq!(thinking(effort(word), "gemini-3-pro-preview"), level(first_pro), "{word}");
        assert_eq!(thinking(effort(word), "gemini-2.5-flash"), budget(old_flash), "{word}");
        assert_eq!(thinking(effort(word), "gemini-2.5-pro"), budget(old_pro), "{word}");
        assert_eq!(thinking(effort(word), "gemini-2.5-flash-lite"), budget(lite), "{word}");
    }
    assert_eq!(thinking(Reasoning::Budget(5), "gemini-2.5-pro"), budget(128));
    assert_eq!(thinking(Reasoning::Budget(5), "gemini-2.5-flash-lite"), budget(512));
    assert_eq!(thinking(Reasoning::Budget(90_000), "gemini-2.5-flash"), budget(24_576));
    assert_eq!(thinking(Reasoning::Budget(5_000), "gemini-flash-latest"), budget(5_000));
    assert_eq!(thinking(Reasoning::Budget(5_000), "gemini-3-flash"), level("medium"));
    for (model, least) in [
        ("gemini-2.5-flash", json!({ "thinkingBudget": 0 })),
        ("gemini-2.5-flash-lite", json!({ "thinkingBudget": 0 })),
        ("gemini-2.5-pro", json!({ "thinkingBudget": 128 })),
        ("gemini-3-flash", json!({ "thinkingLevel": "minimal" })),
        ("gemini-3-pro-preview", json!({ "thinkingLevel": "low" })),
        ("gemini-2.0-flash", Value::Null),
    ] {
        assert_eq!(thinking(Reasoning::Off, model), least, "{model}");
    }
    let request = Request { reasoning: Some(effort("low")), ..Request::default() };
    assert_eq!(refused(&request, "gemini-2.0-flash"), (Code::Unsupported, Some("reasoning_effort".into())));
    assert_eq!(refused(&request, "gemma-3-27b-it").0, Code::Unsupported);
}

#[test]
fn what_gemini_cannot_say_is_refused_by_name() {
    let refuse = |from: Dialect, body: &str, place: &str| {
        let request = decode_request(from, body.as_bytes()).unwrap();
        assert_eq!(refused(&request, "gemini-2.5-flash"), (Code::Unsupported, Some(place.into())), "{body}");
        let writing =
            Writing { unsupported: Unsupported::Drop, ..Writing::plain(GEMINI, "gemini-2.5-flash") };
        assert_eq!(encode_request(&request, &writing).unwrap().dropped, [place], "{body}");
    };
    let openai = |field: &str, place: &str| {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{field}}}"#);
        refuse(Dialect::OpenaiChat, &body, place);
    };
    openai(r#""stop":["1","2","3","4","5","6"]"#, "stop");
    openai(r#""seed":4294967296"#, "seed");
    openai(r#""logit_bias":{"5":1}"#, "logit_bias");
    openai(
        r#""parallel_tool_calls":false,"tools":[{"type":"function","function":{"name":"f"}}]"#,
        "parallel_tool_calls",
    );
    let turn = |from: Dialect, turn: &str, place: &str| {
        refuse(from, &format!(r#"{{"model":"m","max_tokens":9,"messages":[{turn}]}}"#), place);
    };
    turn(Dialect::OpenaiChat, r#"{"role":"user","name":"ann","content":"a"}"#, "messages[0].name");
    turn(
        Dialect::OpenaiChat,
        r#"{"role":"system","content":[{"type":"image_url","image_url":{"url":"u"}}]}"#,
        "messages[0].content",
    );
    turn(
        Dialect::OpenaiChat,
        r#"{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}"#,
        "messages[0].content",
    );
    turn(
        Dialect::AnthropicMessages,
        r#"{"role":"user","content":[{"type":"document","citations":{"enabled":true},"source":{"type":"text","data":"x"}}]}"#,
        "messages[0].content",
    );
}

#[test]
fn results_need_their_calls_and_calls_their_objects() {
    let orphan =
        Request { messages: vec![turn(Role::Tool, vec![result("x", vec![])])], ..Request::default() };
    assert_eq!(refused(&orphan, "m"), (Code::BadField, Some("messages[0].tool_call_id".into())));
    let broken = Part::ToolCall { id: "a".into(), name: "f".into(), arguments: "[1]".into() };
    let broken = Request { messages: vec![turn(Role::Assistant, vec![broken])], ..Request::default() };
    let place = "messages[0].tool_calls[0].function.arguments".to_owned();
    assert_eq!(refused(&broken, "m"), (Code::BadField, Some(place)));
    // A turn may name its tool itself.
    let mut named = turn(Role::Tool, vec![result("x", vec![text("1")])]);
    named.name = Some("g".into());
    let named = body(&Request { messages: vec![named], ..Request::default() }, "m");
    let response = json!({ "id": "x", "name": "g", "response": { "output": "1" } });
    assert_eq!(named["contents"][0]["parts"], json!([{ "functionResponse": response }]));
}

#[test]
fn instructions_alone_are_the_callers_words() {
    let messages = vec![turn(Role::System, vec![text("Say hi.")])];
    let body = body(&Request { messages, ..Request::default() }, "gemini-2.5-flash");
    assert_eq!(body, json!({ "contents": [{ "role": "user", "parts": [{ "text": "Say hi." }] }] }));
}

#[test]
fn signatures_go_back_on_the_part_that_carried_them() {
    let written = |parts: Vec<Part>, model: &str| {
        let messages = vec![turn(Role::User, vec![text("?")]), turn(Role::Assistant, parts)];
        body(&Request { messages, ..Request::default() }, model)["contents"][1]["parts"].clone()
    };
    let called = json!({ "id": "a", "name": "f", "args": {} });
    let skip = "skip_thought_signature_validator";
    for model in ["gemini-3-flash", "gemini-2.5-flash"] {
        let parts = vec![text("x"), signature("signed-by-gemini:S"), call("a"), call("a")];
        let expect = json!([{ "text": "x" }, { "functionCall": called, "thoughtSignature": "S" }, { "functionCall": called }]);
        assert_eq!(written(parts, model), expect, "{model}");
    }
    // OpenAI's callers give reasoning back before everything else.
    let parts = || vec![signature("signed-by-gemini:S"), text("x"), call("a")];
    let third = json!([{ "text": "x" }, { "functionCall": called, "thoughtSignature": "S" }]);
    assert_eq!(written(parts(), "gemini-3-flash"), third);
    let second = json!([{ "text": "x", "thoughtSignature": "S" }, { "functionCall": called }]);
    assert_eq!(written(parts(), "gemini-2.5-flash"), second);
    // Callers of OpenAI's Responses give back hidden reasoning.
    let parts = vec![Part::HiddenThinking { data: "signed-by-gemini:S".into() }, call("a")];
    assert_eq!(
        written(parts, "gemini-3-flash"),
        json!([{ "functionCall": called, "thoughtSignature": "S" }])
    );
    // Nobody else's, neither on a thought nor on a part.
    let parts =
        || vec![Part::Thinking { text: "t".into(), signature: Some("S".into()) }, signature("S"), call("a")];
    assert_eq!(written(parts(), "gemini-2.5-flash"), json!([{ "functionCall": called }]));
    assert_eq!(
        written(parts(), "gemini-3-flash"),
        json!([{ "functionCall": called, "thoughtSignature": skip }])
    );
    // Steps before the caller last spoke are not asked for.
    let messages = vec![
        turn(Role::Assistant, vec![call("a")]),
        turn(Role::Tool, vec![result("a", vec![text("1")])]),
        turn(Role::User, vec![text("?")]),
        turn(Role::Assistant, vec![call("b")]),
        turn(Role::Tool, vec![result("b", vec![text("1")])]),
    ];
    let body = body(&Request { messages, ..Request::default() }, "gemini-3-pro-preview");
    let signed = |turn: usize| body["contents"][turn]["parts"][0]["thoughtSignature"].clone();
    assert_eq!((signed(0), signed(3)), (Value::Null, skip.into()));
}

#[test]
fn gemini_s_signatures_do_not_reach_claude() {
    let parts = vec![
        signature("signed-by-gemini:S"),
        signature("signed-by-gemini-thought:S"),
        signature("signed-by-anthropic:c2ln"),
        text("x"),
    ];
    let request = Request { messages: vec![turn(Role::Assistant, parts)], ..Request::default() };
    let written = encode_request(&request, &Writing::plain(Dialect::AnthropicMessages, "claude-sonnet-4-5"));
    let body: Value = serde_json::from_slice(&written.unwrap().body).unwrap();
    let content =
        json!([{ "type": "thinking", "thinking": "", "signature": "c2ln" }, { "type": "text", "text": "x" }]);
    assert_eq!(body["messages"][0]["content"], content);
}

/// Parts of the model's turn as Gemini's answers have them, with signatures in all places.
fn modelled() -> impl Strategy<Value = Vec<Part>> {
    let part = prop_oneof![
        "[a-z]{1,6}".prop_map(|text| Part::Text { text }),
        ("[a-z]{0,6}", "[A-Z]{1,4}").prop_map(|(text, proof)| Part::Thinking {
            text,
            signature: Some(format!("signed-by-gemini:{proof}"))
        }),
        Just(call("")),
    ];
    proptest::collection::vec(part, 1..7)
}

fn conversation() -> impl Strategy<Value = Request> {
    let user = prop_oneof![
        "[a-z]{1,6}".prop_map(|text| Part::Text { text }),
        Just(Part::Image(Image::Inline {
            media_type: "image/png".into(),
            data: "AAAA".into(),
            detail: None
        })),
        Just(Part::Image(Image::Url { url: "https://example.org/x.png".into(), detail: None })),
        Just(Part::Audio { format: "wav".into(), data: "AAAA".into() }),
    ];
    let round = (proptest::collection::vec(user, 1..4), modelled(), "[a-z]{0,4}", any::<bool>());
    proptest::collection::vec(round, 1..4).prop_map(|rounds| {
        let mut messages = vec![turn(Role::System, vec![text("s")])];
        let mut number = 0;
        for (user, mut modelled, said, failed) in rounds {
            for part in &mut modelled {
                if let Part::ToolCall { id, .. } = part {
                    number += 1;
                    *id = format!("c{number}");
                }
            }
            let calls: Vec<_> = modelled
                .iter()
                .filter_map(|part| match part {
                    Part::ToolCall { id, .. } => Some(id.clone()),
                    _ => None,
                })
                .map(|id| Part::ToolResult { id, parts: vec![text(&said)], failed })
                .collect();
            messages.push(turn(Role::User, user));
            messages.push(turn(Role::Assistant, modelled));
            if !calls.is_empty() {
                messages.push(turn(Role::Tool, calls));
            }
        }
        Request {
            messages,
            max_tokens: Some(9),
            top_k: Some(4),
            seed: Some(-1),
            stop: vec!["END".into()],
            ..Request::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn what_gemini_can_say_survives_the_way_out_and_back(request in conversation()) {
        let written = encode_request(&request, &Writing::plain(GEMINI, "gemini-2.5-flash")).unwrap();
        let back = reader::read(&written.body);
        prop_assert_eq!(&back.messages, &request.messages);
        prop_assert_eq!((back.max_tokens, back.top_k, back.seed, &back.stop), (request.max_tokens, request.top_k, request.seed, &request.stop));
    }
}
