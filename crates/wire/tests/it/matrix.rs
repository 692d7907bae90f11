//! The whole matrix as reviewed snapshots: every request fixture in every provider's dialect, every answer and
//! stream fixture in every caller's.
//!
//! A fixture is a file under `fixtures/{requests,answers,streams}/<dialect>/`; adding one adds its snapshot. They
//! are written after the providers' public documentation. What a dialect cannot say is shown as it is refused,
//! and then as it is written when it may be left out.

use std::fmt::Write as _;
use std::path::PathBuf;

use bytes::BytesMut;
use serde_json::Value;
use types::chat::Event;
use types::{CallId, Dialect, Fault, Quirks, Timestamp};
use wire::{
    AnswerMeta, StreamDecoder, StreamEncoder, Unsupported, Writing, decode_answer, decode_request,
    encode_answer, encode_error, encode_request, error_event,
};

/// Callers' dialects, with the folders of their fixtures.
const CALLERS: [(&str, Dialect); 3] = [
    ("openai", Dialect::OpenaiChat),
    ("anthropic", Dialect::AnthropicMessages),
    ("responses", Dialect::OpenaiResponses),
];

/// Providers' dialects and models.
const PROVIDERS: [(Dialect, &str); 6] = [
    (Dialect::OpenaiChat, "gpt-5"),
    (Dialect::OpenaiResponses, "gpt-5"),
    (Dialect::AnthropicMessages, "claude-sonnet-4-5"),
    (Dialect::GeminiContent, "gemini-3-flash-preview"),
    (Dialect::GeminiContent, "gemini-2.5-pro"),
    (Dialect::BedrockConverse, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
];

/// Folders of answers in providers' dialects.
const ANSWERS: [(&str, Dialect); 5] = [
    ("openai", Dialect::OpenaiChat),
    ("anthropic", Dialect::AnthropicMessages),
    ("responses", Dialect::OpenaiResponses),
    ("gemini", Dialect::GeminiContent),
    ("bedrock", Dialect::BedrockConverse),
];

/// Folders of streams in providers' dialects. Bedrock's are binary and made in its own tests.
const STREAMS: [(&str, Dialect); 4] = [
    ("openai", Dialect::OpenaiChat),
    ("anthropic", Dialect::AnthropicMessages),
    ("responses", Dialect::OpenaiResponses),
    ("gemini", Dialect::GeminiContent),
];

/// The fixtures of a folder: names without endings, and contents.
pub(crate) fn fixtures(kind: &str, folder: &str) -> Vec<(String, String)> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/it/fixtures", kind, folder].iter().collect();
    let mut found: Vec<_> = std::fs::read_dir(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no fixtures in {}", path.display());
    found
}

fn meta() -> AnswerMeta<'static> {
    let created = Timestamp::from_micros(1_700_000_000_000_000);
    AnswerMeta { created, model: "assistant", call: CallId::new(created, [7; 10]), previous: None }
}

fn pretty(json: &[u8]) -> String {
    let value: Value = serde_json::from_slice(json).unwrap();
    format!("{value:#}")
}

fn told(caller: Dialect, fault: &Fault) -> String {
    let (status, body) = encode_error(caller, fault, None);
    format!("{status} {}", std::str::from_utf8(&body).unwrap())
}

#[test]
fn requests() {
    for (folder, caller) in CALLERS {
        for (name, body) in fixtures("requests", folder) {
            let request = decode_request(caller, body.as_bytes()).unwrap();
            let mut shown = String::new();
            for (dialect, model) in PROVIDERS.into_iter().filter(|(dialect, _)| *dialect != caller) {
                writeln!(shown, "=== {dialect} {model}").unwrap();
                let mut writing = Writing { quirks: &Quirks::OPENAI, ..Writing::plain(dialect, model) };
                let written = encode_request(&request, &writing).or_else(|fault| {
                    writeln!(shown, "refused: {}", told(caller, &fault)).unwrap();
                    writing.unsupported = Unsupported::Drop;
                    encode_request(&request, &writing)
                });
                match written {
                    Ok(written) => {
                        if !written.dropped.is_empty() {
                            writeln!(shown, "dropped: {:?}", written.dropped).unwrap();
                        }
                        writeln!(shown, "{}", pretty(&written.body)).unwrap();
                    }
                    Err(fault) => writeln!(shown, "refused: {}", told(caller, &fault)).unwrap(),
                }
            }
            insta::assert_snapshot!(format!("request_{folder}_{name}"), shown);
        }
    }
}

#[test]
fn answers() {
    for (folder, provider) in ANSWERS {
        for (name, body) in fixtures("answers", folder) {
            let mut shown = String::new();
            for (_, caller) in CALLERS.into_iter().filter(|(_, caller)| *caller != provider) {
                writeln!(shown, "=== {caller}").unwrap();
                match decode_answer(provider, body.as_bytes()) {
                    Ok(answer) => {
                        writeln!(shown, "{}", pretty(&encode_answer(caller, &answer, &meta()))).unwrap();
                    }
                    Err(fault) => writeln!(shown, "{}", told(caller, &fault)).unwrap(),
                }
            }
            insta::assert_snapshot!(format!("answer_{folder}_{name}"), shown);
        }
    }
}

#[test]
fn streams() {
    for (folder, provider) in STREAMS {
        for (name, stream) in fixtures("streams", folder) {
            let mut shown = String::new();
            for (_, caller) in CALLERS.into_iter().filter(|(_, caller)| *caller != provider) {
                let mut decoder = StreamDecoder::new(provider);
                let mut events = Vec::new();
                let verdict = decoder.push(stream.as_bytes(), &mut events);
                let verdict = verdict.and_then(|()| decoder.finish(&mut events));
                let mut encoder = StreamEncoder::new(caller, &meta(), true);
                let mut out = BytesMut::new();
                for event in &events {
                    encoder.event(event, &mut out);
                }
                if let Err(fault) = verdict {
                    out.extend_from_slice(&error_event(caller, &fault, None));
                }
                writeln!(shown, "=== {caller}\n{}", std::str::from_utf8(&out).unwrap()).unwrap();
            }
            insta::assert_snapshot!(format!("stream_{folder}_{name}"), shown);
        }
    }
}

/// Every stream fixture, cut everywhere and into pieces of every small size, says the same.
#[test]
fn streams_cut_anywhere() {
    let read = |dialect, pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut decoder = StreamDecoder::new(dialect);
        let mut events: Vec<Event> = Vec::new();
        for piece in pieces {
            decoder.push(piece, &mut events).unwrap();
        }
        let end = decoder.finish(&mut events).map_err(|fault| fault.code);
        (events, end)
    };
    for (folder, dialect) in STREAMS {
        for (name, stream) in fixtures("streams", folder) {
            let bytes = stream.as_bytes();
            let whole = read(dialect, &mut std::iter::once(bytes));
            // The other dialects' own tests cut at every byte.
            let step = if dialect == Dialect::GeminiContent { 1 } else { 7 };
            for cut in (0..bytes.len()).step_by(step) {
                let (before, after) = bytes.split_at(cut);
                assert_eq!(read(dialect, &mut [before, after].into_iter()), whole, "{name} at {cut}");
            }
            for size in [1, 2, 3, 5, 8, 13] {
                assert_eq!(read(dialect, &mut bytes.chunks(size)), whole, "{name} by {size}");
            }
        }
    }
}
