//! Faults to each dialect's errors, and providers' errors to faults.

use std::fmt::Write as _;
use std::time::Duration;

use types::{Blame, CallId, Code, Dialect, Fault, Kind, Retry, Timestamp};
use wire::{decode_error, encode_error, error_event};

const KINDS: [Kind; 12] = [
    Kind::NetworkTimeout,
    Kind::RateLimit,
    Kind::InvalidResponse,
    Kind::DependencyFailure,
    Kind::ResourceExhausted,
    Kind::Parsing,
    Kind::Validation,
    Kind::Authentication,
    Kind::Permanent,
    Kind::Throttling,
    Kind::Budget,
    Kind::Cancelled,
];

fn call() -> CallId {
    CallId::new(Timestamp::from_micros(1_700_000_000_000_000), [7; 10])
}

fn table(faults: impl Iterator<Item = (String, Fault)>) -> String {
    let mut table = String::new();
    for (name, fault) in faults {
        for dialect in [Dialect::OpenaiChat, Dialect::AnthropicMessages] {
            let (status, body) = encode_error(dialect, &fault, None);
            let body = String::from_utf8(body.to_vec()).unwrap();
            writeln!(table, "{name:<18} {dialect:<18} {status} {body}").unwrap();
        }
    }
    table
}

#[test]
fn every_kind_in_every_dialect() {
    let faults =
        KINDS.iter().map(|kind| (kind.as_str().to_owned(), Fault::new(*kind, Code::ProviderError, "m")));
    insta::assert_snapshot!(table(faults));
}

#[test]
fn every_code_in_every_dialect() {
    let faults = Code::ALL.iter().map(|code| (format!("{code:?}"), Fault::new(Kind::Permanent, *code, "m")));
    insta::assert_snapshot!(table(faults));
}

#[test]
fn a_whole_error() {
    let fault = Fault::invalid(Code::Unsupported, "logprobs", "this provider has no logprobs")
        .with_hint("leave it out")
        .with_provider("claude")
        .with_status(400)
        .with_provider_reason("invalid_request_error")
        .with_request_id("req_1");
    let mut shown = String::new();
    for dialect in [Dialect::OpenaiChat, Dialect::AnthropicMessages] {
        let (status, body) = encode_error(dialect, &fault, Some(call()));
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        writeln!(shown, "{status} {body:#}").unwrap();
        shown.push_str(std::str::from_utf8(&error_event(dialect, &fault, Some(call()))).unwrap());
    }
    insta::assert_snapshot!(shown);
}

struct Refusal {
    status: u16,
    body: &'static str,
}

fn decoded(dialect: Dialect, refusal: &Refusal) -> Fault {
    let headers = |name: &'static str| (name == "x-request-id").then_some("req_7");
    decode_error(dialect, refusal.status, &headers, refusal.body.as_bytes(), Timestamp::default())
}

#[test]
fn what_providers_refuse_with() {
    let openai = [
        (
            400,
            r#"{"error":{"message":"bad temp","type":"invalid_request_error","param":"temperature","code":null}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400}}"#,
        ),
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-ab****yz","type":"invalid_request_error","code":"invalid_api_key"}}"#,
        ),
        (403, "<html>Forbidden</html>"),
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","code":"model_not_found"}}"#,
        ),
        (408, ""),
        (409, ""),
        (413, ""),
        (418, "short and stout"),
        (422, r#"{"detail":"n too large"}"#),
        (429, r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}"#),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        ),
        (500, r#"{"error":"something broke"}"#),
        (502, "<html>Bad Gateway</html>"),
        (503, r#"{"error":{"message":"Engine overloaded","type":"server_error","code":null}}"#),
        (504, ""),
    ];
    let anthropic = [
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"},"request_id":"req_9"}"#,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API"}}"#,
        ),
        (402, r#"{"type":"error","error":{"type":"billing_error","message":"pay"}}"#),
        (403, r#"{"type":"error","error":{"type":"permission_error","message":"no"}}"#),
        (404, r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#),
        (413, r#"{"type":"error","error":{"type":"request_too_large","message":"too large"}}"#),
        (429, r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#),
        (500, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#),
        (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#),
    ];
    let mut shown = String::new();
    for (dialect, refusals) in
        [(Dialect::OpenaiChat, &openai[..]), (Dialect::AnthropicMessages, &anthropic[..])]
    {
        for (status, body) in refusals {
            let fault = decoded(dialect, &Refusal { status: *status, body });
            writeln!(
                shown,
                "{dialect} {status} {} {:?} {:?} {:?} {:?} {:?} {}",
                fault.kind.as_str(),
                fault.code,
                fault.blame,
                fault.retry,
                fault.provider_reason,
                fault.param,
                fault.message
            )
            .unwrap();
            assert_eq!((fault.status, fault.request_id.as_deref()), (Some(*status), Some("req_7")));
        }
    }
    assert!(!shown.contains("sk-ab"), "a provider's message about our key stays here");
    insta::assert_snapshot!(shown);
}

#[test]
fn waiting_is_only_told_where_it_can_help() {
    let headers = |name: &'static str| (name == "retry-after").then_some("3");
    let fault = decode_error(Dialect::OpenaiChat, 429, &headers, b"", Timestamp::default());
    assert_eq!(fault.retry, Retry::After(Duration::from_secs(3)));
    let fault = decode_error(Dialect::OpenaiChat, 401, &headers, b"", Timestamp::default());
    assert_eq!((fault.retry, fault.blame), (Retry::Never, Blame::Operator));
}

#[test]
fn long_messages_are_clipped() {
    let body = format!(r#"{{"error":{{"message":"{}"}}}}"#, "é".repeat(50_000));
    let fault = decode_error(Dialect::OpenaiChat, 500, &|_| None, body.as_bytes(), Timestamp::default());
    assert!(fault.message.len() < 3_000);
}
