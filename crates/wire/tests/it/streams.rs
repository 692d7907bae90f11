//! Streams cut anywhere say the same thing, and everybody who reads them agrees.

use bytes::Bytes;
use proptest::prelude::*;
use types::chat::{Event, Stop};
use types::{Code, Dialect, Usage};
use wire::{Scanner, Sift, StreamDecoder, Watch};

use crate::transcripts::{ANTHROPIC, OPENAI};

const DIALECTS: [(Dialect, &str); 2] =
    [(Dialect::OpenaiChat, OPENAI), (Dialect::AnthropicMessages, ANTHROPIC)];

/// The bytes in pieces that end at the given places.
pub(crate) fn pieces<'b>(bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let starts = std::iter::once(0).chain(cuts.clone());
    let ends = cuts.into_iter().chain([bytes.len()]);
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

fn events(pieces: &[&[u8]]) -> Vec<(Option<String>, Vec<u8>)> {
    let mut scanner = Scanner::new();
    let mut out = Vec::new();
    for piece in pieces {
        scanner.push(piece, |event| out.push((event.event.map(str::to_owned), event.data.to_vec()))).unwrap();
    }
    out
}

#[derive(Debug, PartialEq)]
pub(crate) struct Reading {
    pub(crate) events: Vec<Event>,
    pub(crate) fault: Option<Code>,
    pub(crate) end: Result<(), Code>,
}

pub(crate) fn decode(dialect: Dialect, pieces: &[&[u8]]) -> Reading {
    let mut decoder = StreamDecoder::new(dialect);
    let mut events = Vec::new();
    let pushed = pieces.iter().try_for_each(|piece| decoder.push(piece, &mut events));
    let fault = pushed.err().map(|fault| fault.code);
    let end = if fault.is_none() { decoder.finish(&mut events).map_err(|fault| fault.code) } else { Ok(()) };
    Reading { events, fault, end }
}

/// What a watcher must come to, by the decoder's reading of the same bytes.
pub(crate) fn check_watch(dialect: Dialect, pieces: &[&[u8]]) {
    let reading = decode(dialect, pieces);
    let mut watch = Watch::new(dialect);
    let mut soft = StreamDecoder::new(dialect);
    let mut so_far = Vec::new();
    let mut fault = None;
    for piece in pieces {
        let decoded = soft.push(piece, &mut so_far).map_err(|fault| fault.code);
        match watch.push(piece) {
            Ok(seen) => {
                assert_eq!(Ok(()), decoded);
                assert_eq!(seen.content, so_far.iter().any(Event::is_content));
                assert_eq!(seen.complete, so_far.contains(&Event::Done));
                assert_eq!(seen.failed.is_some(), so_far.iter().any(|e| matches!(e, Event::Failed(_))));
            }
            Err(error) => {
                assert_eq!(Err(error.code), decoded);
                fault = Some(error.code);
                break;
            }
        }
    }
    assert_eq!(fault, reading.fault);
    if fault.is_none() {
        assert_eq!(watch.finish().map(drop).map_err(|fault| fault.code), reading.end);
    }
    let mut usage = None;
    let mut text = 0;
    let mut stop = None;
    for event in &reading.events {
        match event {
            Event::Start { usage: figures, .. } => usage = figures.or(usage),
            Event::Usage(figures) => usage = Some(*figures),
            Event::Text { text: more, .. }
            | Event::Thinking { text: more, .. }
            | Event::Refusal { text: more, .. }
            | Event::ToolArguments { json: more, .. } => text += more.len() as u64,
            Event::Stop { stop: why, .. } => stop = stop.or(Some(why)),
            _ => {}
        }
    }
    assert_eq!((watch.usage(), watch.text_bytes(), watch.stop()), (usage, text, stop));
    assert_eq!(watch.is_complete(), reading.events.contains(&Event::Done));
    assert_eq!(watch.has_content(), reading.events.iter().any(Event::is_content));
}

#[test]
fn every_single_cut_says_the_same() {
    for (dialect, stream) in DIALECTS {
        let whole = decode(dialect, &[stream.as_bytes()]);
        assert_eq!((whole.fault, whole.end), (None, Ok(())));
        for cut in 0..=stream.len() {
            let pieces = pieces(stream.as_bytes(), &[cut]);
            assert_eq!(decode(dialect, &pieces).events, whole.events, "cut at {cut}");
        }
        let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(decode(dialect, &single).events, whole.events);
        check_watch(dialect, &single);
    }
}

