//! Streams cut anywhere say the same thing, and everybody who reads them agrees.

use proptest::prelude::*;
use types::chat::{Event, Stop};
use types::{Code, Dialect, Kind, Usage};
use wire::Watch;

use super::transcripts::{ALL, REFUSAL, TEXT};
use crate::streams::{check_watch, decode, pieces};

const RESPONSES: Dialect = Dialect::OpenaiResponses;

fn said(stream: &str) -> Vec<Event> {
    check_watch(RESPONSES, &[stream.as_bytes()]);
    decode(RESPONSES, &[stream.as_bytes()]).events
}

fn framed(events: &[&str]) -> String {
    events.iter().fold(String::new(), |stream, data| stream + "data: " + data + "\n\n")
}

#[test]
fn every_single_cut_says_the_same() {
    for stream in ALL {
        let whole = decode(RESPONSES, &[stream.as_bytes()]);
        assert_eq!((whole.fault, whole.end), (None, Ok(())));
        let step = if stream == REFUSAL { 1 } else { 17 };
        for cut in (0..=stream.len()).step_by(step) {
            let pieces = pieces(stream.as_bytes(), &[cut]);
            assert_eq!(decode(RESPONSES, &pieces).events, whole.events, "cut at {cut}");
        }
        let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(decode(RESPONSES, &single).events, whole.events);
        check_watch(RESPONSES, &single);
    }
}

#[test]
fn a_cut_stream_is_never_complete() {
    for stream in ALL {
        let end = stream.rfind("event: ").unwrap();
        let cut = &stream[..end];
        assert_eq!(decode(RESPONSES, &[cut.as_bytes()]).end, Err(Code::StreamCut));
        let mut watch = Watch::new(RESPONSES);
        assert!(!watch.push(cut.as_bytes()).unwrap().complete);
        assert_eq!(watch.finish().unwrap_err().code, Code::StreamCut);
        // What other servers close a stream with is not this dialect's end.
        let done = format!("{cut}data: [DONE]\n\n");
        assert_eq!(decode(RESPONSES, &[done.as_bytes()]).end, Err(Code::StreamCut));
    }
}

#[test]
fn a_watcher_knows_what_was_used_and_how_much_was_said() {
    let mut watch = Watch::new(RESPONSES);
    let seen = watch.push(TEXT.as_bytes()).unwrap();
    assert!(seen.content && seen.complete);
    assert_eq!(watch.usage(), Some(Usage { cache_read: 8, ..Usage::plain(37, 11) }));
    assert_eq!((watch.text_bytes(), watch.stop()), ("Héllo 😀\n\"x\"".len() as u64, Some(&Stop::End)));
    // Three pieces of text, and the end.
    assert_eq!(watch.content_events(), 4);
}

#[test]
fn servers_that_send_items_whole_are_understood() {
    let events = said(&framed(&[
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"content":[{"type":"reasoning_text","text":"c"}],"encrypted_content":"s"}}"#,
        r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","content":[{"type":"output_text","text":"t"},{"type":"refusal","refusal":"r"}]}}"#,
        r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}"#,
        r#"{"type":"response.completed","response":{"id":"resp_1","model":"m","status":"completed"}}"#,
    ]));
    insta::assert_debug_snapshot!(events);
}

#[test]
fn a_text_that_comes_only_when_it_is_done_is_said_once() {
    let events = said(&framed(&[
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","content":[]}}"#,
        r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"a"}"#,
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":1,"delta":"b"}"#,
        r#"{"type":"response.output_text.done","output_index":0,"content_index":1,"text":"b"}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"output_text","text":"b"}]}}"#,
    ]));
    let text = |text: &str| Event::Text { choice: 0, text: text.into() };
    assert_eq!(events, [text("a"), text("b")]);
}

