//! Requests that make no sense, too much sense or come from the wrong people: each is told so with its code
//! and the status of the caller's dialect, and costs nobody anything.

use std::io::ErrorKind;

use serde_json::{Value, json};
use testkit::{Answer, Vendor};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Ask, Open, Reply};
use crate::house::{Gateway, House, soon};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const EMBEDDINGS: &str = "/v1/embeddings";
const KEY: &str = "a-key-that-is-known-here";

const STRICT: &str = "
version: 1
server: { max_body: 10KB, max_header: 16KB }
providers:
  demo: { kind: simulated, models: { talker: {}, secret: {} } }
keys:
  tests: { key: a-key-that-is-known-here, models: [demo/talker] }
  chief: { key: another-key-known-here, admin: true }
";

fn call(model: &str) -> Value {
    json!({ "model": model, "max_tokens": 5, "messages": [{ "role": "user", "content": "hello" }] })
}

/// An error must be in the shape of the path's dialect and have this status and code.
fn check(path: &str, reply: &Reply, status: u16, code: &str) -> Value {
    let told = reply.json();
    let about = format!("{path}: {told:#}");
    assert_eq!((reply.status, told["error"]["code"].as_str()), (status, Some(code)), "{about}");
    assert!(told["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{about}");
    assert!(told["error"]["type"].is_string(), "{about}");
    assert_eq!(told.get("type"), (path == MESSAGES).then_some(&json!("error")), "{about}");
    assert_eq!(reply.header("content-type"), Some("application/json"), "{about}");
    told["error"].clone()
}

async fn refused(gateway: &Gateway, path: &str, body: impl Into<Vec<u8>>, status: u16, code: &str) -> Value {
    let reply = gateway.ask(Ask::bytes(path, body).key(KEY)).await;
    check(path, &reply, status, code)
}

/// Bad requests are over before anything was tried, so they leave no row.
async fn nothing_was_tried(gateway: Gateway, house: &House) {
    gateway.stop().await;
    assert_eq!(house.ledger().await, Vec::<Value>::new());
}

#[tokio::test]
async fn bodies_that_make_no_sense() {
    let house = House::new(STRICT);
    let gateway = house.serve().await;
    for path in [CHAT, MESSAGES, EMBEDDINGS] {
        let long = format!("{{\"model\":\"demo/talker\",\"x\":\"{}\"}}", "x".repeat(10_000));
        let error = refused(&gateway, path, long, 413, "WL1003").await;
        assert!(error["message"].as_str().unwrap().contains("10000"), "{error:#}");
        for broken in ["", "{", "[]garbage", "{\"model\": \"demo/talker\",}", "\u{feff}{}", "hello"] {
            refused(&gateway, path, broken, 400, "WL1001").await;
        }
        let error = refused(&gateway, path, b"{\"model\":\"demo/\xff\xfe\"}".as_slice(), 400, "WL1002").await;
        assert!(!error["message"].as_str().unwrap().contains('\u{fffd}'), "{error:#}");
        for (wrong, param) in [("{}", "model"), ("{\"model\":7}", "model"), ("{\"model\":null}", "model")] {
            let error = refused(&gateway, path, wrong, 400, "WL1004").await;
            assert_eq!(error["param"], param, "{error:#}");
        }
        // As deep as it likes: depth is no way to our stack.
        refused(&gateway, path, "[".repeat(9_000), 400, "WL1001").await;
    }
    let wrong = "{\"model\":\"demo/talker\",\"max_tokens\":5,\"messages\":\"hello\"}";
    refused(&gateway, CHAT, wrong, 400, "WL1004").await;
    refused(&gateway, MESSAGES, wrong, 400, "WL1004").await;
    let missing = "{\"model\":\"demo/talker\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
    assert_eq!(refused(&gateway, MESSAGES, missing, 400, "WL1004").await["param"], "max_tokens");
    nothing_was_tried(gateway, &house).await;
}

#[tokio::test]
async fn a_body_that_hides_its_length_is_bounded_too() {
    let house = House::new(STRICT);
    let gateway = house.serve().await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: windlass\r\nauthorization: Bearer {KEY}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..11 {
        let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1_000));
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    let reply = soon("the refusal", async { Open::read(stream).await?.whole().await }).await.unwrap();
    check(CHAT, &reply, 413, "WL1003");
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_whose_chunks_are_none() {
    let house = House::new(STRICT);
    let gateway = house.serve().await;
    for body in ["zz\r\n", "fffffffffffffffff\r\n", "5\r\nhello, and more"] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let head = format!("POST {CHAT} HTTP/1.1\r\nhost: windlass\r\nauthorization: Bearer {KEY}\r\n");
        let bytes = format!("{head}transfer-encoding: chunked\r\n\r\n{body}");
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let reply = soon("the refusal", async { Open::read(stream).await?.whole().await }).await;
        let error = check(CHAT, &reply.unwrap(), 400, "WL1008");
        assert!(error["message"].as_str().unwrap().contains("chunks"), "{body:?}: {error:#}");
    }
    nothing_was_tried(gateway, &house).await;
}

