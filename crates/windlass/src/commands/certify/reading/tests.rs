//! Honest and dishonest answers, told apart.

use std::time::Duration;

use super::*;

const TOKEN: &str = r#"data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}"#;
const STOP: &str = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":8}}"#;
const ERROR: &str = r#"data: {"error":{"message":"broken","type":"server_error"}}"#;
const DONE: &str = "data: [DONE]";

fn seen(status: u16, content_type: &str, body: &str) -> Seen {
    let (content_type, body) = (content_type.to_owned(), body.as_bytes().to_vec());
    Seen { status: Some(status), content_type, body, end: End::Whole, took: Duration::ZERO }
}

fn events(events: &[&str]) -> Seen {
    let body: String = events.iter().flat_map(|event| [event, "\n\n"]).collect();
    seen(200, "text/event-stream; charset=utf-8", &body)
}

fn broken(mut seen: Seen) -> Seen {
    seen.end = End::Broken("reset".to_owned());
    seen
}

#[test]
fn whole_answers_and_errors_in_their_place() {
    let whole = Said::Answer { text: "hihi".to_owned(), usage: Some((7, 8)) };
    assert_eq!(stream(&events(&[TOKEN, TOKEN, STOP, USAGE, DONE])), Ok(whole));
    let failed = Said::Error { told: Told::Stream, text: "hi".to_owned() };
    assert_eq!(stream(&events(&[TOKEN, ": a comment", ERROR])), Ok(failed));
    let body = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#;
    let whole = Said::Answer { text: "hi".to_owned(), usage: None };
    assert_eq!(plain(&seen(200, "application/json", body)), Ok(whole));
    let body = r#"{"error":{"message":"broken","type":"server_error"}}"#;
    let failed = Said::Error { told: Told::Status(503), text: String::new() };
    for read in [plain, stream] {
        assert_eq!(read(&seen(503, "application/json", body)), Ok(failed.clone()));
    }
}

#[test]
fn what_only_looks_like_it() {
    for (answer, why) in [
        (events(&[TOKEN, DONE]), "a half answer ended in [DONE]"),
        (events(&[TOKEN, ERROR, DONE]), "as if all were well"),
        (events(&[TOKEN, ERROR, ERROR]), "two errors"),
        (events(&[TOKEN, ERROR, TOKEN]), "went on after its error"),
        (events(&[TOKEN, STOP]), "without [DONE] and without an error"),
        (events(&[TOKEN, "data: {\"choi", DONE]), "not JSON"),
        (events(&["data: {}", DONE]), "no part of an answer"),
        (events(&[TOKEN, STOP, DONE, TOKEN]), "an event after [DONE]"),
        (broken(events(&[TOKEN])), "broke off without a word"),
        (broken(events(&[TOKEN, STOP, DONE])), "then the connection broke"),
        (seen(200, "text/html", "<p>"), "of the type `text/html`"),
        (seen(500, "text/plain", "Internal Server Error"), "500 of the type"),
    ] {
        let told = stream(&answer).unwrap_err();
        assert!(told.contains(why), "{told} is not: {why}");
    }
    for (answer, why) in [
        (seen(200, "application/json", "{}"), "no answer: {}"),
        (seen(200, "application/json", ""), "not JSON: nothing"),
        (
            seen(200, "application/json", r#"{"error":{"message":"x","type":"y"}}"#),
            "an error with status 200",
        ),
        (seen(502, "application/json", r#"{"detail":"x"}"#), "not the dialect's error"),
        (broken(seen(200, "application/json", "{")), "broke off"),
        (Seen { status: None, ..broken(seen(0, "", "")) }, "no answer: reset"),
        (Seen { status: None, end: End::Late, ..seen(0, "", "") }, "no answer in the time"),
    ] {
        let told = plain(&answer).unwrap_err();
        assert!(told.contains(why), "{told} is not: {why}");
    }
}
