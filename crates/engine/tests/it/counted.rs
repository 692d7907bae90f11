//! Calls of which no usage is reported: estimated at once, counted afterwards where that is wanted and can be done.

use std::time::Duration;

use bytes::Bytes;
use engine::{Head, Inbound};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use store::ledger::Filter;
use testkit::{Answer, Vendor, openai as gpt};
use types::ledger::{Outcome, Row};
use types::{Dialect, Money, Usage, UsageSource};

use crate::house::{House, openai, stream, text, whole};

const COUNT: &str = ", count_tokens: true";

fn ask(model: &str, stream: bool, more: &Value) -> Inbound {
    let messages = json!([{ "role": "user", "content": "How many tokens is this?" }]);
    let mut body = json!({ "model": model, "stream": stream, "messages": messages });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    Inbound { dialect: Dialect::OpenaiChat, body: Bytes::from(body.to_string()), head: Head::default() }
}

/// The one row in the database, once it is as it should be.
async fn row_once(house: &House, right: impl Fn(&Row) -> bool) -> Row {
    let look = async {
        loop {
            let rows = house.engine().ledger().query(&Filter::default()).await.unwrap();
            assert!(rows.len() < 2, "{rows:#?}");
            match rows.into_iter().next() {
                Some(row) if right(&row) => return row,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), look).await.expect("the row")
}

fn is_counted(row: &Row) -> bool {
    row.usage_source == UsageSource::Counted
}

#[tokio::test]
async fn a_stream_that_is_left_early_is_counted_and_has_one_row() {
    // Six words, a question mark, and the markup of one turn: role, three tokens, and three for the answer.
    let usage = |said: &str| Usage::plain(13, models::count("gpt-4o", said).tokens);
    let events: Vec<_> = gpt::chat_stream(30, 99).into_iter().take(21).collect();
    let said = (0..20).map(|word| format!("w{word} ")).collect::<Vec<_>>().concat();
    for (answer, outcome) in [
        (Answer::events(events.clone()).cut(), Outcome::Cut),
        (Answer::events(events).stalls(), Outcome::HungUp),
    ] {
        let vendor = Vendor::start(answer).await.unwrap();
        let house = House::storing(COUNT, &openai("openai", &vendor), "").await;
        let mut relay = stream(house.engine().call(ask("openai/gpt-4o", true, &json!({}))).await.unwrap());
        let mut seen = String::new();
        while !seen.contains("w19 ") {
            seen += std::str::from_utf8(&relay.frame().await.unwrap().unwrap().into_data().unwrap()).unwrap();
        }
        if outcome == Outcome::HungUp {
            drop(relay);
        } else {
            text(relay).await;
        }
        let row = row_once(&house, is_counted).await;
        assert_eq!((row.outcome, row.usage), (outcome, usage(&said)), "{row:#?}");
        // At gpt-4o's prices: $2.50 and $10 for a million.
        let cost = row.usage.input * 2_500_000 + row.usage.output * 10_000_000;
        assert_eq!(row.cost, Some(Money::from_pico(i128::from(cost))));
        assert_eq!(house.rows().await, [row]);
    }
}

#[tokio::test]
async fn an_answer_without_usage_is_counted() {
    let mut answer: Value =
        serde_json::from_str(&gpt::chat("Seven words are in this short answer.", 1, 1)).unwrap();
    answer.as_object_mut().unwrap().remove("usage");
    let vendor = Vendor::start(Answer::json(200, answer.to_string())).await.unwrap();
    let house = House::storing(COUNT, &openai("openai", &vendor), "").await;
    let answered = whole(house.engine().call(ask("openai/gpt-4", false, &json!({}))).await.unwrap());
    assert_eq!(answered.settled.source, UsageSource::Estimated, "the caller does not wait for it");
    let row = row_once(&house, is_counted).await;
    assert_eq!(row.usage, Usage::plain(13, 8), "{row:#?}");
    let mut events = gpt::chat_stream(3, 1);
    events.remove(events.len() - 2);
    let vendor = Vendor::start(Answer::events(events)).await.unwrap();
    let house = House::storing(COUNT, &openai("openai", &vendor), "").await;
    text(stream(house.engine().call(ask("openai/gpt-4", true, &json!({}))).await.unwrap())).await;
    let row = row_once(&house, is_counted).await;
    let output = models::count("gpt-4", "w0 w1 w2 ").tokens;
    assert_eq!((row.outcome, row.usage), (Outcome::Complete, Usage::plain(13, output)), "{row:#?}");
}

#[tokio::test]
async fn what_cannot_be_counted_exactly_stays_an_estimate() {
    let picture = json!({ "messages": [{ "role": "user", "content": [
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }] }] });
    let tool = json!({ "tools": [{ "type": "function", "function": { "name": "f", "parameters": {} } }] });
    for (storage, model, more) in [
        ("", "gpt-4o", &json!({})),
        (COUNT, "gpt-5", &json!({})),
        (COUNT, "some-model", &json!({})),
        (COUNT, "gpt-4o", &picture),
        (COUNT, "gpt-4o", &tool),
    ] {
        let events = gpt::chat_stream(9, 9).into_iter().take(5);
        let vendor = Vendor::start(Answer::events(events).cut()).await.unwrap();
        let house = House::storing(storage, &openai("openai", &vendor), "").await;
        let model = format!("openai/{model}");
        text(stream(house.engine().call(ask(&model, true, more)).await.unwrap())).await;
        let row = row_once(&house, |_| true).await;
        assert_eq!(row.usage_source, UsageSource::Estimated, "{model}: {row:#?}");
        let rows = house.rows().await;
        assert_eq!((rows.len(), rows[0].usage_source), (1, UsageSource::Estimated), "{model}: {rows:#?}");
    }
}