#[tokio::test]
async fn names_that_mean_nothing() {
    let house = House::new(STRICT);
    let gateway = house.serve().await;
    for path in [CHAT, MESSAGES, EMBEDDINGS] {
        let mut body = call("demo/talkr");
        body["input"] = json!("hello");
        let error = refused(&gateway, path, body.to_string(), 404, "WL1005").await;
        assert!(error["hint"].as_str().unwrap().contains("did you mean `demo/talker`"), "{error:#}");
        assert_eq!(error["param"], "model");
        let reason = if path == MESSAGES { json!(null) } else { json!("model_not_found") };
        assert_eq!(error["reason"], reason);
        body["model"] = json!("x".repeat(5_000));
        let error = refused(&gateway, path, body.to_string(), 400, "WL1012").await;
        assert!(error["message"].as_str().unwrap().len() < 200, "{error:#}");
    }
    for ask in [
        Ask::get("/nowhere"),
        Ask::post("/v1/completions", &json!({})),
        Ask::get(CHAT),
        Ask::get("/v1/chat/completions/more"),
        Ask::get("//v1//models"),
    ] {
        check("", &gateway.ask(ask.key(KEY)).await, 404, "WL1007");
    }
    let reply = gateway.ask(Ask::get("/anthropic/v1/nothing").key(KEY)).await;
    check(MESSAGES, &reply, 404, "WL1007");
    let reply = gateway.ask(Ask::get("/v1/models/demo/nobody").key(KEY)).await;
    check("", &reply, 404, "WL1005");
    nothing_was_tried(gateway, &house).await;
}

