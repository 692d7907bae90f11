//! Compression both ways, and bodies so large that a few of them are all the memory there is.

use serde_json::{Value, json};
use testkit::{Answer, Vendor, anthropic, openai};
use wire::{Coding, Decoder};

use crate::client::{Ask, Reply};
use crate::house::{Gateway, House, soon};

const CHAT: &str = "/v1/chat/completions";
const MB: usize = 1 << 20;
const CODINGS: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

fn coded(coding: Coding, text: impl AsRef<[u8]>) -> Vec<u8> {
    wire::encode(coding, std::iter::once(text.as_ref())).unwrap()
}

fn plain(coding: Coding, mut body: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(coding).unwrap();
    let (mut all, mut room) = (Vec::new(), vec![0; MB]);
    loop {
        let (taken, put) = decoder.step(body, &mut room).unwrap();
        body = &body[taken..];
        all.extend_from_slice(&room[..put]);
        if (taken, put) == (0, 0) {
            assert!(decoder.is_whole() && body.is_empty());
            return all;
        }
    }
}

fn chat(model: &str, text: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": text }] })
}

/// A whole answer that says so much.
fn answer(text: &str) -> String {
    openai::chat(text, 3, 1)
}

async fn house(answer: Answer, provider: &str, server: &str) -> (Vendor, House) {
    let vendor = Vendor::start(answer).await.unwrap();
    let house = House::new(&format!(
        "version: 1
server: {{ {server} }}
providers:
  there: {{ kind: openai, base_url: '{}', {provider} }}
  here: {{ kind: anthropic, base_url: '{}' }}
defaults: {{ retry: {{ attempts: 1 }} }}
",
        vendor.url("/v1"),
        vendor.url("")
    ));
    (vendor, house)
}

#[tokio::test]
async fn providers_are_sent_and_asked_for_compressed_bodies_where_that_is_configured() {
    let said = answer(&"word ".repeat(1_000));
    for coding in CODINGS {
        let reply = Answer::json(200, coded(coding, &said)).header("content-encoding", coding.as_str());
        let (vendor, house) = house(reply, "compress_requests: true, compress_above: 1KB", "").await;
        let gateway = house.serve().await;
        for (text, is_coded) in
            [("short", false), (&"long ".repeat(1_000), true), (&"large ".repeat(90_000), true)]
        {
            let reply = gateway.ask(Ask::post(CHAT, &chat("there/m", text))).await;
            assert_eq!((reply.status, reply.text()), (200, said.clone()), "{coding:?}");
            assert_eq!(reply.header("content-encoding"), None);
            let sent = soon("the request", vendor.request()).await;
            assert_eq!(sent.header("accept-encoding"), Some("gzip, br, zstd"));
            assert_eq!(sent.header("content-encoding"), is_coded.then_some("gzip"));
            let body = if is_coded { plain(Coding::Gzip, &sent.body) } else { sent.body.to_vec() };
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), chat("m", text));
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn streams_are_asked_for_plain_and_read_however_they_come() {
    let events = openai::chat_stream(3, 5);
    let whole = coded(Coding::Zstd, events.concat());
    for (keep, complete) in [(whole.len(), true), (whole.len() - 3, false)] {
        let reply = Answer::json(200, whole[..keep].to_vec())
            .header("content-type", "text/event-stream")
            .header("content-encoding", "zstd");
        let (vendor, house) = house(reply, "accept_compressed: true", "").await;
        let gateway = house.serve().await;
        let mut body = chat("there/m", "x");
        body["stream"] = true.into();
        body["stream_options"] = json!({ "include_usage": true });
        let ask = Ask::post(CHAT, &body).header("accept-encoding", "gzip, br, zstd");
        let reply = gateway.ask(ask).await;
        let sent = soon("the request", vendor.request()).await;
        assert_eq!(sent.header("accept-encoding"), Some("identity"));
        assert_eq!(reply.header("content-encoding"), None);
        if complete {
            assert_eq!((reply.status, reply.text()), (200, events.concat()));
        } else {
            let text = reply.text();
            assert!(!text.contains("[DONE]") && text.contains("WL4005"), "{text}");
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_coding_that_is_broken_cut_unknown_or_a_bomb_is_a_bad_answer() {
    let said = coded(Coding::Gzip, answer("x"));
    let bomb = coded(Coding::Gzip, vec![b' '; 80 * MB]);
    for (name, body) in [
        ("gzip", said[..said.len() - 2].to_vec()),
        ("gzip", answer("x").into_bytes()),
        ("br", said.clone()),
        ("compress", said),
        ("gzip", bomb),
    ] {
        let reply = Answer::json(200, body).header("content-encoding", name);
        let (_vendor, house) = house(reply, "accept_compressed: false", "").await;
        let gateway = house.serve().await;
        let reply = gateway.ask(Ask::post(CHAT, &chat("there/m", "x"))).await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "WL4004"), "{name}: {}", reply.text());
        gateway.stop().await;
    }
    // An error's own words are read too.
    let error = openai::error("too long", "invalid_request_error", Some("context_length_exceeded"));
    let reply = Answer::json(400, coded(Coding::Brotli, error)).header("content-encoding", "br");
    let (vendor, house) = house(reply, "accept_compressed: false", "").await;
    let gateway = house.serve().await;
    let reply = gateway.ask(Ask::post(CHAT, &chat("there/m", "x"))).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "WL1010"), "{}", reply.text());
    assert_eq!(soon("the request", vendor.request()).await.header("accept-encoding"), Some("identity"));
    gateway.stop().await;
}

