//! Where what a model said is from, across dialects.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;
use types::Dialect;
use types::chat::{Answer, Choice, Citation, Event, Part, Stop};
use wire::{Rope, StreamDecoder, decode_answer, encode_answer, own_signatures};

use crate::answers::{events, meta, written};
use crate::bedrock::transcripts::stream;

const CHAT: Dialect = Dialect::OpenaiChat;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;
const RESPONSES: Dialect = Dialect::OpenaiResponses;

fn cited() -> impl Strategy<Value = (String, Vec<Citation>)> {
    let citation = |length: u64| {
        ("[a-z]{1,3}", prop::option::of("[a-z]{1,3}"), 0..length, 1..5_u64).prop_map(
            move |(url, title, start, more)| {
                let end = (start + more).min(length);
                Citation {
                    url: format!("https://{url}"),
                    title: Some(title.unwrap_or_default()),
                    quoted: None,
                    start,
                    end,
                }
            },
        )
    };
    "[a-zé🦀 ]{1,12}".prop_flat_map(move |text| {
        let length = text.chars().count() as u64;
        (Just(text), prop::collection::vec(citation(length), 0..4))
    })
}

fn said(parts: &[Part]) -> (String, Vec<Citation>) {
    let (mut text, mut cited) = (String::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text { text: more } => text.push_str(more),
            Part::Citation(citation) => cited.push(citation.clone()),
            other => panic!("{other:?}"),
        }
    }
    (text, cited)
}

fn streamed(events: &[Event]) -> (String, Vec<Citation>) {
    let (mut text, mut cited) = (String::new(), Vec::new());
    for event in events {
        match event {
            Event::Text { text: more, .. } => text.push_str(more),
            Event::Citation { citation, .. } => cited.push(citation.clone()),
            _ => {}
        }
    }
    (text, cited)
}

proptest! {
    /// OpenAI's two dialects say them as they are. Anthropic's says no less than the text, and the same sources.
    #[test]
    fn sources_cross((text, cited) in cited()) {
        let mut parts = vec![Part::Text { text: text.clone() }];
        parts.extend(cited.iter().cloned().map(Part::Citation));
        let choice = Choice { parts, stop: Stop::End, logprobs: None };
        let answer = Answer { choices: vec![choice], ..Answer::default() };
        let mut told = vec![Event::Text { choice: 0, text: text.clone() }];
        told.extend(cited.iter().cloned().map(|citation| Event::Citation { choice: 0, citation }));
        told.extend([Event::Stop { choice: 0, stop: Stop::End }, Event::Done]);
        for caller in [CHAT, RESPONSES, ANTHROPIC] {
            let whole = decode_answer(caller, &encode_answer(caller, &answer, &meta())).unwrap();
            let whole = said(&whole.choices[0].parts);
            let stream = streamed(&events(caller, &written(caller, &told, false)));
            if caller == ANTHROPIC {
                let urls = |cited: &[Citation]| {
                    let mut urls: Vec<_> = cited.iter().map(|citation| citation.url.clone()).collect();
                    urls.sort();
                    urls
                };
                for (text_again, again) in [whole, stream] {
                    prop_assert_eq!(&text_again, &text);
                    prop_assert_eq!(urls(&again), urls(&cited));
                }
            } else {
                prop_assert_eq!(&whole, &(text.clone(), cited.clone()));
                prop_assert_eq!(&stream, &(text.clone(), cited.clone()));
            }
        }
    }
}

#[test]
fn sources_of_one_range_are_one_block() {
    let cite = |url: &str, start, end| {
        Part::Citation(Citation { url: url.into(), title: None, quoted: Some("q".into()), start, end })
    };
    let parts = vec![
        Part::Text { text: "Zürich: ".into() },
        Part::Text { text: "it snows. So.".into() },
        cite("b", 8, 17),
        cite("a", 8, 17),
        cite("c", 10, 21),
        cite("d", 0, 0),
    ];
    let choice = Choice { parts, stop: Stop::End, logprobs: None };
    let answer = Answer { choices: vec![choice], ..Answer::default() };
    let whole: Value = serde_json::from_slice(&encode_answer(ANTHROPIC, &answer, &meta())).unwrap();
    let blocks: Vec<_> = whole["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| {
            let urls = block["citations"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|cited| cited["url"].as_str().unwrap());
            (block["text"].as_str().unwrap(), urls.collect::<String>())
        })
        .collect();
    let expected = [("Zürich: ", "d"), ("it snows.", "ba"), (" So.", "c")];
    assert_eq!(blocks, expected.map(|(text, urls)| (text, urls.to_owned())));
}

#[test]
fn pages_that_bedrock_names_in_a_stream() {
    let bytes = stream(&[
        ("messageStart", r#"{"role":"assistant"}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"Zürich: "}}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"text":"it snows"}}"#),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":1,"delta":{"citation":{"title":"Snow","sourceContent":[{"text":"Sno"},{"text":"w."}],"location":{"web":{"url":"https://example.org","domain":"example.org"}}}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":1,"delta":{"citation":{"title":"Diary","location":{"documentPage":{"documentIndex":0,"start":1,"end":2}}}}}"#,
        ),
        ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
        ("messageStop", r#"{"stopReason":"end_turn"}"#),
    ]);
    let (mut decoder, mut events) = (StreamDecoder::new(Dialect::BedrockConverse), Vec::new());
    decoder.push(&bytes, &mut events).unwrap();
    let (url, title, quoted) = ("https://example.org".into(), Some("Snow".into()), Some("Snow.".into()));
    let citation = Citation { url, title, quoted, start: 8, end: 16 };
    assert_eq!(streamed(&events), ("Zürich: it snows".to_owned(), vec![citation]));
}

/// An index that Anthropic did not make would be refused by it.
#[test]
fn sources_of_others_are_not_forwarded() {
    let block = |citations: &str| {
        format!(
            r#"{{"messages":[{{"role":"assistant","content":[{{"type":"text","text":"x","citations":[{citations}]}}]}}]}}"#
        )
    };
    let own = r#"{"type":"web_search_result_location","encrypted_index":"Eo8B"}"#;
    let other = r#"{"type":"web_search_result_location","encrypted_index":"signed-by-nobody:"}"#;
    let cut = |citations: &str| {
        let body = own_signatures(ANTHROPIC, &Rope::from(Bytes::from(block(citations))));
        body.map(|body| String::from_utf8(body.to_vec()).unwrap())
    };
    assert_eq!(cut(own), None);
    assert_eq!(cut(&format!("{own},{other}")), Some(block(own)));
    assert_eq!(cut(other), Some(block("")));
}