#[test]
fn line_ends_and_marks_do_not_matter() {
    for (dialect, stream) in DIALECTS {
        let whole = decode(dialect, &[stream.as_bytes()]);
        for ends in ["\r", "\r\n"] {
            let other = format!("\u{feff}{}", stream.replace('\n', ends));
            for size in [1, 2, 3, 7, 64] {
                let pieces: Vec<&[u8]> = other.as_bytes().chunks(size).collect();
                assert_eq!(decode(dialect, &pieces).events, whole.events, "{ends:?} in pieces of {size}");
                check_watch(dialect, &pieces);
            }
        }
    }
}

#[test]
fn framing_follows_the_standard() {
    let check = |stream: &str, expect: &[(Option<&str>, &str)]| {
        let expect: Vec<_> =
            expect.iter().map(|(name, data)| (name.map(str::to_owned), data.as_bytes().to_vec())).collect();
        assert_eq!(events(&[stream.as_bytes()]), expect, "{stream:?}");
        let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(events(&single), expect, "{stream:?} byte by byte");
    };
    check("data: a\ndata:b\ndata\n\n", &[(None, "a\nb\n")]);
    check("event: x\ndata:  two spaces\n\n", &[(Some("x"), " two spaces")]);
    check("event: x\n\ndata: y\n\n", &[(None, "y")]);
    check("event: x\nevent: z\ndata: y\n\n", &[(Some("z"), "y")]);
    check(": comment\n\n\n\nid: 4\nretry: 10\ndatax: no\ndata: yes\n\n", &[(None, "yes")]);
    check("data\n\n", &[(None, "")]);
    check("data: unfinished\n", &[]);
    check("data: a\r\rdata: b\r\n\r\ndata: c\n\n", &[(None, "a"), (None, "b"), (None, "c")]);
}

#[test]
fn an_endless_event_is_refused() {
    let mut scanner = Scanner::with_limit(100);
    scanner.push(b"data: short\n\n", |_| {}).unwrap();
    let fault = (0..50).find_map(|_| scanner.push(b"data: more\n", |_| {}).err()).unwrap();
    assert_eq!(fault.code, Code::BadAnswer);
    let mut scanner = Scanner::with_limit(100);
    assert!(scanner.push(&[b'x'; 101], |_| {}).is_err());
    let mut scanner = Scanner::with_limit(100);
    assert!(scanner.push(format!("data: {}\n\n", "y".repeat(100)).as_bytes(), |_| {}).is_err());
}

#[test]
fn a_cut_stream_is_never_complete() {
    for (dialect, stream) in DIALECTS {
        let marker = if dialect == Dialect::OpenaiChat { "data: [DONE]" } else { "event: message_stop" };
        let end = stream.find(marker).unwrap();
        for cut in 0..=end {
            let bytes = &stream.as_bytes()[..cut];
            assert_eq!(decode(dialect, &[bytes]).end, Err(Code::StreamCut), "cut at {cut}");
            if cut % 11 == 0 {
                check_watch(dialect, &[bytes]);
            }
        }
        // Only the blank line is missing: the marker itself has come whole.
        assert_eq!(decode(dialect, &[stream.trim_end().as_bytes()]).end, Ok(()));
        check_watch(dialect, &[stream.trim_end().as_bytes()]);
    }
}

#[test]
fn a_watcher_knows_what_was_used() {
    let mut watch = Watch::new(Dialect::AnthropicMessages);
    assert!(!watch.push(&ANTHROPIC.as_bytes()[..400]).unwrap().content);
    let seen = watch.push(&ANTHROPIC.as_bytes()[400..]).unwrap();
    assert!(seen.content && seen.complete);
    let usage = Usage {
        input: 45,
        output: 25,
        cache_read: 5,
        cache_write: 10,
        cache_write_1h: 20,
        reasoning: 6,
        ..Usage::default()
    };
    assert_eq!(watch.usage(), Some(usage));
    assert_eq!(watch.stop(), Some(&Stop::ToolCalls));
    let mut watch = Watch::new(Dialect::OpenaiChat);
    watch.push(OPENAI.as_bytes()).unwrap();
    let usage = Usage { input: 11, output: 7, cache_read: 4, reasoning: 2, ..Usage::default() };
    assert_eq!((watch.usage(), watch.content_events()), (Some(usage), 8));
}