#[tokio::test]
async fn callers_may_send_and_be_sent_compressed_bodies() {
    let said = answer(&"word ".repeat(20_000));
    let (vendor, house) =
        house(Answer::json(200, said.clone()), "accept_compressed: true", "max_body: 1MB").await;
    let gateway = house.serve().await;
    let ask = |name: &str, body: Vec<u8>| Ask::bytes(CHAT, body).header("content-encoding", name);
    for coding in CODINGS {
        let name = coding.as_str();
        let text = "word ".repeat(20_000);
        let body = coded(coding, chat("there/m", &text).to_string());
        let reply = gateway.ask(ask(name, body).header("accept-encoding", name)).await;
        assert_eq!(soon("the request", vendor.request()).await.json(), chat("m", &text));
        assert_eq!(reply.header("content-encoding"), Some(name));
        assert_eq!(reply.header("vary"), Some("accept-encoding"));
        assert_eq!(plain(coding, &reply.body), said.as_bytes());
        let bomb = coded(coding, vec![b' '; 50 * MB]);
        let reply = gateway.ask(ask(name, bomb)).await;
        assert_eq!((reply.status, reply.code().as_str()), (413, "WL1003"), "{}", reply.text());
        let reply = gateway.ask(ask(name, b"{}".to_vec())).await;
        assert_eq!((reply.status, reply.code().as_str()), (415, "WL1011"), "{}", reply.text());
    }
    let reply = gateway.ask(ask("deflate", b"{}".to_vec())).await;
    assert_eq!((reply.status, reply.code().as_str()), (415, "WL1011"), "{}", reply.text());
    let reply = gateway.ask(Ask::post(CHAT, &chat("there/m", "x"))).await;
    assert_eq!((reply.header("content-encoding"), reply.header("vary"), reply.text()), (None, None, said));
    gateway.stop().await;
}

/// A call with an image of so many bytes in it.
fn image(model: &str, size: usize) -> String {
    // Base64's letters in an order that no coder folds up.
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(letters[usize::try_from(state >> 58).unwrap()])
    };
    let data: String = (0..size / 4 * 4).map(|_| next()).collect();
    let parts = json!([
        { "type": "text", "text": "What is this?" },
        { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{data}") } }
    ]);
    let body = json!({ "model": model, "max_tokens": 9, "messages": [{ "role": "user", "content": parts }] });
    body.to_string()
}

/// The most memory that the gateway has had, in MB.
fn peak(gateway: &Gateway) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() >> 10
}

async fn many(gateway: &Gateway, body: &str, count: usize) -> Vec<Reply> {
    let asks = (0..count).map(|_| {
        let (ask, address) = (Ask::bytes(CHAT, body.to_owned()), gateway.address);
        tokio::spawn(async move { soon("an answer", ask.send(address)).await.unwrap() })
    });
    let asks: Vec<_> = asks.collect();
    let mut replies = Vec::new();
    for ask in asks {
        replies.push(ask.await.unwrap());
    }
    replies
}

fn answered_or_refused(replies: &[Reply]) -> usize {
    for reply in replies {
        let refused =
            reply.status == 503 && reply.code() == "WL3002" && reply.header("retry-after").is_some();
        assert!(reply.status == 200 || refused, "{} {}", reply.status, reply.text());
    }
    replies.iter().filter(|reply| reply.status == 200).count()
}

/// What the process has without any large body, and what its connections' buffers take, in MB.
const BESIDES: usize = 96;

#[tokio::test]
async fn twenty_large_images_at_once_take_no_more_memory_than_there_is_room_for() {
    let (vendor, house) = house(Answer::json(200, answer("a cat")), "models: [m]", "max_bodies: 128MB").await;
    let gateway = house.serve().await;
    let body = image("there/m", 20 * MB);
    let replies = many(&gateway, &body, 20).await;
    let answered = answered_or_refused(&replies);
    let peak = peak(&gateway);
    println!("20 images of 20 MB, the same dialect: {answered} answered, VmHWM {peak} MB");
    assert!(answered >= 6, "{answered}");
    assert!(peak <= 128 + BESIDES, "{peak} MB");
    let sent = soon("the request", vendor.request()).await;
    assert!(sent.body[..] == *body.replacen("\"there/m\"", "\"m\"", 1).as_bytes());
    gateway.stop().await;
}

#[tokio::test]
async fn large_images_are_translated_in_bounded_memory() {
    let (vendor, house) =
        house(Answer::json(200, anthropic::message("a cat", 3, 5)), "models: [m]", "max_bodies: 64MB").await;
    let gateway = house.serve().await;
    let body = image("here/m", 20 * MB);
    let one = many(&gateway, &body, 1).await;
    assert_eq!(answered_or_refused(&one), 1);
    let alone = peak(&gateway);
    let sent = soon("the request", vendor.request()).await.json();
    let source = &sent["messages"][0]["content"][1]["source"];
    assert_eq!((&source["type"], &source["media_type"]), (&json!("base64"), &json!("image/png")));
    assert!(body.contains(source["data"].as_str().unwrap()));
    let replies = many(&gateway, &body, 8).await;
    let (answered, peak) = (answered_or_refused(&replies), peak(&gateway));
    println!("an image of 20 MB, translated: VmHWM {alone} MB; 8 at once: {answered} answered, {peak} MB");
    // The body, its neutral form and the body anew, each written once: four times at most.
    assert!(alone <= 4 * 20 + BESIDES, "{alone} MB");
    assert!(peak <= 4 * 64 + BESIDES, "{peak} MB");
    gateway.stop().await;
}
