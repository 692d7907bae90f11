//! Connections over HTTP/1.1: kept, shared one after the other, limited, replaced and given up.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use testkit::{Answer, Framing, Gate, Vendor, openai};
use tokio_util::task::TaskTracker;
use types::{Code, Dialect, Kind};
use upstream::{Endpoints, Http, Outgoing, clock};

use crate::calls::{call, chat, client, next, settings, text};

#[tokio::test]
async fn a_request_carries_what_it_should() {
    let vendor = Vendor::start(Answer::json(200, "{}")).await.unwrap();
    let mut settings = settings(&vendor.url("/v1"));
    let mut key = HeaderValue::from_static("Bearer k");
    key.set_sensitive(true);
    settings.headers.push((http::header::AUTHORIZATION, key));
    let http = Http::new(settings, TaskTracker::new()).unwrap();
    let outgoing = Outgoing {
        traceparent: Some(HeaderValue::from_static(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )),
        passed: vec![(HeaderName::from_static("openai-organization"), HeaderValue::from_static("org"))],
        ..chat("m", "{\"stream\":true}")
    };
    let mut exchange = http.send(outgoing).await.unwrap();
    assert_eq!(exchange.status, 200);
    assert_eq!(exchange.headers["content-type"], "application/json");
    assert_eq!(text(&mut exchange).await, "{}");
    let request = vendor.request().await;
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(&request.body[..], b"{\"stream\":true}");
    for (name, value) in [
        ("host", vendor.address().to_string()),
        ("authorization", "Bearer k".to_owned()),
        ("accept", "text/event-stream".to_owned()),
        ("accept-encoding", "identity".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("content-length", "15".to_owned()),
        ("openai-organization", "org".to_owned()),
    ] {
        assert_eq!(request.header(name), Some(value.as_str()), "{name}");
    }
    assert!(request.header("traceparent").unwrap().starts_with("00-0af7"));
}

#[tokio::test]
async fn each_dialect_has_its_path() {
    let vendor = Vendor::start(Answer::json(200, "{}")).await.unwrap();
    for (base, dialect, path) in [
        ("/v1", Dialect::OpenaiChat, "/v1/chat/completions"),
        ("/v1", Dialect::OpenaiEmbeddings, "/v1/embeddings"),
        ("", Dialect::AnthropicMessages, "/v1/messages"),
    ] {
        let mut settings = settings(&vendor.url(base));
        if dialect == Dialect::AnthropicMessages {
            settings.endpoints = Endpoints::Anthropic;
        }
        let http = Http::new(settings, TaskTracker::new()).unwrap();
        let mut exchange = http.send(Outgoing { dialect, ..call() }).await.unwrap();
        text(&mut exchange).await;
        assert_eq!(vendor.request().await.path, path);
    }
}

#[tokio::test]
async fn a_connection_serves_call_after_call() {
    let vendor = Vendor::start(Answer::json(200, "{}")).await.unwrap();
    let http = client(&vendor.url("/v1"));
    for round in 0..5 {
        let mut exchange = http.send(call()).await.unwrap();
        text(&mut exchange).await;
        assert!(exchange.timing.first_byte.is_some());
        assert_eq!(exchange.timing.connect.is_some(), round == 0, "only the first call connects");
        assert_eq!((exchange.timing.dns, exchange.timing.tls), (None, None));
    }
    assert_eq!(vendor.connections(), 1);
}

#[tokio::test]
async fn a_name_is_looked_up_once() {
    let vendor = Vendor::start(Answer::new(200, Framing::Close).piece("x")).await.unwrap();
    let http = client(&format!("http://localhost:{}/v1", vendor.address().port()));
    let mut first = http.send(call()).await.unwrap();
    text(&mut first).await;
    let mut second = http.send(call()).await.unwrap();
    text(&mut second).await;
    assert!(first.timing.dns.is_some());
    assert!(second.timing.dns.is_none() && second.timing.connect.is_some(), "{:?}", second.timing);
}

#[tokio::test]
async fn calls_at_once_have_connections_of_their_own_and_no_more_than_allowed() {
    let gate = Gate::new();
    let vendor = Vendor::start(Answer::new(200, Framing::Chunked).gate(&gate).piece("x")).await.unwrap();
    let mut settings = settings(&vendor.url("/v1"));
    settings.max_connections = 2;
    let http = Http::new(settings, TaskTracker::new()).unwrap();
    let mut first = http.send(call()).await.unwrap();
    let mut second = http.send(call()).await.unwrap();
    let refused = http.send(Outgoing { connect_by: clock::now() + Duration::from_millis(5), ..call() }).await;
    let fault = refused.unwrap_err();
    assert_eq!((fault.kind, fault.code), (Kind::ResourceExhausted, Code::Overloaded));
    // One that waits gets its turn when another is done.
    gate.open();
    let third = async { text(&mut http.send(call()).await.unwrap()).await };
    let others = async {
        text(&mut first).await;
        text(&mut second).await;
        drop((first, second));
    };
    assert_eq!(tokio::join!(third, others).0, "x");
    assert_eq!(vendor.connections(), 2);
}

#[tokio::test]
async fn surplus_connections_are_not_kept() {
    let gate = Gate::new();
    let vendor = Vendor::start(Answer::new(200, Framing::Chunked).gate(&gate).piece("x")).await.unwrap();
    let mut settings = settings(&vendor.url("/v1"));
    settings.max_idle = 1;
    let http = Http::new(settings, TaskTracker::new()).unwrap();
    let mut first = http.send(call()).await.unwrap();
    let mut second = http.send(call()).await.unwrap();
    gate.open();
    text(&mut first).await;
    text(&mut second).await;
    assert!(!vendor.closed().await.during_answer);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced_unseen() {
    // The head promises to keep the connection, and then it is closed.
    let vendor = Vendor::start(Answer::json(200, "{}").cut()).await.unwrap();
    let http = client(&vendor.url("/v1"));
    for _ in 0..3 {
        let mut exchange = http.send(call()).await.unwrap();
        text(&mut exchange).await;
        drop(exchange);
        // The vendor's side is gone once its socket can be seen closed from here.
        vendor.request().await;
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(vendor.connections(), 3);
}

#[tokio::test]
async fn idle_connections_are_closed_after_a_while() {
    let vendor = Vendor::start(Answer::json(200, "{}")).await.unwrap();
    let mut settings = settings(&vendor.url("/v1"));
    settings.idle_timeout = Duration::ZERO;
    let http = Http::new(settings, TaskTracker::new()).unwrap();
    text(&mut http.send(call()).await.unwrap()).await;
    http.sweep();
    let closed = vendor.closed().await;
    assert!(!closed.during_answer);
}

#[tokio::test]
async fn dropping_an_answer_closes_its_connection_at_once() {
    let answer = Answer::new(200, Framing::Chunked).piece("data: 1\n\n").stalls();
    let vendor = Vendor::start(answer).await.unwrap();
    let http = client(&vendor.url("/v1"));
    // The quickest of a few: a machine that does much else may hold any one of them up.
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let mut exchange = http.send(call()).await.unwrap();
        assert_eq!(next(&mut exchange.body).await.unwrap().unwrap(), "data: 1\n\n");
        let dropped = tokio::time::Instant::now();
        drop(exchange);
        let closed = vendor.closed().await;
        assert!(closed.during_answer);
        quickest = quickest.min(closed.at - dropped);
    }
    assert!(quickest < Duration::from_millis(100), "{quickest:?}");
}

#[tokio::test]
async fn dropping_a_call_before_its_answer_closes_its_connection() {
    let vendor = Vendor::start(Answer::silent()).await.unwrap();
    let http = client(&vendor.url("/v1"));
    tokio::select! {
        _ = http.send(call()) => panic!("there is no answer"),
        _ = vendor.request() => {}
    }
    assert!(vendor.closed().await.during_answer);
}

#[tokio::test]
async fn bodies_end_as_their_framing_says() {
    let events = openai::chat_stream(5, 7);
    let body = events.concat();
    for (framing, kept) in [(Framing::Length(None), true), (Framing::Chunked, true), (Framing::Close, false)]
    {
        for bytewise in [false, true] {
            let answer = events.iter().cloned().fold(Answer::new(200, framing), Answer::piece);
            let answer = if bytewise { answer.bytewise() } else { answer };
            let vendor = Vendor::start(answer).await.unwrap();
            let http = client(&vendor.url("/v1"));
            for _ in 0..2 {
                assert_eq!(text(&mut http.send(call()).await.unwrap()).await, body, "{framing:?}");
            }
            assert_eq!(vendor.connections(), if kept { 1 } else { 2 }, "{framing:?}");
        }
    }
}

/// A server that answers before it reads: its head at once, the rest once all of the request is there.
#[tokio::test]
async fn who_answers_before_reading_is_sent_the_rest_of_the_request() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let size = 16 << 20;
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.unwrap();
        let (mut read, mut buffer) = (0, vec![0; 1 << 20]);
        while read < size {
            read += socket.read(&mut buffer).await.unwrap();
        }
        socket.write_all(b"{}").await.unwrap();
    });
    let mut large = call();
    large.body = bytes::Bytes::from(vec![b' '; size]).into();
    let mut exchange = client(&url).send(large).await.unwrap();
    assert_eq!(text(&mut exchange).await, "{}");
    server.await.unwrap();
}

#[tokio::test]
async fn an_event_is_handed_on_when_it_comes() {
    let gates: Vec<Gate> = (0..3).map(|_| Gate::new()).collect();
    let events = ["a", "b", "c"].map(|name| format!("data: {name}\n\n"));
    let vendor = Vendor::start(Answer::events(events.clone()).gates(&gates)).await.unwrap();
    let mut exchange = client(&vendor.url("/v1")).send(call()).await.unwrap();
    for (gate, event) in gates.iter().zip(events) {
        gate.open();
        assert_eq!(next(&mut exchange.body).await.unwrap().unwrap(), event);
    }
    assert!(next(&mut exchange.body).await.is_none());
}