#[test]
fn errors_inside_a_stream_are_told() {
    let overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let mut watch = Watch::new(Dialect::AnthropicMessages);
    let seen = watch.push(overloaded.as_bytes()).unwrap();
    assert_eq!(seen.failed.unwrap().kind, types::Kind::Throttling);
    let mut watch = Watch::new(Dialect::OpenaiChat);
    let failed = "data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\",\"code\":null}}\n\n";
    assert_eq!(watch.push(failed.as_bytes()).unwrap().failed.unwrap().kind, types::Kind::DependencyFailure);
    let broken = Watch::new(Dialect::OpenaiChat).push(b"data: {oops\n\n").unwrap_err();
    assert_eq!(broken.code, Code::BadAnswer);
}

/// What a failed stream leaves to be forwarded, cut anywhere.
fn forwarded(stream: &str, cut: usize) -> String {
    let mut sift = Sift::new(Dialect::OpenaiChat, false);
    let mut out = Vec::new();
    for piece in pieces(stream.as_bytes(), &[cut]) {
        let _ = sift.push(&Bytes::copy_from_slice(piece), &mut out);
    }
    let _ = sift.finish(&mut out);
    String::from_utf8(out.concat()).unwrap()
}

#[test]
fn half_an_event_and_the_providers_own_error_are_not_forwarded() {
    let whole = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    let half = format!("{whole}{}", &whole[..whole.len() - 20]);
    let failed = format!("{whole}data: {{\"error\":{{\"message\":\"boom\"}}}}\n\ndata: [DONE]\n\n");
    for stream in [&half, &failed] {
        for cut in 0..=stream.len() {
            assert_eq!(forwarded(stream, cut), whole, "cut at {cut}");
        }
    }
}

fn sifted(stream: &str, cuts: &[usize]) -> String {
    let mut sift = Sift::new(Dialect::OpenaiChat, true);
    let mut out = Vec::new();
    for piece in pieces(stream.as_bytes(), cuts) {
        sift.push(&Bytes::copy_from_slice(piece), &mut out).unwrap();
    }
    sift.finish(&mut out).unwrap();
    assert_eq!(sift.watch().usage().map(|usage| usage.total()), Some(18));
    String::from_utf8(out.concat()).unwrap()
}

#[test]
fn the_usage_chunk_that_only_we_asked_for_is_left_out() {
    let start = OPENAI.find("data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-x\",\"choices\":[]").unwrap();
    let end = OPENAI.find("data: [DONE]").unwrap();
    let expect = format!("{}{}", &OPENAI[..start], &OPENAI[end..]);
    for cut in 0..=OPENAI.len() {
        assert_eq!(sifted(OPENAI, &[cut]), expect, "cut at {cut}");
    }
    let (dos, expect) = (OPENAI.replace('\n', "\r\n"), expect.replace('\n', "\r\n"));
    for cut in 0..=dos.len() {
        assert_eq!(sifted(&dos, &[cut]), expect, "CRLF, cut at {cut}");
    }
    let chunk = Bytes::from_static(&OPENAI.as_bytes()[..start]);
    let mut out = Vec::new();
    Sift::new(Dialect::OpenaiChat, true).push(&chunk, &mut out).unwrap();
    assert_eq!(
        (out.len(), out[0].as_ptr()),
        (1, chunk.as_ptr()),
        "whole events are forwarded without a copy"
    );
}