#[test]
fn errors_inside_a_stream_are_told() {
    for (event, kind) in [
        (
            r#"{"type":"error","code":"server_error","message":"oops","param":null,"sequence_number":3}"#,
            Kind::DependencyFailure,
        ),
        (
            r#"{"type":"error","sequence_number":2,"error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"too long"}}"#,
            Kind::ResourceExhausted,
        ),
        (
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"},"usage":{"input_tokens":3,"output_tokens":0}}}"#,
            Kind::RateLimit,
        ),
        (
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"invalid_prompt","message":"no"}}}"#,
            Kind::Validation,
        ),
        (r#"{"type":"response.failed","response":{"status":"failed"}}"#, Kind::DependencyFailure),
    ] {
        let Some(Event::Failed(fault)) = said(&framed(&[event])).pop() else { panic!("{event}") };
        assert_eq!(fault.kind, kind, "{event}");
    }
    // What a response that failed has used is told before.
    let used = r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"x"},"usage":{"input_tokens":3,"output_tokens":1}}}"#;
    assert!(said(&framed(&[used])).contains(&Event::Usage(Usage::plain(3, 1))));
    for broken in ["{", "[]", r#"{"type":"response.output_text.delta","delta":7}"#, r#"{"type":7}"#] {
        assert_eq!(
            decode(RESPONSES, &[framed(&[broken]).as_bytes()]).fault,
            Some(Code::BadAnswer),
            "{broken}"
        );
    }
    // Unknown events may use known fields as they like.
    assert!(
        said(&framed(&[r#"{"type":"response.mcp_call.arguments_delta","delta":{},"item":7,"part":[]}"#]))
            .is_empty()
    );
}

/// Events that a server might send, sensible or not.
fn any_event() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "(\\PC|[\"\\\\\n\u{1}]){0,6}".prop_map(|text| serde_json::Value::from(text).to_string()),
        "[a-z ]{1,6}".prop_map(|text| format!("\"{text}\"")),
    ];
    let number = || {
        prop_oneof![
            (0_u32..120).prop_map(|number| number.to_string()),
            "[0-9]{1,3}",
            Just("1.5".to_owned()),
            Just("-1".to_owned()),
            Just("\"\"".to_owned())
        ]
    };
    let content = || text.clone();
    let kind = prop_oneof![
        Just("output_text"),
        Just("refusal"),
        Just("function_call_arguments"),
        Just("reasoning_summary_text"),
        Just("reasoning_text")
    ];
    prop_oneof![
        6 => (number(), content()).prop_map(|(number, text)| format!(
            r#"{{"type":"response.output_text.delta","sequence_number":{number},"output_index":0,"content_index":0,"delta":{text},"logprobs":[]}}"#
        )),
        2 => (number(), content(), "[a-zA-Z0-9\"\\\\]{0,4}").prop_map(|(number, text, pad)| format!(
            r#"{{"type":"response.output_text.delta","output_index":0,"delta":{text},"sequence_number":{number},"obfuscation":"{pad}"}}"#
        )),
        2 => (number(), content(), "[a-z]{0,4}").prop_map(|(number, text, pad)| format!(
            r#"{{"type":"response.output_text.delta","delta":{text},"obfuscation":"{pad}","sequence_number":{number}}}"#
        )),
        3 => (kind, 0_u32..3, content(), any::<bool>()).prop_map(|(kind, place, text, whole)| if whole {
            format!(r#"{{"type":"response.{kind}.done","output_index":{place},"text":{text},"refusal":{text},"arguments":{text}}}"#)
        } else {
            format!(r#"{{"type":"response.{kind}.delta","output_index":{place},"delta":{text}}}"#)
        }),
        2 => (0_u32..3, content(), any::<bool>()).prop_map(|(place, text, done)| format!(
            r#"{{"type":"response.output_item.{}","output_index":{place},"item":{{"type":"function_call","call_id":"c","name":"f","arguments":{text}}}}}"#,
            if done { "done" } else { "added" }
        )),
        1 => (0_u32..3, content()).prop_map(|(place, text)| format!(
            r#"{{"type":"response.output_item.done","output_index":{place},"item":{{"type":"reasoning","summary":[{{"type":"summary_text","text":{text}}}],"encrypted_content":{text}}}}}"#
        )),
        1 => (0_u32..3).prop_map(|place| format!(
            r#"{{"type":"response.reasoning_summary_part.added","output_index":{place},"part":{{"type":"summary_text","text":""}}}}"#
        )),
        1 => (0_u64..9, 0_u64..9).prop_map(|(read, wrote)| format!(
            r#"{{"type":"response.completed","response":{{"id":"r","status":"completed","usage":{{"input_tokens":{read},"output_tokens":{wrote}}}}}}}"#
        )),
        1 => Just(r#"{"type":"response.created","response":{"id":"r","model":"m"}}"#.to_owned()),
        1 => Just(r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"x"}}}"#.to_owned()),
        1 => Just(r#"{"type":"error","code":"x","message":"y"}"#.to_owned()),
        1 => Just("[DONE]".to_owned()),
        1 => crate::bodies::raw_json(),
        // Numbers where none belong, and the same key within a text.
        1 => Just(r#"{"type":"response.output_text.delta","sequence_number":01,"output_index":0,"content_index":0,"delta":"a","logprobs":[]}"#.to_owned()),
        1 => Just(r#"{"type":"response.output_text.delta","delta":",\"sequence_number\":1"}"#.to_owned()),
    ]
}

fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![6 => Just(""), 1 => Just("event: error\n"), 1 => Just("event: response.output_text.delta\n")];
    proptest::collection::vec((name, any_event(), any::<u16>()), 0..10).prop_map(|events| {
        let mut out = Vec::new();
        for (name, data, noise) in events {
            out.extend_from_slice(name.as_bytes());
            for line in data.split('\n') {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(line.as_bytes());
                out.push(b'\n');
            }
            out.push(b'\n');
            if noise < 2_000 {
                let place = usize::from(noise) % out.len();
                out[place] = 0xC3;
            }
        }
        out
    })
}

#[test]
fn sound_is_content() {
    let mut watch = Watch::new(RESPONSES);
    let stream = framed(&[r#"{"type":"response.audio.delta","delta":"AAAA"}"#]);
    assert!(watch.push(stream.as_bytes()).unwrap().content);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_a_transcript_says_the_same(cuts in proptest::collection::vec(any::<usize>(), 0..9)) {
        for stream in ALL {
            let pieces = pieces(stream.as_bytes(), &cuts);
            prop_assert_eq!(decode(RESPONSES, &pieces), decode(RESPONSES, &[stream.as_bytes()]));
            check_watch(RESPONSES, &pieces);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_is_watched_as_it_is_decoded(
        stream in any_stream(),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        let pieces = pieces(&stream, &cuts);
        prop_assert_eq!(decode(RESPONSES, &pieces), decode(RESPONSES, &[&stream]));
        check_watch(RESPONSES, &pieces);
        check_watch(RESPONSES, &[&stream]);
    }
}
