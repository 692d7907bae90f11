//! Callers and providers that have reason to complain, and those that have none.

use serde_json::json;
use tokio::time::Instant;

use super::super::call::End;
use super::*;

fn case(fault: Fault) -> Case {
    Case::all().find(|case| case.fault == fault && case.way == Way::Plain).unwrap()
}

fn seen(status: u16, body: &serde_json::Value) -> Seen {
    Seen {
        status: Some(status),
        content_type: "application/json".to_owned(),
        body: body.to_string().into_bytes(),
        end: End::Whole,
        took: Duration::from_millis(5),
    }
}

fn answer(text: &str, tokens: u64) -> Seen {
    let usage = json!({ "prompt_tokens": wall::PROMPT_TOKENS, "completion_tokens": tokens });
    let choice = json!({ "message": { "content": text }, "finish_reason": "stop" });
    seen(200, &json!({ "choices": [choice], "usage": usage }))
}

fn error(status: u16) -> Seen {
    seen(status, &json!({ "error": { "message": "no", "type": "server_error" } }))
}

/// Requests so many milliseconds after the first.
fn visits(millis: &[u64]) -> Visits {
    let start = Instant::now();
    let mut visits = Visits::default();
    visits.count = millis.len();
    visits.at = millis.iter().map(|after| start + Duration::from_millis(*after)).collect();
    visits
}

#[test]
fn each_case_has_what_it_owes_to_both() {
    let whole = answer(&wall::text(), wall::TOKENS);
    for (fault, seen, requests, complaint) in [
        (Fault::Well, whole.clone(), [0].as_slice(), None),
        (Fault::Well, error(503), &[0], Some("nothing stood in the way")),
        (Fault::Well, answer(&wall::text(), 16), &[0], Some("the usage is 7 + 16, not 7 + 8")),
        (Fault::Well, whole.clone(), &[0, 1], Some("asked 2 times; 1 would do")),
        (Fault::Cut, error(502), &[0, 100, 300], None),
        (Fault::Cut, error(502), &[0, 1, 2, 3], Some("asked 4 times; 3 would do")),
        (Fault::Cut, answer("w0 w1 ", 2), &[0], Some("not the provider's")),
        (Fault::Cut, error(404), &[0], Some("status is 404, not 5xx")),
        (Fault::Braces, whole.clone(), &[0], Some("presented as whole that is not")),
        (Fault::Silence, error(408), &[0], None),
        (Fault::ThrottledLong, error(429), &[0], None),
        (Fault::ThrottledLong, error(503), &[0], Some("not 429")),
        (Fault::ThrottledOnce, whole.clone(), &[0, 1_001], None),
        (Fault::ThrottledOnce, whole, &[0, 300], Some("told to wait 1 s, it asked again after 300 ms")),
        (Fault::ThrottledOnce, error(429), &[0], None),
    ] {
        let verdict = judge(&case(fault), &[seen], &visits(requests));
        match complaint {
            None => assert!(verdict.passed(), "{verdict:?}"),
            Some(what) => {
                assert_eq!(verdict.complaints.len(), 1, "{verdict:?}");
                assert!(verdict.complaints[0].contains(what), "{what}: {verdict:?}");
            }
        }
    }
}
