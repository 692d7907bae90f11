//! How long connections stay open: without a word, with half a head, between requests, and with an answer that
//! nobody reads.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::SendRequest;
use hyper::{Request, StatusCode};
use serde_json::json;
use testkit::{Answer, Gate, Script, Vendor, openai};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::house::{Gateway, House, soon};
use crate::http2;

/// For a part of a large answer only.
const WINDOW: u32 = 20_000;
const ALIVE: &[u8] = b"GET /livez HTTP/1.1\r\nhost: windlass\r\n\r\n";

async fn connect(gateway: &Gateway) -> TcpStream {
    TcpStream::connect(gateway.address).await.unwrap()
}

/// Asks, and is answered, on a connection that stays open.
async fn asks(stream: &mut TcpStream) {
    stream.write_all(ALIVE).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\nok\n") {
        assert!(soon("the answer", stream.read_buf(&mut seen)).await.unwrap() > 0, "{}", seen.escape_ascii());
    }
    assert!(seen.starts_with(b"HTTP/1.1 200"), "{}", seen.escape_ascii());
}

/// The connection is closed, and nothing more was said on it.
async fn is_closed(mut stream: TcpStream) {
    let mut seen = Vec::new();
    // A reset is an end, too, of which the peer has sent what was not read.
    let _ = soon("the end of the connection", stream.read_to_end(&mut seen)).await;
    assert!(seen.is_empty(), "{}", seen.escape_ascii());
}

type Body = Full<Bytes>;

async fn asks2(sender: &mut SendRequest<Body>) {
    let request = Request::get("http://windlass/livez").body(Body::default()).unwrap();
    let answer = soon("the answer", sender.send_request(request)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.into_body().collect().await.unwrap();
}

fn call(stream: bool) -> Request<Body> {
    let messages = json!([{ "role": "user", "content": "go on" }]);
    let body = json!({ "model": "vendor/m", "stream": stream, "messages": messages });
    let request = Request::post("http://windlass/v1/chat/completions");
    request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn who_says_nothing_or_half_a_head_is_not_waited_for() {
    let house = House::new("version: 1\nserver: { header_timeout: 150ms, idle_timeout: 20m }\n");
    let gateway = house.serve().await;
    let mut served = connect(&gateway).await;
    asks(&mut served).await;
    let (mut sender, served2) = http2::connect(&gateway, WINDOW).await;
    asks2(&mut sender).await;
    for said in ["", "PRI * HTT", "GET /livez HTTP/1.1\r\nhost:"] {
        let mut stream = connect(&gateway).await;
        stream.write_all(said.as_bytes()).await.unwrap();
        is_closed(stream).await;
    }
    // Greeted over HTTP/2, and nothing asked.
    let (_silent, ended) = http2::connect(&gateway, WINDOW).await;
    soon("the end of the connection", ended).await.unwrap().unwrap();
    // Between requests a connection has more time than that, but not when it has begun to ask.
    asks(&mut served).await;
    asks2(&mut sender).await;
    served.write_all(b"GET ").await.unwrap();
    is_closed(served).await;
    assert!(!served2.is_finished());
    gateway.stop().await;
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_after_a_while() {
    let gate = Gate::new();
    let vendor = Vendor::start(Answer::json(200, openai::chat("late", 5, 2)).behind(&gate)).await.unwrap();
    let house = House::before(&vendor, "server: { header_timeout: 20m, idle_timeout: 150ms }\n");
    let gateway = house.serve().await;
    // The first request has its own time.
    let mut silent = connect(&gateway).await;
    // A call is no silence, however long it takes.
    let (mut busy, busy_ended) = http2::connect(&gateway, WINDOW).await;
    let answer = tokio::spawn(busy.send_request(call(false)));
    soon("the request", vendor.request()).await;
    for _ in 0..3 {
        let mut stream = connect(&gateway).await;
        asks(&mut stream).await;
        is_closed(stream).await;
    }
    asks(&mut silent).await;
    assert!(!busy_ended.is_finished());
    gate.open();
    let answer = soon("the answer", answer).await.unwrap().unwrap();
    let text = soon("all of it", answer.into_body().collect()).await.unwrap().to_bytes();
    assert!(text.windows(4).any(|bytes| bytes == b"late"));
    soon("the end of the connection", busy_ended).await.unwrap().unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn who_grants_no_window_is_let_go_and_only_that_stream_ends() {
    let events = openai::chat_stream(300, 9);
    let (usual, _end) = events.split_at(events.len() - 3);
    let (first, more) = (usual[..1].to_vec(), usual[1..].concat());
    let long = "x".repeat(1 << 20);
    let vendor = Vendor::start(Script::by(move |request| match request.json()["stream"].as_bool() {
        Some(true) => Answer::events(first.clone()).endless(more.clone()),
        _ => Answer::json(200, openai::chat(&long, 5, 2)),
    }));
    let vendor = vendor.await.unwrap();
    let house = House::before(&vendor, "server: { body_timeout: 400ms }\n");
    let gateway = house.serve().await;
    let (mut sender, connection) = http2::connect(&gateway, WINDOW).await;
    let mut heads = Vec::new();
    for stream in [false, true] {
        let answer = soon("the head", sender.send_request(call(stream))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        heads.push(answer);
    }
    assert!(soon("the end of the provider's work", vendor.closed()).await.during_answer);
    for answer in heads {
        // What had its window is there; the rest never comes. (This library takes a cancelled stream for an end.)
        let mut body = answer.into_body();
        let mut size = 0;
        while let Some(Ok(frame)) = soon("the end of the stream", body.frame()).await {
            size += frame.data_ref().map_or(0, Bytes::len);
        }
        assert!(size > 0 && size < 50_000, "{size}");
    }
    asks2(&mut sender).await;
    assert!(!connection.is_finished());
    drop((sender, connection));
    gateway.stop().await;
    let mut outcomes: Vec<_> = house.ledger().await.iter().map(|row| row["outcome"].clone()).collect();
    outcomes.sort_by_key(ToString::to_string);
    assert_eq!(outcomes, ["complete", "hung_up"]);
}
