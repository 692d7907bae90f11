//! Reasoning that one provider signed never reaches another: by translation, and where a request is forwarded.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use types::chat::{Event, Message, Part, Request, Role};
use types::{Dialect, Quirks};
use wire::{
    Rope, StreamDecoder, Writing, decode_answer, decode_request, encode_answer, encode_request,
    own_signatures,
};

use crate::answers::{events, meta, written};
use crate::matrix::fixtures;

const CHAT: Dialect = Dialect::OpenaiChat;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;
const RESPONSES: Dialect = Dialect::OpenaiResponses;
const GEMINI: Dialect = Dialect::GeminiContent;
const BEDROCK: Dialect = Dialect::BedrockConverse;
const CALLERS: [Dialect; 3] = [CHAT, ANTHROPIC, RESPONSES];

/// Told apart from every other text of a body.
const PROOF: &str = "EqQBProof";
const HIDDEN: &str = "EqQBHidden0=";

/// A whole answer of each dialect with signed reasoning, and hidden reasoning where it has such.
fn answer(dialect: Dialect) -> String {
    let reasoning = match dialect {
        CHAT => {
            json!({ "choices": [{ "finish_reason": "stop", "message": { "content": "Hi", "reasoning_details": [
            { "type": "reasoning.text", "text": "Hm.", "signature": PROOF, "index": 0 },
            { "type": "reasoning.encrypted", "data": HIDDEN, "index": 1 },
        ] } }] })
        }
        ANTHROPIC => json!({ "stop_reason": "end_turn", "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": PROOF },
            { "type": "redacted_thinking", "data": HIDDEN },
            { "type": "text", "text": "Hi" },
        ] }),
        RESPONSES => json!({ "status": "completed", "output": [
            { "type": "reasoning", "summary": [{ "type": "summary_text", "text": "Hm." }], "encrypted_content": PROOF },
            { "type": "reasoning", "summary": [], "encrypted_content": HIDDEN },
            { "type": "message", "content": [{ "type": "output_text", "text": "Hi" }] },
        ] }),
        GEMINI => json!({ "candidates": [{ "finishReason": "STOP", "content": { "parts": [
            { "text": "Hm.", "thought": true, "thoughtSignature": HIDDEN },
            { "text": "Hi", "thoughtSignature": PROOF },
        ] } }] }),
        _ => json!({ "stopReason": "end_turn", "output": { "message": { "content": [
            { "reasoningContent": { "reasoningText": { "text": "Hm.", "signature": PROOF } } },
            { "reasoningContent": { "redactedContent": HIDDEN } },
            { "text": "Hi" },
        ] } } }),
    };
    reasoning.to_string()
}

/// What a caller sends next, who gives back what it was told in `answer`.
fn next(caller: Dialect, answer: &[u8]) -> Value {
    let answer: Value = serde_json::from_slice(answer).unwrap();
    let more = json!({ "role": "user", "content": "And?" });
    match caller {
        RESPONSES => {
            let mut items = answer["output"].as_array().unwrap().clone();
            items.push(more);
            json!({ "model": "m", "input": items })
        }
        ANTHROPIC => {
            let turn = json!({ "role": "assistant", "content": answer["content"] });
            json!({ "model": "m", "max_tokens": 9, "messages": [turn, more] })
        }
        _ => json!({ "model": "m", "messages": [answer["choices"][0]["message"], more] }),
    }
}

/// The same, of a stream: its pieces put together as an SDK does it.
fn streamed(provider: Dialect, caller: Dialect) -> Vec<Part> {
    let choice = 0;
    let whole = decode_answer(provider, answer(provider).as_bytes()).unwrap();
    let mut said = Vec::new();
    for part in &whole.choices[0].parts {
        match part.clone() {
            Part::Thinking { text, signature } => {
                said.push(Event::Thinking { choice, text });
                said.extend(signature.map(|signature| Event::ThinkingSignature { choice, signature }));
            }
            Part::HiddenThinking { data } => said.push(Event::HiddenThinking { choice, data }),
            Part::Text { text } => said.push(Event::Text { choice, text }),
            other => panic!("{other:?}"),
        }
    }
    said.push(Event::Done);
    let out = written(caller, &said, false);
    let mut parts = Vec::new();
    for event in events(caller, &out) {
        match event {
            Event::Thinking { text, .. } => parts.push(Part::Thinking { text, signature: None }),
            Event::ThinkingSignature { signature, .. } => match parts.last_mut() {
                Some(Part::Thinking { signature: proof @ None, .. }) => *proof = Some(signature),
                _ => parts.push(Part::Thinking { text: String::new(), signature: Some(signature) }),
            },
            Event::HiddenThinking { data, .. } => parts.push(Part::HiddenThinking { data }),
            Event::Text { text, .. } => parts.push(Part::Text { text }),
            _ => {}
        }
    }
    parts
}

