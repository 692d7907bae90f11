//! The scripted vendor does what its script says, and sees what its client does.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wall::{Answer, Framing, Gate, Script, Vendor, openai};

const REQUEST: &[u8] = b"POST /v1/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";

async fn ask(vendor: &Vendor) -> TcpStream {
    let mut stream = TcpStream::connect(vendor.address()).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    stream
}

async fn all(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn answers_come_in_order_and_requests_are_recorded() {
    let first = Answer::json(200, "{\"a\":1}").header("x-one", "1");
    let vendor = Vendor::start([first, Answer::new(429, Framing::Close).piece("late")]).await.unwrap();
    let mut stream = ask(&vendor).await;
    stream.write_all(REQUEST).await.unwrap();
    let text = all(stream).await;
    assert!(
        text.starts_with("HTTP/1.1 200 Scripted\r\ncontent-type: application/json\r\nx-one: 1\r\n"),
        "{text}"
    );
    assert!(text.contains("content-length: 7\r\n\r\n{\"a\":1}HTTP/1.1 429"), "{text}");
    assert!(text.ends_with("\r\n\r\nlate"), "{text}");
    let request = vendor.request().await;
    assert_eq!((request.method.as_str(), request.path.as_str(), request.connection), ("POST", "/v1/chat", 0));
    assert_eq!((request.header("host"), request.json()), (Some("x"), serde_json::json!({})));
    assert_eq!(vendor.connections(), 1);
}

#[tokio::test]
async fn a_gate_holds_the_rest_back() {
    let gates = [Gate::new(), Gate::new()];
    let events = Answer::events(["data: 1\n\n".to_owned(), "data: 2\n\n".to_owned()]).gates(&gates).cut();
    let vendor = Vendor::start(events).await.unwrap();
    let mut stream = ask(&vendor).await;
    gates[0].open();
    gates[1].reached().await;
    let mut seen = String::new();
    while !seen.contains("data: 1") {
        let mut buffer = [0; 256];
        let count = stream.read(&mut buffer).await.unwrap();
        seen.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    assert!(!seen.contains("data: 2"), "{seen}");
    gates[1].open();
    let rest = all(stream).await;
    assert!(rest.ends_with("9\r\ndata: 2\n\n\r\n"), "no end of the chunks: {rest}");
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let script =
        Script::by(
            |request| {
                if request.path == "/v1/chat" { Answer::silent() } else { Answer::json(404, "{}") }
            },
        );
    let vendor = Vendor::start(script).await.unwrap();
    let stream = ask(&vendor).await;
    vendor.request().await;
    drop(stream);
    let closed = vendor.closed().await;
    assert!(closed.during_answer);
}

#[tokio::test]
async fn an_endless_answer_ends_with_its_client() {
    let vendor = Vendor::start(Answer::new(200, Framing::Chunked).endless("data: x\n\n")).await.unwrap();
    let stream = ask(&vendor).await;
    stream.readable().await.unwrap();
    drop(stream);
    assert!(vendor.closed().await.during_answer);
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let vendor = Vendor::start(Answer::resets()).await.unwrap();
    let mut stream = ask(&vendor).await;
    let error = stream.read(&mut [0; 16]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn ready_made_streams_end_as_they_should() {
    let events = openai::chat_stream(3, 5);
    assert_eq!(events.len(), 7);
    assert!(events[5].contains("\"total_tokens\":8"), "{}", events[5]);
    let events = wall::anthropic::message_stream(2, 5);
    assert!(events.last().unwrap().starts_with("event: message_stop\n"));
}
