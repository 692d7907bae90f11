//! Which servers and models take what.

use proptest::prelude::*;
use types::quirks::{MaxTokens, Quirks};
use types::{Dialect, Parameter, Parameters};

use super::*;
use crate::{Unsupported, encode_request, set_parameters};

const ALL: Parameters = Parameters {
    temperature: Some(0.5),
    max_tokens: Some(600),
    top_p: Some(0.92),
    frequency_penalty: Some(0.05),
    presence_penalty: Some(0.1),
};

const CLOUDS: Quirks = Quirks {
    max_tokens: MaxTokens::New,
    refuses: &["frequency_penalty", "presence_penalty", "n"],
    ..Quirks::OPENAI
};

/// The names of what is added to a request that says `body`, and of what is left out.
fn names(body: &str, writing: &Writing<'_>) -> (String, String) {
    let said = Said::of(body.as_bytes());
    let (fits, left_out) = fit(&ALL, &said, writing, Bounds::default());
    let names = |these: Vec<Parameter>| these.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(" ");
    (names(Parameter::ALL.into_iter().filter(|one| fits.sets(*one)).collect()), names(left_out))
}

#[test]
fn each_dialect_and_model_gets_what_it_takes() {
    let everything = "temperature max_tokens top_p frequency_penalty presence_penalty";
    for (dialect, model, body, expected) in [
        (Dialect::OpenaiChat, "gpt-4o-mini", "{}", everything),
        (Dialect::OpenaiChat, "llama-3.1-8b", "{}", everything),
        (Dialect::OpenaiChat, "gpt-5-mini", "{}", ""),
        (Dialect::OpenaiChat, "openai/o3", "{}", ""),
        (Dialect::OpenaiChat, "gpt-5.1", r#"{"reasoning_effort":"none"}"#, "max_tokens"),
        (Dialect::OpenaiChat, "gpt-4o-search-preview", "{}", "max_tokens"),
        (Dialect::OpenaiChat, "grok-4", "{}", "temperature max_tokens top_p"),
        (Dialect::OpenaiChat, "google/gemini-2.5-flash", "{}", "temperature top_p"),
        (Dialect::OpenaiChat, "anthropic/claude-sonnet-4.5", "{}", "temperature max_tokens"),
        (
            Dialect::OpenaiChat,
            "deepseek-reasoner",
            "{}",
            "temperature top_p frequency_penalty presence_penalty",
        ),
        (
            Dialect::OpenaiChat,
            "m",
            r#"{"reasoning": {"effort": "high"}}"#,
            "temperature top_p frequency_penalty presence_penalty",
        ),
        (Dialect::OpenaiChat, "m", r#"{"reasoning": {"enabled" : false}}"#, everything),
        (Dialect::OpenaiResponses, "gpt-4o", "{}", "temperature max_tokens top_p"),
        (Dialect::OpenaiResponses, "gpt-5", "{}", ""),
        (Dialect::AnthropicMessages, "m", "{}", "temperature max_tokens"),
        (Dialect::AnthropicMessages, "claude-3-5-haiku-latest", "{}", "temperature max_tokens"),
        (Dialect::AnthropicMessages, "claude-sonnet-4-20250514", r#"{"top_p":0.5}"#, "max_tokens"),
        (Dialect::AnthropicMessages, "claude-sonnet-4-6", r#"{"temperature":1}"#, "max_tokens"),
        (Dialect::AnthropicMessages, "claude-opus-4-7", "{}", "max_tokens"),
        (Dialect::AnthropicMessages, "claude-next", "{}", "max_tokens"),
        (
            Dialect::AnthropicMessages,
            "claude-sonnet-4-5",
            r#"{"thinking":{"type":"enabled","budget_tokens":2000}}"#,
            "",
        ),
        (
            Dialect::AnthropicMessages,
            "claude-sonnet-4-5",
            r#"{"thinking":{"type":"disabled"}}"#,
            "temperature max_tokens",
        ),
        (
            Dialect::BedrockConverse,
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "{}",
            "temperature max_tokens",
        ),
        (Dialect::BedrockConverse, "amazon.nova-lite-v1:0", "{}", "temperature max_tokens"),
        (Dialect::GeminiContent, "gemini-2.0-flash", "{}", "temperature max_tokens top_p"),
        (Dialect::GeminiContent, "gemini-3-pro-preview", "{}", "temperature top_p"),
        (Dialect::OpenaiEmbeddings, "m", "{}", ""),
        // The caller's own wins, whatever it is called.
        (
            Dialect::OpenaiChat,
            "m",
            r#"{"max_completion_tokens":5,"temperature":0}"#,
            "top_p frequency_penalty presence_penalty",
        ),
        // `null` says nothing.
        (
            Dialect::OpenaiChat,
            "m",
            r#"{"max_tokens":null,"temperature":null,"top_p":1}"#,
            "temperature max_tokens frequency_penalty presence_penalty",
        ),
        (
            Dialect::OpenaiChat,
            "m",
            r#"{"max_completion_tokens":null}"#,
            "temperature top_p frequency_penalty presence_penalty",
        ),
    ] {
        let (applied, left_out) = names(body, &Writing::plain(dialect, model));
        assert_eq!(applied, expected, "{dialect} {model} {body}");
        for name in left_out.split_ascii_whitespace() {
            assert!(!applied.contains(name), "{model}: {name} is in both");
        }
    }
    let clouds = Writing { quirks: &CLOUDS, ..Writing::plain(Dialect::OpenaiChat, "m") };
    let (applied, left_out) = names("{}", &clouds);
    assert_eq!(applied, "temperature max_tokens top_p");
    assert_eq!(left_out, "frequency_penalty presence_penalty");
}

#[test]
fn a_temperature_beyond_anthropics_scale_leaves_room_for_top_p() {
    let hot = Parameters { temperature: Some(1.5), ..ALL };
    let writing = Writing::plain(Dialect::AnthropicMessages, "m");
    let (fits, left_out) = fit(&hot, &Said::default(), &writing, Bounds::default());
    assert_eq!((fits.temperature, fits.top_p), (None, Some(0.92)));
    assert_eq!(left_out, [Parameter::Temperature, Parameter::FrequencyPenalty, Parameter::PresencePenalty]);
}

#[test]
fn the_number_of_tokens_stays_within_what_the_model_can() {
    let writing = Writing::plain(Dialect::OpenaiChat, "m");
    let tokens = |max_output_tokens, room| {
        fit(&ALL, &Said::default(), &writing, Bounds { max_output_tokens, room }).0.max_tokens
    };
    assert_eq!(tokens(None, None), Some(600));
    assert_eq!(tokens(Some(4_096), Some(600)), Some(600));
    assert_eq!(tokens(Some(256), None), Some(256));
    assert_eq!(tokens(Some(256), Some(256)), Some(256));
    assert_eq!(tokens(None, Some(599)), None, "no room for it in the context");
    assert_eq!(tokens(Some(0), None), None);
}

#[test]
fn added_fields_stand_where_the_server_looks_for_them() {
    let add = |body: &str, writing: &Writing<'_>| {
        let said = Said::of(body.as_bytes());
        let (fits, _) = fit(&ALL, &said, writing, Bounds::default());
        said.edits(&fits, writing)
    };
    let one = Parameters { max_tokens: Some(7), ..Parameters::NONE };
    for (writing, name) in [
        (Writing::plain(Dialect::OpenaiChat, "gpt-4o"), "max_tokens"),
        (Writing::plain(Dialect::OpenaiChat, "gpt-5"), "max_completion_tokens"),
        (Writing { quirks: &CLOUDS, ..Writing::plain(Dialect::OpenaiChat, "m") }, "max_completion_tokens"),
        (Writing::plain(Dialect::OpenaiResponses, "gpt-4o"), "max_output_tokens"),
    ] {
        assert_eq!(Said::of(b" {}").edits(&one, &writing), [(2..2, format!(r#""{name}":7,"#))]);
    }
    let plain = Writing::plain(Dialect::OpenaiChat, "m");
    let body = r#"{"model":"m","temperature": null,"top_p":1,"messages":[]}"#;
    let null = body.find("null").unwrap();
    assert_eq!(
        add(body, &plain),
        [
            (null..null + 4, "0.5".to_owned()),
            (1..1, r#""max_tokens":600,"frequency_penalty":0.05,"presence_penalty":0.1,"#.to_owned()),
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// What fits is never what an encoder refuses, whoever the target is.
    #[test]
    fn what_fits_is_never_refused(
        dialect in prop::sample::select(vec![
            Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::AnthropicMessages,
            Dialect::GeminiContent, Dialect::BedrockConverse,
        ]),
        model in prop::sample::select(vec!["m", "gpt-4o", "o3", "claude-opus-4-7", "claude-3-haiku", "gemini-2.5-pro"]),
        numbers in (0.0..2.0, 1_u64..100_000, 0.0..1.0, -2.0..2.0, -2.0..2.0),
        quirks in prop::sample::select(vec![Quirks::OPENAI, CLOUDS]),
    ) {
        let (temperature, max_tokens, top_p, frequency_penalty, presence_penalty) = numbers;
        let wanted = Parameters {
            temperature: Some(temperature),
            max_tokens: Some(max_tokens),
            top_p: Some(top_p),
            frequency_penalty: Some(frequency_penalty),
            presence_penalty: Some(presence_penalty),
        };
        let writing = Writing { dialect, model, unsupported: Unsupported::Refuse, quirks: &quirks };
        let body = br#"{"model":"x","messages":[{"role":"user","content":"hi"}]}"#;
        let (fits, left_out) = fit(&wanted, &Said::of(body), &writing, Bounds::default());
        let mut request = crate::decode_request(Dialect::OpenaiChat, body).unwrap();
        let before = serde_json::to_string(&request).unwrap();
        set_parameters(&mut request, &fits);
        let written = encode_request(&request, &writing);
        prop_assert!(written.is_ok(), "{written:?}");
        prop_assert!(Parameter::ALL.into_iter().all(|one| fits.sets(one) != left_out.contains(&one)));
        crate::unset_parameters(&mut request, &fits);
        prop_assert_eq!(serde_json::to_string(&request).unwrap(), before);
    }
}