/// The targets: dialect, model and quirks, and whose signatures they take.
fn targets() -> Vec<(Dialect, &'static str, Quirks, &'static [Dialect])> {
    let keeps = Quirks { reasoning_back: true, ..Quirks::OPENAI };
    vec![
        (CHAT, "gpt-5", Quirks::OPENAI, &[]),
        (CHAT, "anthropic/claude", keeps, &[CHAT]),
        (RESPONSES, "gpt-5", Quirks::OPENAI, &[RESPONSES]),
        (ANTHROPIC, "claude-sonnet-4-5", Quirks::OPENAI, &[ANTHROPIC, BEDROCK]),
        (GEMINI, "gemini-3-pro", Quirks::OPENAI, &[GEMINI]),
        (BEDROCK, "anthropic.claude-sonnet-4-5", Quirks::OPENAI, &[BEDROCK, ANTHROPIC]),
        (BEDROCK, "amazon.nova-2-lite", Quirks::OPENAI, &[BEDROCK]),
    ]
}

#[test]
fn a_signature_goes_to_its_maker_and_nowhere_else() {
    for maker in [CHAT, ANTHROPIC, RESPONSES, GEMINI, BEDROCK] {
        let told = decode_answer(maker, answer(maker).as_bytes()).unwrap();
        for caller in CALLERS {
            let shown = encode_answer(caller, &told, &meta());
            let back = next(caller, &shown).to_string();
            let request = decode_request(caller, back.as_bytes()).unwrap();
            assert!(request.extra.is_empty(), "{:?}", request.extra);
            if maker != GEMINI {
                assert_eq!(streamed(maker, caller), told.choices[0].parts, "{maker} {caller}");
            }
            for (target, model, quirks, takes) in targets() {
                let writing = Writing { quirks: &quirks, ..Writing::plain(target, model) };
                let written = encode_request(&request, &writing).unwrap();
                let body = std::str::from_utf8(&written.body).unwrap();
                let case = format!("{maker} told {caller}, who told {target} {model}: {body}");
                assert!(!body.contains("signed-by-"), "{case}");
                assert_eq!(body.contains(PROOF), takes.contains(&maker), "{case}");
                assert!(body.contains("Hi") && body.contains("And?"), "{case}");
            }
        }
    }
}

#[test]
fn a_forwarded_request_loses_what_another_provider_signed() {
    for maker in [CHAT, ANTHROPIC, RESPONSES, GEMINI, BEDROCK] {
        let told = decode_answer(maker, answer(maker).as_bytes()).unwrap();
        for caller in CALLERS {
            let shown = encode_answer(caller, &told, &meta());
            let back = next(caller, &shown).to_string();
            let rope = Rope::from(Bytes::from(back.clone()));
            let own = own_signatures(caller, &rope);
            if maker == caller {
                assert!(own.is_none(), "{maker} as it is: {back}");
                assert!(back.contains(PROOF) && !back.contains("signed-by-"), "{back}");
                continue;
            }
            let left: Value = serde_json::from_slice(&own.unwrap()).unwrap();
            let (turns, expected) = match caller {
                RESPONSES => (&left["input"], 2),
                _ => (&left["messages"], 2),
            };
            assert_eq!(turns.as_array().unwrap().len(), expected, "{left}");
            let left = left.to_string();
            assert!(!left.contains("signed-by-") && !left.contains(PROOF), "{left}");
            assert!(left.contains("Hi") && left.contains("And?"), "{left}");
        }
    }
}

#[test]
fn what_is_left_of_a_forwarded_request() {
    let cut = |dialect, body: &str| {
        let rope = Rope::from(Bytes::copy_from_slice(body.as_bytes()));
        own_signatures(dialect, &rope).map(|body| String::from_utf8(body.to_vec()).unwrap())
    };
    // A turn of which nothing is left goes too, everything else stays as it stands.
    let body = r#"{ "model":"m", "x": 1.0e400, "messages":[ {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"signed-by-openai:a"},{"type":"redacted_thinking","data":"signed-by-openai:b"}]},
      {"role":"assistant","content":[{"type":"thinking","thinking":"t", "signature":"EqQB"},{"type":"thinking","thinking":"u","signature":"signed-by-nobody:"},{"type":"text","text":"a \"signed-by-openai:\" mark"}]} ]}"#;
    let left = r#"{"model":"m","x": 1.0e400,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t", "signature":"EqQB"},{"type":"text","text":"a \"signed-by-openai:\" mark"}]}]}"#;
    assert_eq!(cut(ANTHROPIC, body).as_deref(), Some(left));
    // The mark of the provider itself, from a caller who went over to its dialect.
    let body = r#"{"messages":[{"content":[{"type":"thinking","signature":"signed-by-anthropic:EqQB"}]}]}"#;
    let left = r#"{"messages":[{"content":[{"type":"thinking","signature":"EqQB"}]}]}"#;
    assert_eq!(cut(ANTHROPIC, body).as_deref(), Some(left));
    let body = r#"{"messages":[{"role":"assistant","content":"x","reasoning_details":[{"type":"reasoning.encrypted","data":"signed-by-bedrock:b"}]}]}"#;
    let left = r#"{"messages":[{"role":"assistant","content":"x","reasoning_details":[]}]}"#;
    assert_eq!(cut(CHAT, body).as_deref(), Some(left));
    // Where the mark is only spoken of, and where the body is not what it seems.
    for body in [
        r#"{"messages":[{"role":"user","content":"what is signed-by-openai: for?"}]}"#,
        r#"{"messages":"signed-by-openai:"}"#,
        r#"["signed-by-openai:"]"#,
        "signed-by-openai:",
    ] {
        for dialect in [CHAT, ANTHROPIC, RESPONSES, GEMINI, Dialect::OpenaiEmbeddings] {
            assert_eq!(cut(dialect, body), None, "{body}");
        }
    }
}

