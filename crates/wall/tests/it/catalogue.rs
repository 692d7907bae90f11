//! Each fault of the wall as a client without any cleverness sees it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wall::{Fault, Wall, Way};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const OPENAI: &str = "/v1/chat/completions";
const ANTHROPIC: &str = "/v1/messages";

/// Longer than any answer that ends. A fault that does not end is known by its name, not by waiting.
const PATIENCE: Duration = Duration::from_secs(60);

fn request(path: &str, model: &str, way: Way) -> String {
    let body = serde_json::json!({
        "model": model, "stream": way == Way::Streamed, "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": "wall-case:mine, please" }],
    })
    .to_string();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn open(wall: &Wall, path: &str, model: &str, way: Way) -> TcpStream {
    let mut stream = TcpStream::connect(wall.address()).await.unwrap();
    stream.write_all(request(path, model, way).as_bytes()).await.unwrap();
    stream
}

/// Everything that comes until the answer or the connection ends.
async fn read(mut stream: TcpStream) -> Result<String, ErrorKind> {
    let mut all = Vec::new();
    let reading = async {
        loop {
            let mut buffer = [0; 4_096];
            let count = stream.read(&mut buffer).await.map_err(|error| error.kind())?;
            all.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&all);
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            let body = text.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
            let whole = length.is_some_and(|length| body >= length.parse::<usize>().unwrap());
            if count == 0 || whole || text.ends_with("\r\n0\r\n\r\n") {
                return Ok(text.into_owned());
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("an answer that ends")
}

#[tokio::test]
async fn a_well_provider_answers_in_both_dialects() {
    let wall = Wall::start(ANY).await.unwrap();
    for (path, mark) in [(OPENAI, "data: [DONE]\n\n"), (ANTHROPIC, "event: message_stop\n")] {
        let plain = read(open(&wall, path, "some/well", Way::Plain).await).await.unwrap();
        assert!(plain.starts_with("HTTP/1.1 200 ") && plain.contains("w0 w1 w2 w3 w4 w5 w6 w7 "), "{plain}");
        let stream = read(open(&wall, path, "well", Way::Streamed).await).await.unwrap();
        assert!(stream.contains("w7 ") && stream.contains(mark), "{stream}");
        assert!(stream.contains(r#""completion_tokens":8"#) || stream.contains(r#""output_tokens":8"#));
    }
    assert_eq!(wall.visits("mine").count, 4);
    assert_eq!(wall.visits("another").count, 0);
}

#[tokio::test]
async fn a_stream_that_breaks_has_no_end_mark_but_where_that_is_the_fault() {
    let wall = Wall::start(ANY).await.unwrap();
    for fault in [Fault::Cut, Fault::NoEnd, Fault::NoMark, Fault::ShortLength, Fault::Html, Fault::Empty] {
        for (path, mark) in [(OPENAI, "[DONE]"), (ANTHROPIC, "message_stop")] {
            let stream = read(open(&wall, path, fault.name(), Way::Streamed).await).await.unwrap();
            let body = match fault {
                // What is beyond the length that was said is nobody's.
                Fault::ShortLength => String::new(),
                _ => stream.clone(),
            };
            assert!(!body.contains(mark), "{fault}: {stream}");
            assert_eq!(
                stream.ends_with("\r\n0\r\n\r\n"),
                matches!(fault, Fault::NoEnd | Fault::NoMark),
                "{fault}"
            );
        }
    }
    for fault in [Fault::Malformed, Fault::ErrorMidway, Fault::ErrorFirst, Fault::Braces] {
        let stream = read(open(&wall, OPENAI, fault.name(), Way::Streamed).await).await.unwrap();
        assert!(stream.contains("[DONE]"), "{fault}: {stream}");
        let errors = matches!(fault, Fault::ErrorMidway | Fault::ErrorFirst);
        assert_eq!(stream.contains(r#""error""#), errors, "{fault}: {stream}");
    }
}

#[tokio::test]
async fn what_comes_depends_on_the_number_of_the_request_in_its_case() {
    let wall = Wall::start(ANY).await.unwrap();
    let mut said = Vec::new();
    for _ in 0..8 {
        let text = read(open(&wall, OPENAI, "flapping", Way::Plain).await).await.unwrap();
        said.push(text[9..12].parse::<u16>().unwrap());
    }
    assert_eq!(said, [500, 200, 200, 500, 500, 200, 500, 200]);

    let wall = Wall::start(ANY).await.unwrap();
    let first = read(open(&wall, "/throttled-once/v1/messages", "any", Way::Plain).await).await.unwrap();
    assert!(first.starts_with("HTTP/1.1 429 ") && first.contains("retry-after: 1\r\n"), "{first}");
    let next = read(open(&wall, "/throttled-once/v1/messages", "any", Way::Plain).await).await.unwrap();
    assert!(next.starts_with("HTTP/1.1 200 "), "{next}");
}

#[tokio::test]
async fn the_wall_sees_who_leaves_and_hangs_up_itself_when_it_is_dropped() {
    let wall = Wall::start(ANY).await.unwrap();
    let mut endless = open(&wall, OPENAI, "endless", Way::Streamed).await;
    endless.read_exact(&mut [0; 2_000]).await.unwrap();
    drop(endless);
    tokio::time::timeout(PATIENCE, wall.all_left("mine")).await.unwrap();

    let mut silent = open(&wall, OPENAI, "silence", Way::Plain).await;
    let reset = open(&wall, OPENAI, "reset", Way::Plain).await;
    assert_eq!(read(reset).await, Err(ErrorKind::ConnectionReset));
    drop(wall);
    let ended = silent.read(&mut [0; 16]).await;
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

#[tokio::test]
async fn what_it_does_not_know_it_says() {
    let wall = Wall::start(ANY).await.unwrap();
    let text = read(open(&wall, OPENAI, "gpt-4o", Way::Plain).await).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 404 ") && text.contains("throttled-once"), "{text}");
    let text = read(open(&wall, "/v1/embeddings", "well", Way::Plain).await).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 404 "), "{text}");
    let outside = SocketAddr::from(([0, 0, 0, 0], 0));
    assert_eq!(Wall::start(outside).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}
