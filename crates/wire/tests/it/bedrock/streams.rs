//! Streams: what they say, wherever they are cut, and what is made of those that are broken.

use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use proptest::prelude::*;
use types::chat::{Event, Stop};
use types::{Blame, Code, Dialect, Fault, Kind, Progress, Retry, Usage};
use wire::{Frame, FrameKind, Frames, StreamDecoder};

use super::transcripts::{REASONING, TEXT, TOOLS, exception, frame, stream};

/// What a simulator that others wrote sends (npm `@copilotkit/aimock` 1.43.0), as `curl` kept it.
const SIMULATOR_TEXT: &[u8] = include_bytes!("simulator_text.bin");
const SIMULATOR_TOOLS: &[u8] = include_bytes!("simulator_tools.bin");

fn decode(pieces: &[&[u8]]) -> (Vec<Event>, Result<(), Fault>) {
    let mut decoder = StreamDecoder::new(Dialect::BedrockConverse);
    let mut events = Vec::new();
    let pushed = pieces.iter().try_for_each(|piece| decoder.push(piece, &mut events));
    let end = pushed.and_then(|()| decoder.finish(&mut events));
    (events, end)
}

fn whole(bytes: &[u8]) -> Vec<Event> {
    let (events, end) = decode(&[bytes]);
    end.unwrap();
    events
}

#[test]
fn the_transcripts_say_what_they_say() {
    insta::assert_debug_snapshot!("bedrock_text", whole(&stream(TEXT)));
    insta::assert_debug_snapshot!("bedrock_tools", whole(&stream(TOOLS)));
    insta::assert_debug_snapshot!("bedrock_reasoning", whole(&stream(REASONING)));
}

#[test]
fn a_simulator_of_others_is_understood() {
    insta::assert_debug_snapshot!("bedrock_simulator_text", whole(SIMULATOR_TEXT));
    insta::assert_debug_snapshot!("bedrock_simulator_tools", whole(SIMULATOR_TOOLS));
}