/// Nothing changes on the way between a provider and a caller of the same dialect.
#[test]
fn no_fixture_of_a_caller_is_changed_without_a_mark() {
    for (folder, dialect) in [("openai", CHAT), ("anthropic", ANTHROPIC), ("responses", RESPONSES)] {
        for (name, body) in fixtures("requests", folder) {
            let changed = own_signatures(dialect, &Rope::from(Bytes::from(body.clone()))).is_some();
            assert_eq!(changed, body.contains("signed-by-"), "{folder}/{name}");
        }
    }
}

fn proof() -> impl Strategy<Value = String> {
    let mark = prop::sample::select(vec![
        "openai:",
        "anthropic:",
        "gemini:",
        "gemini-thought:",
        "bedrock:",
        "chat:",
    ]);
    (mark, "[A-Za-z0-9+/]{1,8}").prop_map(|(mark, proof)| format!("signed-by-{mark}{proof}"))
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        ("[a-z]{1,6}", prop::option::of(proof()))
            .prop_map(|(text, signature)| Part::Thinking { text, signature }),
        proof().prop_map(|data| Part::HiddenThinking { data }),
        "[a-z]{1,6}".prop_map(|text| Part::Text { text }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Reasoning comes back from every caller as it was told, whoever signed it, in its order; no request holds a
    /// mark.
    #[test]
    fn signatures_come_back_as_they_went(parts in prop::collection::vec(part(), 1..6)) {
        let choice = types::chat::Choice { parts: parts.clone(), stop: types::chat::Stop::End, logprobs: None };
        let answer = types::chat::Answer { choices: vec![choice], ..Default::default() };
        for caller in CALLERS {
            let body = next(caller, &encode_answer(caller, &answer, &meta())).to_string();
            let request = decode_request(caller, body.as_bytes()).unwrap();
            let thoughts = |parts: &[Part]| -> Vec<Part> {
                let of = |part: &&Part| matches!(part, Part::Thinking { .. } | Part::HiddenThinking { .. });
                parts.iter().filter(of).cloned().collect()
            };
            let back: Vec<_> = request.messages.iter().flat_map(|turn| thoughts(&turn.parts)).collect();
            // Without any proof the reasoning is one text in Chat Completions.
            let signed = parts.iter().any(|part| {
                matches!(part, Part::Thinking { signature: Some(_), .. } | Part::HiddenThinking { .. })
            });
            if signed || caller != CHAT {
                prop_assert_eq!(back, thoughts(&parts), "{}", caller);
            }
        }
        let turn = Message { role: Role::Assistant, parts, name: None };
        let request = Request { messages: vec![turn], ..Request::default() };
        for (target, model, quirks, _) in targets() {
            let writing = Writing { quirks: &quirks, ..Writing::plain(target, model) };
            let written = encode_request(&request, &writing).unwrap();
            prop_assert!(!std::str::from_utf8(&written.body).unwrap().contains("signed-by-"));
        }
    }
}

/// The signature of nobody is for callers only: read again it is none.
#[test]
fn unsigned_reasoning_is_recognised_again() {
    let said = [
        Event::Thinking { choice: 0, text: "Hm.".into() },
        Event::Text { choice: 0, text: "Hi".into() },
        Event::Done,
    ];
    for caller in [ANTHROPIC, RESPONSES] {
        let out = written(caller, &said, false);
        assert!(std::str::from_utf8(&out).unwrap().contains(r#""signed-by-nobody:""#));
        let (mut decoder, mut again) = (StreamDecoder::new(caller), Vec::new());
        decoder.push(&out, &mut again).unwrap();
        assert!(!again.iter().any(|event| matches!(event, Event::ThinkingSignature { .. })), "{again:?}");
    }
}