#[tokio::test]
async fn people_who_may_not() {
    let house = House::new(STRICT);
    let gateway = house.serve().await;
    for path in [CHAT, MESSAGES, EMBEDDINGS] {
        for ask in [
            Ask::post(path, &call("demo/talker")),
            Ask::post(path, &call("demo/talker")).key("nobody-has-this-key"),
            Ask::post(path, &call("demo/talker")).header("x-api-key", "nobody-has-this-key"),
            Ask::post(path, &call("demo/talker")).header("authorization", "Basic Zm9vOmJhcg=="),
        ] {
            let reply = gateway.ask(ask).await;
            let error = check(path, &reply, 401, "WL2001");
            assert!(!error.to_string().contains("nobody-has-this-key"), "{error:#}");
        }
        let mut body = call("demo/secret");
        body["input"] = json!("hello");
        let error = refused(&gateway, path, body.to_string(), 403, "WL2002").await;
        assert_eq!(error["param"], "model");
    }
    // What others did is for administrators; what there is, for those who may use it.
    for path in ["/api/v1/calls", "/api/v1/runs"] {
        check("", &gateway.ask(Ask::get(path)).await, 401, "WL2001");
        check("", &gateway.ask(Ask::get(path).key(KEY)).await, 403, "WL2002");
        assert_eq!(gateway.ask(Ask::get(path).key("another-key-known-here")).await.status, 200);
    }
    let listed = gateway.ask(Ask::get("/v1/models").header("x-api-key", KEY)).await.json();
    let names: Vec<_> = listed["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(names, ["demo/talker"]);
    assert!(!gateway.log().contains("nobody-has-this-key") && !gateway.log().contains(KEY));
    nothing_was_tried(gateway, &house).await;
}

#[tokio::test]
async fn headers_that_are_absurd() {
    let house = House::new(STRICT);
    let gateway = house.serve().await;
    let ask = |path| Ask::post(path, &call("demo/talker")).key(KEY);
    for path in [CHAT, MESSAGES] {
        let reply = gateway.ask(ask(path).header("x-long", "x".repeat(20_000))).await;
        check(path, &reply, 400, "WL1008");
        let reply = gateway.ask(ask(path).header("x-windlass-deadline", "tomorrow")).await;
        assert_eq!(check(path, &reply, 400, "WL1004")["param"], "x-windlass-deadline");
        let reply = gateway.ask(ask(path).header("x-windlass-user", "x".repeat(300))).await;
        assert_eq!(check(path, &reply, 400, "WL1004")["param"], "x-windlass-user");
        // A trace that is none is not worth a call.
        assert_eq!(gateway.ask(ask(path).header("traceparent", "00-nonsense")).await.status, 200);
    }
    assert_eq!(gateway.ask(ask(CHAT)).await.status, 200);
    gateway.stop().await;
}

/// What never becomes a request is told why, too, before its connection ends.
#[tokio::test]
async fn heads_that_are_none() {
    let house = House::new(STRICT);
    let gateway = house.serve().await;
    let many = |count| {
        let head = format!("POST {CHAT} HTTP/1.1\r\nhost: windlass\r\nauthorization: Bearer {KEY}\r\n");
        (0..count).fold(head, |head, n| head + &format!("x-{n}: y\r\n")) + "content-length: 2\r\n\r\n{}"
    };
    for (bytes, status, word) in [
        (format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(40_000)), 431, "more than 32000 bytes"),
        // It goes on for long after it was refused.
        (format!("POST {CHAT} HTTP/1.1\r\nx: {}", "y".repeat(900_000)), 431, "more than 32000 bytes"),
        (many(101), 431, "more than a hundred headers"),
        (many(5_000), 431, "headers"),
        ("GET / HTTP/1.1\r\nbad name: x\r\n\r\n".to_owned(), 400, "not HTTP"),
        ("POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd".to_owned(), 400, "not HTTP"),
        ("\u{1}\u{2}\u{3} what\r\n\r\n".to_owned(), 400, "not HTTP"),
    ] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let reply = soon("the refusal", async { Open::read(stream).await?.whole().await }).await;
        let reply = reply.unwrap_or_else(|error| panic!("{error}: {bytes:.60}"));
        let error = check("", &reply, status, "WL1008");
        assert!(error["message"].as_str().unwrap().contains(word), "{bytes:.60}: {error:#}");
        assert_eq!(reply.header("connection"), Some("close"));
    }
    // As many as are allowed.
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(many(90).as_bytes()).await.unwrap();
    let reply = soon("the refusal", async { Open::read(stream).await?.whole().await }).await.unwrap();
    check(CHAT, &reply, 400, "WL1004");
    // Also when the connection has served well before.
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: windlass\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !seen.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        assert!(soon("the answer", stream.read_buf(&mut seen)).await.unwrap() > 0);
    }
    stream.write_all(many(200).as_bytes()).await.unwrap();
    soon("the end", stream.read_to_end(&mut seen)).await.unwrap();
    let seen = String::from_utf8(seen).unwrap();
    assert!(seen.starts_with("HTTP/1.1 200") && seen.contains("HTTP/1.1 431"), "{seen}");
    assert!(seen.contains("WL1008"), "{seen}");
    assert_eq!(gateway.ask(Ask::post(CHAT, &call("demo/talker")).key(KEY)).await.status, 200);
    gateway.stop().await;
}

fn gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

