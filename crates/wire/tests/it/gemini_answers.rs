//! What Gemini answers: whole answers, streams and errors, beyond what the matrix of fixtures shows.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;
use types::chat::{Event, Image, Part, Stop};
use types::{Code, Dialect, Kind, Retry, Timestamp, Usage};
use wire::{StreamDecoder, Watch, answer_usage, decode_answer, decode_error};

use crate::matrix::fixtures;

const GEMINI: Dialect = Dialect::GeminiContent;

/// The events of a stream whose one event is a whole answer, put together, are that answer.
#[test]
fn whole_answers_and_streams_agree() {
    for (name, answer) in fixtures("answers", "gemini") {
        let stream = format!("data: {}\n\n", answer.replace('\n', " "));
        let mut events = Vec::new();
        let mut decoder = StreamDecoder::new(GEMINI);
        if decoder.push(stream.as_bytes(), &mut events).is_err() {
            assert_eq!(name, "error");
            continue;
        }
        decoder.finish(&mut events).unwrap();
        match decode_answer(GEMINI, answer.as_bytes()) {
            Err(fault) => assert_eq!(events.last(), Some(&Event::Failed(fault)), "{name}"),
            Ok(answer) => {
                let stops = events.iter().filter_map(|event| match event {
                    Event::Stop { stop, .. } => Some(stop),
                    _ => None,
                });
                assert!(stops.eq(answer.choices.iter().map(|choice| &choice.stop)), "{name}");
                let said: String = events.iter().filter_map(spoken).collect();
                let whole: String =
                    answer.choices.iter().rev().flat_map(|choice| &choice.parts).map(shown).collect();
                assert_eq!(said.len(), whole.len(), "{name}");
                let used = events.iter().rev().find_map(|event| match event {
                    Event::Usage(usage) => Some(*usage),
                    _ => None,
                });
                assert_eq!(used, answer.usage, "{name}");
                assert_eq!(answer_usage(GEMINI, &stream.as_bytes()[6..]).unwrap(), answer.usage, "{name}");
            }
        }
    }
}

fn spoken(event: &Event) -> Option<String> {
    Some(match event {
        Event::Text { text, .. } | Event::Thinking { text, .. } | Event::Refusal { text, .. } => text.clone(),
        Event::ThinkingSignature { signature, .. } => signature.clone(),
        Event::ToolStart { id, name, .. } => format!("{id}{name}"),
        Event::ToolArguments { json, .. } => json.clone(),
        Event::Image { media_type, data, .. } => format!("{media_type}{data}"),
        Event::Citation { citation, .. } => format!("{citation:?}"),
        _ => return None,
    })
}

