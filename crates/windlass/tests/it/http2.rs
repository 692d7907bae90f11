//! Callers that speak HTTP/2 from the first byte, without TLS ("prior knowledge"): the same answers, many at
//! once over one connection, and each ends by itself.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use testkit::{Answer, Gate, Vendor, openai};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::house::{Gateway, House, soon};

const CHAT: &str = "/v1/chat/completions";

/// A connection of which each stream has so much window, and more for who reads; and its end.
pub(crate) async fn connect(
    gateway: &Gateway,
    window: u32,
) -> (SendRequest<Full<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window).initial_connection_window_size(1 << 20);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

/// One connection.
struct Caller(SendRequest<Full<Bytes>>);

impl Caller {
    async fn of(gateway: &Gateway) -> Self {
        Self(connect(gateway, 1 << 20).await.0)
    }

    async fn open(&self, body: &Value, padding: usize) -> Response<hyper::body::Incoming> {
        let request = Request::builder().method(Method::POST).uri(format!("http://windlass{CHAT}"));
        let request =
            request.header("content-type", "application/json").header("x-padding", "x".repeat(padding));
        let request = request.body(Full::new(Bytes::from(body.to_string()))).unwrap();
        soon("the head of an answer", self.0.clone().send_request(request)).await.unwrap()
    }
}

async fn whole(response: Response<hyper::body::Incoming>) -> String {
    let body = soon("an answer", response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn call(stream: bool, number: usize) -> Value {
    let content = format!("call {number}");
    json!({ "model": "vendor/m", "stream": stream, "messages": [{ "role": "user", "content": content }] })
}

fn house(vendor: &Vendor) -> House {
    House::before(vendor, "server: { max_header: 16KB }\n")
}

#[tokio::test]
async fn many_calls_share_a_connection() {
    let vendor = Vendor::start(testkit::Script::by(|request| {
        let number = request.json()["messages"][0]["content"].as_str().unwrap().to_owned();
        Answer::json(200, openai::chat(&number, 5, 2))
    }));
    let vendor = vendor.await.unwrap();
    let house = house(&vendor);
    let gateway = house.serve().await;
    let caller = Caller::of(&gateway).await;
    let asks = (0..20).map(|number| {
        let caller = &caller;
        async move {
            let response = caller.open(&call(false, number), 0).await;
            assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
            assert!(response.headers()["x-windlass-call"].to_str().unwrap().starts_with("call_"));
            let answer: Value = serde_json::from_str(&whole(response).await).unwrap();
            assert_eq!(answer["choices"][0]["message"]["content"], format!("call {number}"));
        }
    });
    futures_util::future::join_all(asks).await;
    gateway.stop().await;
    assert_eq!(house.ledger().await.len(), 20);
}

#[tokio::test]
async fn a_stream_that_its_caller_resets_ends_alone() {
    let gate = Gate::new();
    let events = openai::chat_stream(5, 9);
    let (begin, end) = events.split_at(3);
    let answer = Answer::events(begin.to_vec()).gate(&gate);
    let vendor = Vendor::start(end.iter().cloned().fold(answer, Answer::piece)).await.unwrap();
    let house = house(&vendor);
    let gateway = house.serve().await;
    let caller = Caller::of(&gateway).await;
    let (mut dropped, kept) = tokio::join!(async { caller.open(&call(true, 1), 0).await }, async {
        caller.open(&call(true, 2), 0).await
    });
    let id = dropped.headers()["x-windlass-call"].to_str().unwrap().to_owned();
    soon("its first piece", dropped.frame()).await.unwrap().unwrap();
    drop(dropped);
    let closed = soon("the end of the provider's work", vendor.closed()).await;
    assert!(closed.during_answer);
    let row = gateway.rows(&id, 1).await.remove(0);
    assert_eq!((&row["outcome"], &row["usage_source"]), (&json!("hung_up"), &json!("estimated")), "{row:#}");
    gate.open();
    let text = whole(kept).await;
    assert!(text.contains("w4") && text.contains("[DONE]"), "{text}");
    gateway.stop().await;
    assert_eq!(house.ledger().await.len(), 2);
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused_and_the_connection_goes_on() {
    let vendor = Vendor::start(Answer::json(200, openai::chat("here", 5, 2))).await.unwrap();
    let house = house(&vendor);
    let gateway = house.serve().await;
    let caller = Caller::of(&gateway).await;
    let response = caller.open(&call(false, 0), 20_000).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let told: Value = serde_json::from_str(&whole(response).await).unwrap();
    assert_eq!(told["error"]["code"], "WL1008", "{told:#}");
    // Beyond what is read at all the library answers, without a reason.
    let response = caller.open(&call(false, 0), 40_000).await;
    assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(caller.open(&call(false, 0), 0).await.status(), StatusCode::OK);
    gateway.stop().await;
}

#[tokio::test]
async fn calls_that_do_not_finish_in_time_are_told_so() {
    let vendor = Vendor::start(testkit::Script::by(|request| match request.json()["stream"] {
        Value::Bool(true) => Answer::events(openai::chat_stream(5, 3).into_iter().take(2)).stalls(),
        _ => Answer::silent(),
    }));
    let vendor = vendor.await.unwrap();
    let house = House::before(&vendor, "server: { drain: 200ms }\n");
    let gateway = house.serve().await;
    let caller = Caller::of(&gateway).await;
    let stream = caller.open(&call(true, 1), 0).await;
    let body = call(false, 2);
    let mut plain = Box::pin(caller.open(&body, 0));
    tokio::select! {
        _ = &mut plain => panic!("there is nothing to answer with"),
        () = async { for _ in 0..2 { soon("a request", vendor.request()).await; } } => {}
    }
    gateway.tell_to_stop().await;
    let plain = plain.await;
    assert_eq!(plain.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(whole(plain).await.contains("WL3004"));
    let text = whole(stream).await;
    assert!(text.contains("WL3004") && !text.contains("[DONE]"), "{text}");
    assert!(gateway.ended().await.success());
    assert_eq!(house.ledger().await.len(), 2);
}