#[tokio::test]
async fn callers_that_take_their_time() {
    let times = "max_header: 16KB, body_timeout: 500ms, body_rate: 64B, header_timeout: 500ms";
    let house = House::new(&STRICT.replace("max_header: 16KB", times));
    let gateway = house.serve().await;
    for path in [CHAT, MESSAGES] {
        let whole = Ask::post(path, &call("demo/talker")).key(KEY).wire();
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(&whole[..whole.len() - 10]).await.unwrap();
        let reply = soon("the refusal", async { Open::read(stream).await?.whole().await }).await.unwrap();
        check(path, &reply, 408, "WL1009");
        // A head that does not end gets no answer, since nobody knows yet what it asks; the connection ends.
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(&whole[..30]).await.unwrap();
        match soon("the end of the connection", Open::read(stream)).await {
            Ok(open) => assert_eq!(open.status, 408),
            Err(error) => assert!(gone(error.kind()), "{error}"),
        }
    }
    // A body that comes slowly but steadily is read, though it takes longer than any silence may.
    let long =
        json!({ "model": "demo/talker", "messages": [{ "role": "user", "content": "x".repeat(1_000) }] });
    let whole = Ask::post(CHAT, &long).key(KEY).wire();
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (begun, rest) = whole.split_at(whole.len() - 900);
    stream.write_all(begun).await.unwrap();
    for piece in rest.chunks(15) {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let reply = soon("the answer", async { Open::read(stream).await?.whole().await }).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    // One that is never silent for long, and yet would never end, is not; wherever it is sent.
    for path in [CHAT, MESSAGES, "/v1/messages/count_tokens", "/api/v1/chains/none/runs"] {
        let whole = Ask::post(path, &call("demo/talker")).key(KEY).wire();
        let stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let drip = tokio::spawn(async move {
            let (begun, rest) = whole.split_at(whole.len() - 80);
            writing.write_all(begun).await.unwrap();
            for byte in rest {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                if writing.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
        });
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains("WL1009") {
            let read = soon("the refusal", reading.read_buf(&mut said)).await.unwrap();
            assert!(read > 0, "{path}: {}", String::from_utf8_lossy(&said));
        }
        assert!(said.starts_with(b"HTTP/1.1 408"), "{path}: {}", String::from_utf8_lossy(&said));
        drop(reading);
        drip.abort();
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_the_provider_cannot_say() {
    let vendor = Vendor::start(Answer::json(200, "{}")).await.unwrap();
    let house = House::before_both(&vendor, "");
    let gateway = house.serve().await;
    for (path, model, field, value) in [
        (CHAT, "here/m", "n", json!(2)),
        (CHAT, "here/m", "seed", json!(7)),
        (CHAT, "here/m", "logprobs", json!(true)),
        (CHAT, "here/m", "temperature", json!(1.5)),
        (MESSAGES, "there/m", "top_k", json!(5)),
        (MESSAGES, "there/m", "mcp_servers", json!([{ "type": "url", "url": "u", "name": "n" }])),
    ] {
        for stream in [false, true] {
            let mut body = call(model);
            body["max_tokens"] = json!(4_000);
            body["stream"] = json!(stream);
            body[field] = value.clone();
            let reply = gateway.ask(Ask::post(path, &body)).await;
            let error = check(path, &reply, 400, "WL1006");
            assert!(error["param"].as_str().unwrap().starts_with(field), "{error:#}");
        }
    }
    let body = json!({ "model": "here/m", "input": "hello" });
    check(EMBEDDINGS, &gateway.ask(Ask::post(EMBEDDINGS, &body)).await, 400, "WL1006");
    assert_eq!(vendor.connections(), 0, "what cannot be said is not sent");
    gateway.stop().await;
}

#[tokio::test]
async fn the_body_may_say_what_headers_say_by_the_same_rules() {
    let vendor = Vendor::start(Answer::silent()).await.unwrap();
    let house = House::new(&format!(
        "version: 1\nproviders: {{ vendor: {{ kind: openai, base_url: '{}', models: [m] }} }}\n",
        vendor.url("/v1")
    ));
    let gateway = house.serve().await;
    let saying = |windlass: Value| {
        let messages = json!([{ "role": "user", "content": "x" }]);
        json!({ "model": "vendor/m", "max_tokens": 5, "messages": messages, "metadata": { "windlass": windlass } })
    };
    for path in [CHAT, MESSAGES] {
        for (windlass, about) in [
            (json!({ "deadline": "soon" }), "deadline"),
            (json!({ "deadline": 5 }), "deadline"),
            (json!({ "priority": "urgent" }), "priority"),
            (json!({ "tenant": 5 }), "tenant"),
            (json!({ "user": "" }), "user"),
            (json!({ "min_level": 2 }), "min_level"),
            (json!({ "task": ["x"] }), "task"),
            (json!({ "nosuch": 1 }), "nosuch"),
            (json!("fast"), "object"),
        ] {
            let told = gateway.ask(Ask::post(path, &saying(windlass))).await;
            let error = check(path, &told, 400, "WL1004");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("metadata.windlass") && message.contains(about), "{error:#}");
            assert!(error["hint"].is_string(), "{error:#}");
        }
        // As the header says it: the call waits no longer, and its row says whose it is.
        let said = json!({ "deadline": "100ms", "tenant": "acme", "user": "ann", "priority": "high", "min_level": 0.5 });
        let late = gateway.ask(Ask::post(path, &saying(said.clone()))).await;
        check(path, &late, 504, "WL4002");
        let row = gateway.rows(late.header("x-windlass-call").unwrap(), 1).await.remove(0);
        assert_eq!((&row["tenant"], &row["user"]), (&json!("acme"), &json!("ann")), "{row:#}");
        // A header comes first.
        let both = Ask::post(path, &saying(said)).header("x-windlass-tenant", "other");
        let row = gateway.rows(gateway.ask(both).await.header("x-windlass-call").unwrap(), 1).await.remove(0);
        assert_eq!(row["tenant"], "other", "{row:#}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn errors_about_headers_say_what_to_do() {
    let house = House::new(STRICT);
    let gateway = house.serve().await;
    for header in ["deadline", "priority", "min-level", "tenant"] {
        let ask = Ask::post(CHAT, &call("demo/talker")).key(KEY).header(&format!("x-windlass-{header}"), "");
        let error = check(CHAT, &gateway.ask(ask).await, 400, "WL1004");
        assert!(error["hint"].is_string(), "{error:#}");
    }
    gateway.stop().await;
}