fn shown(part: &Part) -> String {
    match part {
        Part::Text { text } | Part::Refusal { text } => text.clone(),
        Part::Thinking { text, signature } => format!("{text}{}", signature.clone().unwrap_or_default()),
        Part::ToolCall { id, name, arguments } => format!("{id}{name}{arguments}"),
        Part::Image(Image::Inline { media_type, data, .. }) => format!("{media_type}{data}"),
        Part::Citation(citation) => format!("{citation:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn usage_is_totals_with_parts() {
    let usage = |figures: &str| {
        let answer = format!(r#"{{"candidates":[],"usageMetadata":{figures}}}"#);
        answer_usage(GEMINI, answer.as_bytes()).unwrap()
    };
    let whole = r#"{"promptTokenCount":40,"cachedContentTokenCount":16,"candidatesTokenCount":9,"thoughtsTokenCount":31,
        "toolUsePromptTokenCount":2,"totalTokenCount":82,"promptTokensDetails":[{"modality":"TEXT","tokenCount":30},
        {"modality":"AUDIO","tokenCount":10}],"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":9}]}"#;
    let expect = Usage {
        input: 42,
        output: 40,
        cache_read: 16,
        reasoning: 31,
        audio_input: 10,
        audio_output: 9,
        ..Usage::default()
    };
    assert_eq!(usage(whole), Some(expect));
    let within =
        r#"{"promptTokenCount":5,"candidatesTokenCount":8,"thoughtsTokenCount":3,"totalTokenCount":13}"#;
    assert_eq!(usage(within), Some(Usage { reasoning: 3, ..Usage::plain(5, 8) }));
    assert_eq!(
        usage(r#"{"promptTokenCount":5,"thoughtsTokenCount":3}"#),
        Some(Usage { reasoning: 3, ..Usage::plain(5, 3) })
    );
    assert_eq!(usage("{}"), Some(Usage::default()));
    assert_eq!(answer_usage(GEMINI, br#"{"candidates":[]}"#).unwrap(), None);
}

#[test]
fn calls_without_ids_get_ids_of_their_own() {
    let ids = |answer: &str| -> Vec<String> {
        let answer = decode_answer(GEMINI, answer.as_bytes()).unwrap();
        let parts = answer.choices.into_iter().flat_map(|choice| choice.parts);
        parts
            .filter_map(|part| match part {
                Part::ToolCall { id, .. } => Some(id),
                _ => None,
            })
            .collect()
    };
    let answer = |id: &str| {
        let parts =
            r#"[{"functionCall":{"name":"f","args":{"a":1}}},{"functionCall":{"name":"f","args":{"a":1}}}]"#;
        format!(
            r#"{{"responseId":"{id}","candidates":[{{"content":{{"parts":{parts}}},"finishReason":"STOP"}},{{"index":1,"content":{{"parts":{parts}}}}}]}}"#
        )
    };
    let mut all = [ids(&answer("r1")), ids(&answer("r2")), ids(&answer(""))].concat();
    assert_eq!(ids(&answer("r1")), all[..4], "the same answer, the same ids");
    assert!(
        all.iter()
            .all(|id| id.len() <= 40 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
    );
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 12);
}

#[test]
fn a_stream_is_whole_when_all_alternatives_have_ended() {
    let read = |stream: &str| {
        let mut events = Vec::new();
        let mut decoder = StreamDecoder::new(GEMINI);
        decoder.push(stream.as_bytes(), &mut events).unwrap();
        let end = decoder.finish(&mut events).map_err(|fault| fault.code);
        let mut watch = Watch::new(GEMINI);
        watch.push(stream.as_bytes()).unwrap();
        assert_eq!(watch.finish().map(drop).map_err(|fault| fault.code), end);
        assert_eq!(watch.is_complete(), end.is_ok());
        (events, end)
    };
    let chunk = |index: u32, text: &str, reason: &str| {
        format!(
            "data: {{\"candidates\":[{{\"index\":{index},\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}]}}{reason}}}]}}\n\n"
        )
    };
    let stop = r#","finishReason":"STOP""#;
    assert_eq!(read("").1, Err(Code::StreamCut));
    assert_eq!(read(&chunk(0, "a", "")).1, Err(Code::StreamCut));
    assert_eq!(read(&(chunk(0, "a", stop) + &chunk(1, "b", ""))).1, Err(Code::StreamCut));
    // Older models say in every event that they have stopped.
    let (events, end) = read(&(chunk(0, "a", stop) + &chunk(0, "b", stop)));
    assert_eq!(end, Ok(()));
    let stops = events.iter().filter(|event| matches!(event, Event::Stop { stop: Stop::End, .. })).count();
    assert_eq!((stops, events.last()), (1, Some(&Event::Done)));
    // The last event is torn in the middle.
    let torn = chunk(0, "a", stop) + "data: {\"candidates\":[{\"conte";
    assert_eq!(read(&torn).1, Err(Code::StreamCut));
    // Nothing but figures is no answer.
    assert_eq!(read("data: {\"usageMetadata\":{\"promptTokenCount\":1}}\n\n").1, Err(Code::StreamCut));
}

#[test]
fn answers_that_are_none_are_faults() {
    for body in
        ["<html>", "", "[]", "{}", r#"{"candidates":[]}"#, r#"{"candidates":{}}"#, r#"{"candidates":[7]}"#]
    {
        assert_eq!(decode_answer(GEMINI, body.as_bytes()).unwrap_err().code, Code::BadAnswer, "{body}");
    }
    let blocked = decode_answer(GEMINI, br#"{"promptFeedback":{"blockReason":"SAFETY"}}"#).unwrap_err();
    assert_eq!((blocked.code, blocked.provider_reason.as_deref()), (Code::ContentFiltered, Some("SAFETY")));
    let busy =
        decode_answer(GEMINI, br#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#).unwrap_err();
    assert_eq!((busy.kind, busy.provider_reason.as_deref()), (Kind::Throttling, Some("UNAVAILABLE")));
}

#[test]
fn what_google_and_aws_refuse_with() {
    let google = |status: u16, body: &str| (GEMINI, status, "", body.to_owned());
    let aws = |status: u16, exception: &'static str, body: &str| {
        (Dialect::BedrockConverse, status, exception, body.to_owned())
    };
    let details = |status: u16, name: &str, details: &str| {
        google(
            status,
            &format!(
                r#"{{"error":{{"code":{status},"message":"Words.","status":"{name}","details":[{details}]}}}}"#
            ),
        )
    };
    let retry = r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.074824224s"}"#;
    let quota = |id: &str| {
        format!(
            r#"{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"quotaId":"{id}"}}]}},{retry}"#
        )
    };
    let key = r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}"#;
    let cases = [
        details(400, "INVALID_ARGUMENT", ""),
        details(400, "INVALID_ARGUMENT", key),
        google(
            400,
            r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
        ),
        details(400, "FAILED_PRECONDITION", ""),
        details(403, "PERMISSION_DENIED", ""),
        details(404, "NOT_FOUND", ""),
        details(429, "RESOURCE_EXHAUSTED", &quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")),
        details(429, "RESOURCE_EXHAUSTED", &quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")),
        details(499, "CANCELLED", ""),
        details(500, "INTERNAL", ""),
        details(503, "UNAVAILABLE", ""),
        details(504, "DEADLINE_EXCEEDED", ""),
        google(503, r#"[{"error":{"code":503,"message":"Overloaded.","status":"UNAVAILABLE"}}]"#),
        google(502, "<html>"),
        aws(400, "ValidationException:http://internal.amazon.com/coral/", r#"{"message":"Words."}"#),
        aws(
            400,
            "",
            r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"Input is too long for requested model."}"#,
        ),
        aws(400, "ValidationException", r#"{"message":"The provided model identifier is invalid."}"#),
        aws(400, "ServiceQuotaExceededException", r#"{"message":"Words."}"#),
        aws(403, "AccessDeniedException", r#"{"Message":"Words."}"#),
        aws(403, "ExpiredTokenException", r#"{"message":"Words."}"#),
        aws(404, "ResourceNotFoundException", r#"{"message":"Words."}"#),
        aws(408, "ModelTimeoutException", r#"{"message":"Words."}"#),
        aws(424, "ModelErrorException", r#"{"message":"Words.","originalStatusCode":500}"#),
        aws(429, "ThrottlingException", r#"{"message":"Words."}"#),
        aws(429, "ModelNotReadyException", r#"{"message":"Words."}"#),
        aws(500, "InternalServerException", r#"{"message":"Words."}"#),
        aws(503, "ServiceUnavailableException", r#"{"message":"Words."}"#),
    ];
    let mut shown = String::new();
    for (dialect, status, exception, body) in cases {
        let headers = |name: &'static str| match name {
            "x-amzn-errortype" => Some(exception).filter(|exception| !exception.is_empty()),
            "x-amzn-requestid" => Some("req_7"),
            _ => None,
        };
        let fault = decode_error(dialect, status, &headers, body.as_bytes(), Timestamp::default());
        if dialect == Dialect::BedrockConverse {
            assert_eq!(fault.request_id.as_deref(), Some("req_7"));
        }
        let kind = fault.kind.as_str();
        let (code, blame, retry, reason) = (fault.code, fault.blame, fault.retry, &fault.provider_reason);
        writeln!(
            shown,
            "{dialect} {status} {kind} {code:?} {blame:?} {retry:?} {reason:?} {}",
            fault.message
        )
        .unwrap();
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn google_s_wait_counts_where_no_header_says_one() {
    let body = br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2s"}]}}"#;
    let wait = |header: Option<&'static str>| {
        let headers = |name: &'static str| header.filter(|_| name == "retry-after");
        decode_error(GEMINI, 429, &headers, body, Timestamp::default()).retry
    };
    assert_eq!(wait(None), Retry::After(Duration::from_secs(2)));
    assert_eq!(wait(Some("5")), Retry::After(Duration::from_secs(5)));
    for odd in ["x", "-1s", "1e400s", "NaNs", "s"] {
        let body = String::from_utf8_lossy(body).replace("2s", odd);
        let fault = decode_error(GEMINI, 429, &|_| None, body.as_bytes(), Timestamp::default());
        assert_eq!(fault.retry, Retry::Maybe, "{odd}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_read_or_refused(json in crate::bodies::raw_json(), bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let wrapped = [
            json.clone(),
            format!(r#"{{"candidates":{json},"promptFeedback":{json},"usageMetadata":{json}}}"#),
            format!(r#"{{"candidates":[{{"content":{json},"index":{json},"logprobsResult":{json}}}]}}"#),
            format!(r#"{{"candidates":[{{"content":{{"parts":[{json},{{"functionCall":{{"name":"f","args":{json}}}}}]}},"finishReason":"STOP"}}]}}"#),
        ];
        for text in wrapped.iter().map(String::as_bytes).chain([&bytes[..]]) {
            let _ = decode_answer(GEMINI, text);
            let _ = answer_usage(GEMINI, text);
            let _ = decode_error(GEMINI, 400, &|_| None, text, Timestamp::default());
            let mut events = Vec::new();
            let mut decoder = StreamDecoder::new(GEMINI);
            let stream = [b"data: ", text, b"\n\n"].concat();
            let _ = decoder.push(&stream, &mut events);
            let _ = decoder.finish(&mut events);
        }
    }
}