/// Events that a server might send, sensible or not.
fn any_event() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "(\\PC|[\"\\\\\n\u{1}]){0,6}".prop_map(|text| serde_json::Value::from(text).to_string()),
        "[a-z ]{1,6}".prop_map(|text| format!("\"{text}\"")),
    ];
    let content = || text.clone();
    prop_oneof![
        4 => content().prop_map(|text| format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":{text}}}}}]}}"#)),
        2 => (content(), "[a-zA-Z0-9\"\\\\]{0,4}").prop_map(|(text, pad)| format!(
            r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":{text}}}}}],"obfuscation":"{pad}"}}"#
        )),
        1 => content().prop_map(|text| format!(r#"{{"choices":[{{"index":1,"delta":{{"content":{text}}}}}],"usage":null}}"#)),
        1 => content().prop_map(|text| format!(r#"{{"choices":[{{"delta":{{"reasoning":{text},"content":{text}}}}}]}}"#)),
        1 => (0_u32..3, content()).prop_map(|(index, text)| format!(
            r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":{index},"function":{{"arguments":{text}}}}}]}}}}]}}"#
        )),
        1 => Just(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#.to_owned()),
        1 => (0_u64..9, 0_u64..9).prop_map(|(read, wrote)| format!(
            r#"{{"choices":[],"usage":{{"prompt_tokens":{read},"completion_tokens":{wrote}}}}}"#
        )),
        4 => content().prop_map(|text| format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{text}}}}}"#
        )),
        1 => content().prop_map(|text| format!(
            r#"{{"type":"content_block_delta","index":1,"delta":{{"type":"input_json_delta","partial_json":{text}}}}}"#
        )),
        1 => Just(r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f"}}"#.to_owned()),
        1 => Just(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#.to_owned()),
        1 => Just(r#"{"type":"message_stop"}"#.to_owned()),
        1 => Just("[DONE]".to_owned()),
        1 => Just(r#"{"error":{"message":"x"}}"#.to_owned()),
        1 => crate::bodies::raw_json(),
        // The same bytes around something that is not a string.
        1 => Just(r#"{"id":"c","choices":[{"index":0,"delta":{"content":"a","x":"b"}}]}"#.to_owned()),
        1 => Just(r#"{"id":"c","choices":[{"index":0,"delta":{"content":"\u00e9\ud83d\ude00"}}]}"#.to_owned()),
        1 => Just("{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\tb\"}}]}".to_owned()),
    ]
}

fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        6 => Just(""),
        1 => Just("event: error\n"),
        1 => Just("event: content_block_delta\n"),
        1 => Just(": comment\n\n"),
    ];
    proptest::collection::vec((name, any_event(), any::<u16>()), 0..8).prop_map(|events| {
        let mut out = Vec::new();
        for (name, data, noise) in events {
            out.extend_from_slice(name.as_bytes());
            for line in data.split('\n') {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(line.as_bytes());
                out.push(b'\n');
            }
            out.push(b'\n');
            if noise < 2_000 && !out.is_empty() {
                let place = usize::from(noise) % out.len();
                out[place] = 0xC3;
            }
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_a_transcript_says_the_same(cuts in proptest::collection::vec(any::<usize>(), 0..9)) {
        for (dialect, stream) in DIALECTS {
            let pieces = pieces(stream.as_bytes(), &cuts);
            prop_assert_eq!(events(&pieces), events(&[stream.as_bytes()]));
            prop_assert_eq!(decode(dialect, &pieces), decode(dialect, &[stream.as_bytes()]));
            check_watch(dialect, &pieces);
        }
    }

    #[test]
    fn any_stream_is_watched_as_it_is_decoded(
        stream in any_stream(),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        for (dialect, _) in DIALECTS {
            let pieces = pieces(&stream, &cuts);
            prop_assert_eq!(events(&pieces), events(&[&stream]));
            prop_assert_eq!(decode(dialect, &pieces), decode(dialect, &[&stream]));
            check_watch(dialect, &pieces);
            check_watch(dialect, &[&stream]);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(stream in proptest::collection::vec(
        prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r'), Just(b':'), Just(b'd'), Just(b'"'), Just(b'{')], 0..90),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        let pieces = pieces(&stream, &cuts);
        prop_assert_eq!(events(&pieces), events(&[&stream]));
        for (dialect, _) in DIALECTS {
            check_watch(dialect, &pieces);
        }
    }

    #[test]
    fn sifting_leaves_out_whole_events_only(cuts in proptest::collection::vec(any::<usize>(), 0..9)) {
        for ends in ["\n", "\r\n", "\r"] {
            let stream = OPENAI.replace('\n', ends);
            prop_assert_eq!(sifted(&stream, &cuts), sifted(&stream, &[]));
        }
    }
}
