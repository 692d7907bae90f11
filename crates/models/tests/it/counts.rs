//! Counts against those of `tiktoken` (the Rust port, 0.12.1, written down here) and of OpenAI's cookbook.

use models::{Count, count, count_chat, rough};
use proptest::prelude::*;

/// A text, its tokens in `o200k_base`, its tokens in `cl100k_base`.
const COUNTED: &[(&str, u64, u64)] = &[
    ("", 0, 0),
    (" ", 1, 1),
    ("\n", 1, 1),
    ("hello world", 2, 2),
    ("Hello, World!", 4, 4),
    ("tiktoken is great!", 6, 6),
    ("antidisestablishmentarianism", 6, 6),
    ("お誕生日おめでとう", 8, 9),
    ("2 + 2 = 4", 7, 7),
    ("  leading and trailing  ", 5, 5),
    ("\r\n\r\n\tif (x) {\r\n\t\treturn;\r\n\t}\r\n", 11, 11),
    ("1234567890123456789", 7, 7),
    ("naïve café — “quotes” … ½", 11, 11),
    ("👩\u{200d}👩\u{200d}👧\u{200d}👦 🏳\u{fe0f}\u{200d}🌈 🇩🇪", 22, 33),
    ("Привет, как дела?", 6, 8),
    ("مرحبا بالعالم", 4, 10),
    ("नमस\u{94d}त\u{947} द\u{941}निया", 5, 13),
    ("def f(x):\n    return x**2  # squared\n", 13, 13),
    ("{\"a\": [1, 2.5e-3, null], \"b\": \"\\u00e9\"}", 25, 25),
    ("<|endoftext|>", 7, 7),
    ("<|im_start|>user", 7, 7),
    ("e\u{301}\u{301}\u{301}", 4, 4),
    ("\0\u{1}\u{2}", 3, 3),
    ("a\u{a0}b\u{2003}c", 5, 6),
    ("DON'T I'll we've SHE'S", 6, 8),
    ("https://example.org/a/b?c=d&e=f#g///", 13, 13),
    ("____----====....", 4, 4),
    ("한국어 텍스트입니다", 6, 8),
    ("中文文本测试，标点符号。", 9, 11),
    ("x\n\n\n\ny   \n  z", 6, 6),
];

#[test]
fn openai_models_are_counted_exactly() {
    for (text, o200k, cl100k) in COUNTED {
        for (model, tokens) in [
            ("gpt-4o-mini", o200k),
            ("openai/gpt-5", o200k),
            ("gpt-4", cl100k),
            ("text-embedding-3-small", cl100k),
        ] {
            assert_eq!(count(model, text), Count { tokens: *tokens, exact: true }, "{model}: {text:?}");
        }
    }
    // Long, and hostile to a tokenizer that is not linear.
    let fox = "The quick brown fox jumps over the lazy dog. ".repeat(200);
    assert_eq!(count("gpt-4o", &fox).tokens, 2_001);
    assert_eq!(count("gpt-4", &fox).tokens, 2_001);
    assert_eq!(count("gpt-4o", &"a".repeat(20_000)).tokens, 2_500);
}

/// The example of OpenAI's cookbook ("How to count tokens with tiktoken"): 129 tokens for gpt-4, 124 for
/// gpt-4o. It has a name in four messages: one token more each, and the name's own.
#[test]
fn a_chat_has_the_markup_that_openai_publishes() {
    let chat = [
        (
            "system",
            "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
        ),
        ("system", "New synergies will help drive top-line growth."),
        ("system", "Things working well together will increase revenue."),
        (
            "system",
            "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
        ),
        ("system", "Let's talk later when we're less busy about how to do better."),
        ("user", "This late pivot means we don't have time to boil the ocean for the client deliverable."),
    ];
    for (model, published) in [("gpt-4-0613", 129), ("gpt-4o", 124)] {
        let names = ["example_user", "example_assistant", "example_user", "example_assistant"];
        let names: u64 = names.iter().map(|name| count(model, name).tokens + 1).sum();
        let counted = count_chat(model, chat);
        assert_eq!((counted.tokens + names, counted.exact), (published, true), "{model}");
    }
    assert!(!count_chat("o3", chat).exact, "the markup of reasoning models is not published");
}

#[test]
fn others_are_estimates_and_say_so() {
    let text = "A text that is long enough for the ratio between two vocabularies to be seen in its count. "
        .repeat(9);
    let exact = count("gpt-4o", &text);
    for model in ["claude-haiku-4-5", "gemini-2.5-flash", "local/smollm2", "who-knows", "gpt-6"] {
        let counted = count(model, &text);
        assert!(!counted.exact, "{model}");
        assert!((exact.tokens..=exact.tokens * 13 / 10).contains(&counted.tokens), "{model}: {counted:?}");
    }
    assert_eq!((rough(0), rough(1), rough(4), rough(5)), (0, 1, 1, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// No text has more tokens than bytes, none but the empty one has none, and nothing panics.
    #[test]
    fn counts_are_sane(text in any::<String>()) {
        for model in ["gpt-4o", "gpt-4"] {
            let tokens = count(model, &text).tokens;
            prop_assert!(tokens <= text.len() as u64);
            prop_assert_eq!(tokens == 0, text.is_empty());
        }
    }
}
