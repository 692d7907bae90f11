//! Every fault and limit of simulated providers, when they are told to have them. Time is paused.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout};
use types::{Fault, Kind, Progress};
use upstream::Exchange;
use upstream::simulated::{FaultKind, FaultRule, Model, When};

use crate::calls::{chat, rest, text};
use crate::simulated::{ask, hello, provider, streamed};

fn model(kind: FaultKind, when: When) -> Model {
    Model { faults: vec![FaultRule { kind, when }], ..Model::new("m") }
}

async fn send(model: Model, body: &Value) -> Result<Exchange, Fault> {
    provider(model).send(chat("m", body.to_string())).await
}

#[tokio::test(start_paused = true)]
async fn statuses_come_with_openais_errors() {
    let kind = FaultKind::Status { status: 429, retry_after: Some(Duration::from_millis(2500)) };
    let mut exchange = send(model(kind, When::Always), &streamed()).await.unwrap();
    assert_eq!((exchange.status.as_u16(), &exchange.headers["retry-after"]), (429, &"3".parse().unwrap()));
    assert!(text(&mut exchange).await.contains("\"rate_limit_exceeded\""));
    let kind = FaultKind::Status { status: 500, retry_after: None };
    let mut exchange = send(model(kind, When::Always), &hello()).await.unwrap();
    assert_eq!((exchange.status.as_u16(), exchange.headers.get("retry-after")), (500, None));
    assert!(text(&mut exchange).await.contains("\"server_error\""));
}

#[tokio::test(start_paused = true)]
async fn refusing_and_resetting_are_faults_of_the_network() {
    for (kind, progress) in
        [(FaultKind::Refuse, Progress::NothingSent), (FaultKind::Reset, Progress::PerhapsExecuted)]
    {
        let fault = send(model(kind, When::Always), &hello()).await.unwrap_err();
        assert_eq!((fault.kind, fault.progress), (Kind::NetworkTimeout, progress));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_answer_never_ends() {
    let hour = Duration::from_secs(3600);
    for (after_tokens, body) in [(0, streamed()), (0, hello()), (3, hello())] {
        let kind = FaultKind::Stall { after_tokens };
        timeout(hour, send(model(kind, When::Always), &body)).await.unwrap_err();
    }
    let kind = FaultKind::Stall { after_tokens: 3 };
    let mut exchange = send(model(kind, When::Always), &streamed()).await.unwrap();
    let first = crate::calls::next(&mut exchange.body).await.unwrap().unwrap();
    assert_eq!(crate::simulated::events(std::str::from_utf8(&first).unwrap()).len(), 1 + 3);
    timeout(hour, crate::calls::next(&mut exchange.body)).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_cut_answer_ends_with_a_fault() {
    for after_tokens in [0, 5, 16, 1000] {
        for speed in [None, Some(50.0)] {
            let kind = FaultKind::Cut { after_tokens };
            let model = Model { tokens_per_second: speed, ..model(kind, When::Always) };
            let mut exchange = send(model, &streamed()).await.unwrap();
            let (text, end) = rest(&mut exchange.body).await;
            let tokens = usize::try_from(after_tokens.min(16)).unwrap();
            assert_eq!(crate::simulated::events(&text).len(), 1 + tokens, "{text}");
            assert!(!text.contains("\"stop\"") && !text.contains("[DONE]"));
            assert_eq!(end.unwrap().progress, Progress::PerhapsExecuted);
        }
    }
    let kind = FaultKind::Cut { after_tokens: 5 };
    let (text, end) = rest(&mut send(model(kind, When::Always), &hello()).await.unwrap().body).await;
    assert!(!text.is_empty() && serde_json::from_str::<Value>(&text).is_err());
    assert!(end.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_takes_so_many_times_as_long() {
    let slow = Model {
        first_token: Duration::from_secs(1),
        ..model(FaultKind::Slow { factor: 3.0 }, When::First(1))
    };
    let provider = provider(slow);
    for seconds in [3, 1] {
        let began = Instant::now();
        ask(&provider, &hello()).await;
        assert_eq!(began.elapsed().as_millis(), seconds * 1000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_answer_is_no_json() {
    let mut exchange = send(model(FaultKind::Malformed, When::Always), &hello()).await.unwrap();
    assert_eq!(exchange.status, 200);
    serde_json::from_str::<Value>(&text(&mut exchange).await).unwrap_err();
    let mut exchange = send(model(FaultKind::Malformed, When::Always), &streamed()).await.unwrap();
    let event = text(&mut exchange).await;
    serde_json::from_str::<Value>(event.strip_prefix("data: ").unwrap().trim()).unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn faults_come_when_they_should() {
    for (when, expect) in [
        (When::Every(3), "..x..x..x."),
        (When::After(7), ".......xxx"),
        (When::First(2), "xx........"),
        (When::Always, "xxxxxxxxxx"),
        (When::Probability(0.0), ".........."),
        (When::Probability(1.0), "xxxxxxxxxx"),
    ] {
        let provider = provider(model(FaultKind::Refuse, when));
        let mut seen = String::new();
        for _ in 0..10 {
            let result = provider.send(chat("m", hello().to_string())).await;
            seen.push(if result.is_err() { 'x' } else { '.' });
        }
        assert_eq!(seen, expect, "{when:?}");
    }
    let provider = provider(model(FaultKind::Refuse, When::Probability(0.3)));
    let mut hits = 0;
    for _ in 0..1000 {
        hits += u32::from(provider.send(chat("m", hello().to_string())).await.is_err());
    }
    assert!((250..350).contains(&hits), "{hits}");
}

#[tokio::test(start_paused = true)]
async fn the_first_fault_that_applies_holds() {
    let mut model = model(FaultKind::Refuse, When::Every(2));
    model
        .faults
        .push(FaultRule { kind: FaultKind::Status { status: 503, retry_after: None }, when: When::Always });
    let provider = provider(model);
    assert_eq!(ask(&provider, &hello()).await.status, 503);
    assert!(provider.send(chat("m", hello().to_string())).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn requests_a_minute_are_limited() {
    let provider = provider(Model { requests_per_minute: Some(2), ..Model::new("m") });
    let first = ask(&provider, &hello()).await;
    assert_eq!(first.headers["x-ratelimit-remaining-requests"], "1");
    tokio::time::advance(Duration::from_millis(9_500)).await;
    assert_eq!(ask(&provider, &hello()).await.status, 200);
    let mut refused = ask(&provider, &hello()).await;
    assert_eq!((refused.status.as_u16(), &refused.headers["retry-after"]), (429, &"51".parse().unwrap()));
    assert!(text(&mut refused).await.contains("rate_limit_exceeded"));
    tokio::time::advance(Duration::from_secs(51)).await;
    assert_eq!(ask(&provider, &hello()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn tokens_a_minute_are_limited() {
    // One call reads 3 tokens and writes 16.
    let provider = provider(Model { tokens_per_minute: Some(40), ..Model::new("m") });
    let statuses = [200, 200, 429];
    for status in statuses {
        assert_eq!(ask(&provider, &hello()).await.status, status);
    }
}