#[test]
fn every_cut_of_a_stream_says_the_same() {
    for bytes in [&stream(TEXT)[..], &stream(REASONING), SIMULATOR_TEXT] {
        let reference = whole(bytes);
        for cut in 0..=bytes.len() {
            let (left, right) = bytes.split_at(cut);
            let (events, end) = decode(&[left, right]);
            assert_eq!((events, end), (reference.clone(), Ok(())), "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(&single).0, reference);
    }
}

#[test]
fn the_end_is_known() {
    let full = stream(TEXT);
    let metadata = stream(&TEXT[5..]).len();
    let stopped = full.len() - metadata;
    for length in 0..full.len() {
        let (events, end) = decode(&[&full[..length]]);
        if length < stopped {
            assert_eq!(end.unwrap_err().code, Code::StreamCut, "{length} bytes");
            assert!(!events.contains(&Event::Done));
        } else {
            // It said why it stopped: the answer is whole, what it used is not known.
            assert_eq!(end, Ok(()), "{length} bytes");
            assert_eq!(events.last(), Some(&Event::Done));
            assert!(!events.iter().any(|event| matches!(event, Event::Usage(_))));
        }
    }
    // Usage before the stop is as good, and what comes behind the end is not looked at.
    let turned: Vec<_> = TEXT[..4].iter().chain([&TEXT[5], &TEXT[4]]).copied().collect();
    let mut bytes = stream(&turned);
    bytes.extend_from_slice(b"garbage that is longer than a prelude");
    let events = whole(&bytes);
    assert_eq!(events.last(), Some(&Event::Done));
    assert_eq!(events.iter().filter(|event| **event == Event::Done).count(), 1);
}

#[test]
fn reasons_to_stop() {
    let stop = |reason: &str| {
        let payload = format!(r#"{{"stopReason":"{reason}"}}"#);
        let events = whole(&stream(&[("messageStop", &payload)]));
        match &events[..] {
            [Event::Stop { choice: 0, stop }, Event::Done] => stop.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(stop("end_turn"), Stop::End);
    assert_eq!(stop("tool_use"), Stop::ToolCalls);
    assert_eq!(stop("stop_sequence"), Stop::Sequence(None));
    assert_eq!(stop("max_tokens"), Stop::Length);
    assert_eq!(stop("model_context_window_exceeded"), Stop::Length);
    assert_eq!(stop("guardrail_intervened"), Stop::Refused);
    assert_eq!(stop("content_filtered"), Stop::Refused);
    assert_eq!(stop("tomorrow"), Stop::Other("tomorrow".into()));
}

/// A model that failed may do better when asked again, as long as it has shown nothing.
#[test]
fn a_model_that_failed() {
    let failed = ("messageStop", r#"{"stopReason":"malformed_tool_use"}"#);
    let used = ("metadata", r#"{"usage":{"inputTokens":5,"outputTokens":9,"totalTokens":14}}"#);
    let thought =
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm."}}}"#);
    match &whole(&stream(&[thought, failed, used]))[..] {
        [Event::Thinking { .. }, Event::Usage(usage), Event::Failed(fault)] => {
            assert_eq!((usage.output, fault.retry, fault.code), (9, Retry::Maybe, Code::BadAnswer));
            assert_eq!(fault.provider_reason.as_deref(), Some("malformed_tool_use"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(&whole(&stream(&[failed]))[..], [Event::Failed(_)]));
    let text = ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"Hi"}}"#);
    let said = whole(&stream(&[text, failed, used]));
    assert!(
        said.contains(&Event::Stop { choice: 0, stop: Stop::Other("malformed_tool_use".into()) }),
        "{said:?}"
    );
}

#[test]
fn usage_is_told_in_totals() {
    let usage = whole(&stream(TEXT)).into_iter().find_map(|event| match event {
        Event::Usage(usage) => Some(usage),
        _ => None,
    });
    let cached = Usage { cache_read: 5, cache_write: 10, cache_write_1h: 30, ..Usage::plain(55, 7) };
    assert_eq!(usage, Some(cached));
}

#[test]
fn exceptions_inside_a_stream_are_faults() {
    let failed = |last: Vec<u8>| {
        let mut bytes = stream(&TEXT[..2]);
        bytes.extend(last);
        // Nothing behind it is read.
        bytes.extend(stream(&TEXT[2..]));
        let (mut events, end) = decode(&[&bytes]);
        assert_eq!(end, Ok(()));
        match events.pop() {
            Some(Event::Failed(fault)) => fault,
            other => panic!("{other:?}"),
        }
    };
    for (name, kind, code) in [
        ("throttlingException", Kind::RateLimit, Code::RateLimited),
        ("modelStreamErrorException", Kind::DependencyFailure, Code::ProviderError),
        ("internalServerException", Kind::DependencyFailure, Code::ProviderError),
        ("validationException", Kind::Validation, Code::BadField),
        ("serviceUnavailableException", Kind::Throttling, Code::ProviderError),
        ("modelTimeoutException", Kind::NetworkTimeout, Code::Timeout),
        ("accessDeniedException", Kind::Authentication, Code::ProviderKey),
        ("exceptionOfTomorrow", Kind::DependencyFailure, Code::ProviderError),
    ] {
        let fault = failed(exception(name, r#"{"message":"the reason"}"#));
        assert_eq!((fault.kind, fault.code), (kind, code), "{name}");
        assert_eq!(fault.provider_reason.as_deref(), Some(name));
        assert_eq!(fault.progress, Progress::PerhapsExecuted);
        // What may quote our credentials stays here.
        assert_eq!(fault.message.contains("the reason"), code != Code::ProviderKey, "{name}");
    }
    let fault = failed(exception(
        "validationException",
        r#"{"message":"Input is too long: prompt is too long: 5 tokens > 4 maximum"}"#,
    ));
    assert_eq!((fault.code, fault.blame), (Code::ContextTooLong, Blame::Caller));
    let fault = failed(exception("internalServerException", "not JSON"));
    assert_eq!(fault.code, Code::ProviderError);
    let headers = [(":message-type", "error"), (":error-code", "InternalError"), (":error-message", "broke")];
    let fault = failed(frame(&headers, b""));
    assert_eq!(fault.provider_reason.as_deref(), Some("InternalError"));
    assert!(fault.message.contains("broke"));
}

#[test]
fn what_is_no_event_stream_is_refused() {
    let refused = |bytes: &[u8]| {
        let (_, end) = decode(&[bytes]);
        let fault = end.unwrap_err();
        assert_eq!((fault.kind, fault.code), (Kind::InvalidResponse, Code::BadAnswer));
        assert_eq!(decode(&bytes.chunks(1).collect::<Vec<_>>()).1, Err(fault.clone()));
        fault.message.clone()
    };
    assert!(refused(b"data: {\"text\": 1}\n\n").contains("prelude"));
    assert!(refused(b"<html>Bad Gateway</html>").contains("prelude"));
    // Every byte of a frame counts.
    let good = stream(&TEXT[1..2]);
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 0x10;
        refused(&bad);
    }
    assert!(refused(&stream(&[("messageStop", "{\"stopReason\":")])).contains("not JSON"));
    assert!(refused(&stream(&[("messageStop", "{\"stopReason\":7}")])).contains("wrong type"));
}

/// A prelude that is right but for what it claims.
fn prelude(length: u32, headers: u32) -> Vec<u8> {
    let mut prelude = [length.to_be_bytes(), headers.to_be_bytes()].concat();
    prelude.extend(crc32fast::hash(&prelude).to_be_bytes());
    prelude
}

#[test]
fn lengths_are_not_believed() {
    let refuse = |length: u32, headers: u32, rest: usize| {
        let mut bytes = prelude(length, headers);
        bytes.resize(bytes.len() + rest, 0);
        Frames::new().push(&bytes, |_| Ok(())).unwrap_err().message.clone()
    };
    assert!(refuse(u32::MAX, 0, 0).contains("more than 16777216 bytes"));
    assert!(refuse((16 << 20) + 1, 0, 0).contains("more than 16777216 bytes"));
    for short in [0, 1, 12, 15] {
        assert!(refuse(short, 0, 0).contains("shorter"));
    }
    assert!(refuse(32, 17, 32).contains("headers"));
    assert!(refuse(32, 1, 32).contains("headers"));
    assert!(refuse(32, u32::MAX, 32).contains("headers"));
    // The greatest claim that is allowed reserves nothing.
    let mut frames = Frames::new();
    frames.push(&prelude(16 << 20, 0), |_| Ok(())).unwrap();
    assert!(frames.is_mid_frame());
    // A bound of one's own.
    let bytes = frame(&[(":message-type", "event")], &[b'x'; 100]);
    let length = bytes.len();
    assert!(Frames::with_limit(length).push(&bytes, |_| Ok(())).is_ok());
    assert!(Frames::with_limit(length - 1).push(&bytes, |_| Ok(())).is_err());
}

#[test]
fn headers_of_every_type_are_taken() {
    let values = [
        HeaderValue::Bool(true),
        HeaderValue::Bool(false),
        HeaderValue::Byte(-1),
        HeaderValue::Int16(2),
        HeaderValue::Int32(3),
        HeaderValue::Int64(4),
        HeaderValue::ByteArray("bytes".into()),
        HeaderValue::Uuid(5),
        HeaderValue::String("metadata".into()),
    ];
    let last = values.len() - 1;
    let headers = values.into_iter().enumerate().map(|(place, value)| {
        Header::new(if place == last { ":event-type".to_owned() } else { format!("h{place}") }, value)
    });
    let message = Message::new_from_parts(headers.collect::<Vec<_>>(), "{}");
    let mut bytes = Vec::new();
    aws_smithy_eventstream::frame::write_message_to(&message, &mut bytes).unwrap();
    let mut seen = Vec::new();
    let mut keep = |frame: Frame<'_>| {
        seen.push((frame.kind, frame.name.to_owned(), frame.payload.to_vec()));
        Ok(())
    };
    Frames::new().push(&bytes, &mut keep).unwrap();
    assert_eq!(seen, [(FrameKind::Event, "metadata".to_owned(), b"{}".to_vec())]);
}

fn pieces<'b>(bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let starts = std::iter::once(0).chain(cuts.clone());
    let ends = cuts.into_iter().chain([bytes.len()]);
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_split_gives_the_same_events(
        which in 0_usize..3,
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        flip in proptest::option::of((any::<usize>(), 1_u8..)),
    ) {
        let mut bytes = stream([TEXT, TOOLS, REASONING][which]);
        if let Some((place, bits)) = flip {
            let place = place % bytes.len();
            bytes[place] ^= bits;
        }
        prop_assert_eq!(decode(&[&bytes]), decode(&pieces(&bytes, &cuts)));
    }

    #[test]
    fn garbage_is_an_error_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
        prop_assert!(decode(&[&bytes]).1.is_err());
    }

    #[test]
    fn frames_come_out_as_they_went_in(
        frames in proptest::collection::vec(("[a-zA-Z]{0,20}", proptest::collection::vec(any::<u8>(), 0..300)), 0..6),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let bytes: Vec<u8> =
            frames.iter().flat_map(|(name, payload)| frame(&[(":event-type", name)], payload)).collect();
        let mut read = Vec::new();
        let mut reader = Frames::new();
        for piece in pieces(&bytes, &cuts) {
            reader.push(piece, |frame| {
                read.push((frame.name.to_owned(), frame.payload.to_vec()));
                Ok(())
            }).unwrap();
        }
        prop_assert_eq!(read, frames);
        prop_assert!(!reader.is_mid_frame());
    }
}
