//! Conversations in the Responses dialect with a model behind Chat Completions.

use engine::{Head, Inbound};
use serde_json::{Value, json};
use testkit::{Answer, Vendor, openai as gpt};
use types::{Code, Dialect};

use crate::house::{House, openai, stream, text, whole};

fn ask(body: &Value) -> Inbound {
    Inbound { dialect: Dialect::OpenaiResponses, body: body.to_string().into(), head: Head::default() }
}

#[tokio::test]
async fn a_call_goes_on_from_an_earlier_answer() {
    let vendor = Vendor::start(Answer::json(200, gpt::chat("Bern.", 5, 2))).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let first =
        json!({ "model": "up/m", "input": "The capital of Switzerland?", "instructions": "Be brief." });
    let answered = whole(house.engine().call(ask(&first)).await.unwrap());
    let body: Value = serde_json::from_slice(&answered.body).unwrap();
    assert_eq!(body["output"][0]["content"][0]["text"], "Bern.");
    let id = body["id"].as_str().unwrap().to_owned();
    drop(vendor.request().await);

    let second =
        json!({ "model": "up/m", "input": "And of France?", "previous_response_id": id, "stream": false });
    let answered = whole(house.engine().call(ask(&second)).await.unwrap());
    let sent: Value = serde_json::from_slice(&vendor.request().await.body).unwrap();
    let turns: Vec<_> = sent["messages"].as_array().unwrap().iter().map(|turn| &turn["content"]).collect();
    assert_eq!(turns, [&json!("The capital of Switzerland?"), &json!("Bern."), &json!("And of France?")]);

    let later: Value = serde_json::from_slice(&answered.body).unwrap();
    assert_eq!(later["previous_response_id"], id);

    // The answer can be read again, and forgotten; then nothing goes on from it.
    let who = house.engine().identify(&Head::default()).unwrap();
    let kept: Value = serde_json::from_str(&house.engine().response(&id, &who).await.unwrap()).unwrap();
    assert_eq!(kept, body);
    house.engine().forget_response(&id, &who).await.unwrap();
    assert!(house.engine().response(&id, &who).await.is_err());
    let later: Value = serde_json::from_slice(&answered.body).unwrap();
    let third = json!({ "model": "up/m", "input": "x", "previous_response_id": later["id"] });
    let refusal = house.engine().call(ask(&third)).await.unwrap_err();
    assert_eq!(refusal.fault.code, Code::UnknownPath);
    assert_eq!(refusal.fault.param.as_deref(), Some("previous_response_id"));
}

#[tokio::test]
async fn a_streamed_answer_can_be_gone_on_from_as_soon_as_it_has_ended() {
    let vendor = Vendor::start(Answer::events(gpt::chat_stream(3, 5))).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let first = json!({ "model": "up/m", "input": "The capital?", "stream": true });
    let said = text(stream(house.engine().call(ask(&first)).await.unwrap())).await;
    assert!(said.contains("event: response.output_text.delta"), "{said}");
    let last = said.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["type"], "response.completed");
    drop(vendor.request().await);
    let id = &last["response"]["id"];
    let who = house.engine().identify(&Head::default()).unwrap();
    house.engine().response(id.as_str().unwrap(), &who).await.expect("what has ended can be read");
    let second = json!({ "model": "up/m", "input": "More.", "previous_response_id": id, "stream": true });
    drop(text(stream(house.engine().call(ask(&second)).await.unwrap())).await);
    let sent: Value = serde_json::from_slice(&vendor.request().await.body).unwrap();
    let turns: Vec<_> = sent["messages"].as_array().unwrap().iter().map(|turn| &turn["content"]).collect();
    assert_eq!(
        turns,
        [&json!("The capital?"), &last["response"]["output"][0]["content"][0]["text"], &json!("More.")]
    );
}

#[tokio::test]
async fn a_streamed_answer_can_be_forgotten_as_soon_as_it_has_ended() {
    let vendor = Vendor::start(Answer::events(gpt::chat_stream(3, 5))).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let who = house.engine().identify(&Head::default()).unwrap();
    let first = json!({ "model": "up/m", "input": "The capital?", "stream": true });
    let said = text(stream(house.engine().call(ask(&first)).await.unwrap())).await;
    let last = said.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    let id = last["response"]["id"].as_str().unwrap();
    house.engine().forget_response(id, &who).await.expect("what has ended can be forgotten");
    assert!(house.engine().response(id, &who).await.is_err(), "and does not come back");
}

#[tokio::test]
async fn what_is_not_to_be_stored_is_not() {
    let vendor = Vendor::start(Answer::json(200, gpt::chat("x", 5, 2))).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let first = json!({ "model": "up/m", "input": "secret", "store": false });
    let answered = whole(house.engine().call(ask(&first)).await.unwrap());
    let body: Value = serde_json::from_slice(&answered.body).unwrap();
    let who = house.engine().identify(&Head::default()).unwrap();
    assert!(house.engine().response(body["id"].as_str().unwrap(), &who).await.is_err());
}

#[tokio::test]
async fn a_provider_that_speaks_the_dialect_gets_the_callers_bytes() {
    let odd = r#"{"id":"resp_1","object":"response","status":"completed","output":[],"new":1.0e400,"usage":{"input_tokens":3,"output_tokens":1}}"#;
    let vendor = Vendor::start(Answer::json(200, odd)).await.unwrap();
    let provider =
        format!("  up: {{ kind: openai, api: both, base_url: '{}', api_key: k }}\n", vendor.url("/v1"));
    let house = House::with(&provider, "").await;
    let first = json!({ "model": "up/m", "input": "x", "previous_response_id": "resp_0", "tools": [{ "type": "web_search" }] });
    let answered = whole(house.engine().call(ask(&first)).await.unwrap());
    assert_eq!(answered.body, odd.as_bytes());
    let seen = vendor.request().await;
    assert_eq!(seen.path, "/v1/responses");
    let sent: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(sent["previous_response_id"], "resp_0");
    assert_eq!(house.rows().await[0].usage.input, 3);
}
