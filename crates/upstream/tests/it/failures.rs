//! What a caller learns when a provider cannot be reached or breaks off: which fault, and how far it came.

use std::time::Duration;

use testkit::{Answer, Framing, Vendor};
use tokio::net::TcpSocket;
use types::{Code, Fault, Kind, Progress};
use upstream::{Outgoing, clock};

use crate::calls::{call, client, next, rest};

fn check(fault: &Fault, kind: Kind, code: Code, progress: Progress) {
    assert_eq!((fault.kind, fault.code, fault.progress), (kind, code, progress), "{fault}");
}

#[tokio::test]
async fn a_refused_port_is_unreachable_and_nothing_was_sent() {
    // Held and not listened on: a port that is let go again may be another test's by then.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let fault = client(&format!("http://{address}/v1")).send(call()).await.unwrap_err();
    check(&fault, Kind::NetworkTimeout, Code::Unreachable, Progress::NothingSent);
    assert!(fault.message.contains(&address.to_string()), "{fault}");
}

#[tokio::test]
async fn an_unknown_name_is_unreachable() {
    let fault = client("http://no-such-host.invalid/v1").send(call()).await.unwrap_err();
    check(&fault, Kind::NetworkTimeout, Code::Unreachable, Progress::NothingSent);
}

#[tokio::test]
async fn a_connection_has_a_deadline() {
    // A listener that accepts nobody, and whose queue is full: the kernel leaves further ones waiting.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let _queued = tokio::net::TcpStream::connect(address).await.unwrap();
    let http = client(&format!("http://{address}/v1"));
    let fault = http.send(Outgoing { connect_by: clock::now() + Duration::from_millis(50), ..call() }).await;
    let fault = fault.unwrap_err();
    check(&fault, Kind::NetworkTimeout, Code::Unreachable, Progress::NothingSent);
    assert!(fault.hint.as_deref().unwrap().contains("timeouts.connect"), "{fault}");
}

#[tokio::test]
async fn a_reset_or_close_before_the_head_may_have_been_executed() {
    for answer in [Answer::resets(), Answer::closed(), Answer::raw("HTTP/1.1 200 OK\r\ncontent-")] {
        let vendor = Vendor::start(answer).await.unwrap();
        let fault = client(&vendor.url("/v1")).send(call()).await.unwrap_err();
        check(&fault, Kind::NetworkTimeout, Code::Unreachable, Progress::PerhapsExecuted);
    }
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_bad_answer() {
    let vendor = Vendor::start(Answer::raw("SSH-2.0-OpenSSH_9.2\r\n\r\n")).await.unwrap();
    let fault = client(&vendor.url("/v1")).send(call()).await.unwrap_err();
    check(&fault, Kind::InvalidResponse, Code::BadAnswer, Progress::PerhapsExecuted);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken_for_whole() {
    let start = || Answer::new(200, Framing::Chunked).piece("data: 1\n\n");
    let short = Answer::new(200, Framing::Length(Some(100))).piece("data: 1\n\n");
    for answer in [start().cut(), start().reset(), short.clone().cut(), short.reset()] {
        let vendor = Vendor::start(answer).await.unwrap();
        let http = client(&vendor.url("/v1"));
        let mut exchange = http.send(call()).await.unwrap();
        let (text, end) = rest(&mut exchange.body).await;
        // A reset may overtake what was sent before it.
        assert!("data: 1\n\n".starts_with(&text), "{text:?}");
        check(&end.unwrap(), Kind::NetworkTimeout, Code::Unreachable, Progress::PerhapsExecuted);
        assert!(next(&mut exchange.body).await.is_none(), "a fault is the last thing");
        // The broken connection is not used again.
        drop(exchange);
        http.send(call()).await.unwrap();
        assert_eq!(vendor.connections(), 2);
    }
}

#[tokio::test]
async fn chunks_that_are_not_chunks_are_a_fault() {
    let raw = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n";
    let vendor = Vendor::start(Answer::raw(raw)).await.unwrap();
    let mut exchange = client(&vendor.url("/v1")).send(call()).await.unwrap();
    let (_, end) = rest(&mut exchange.body).await;
    assert_eq!(end.unwrap().progress, Progress::PerhapsExecuted);
}
