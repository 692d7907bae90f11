//! Tasks and profiles from outside: headers in, parameters at the provider, the answer's header and the ledger.

use serde_json::{Value, json};
use testkit::{Answer, Script, Vendor, anthropic, openai};

use crate::client::Ask;
use crate::house::House;

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

async fn vendor() -> Vendor {
    let script = Script::by(|request| {
        let streamed = request.json()["stream"] == true;
        match (request.path.ends_with("/messages"), streamed) {
            (true, true) => Answer::events(anthropic::message_stream(2, 5)),
            (true, false) => Answer::json(200, anthropic::message("x", 5, 2)),
            (false, true) => Answer::events(openai::chat_stream(2, 5)),
            (false, false) => Answer::json(200, openai::chat("x", 5, 2)),
        }
    });
    Vendor::start(script).await.unwrap()
}

#[tokio::test]
async fn a_task_and_a_profile_by_header_reach_the_provider_and_the_ledger() {
    let vendor = vendor().await;
    let house = House::before_both(
        &vendor,
        "routes: { terse: { models: [there/m], profile: own } }\nprofiles: { own: { max_tokens: 50 } }\n",
    );
    let gateway = house.serve().await;
    let body = |model: &str, stream: bool| json!({ "model": model, "max_tokens": 9, "stream": stream, "messages": [{ "role": "user", "content": "hi" }] });
    let mut told = Vec::new();
    for (path, model, stream, expected, left_out) in [
        (CHAT, "there/m", false, json!([0.1, 9, 0.9]), Value::Null),
        (CHAT, "there/m", true, json!([0.1, 9, 0.9]), Value::Null),
        (CHAT, "here/m", true, json!([0.1, 9, null]), json!(["top_p", "frequency_penalty"])),
        (MESSAGES, "here/m", false, json!([0.1, 9, null]), json!(["top_p", "frequency_penalty"])),
        (MESSAGES, "there/m", true, json!([0.1, 9, 0.9]), Value::Null),
    ] {
        let ask = Ask::post(path, &body(model, stream))
            .header("x-windlass-task", "code")
            .header("x-windlass-profile", "speed_optimized");
        let reply = gateway.ask(ask).await;
        assert_eq!((reply.status, reply.header("x-windlass-profile")), (200, Some("code+speed_optimized")));
        let sent = vendor.request().await;
        assert!(sent.headers.iter().all(|(name, _)| !name.starts_with("x-windlass")), "{:?}", sent.headers);
        let sent = sent.json();
        assert_eq!(
            json!([sent["temperature"], sent["max_tokens"], sent["top_p"]]),
            expected,
            "{path} {model}"
        );
        let row = gateway.rows(reply.header("x-windlass-call").unwrap(), 1).await.remove(0);
        assert_eq!(row["profile"]["name"], "code+speed_optimized");
        assert_eq!(
            (&row["profile"]["applied"]["temperature"], &row["profile"]["left_out"]),
            (&json!(0.1), &left_out)
        );
        told.push(row["profile"].clone());
    }
    // Without a word nothing is added; a route may have the word.
    let mut plain = body("there/m", false);
    plain.as_object_mut().unwrap().remove("max_tokens");
    let reply = gateway.ask(Ask::post(CHAT, &plain)).await;
    assert_eq!(reply.header("x-windlass-profile"), None);
    assert_eq!(vendor.request().await.json()["max_tokens"], Value::Null);
    plain["model"] = json!("terse");
    let reply = gateway.ask(Ask::post(CHAT, &plain)).await;
    assert_eq!(reply.header("x-windlass-profile"), Some("own"));
    assert_eq!(vendor.request().await.json()["max_tokens"], 50);
    gateway.rows(reply.header("x-windlass-call").unwrap(), 1).await;
    let ledger = house.ledger().await;
    assert_eq!(ledger.iter().filter(|row| told.contains(&row["profile"])).count(), 5);

    for (path, hint) in [(CHAT, "/error/hint"), (MESSAGES, "/error/hint")] {
        let ask = Ask::post(path, &body("there/m", false)).header("x-windlass-profile", "speed");
        let reply = gateway.ask(ask).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "WL1004"), "{}", reply.text());
        let hint = reply.json().pointer(hint).unwrap().as_str().unwrap().to_owned();
        assert!(hint.starts_with("did you mean `speed_optimized`?") && hint.contains("adaptive"), "{hint}");
    }
    gateway.stop().await;
}
