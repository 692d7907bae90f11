//! Streams that break after their first content, on routes that continue them.

use engine::Inbound;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use testkit::{Answer, Gate, Script, Vendor, anthropic as claude, openai as gpt};
use types::ledger::{Outcome, Rest, Seam};
use types::{Code, Dialect, UsageSource};

use crate::house::{House, anthropic, chat, message, openai, stream, text};

const ROUTE: &str =
    "routes: { r: { models: [one/m, two/m], retry: { attempts: 1 }, stream_failure: continue } }";
const THREE: &str =
    "routes: { r: { models: [one/m, two/m, three/m], retry: { attempts: 1 }, stream_failure: continue } }";

/// Events of a chat stream with these texts; no end.
fn saying(texts: &[&str]) -> Vec<String> {
    let chunk = |delta: Value| {
        let choices = json!([{ "index": 0, "delta": delta, "finish_reason": null }]);
        let chunk = json!({ "id": "chatcmpl-one", "created": 1_700_000_001, "model": "scripted", "choices": choices });
        format!("data: {chunk}\n\n")
    };
    let role = chunk(json!({ "role": "assistant", "content": "" }));
    let texts = texts.iter().map(|text| chunk(json!({ "content": text })));
    std::iter::once(role).chain(texts).collect()
}

/// The same with an end and its usage.
fn said(texts: &[&str]) -> Vec<String> {
    let mut events = saying(texts);
    events.extend(gpt::chat_stream(0, 5).split_off(1));
    events
}

/// A Messages stream with these texts.
fn messaged(texts: &[&str]) -> Vec<String> {
    let mut events = claude::message_stream(0, 5);
    let end = events.split_off(3);
    events.extend(texts.iter().map(|text| {
        let delta = json!({ "type": "text_delta", "text": text });
        let event = json!({ "type": "content_block_delta", "index": 0, "delta": delta });
        format!("event: content_block_delta\ndata: {event}\n\n")
    }));
    events.extend(end);
    events
}

fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// The text that a caller has read, in whichever dialect.
fn heard(stream: &str) -> String {
    let piece = |event: &Value| {
        [&event["choices"][0]["delta"]["content"], &event["delta"]["text"], &event["delta"]]
            .into_iter()
            .find_map(|text| text.as_str().map(str::to_owned))
    };
    events(stream).iter().filter_map(piece).collect()
}

async fn two(one: impl Into<Script>, two: impl Into<Script>) -> (House, Vendor, Vendor) {
    let (one, two) = (Vendor::start(one).await.unwrap(), Vendor::start(two).await.unwrap());
    let house = House::with(&(openai("one", &one) + &openai("two", &two)), ROUTE).await;
    (house, one, two)
}

async fn answered(house: &House, inbound: Inbound) -> String {
    text(stream(house.engine().call(inbound).await.unwrap())).await
}

fn sent(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[tokio::test]
async fn the_rest_comes_from_another_that_says_the_same_wherever_the_stream_was_cut() {
    let all = "w0 w1 w2 w3 w4 w5 w6 w7 ";
    for tokens in 1..=8 {
        let before: Vec<_> = gpt::chat_stream(8, 5).into_iter().take(tokens + 1).collect();
        let second = Answer::events(gpt::chat_stream(8, 5));
        let (house, _one, two) = two(Answer::events(before).cut(), second).await;
        let seen = answered(&house, chat("r", true)).await;
        assert_eq!(heard(&seen), all, "{seen}");
        assert!(seen.ends_with("data: [DONE]\n\n") && !seen.contains("error"), "{seen}");
        assert_eq!(seen.matches("[DONE]").count(), 1);
        assert_eq!(seen.matches(r#""role""#).count(), 1, "{seen}");
        assert_eq!(seen.matches(r#""finish_reason":"stop""#).count(), 1, "{seen}");
        assert!(events(&seen).iter().all(|event| event["id"] == "chatcmpl-scripted"), "{seen}");
        let asked = two.request().await.body;
        assert!(!std::str::from_utf8(&asked).unwrap().contains("assistant"));
        let metrics = house.engine().metrics().render();
        let counted =
            r#"windlass_stream_continuations_total{provider="two",model="m",how="anew",result="whole"} 1"#;
        assert!(metrics.contains(counted), "{metrics}");
        let rows = house.rows().await;
        let outcomes: Vec<_> = rows.iter().map(|row| (row.key.attempt, row.outcome, row.seam)).collect();
        let seam = Seam { at_bytes: 3 * tokens as u64, how: Rest::Anew };
        assert_eq!(outcomes, [(1, Outcome::Cut, None), (2, Outcome::Complete, Some(seam))]);
        assert_eq!((rows[1].usage_source, rows[1].usage.output), (UsageSource::Reported, 8));
    }
}

#[tokio::test]
async fn a_model_that_takes_the_beginning_writes_on_from_there() {
    let one = Vendor::start(Answer::events(saying(&["Once ", "upon "])).cut()).await.unwrap();
    let two = Vendor::start(Answer::events(messaged(&[" a", " time."]))).await.unwrap();
    let house = House::with(&(openai("one", &one) + &anthropic("two", &two)), ROUTE).await;
    let mut inbound = chat("r", true);
    inbound.body =
        r#"{"model":"r","stream":true,"stream_options":{"include_usage":true},"max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#.into();
    let seen = answered(&house, inbound).await;
    assert_eq!(heard(&seen), "Once upon a time.");
    assert!(events(&seen).iter().all(|event| event["id"] == "chatcmpl-one"), "{seen}");
    assert!(seen.ends_with("data: [DONE]\n\n"), "{seen}");
    let body = sent(&two.request().await.body);
    assert_eq!(body["messages"][1]["role"], "assistant");
    assert_eq!(body["messages"][1]["content"], "Once upon");
    let left = body["max_tokens"].as_u64().unwrap();
    assert!((40..50).contains(&left), "{left}");
    let rows = house.rows().await;
    assert_eq!(rows[1].seam, Some(Seam { at_bytes: 10, how: Rest::Prefill }));
    // What is told is the whole answer's: what was written before the seam counts.
    let told = events(&seen).last().unwrap()["usage"]["completion_tokens"].as_u64().unwrap();
    assert_eq!(told, rows[1].usage.output + (50 - left));
}

#[tokio::test]
async fn a_server_that_repeats_the_beginning_is_not_taken_at_its_word() {
    let begun = "A beginning that is long enough to be known again, ";
    for again in
        [&[begun, "and the rest."][..], &[&begun[..20], &begun[20..], "and the rest."], &["and the rest."]]
    {
        let one = Vendor::start(Answer::events(saying(&[begun])).cut()).await.unwrap();
        let two = Vendor::start(Answer::events(said(again))).await.unwrap();
        let server = format!("  two: {{ kind: llamacpp, base_url: '{}' }}\n", two.url("/v1"));
        let house = House::with(&(openai("one", &one) + &server), ROUTE).await;
        let seen = answered(&house, chat("r", true)).await;
        assert_eq!(heard(&seen), format!("{begun}and the rest."), "{seen}");
        let asked = two.request().await.body;
        let given = format!(r#"{{"role":"assistant","content":"{}"}}"#, begun.trim_end());
        assert!(std::str::from_utf8(&asked).unwrap().contains(&given));
        assert_eq!(house.rows().await[1].seam.unwrap().how, Rest::Prefill);
    }
}

#[tokio::test]
async fn messages_go_on_in_their_open_block() {
    let before: Vec<_> = messaged(&["Once ", "upon "]).into_iter().take(5).collect();
    let one = Vendor::start(Answer::events(before).cut()).await.unwrap();
    let two = Vendor::start(Answer::events(messaged(&["a", " time."]))).await.unwrap();
    let house = House::with(&(anthropic("one", &one) + &anthropic("two", &two)), ROUTE).await;
    let seen = answered(&house, message("r", true)).await;
    assert_eq!(heard(&seen), "Once upon a time.");
    for once in [
        "event: message_start",
        "event: content_block_start",
        "event: content_block_stop",
        "event: message_delta",
    ] {
        assert_eq!(seen.matches(once).count(), 1, "{once}: {seen}");
    }
    assert!(events(&seen).iter().all(|event| event["index"].as_u64().unwrap_or(0) == 0), "{seen}");
    assert!(seen.trim_end().ends_with(r#"{"type":"message_stop"}"#), "{seen}");
    let body = sent(&two.request().await.body);
    assert_eq!(body["messages"][1]["content"], "Once upon");
}

#[tokio::test]
async fn a_translated_stream_goes_on_in_the_dialect_of_its_caller() {
    for (before, after) in [(&["é🦀", " two"][..], &["é", "🦀 two", " three"][..]), (&["x"], &["x", "y"])]
    {
        let all = after.concat();
        let (house, _one, _two) =
            two(Answer::events(saying(before)).cut(), Answer::events(said(after)).bytewise()).await;
        let seen = answered(&house, message("r", true)).await;
        assert_eq!(heard(&seen), all, "{seen}");
        assert_eq!(
            (seen.matches("event: message_start").count(), seen.matches("event: message_stop").count()),
            (1, 1)
        );
        assert_eq!(seen.matches("event: content_block_start").count(), 1, "{seen}");
    }
}

#[tokio::test]
async fn a_response_ends_with_all_of_its_text_and_is_kept() {
    let second = Answer::events(said(&["one ", "two ", "three"]));
    let (house, _one, _two) = two(Answer::events(saying(&["one ", "two "])).cut(), second).await;
    let body = json!({ "model": "r", "input": "hi", "stream": true });
    let inbound = Inbound {
        dialect: Dialect::OpenaiResponses,
        body: body.to_string().into(),
        head: engine::Head::default(),
    };
    let seen = answered(&house, inbound).await;
    let events = events(&seen);
    let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
    assert_eq!((of("response.created").len(), of("response.completed").len()), (1, 1));
    let deltas: String =
        of("response.output_text.delta").iter().map(|event| event["delta"].as_str().unwrap()).collect();
    assert_eq!(deltas, "one two three");
    assert_eq!(of("response.output_text.done")[0]["text"], "one two three");
    let response = &of("response.completed")[0]["response"];
    assert_eq!(response["output"][0]["content"][0]["text"], "one two three");
    // It can be gone on from.
    let id = response["id"].as_str().unwrap();
    let next = json!({ "model": "two/m", "input": "more", "previous_response_id": id });
    let inbound = Inbound {
        dialect: Dialect::OpenaiResponses,
        body: next.to_string().into(),
        head: engine::Head::default(),
    };
    house.engine().call(inbound).await.unwrap_err();
    assert!(
        house
            .engine()
            .response(id, &house.engine().identify(&engine::Head::default()).unwrap())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn whatever_breaks_a_stream_it_goes_on() {
    let error = format!("data: {}\n\n", gpt::error("overloaded", "server_error", None));
    let half = saying(&["one ", "two "]).pop().unwrap();
    let begun = || Answer::events(saying(&["one "]));
    for (broken, outcome) in [
        (begun().cut(), Outcome::Cut),
        (begun(), Outcome::Cut),
        (begun().reset(), Outcome::Cut),
        (begun().piece(error.clone()).piece("data: [DONE]\n\n"), Outcome::Cut),
        (begun().piece("data: {\"choices\":[{\n\n"), Outcome::Cut),
        (begun().piece(half[..half.len() / 2].to_owned()).cut(), Outcome::Cut),
        (begun().piece(half.clone() + &half[..half.len() - 1]).cut(), Outcome::Cut),
        (begun().stalls(), Outcome::Stalled),
        // All in one chunk with the first content.
        (Answer::events([saying(&["one "]).concat() + &error]), Outcome::Cut),
    ] {
        let second = Answer::events(said(&["one two ", "two three"]));
        let one = Vendor::start(broken).await.unwrap();
        let two = Vendor::start(second).await.unwrap();
        let more = format!("{ROUTE}\ndefaults: {{ timeouts: {{ idle: 700ms }} }}");
        let house = House::with(&(openai("one", &one) + &openai("two", &two)), &more).await;
        let seen = answered(&house, chat("r", true)).await;
        assert_eq!(heard(&seen), "one two two three", "{seen}");
        assert!(seen.ends_with("data: [DONE]\n\n") && !seen.contains("error"), "{seen}");
        let rows = house.rows().await;
        assert_eq!((rows[0].outcome, rows[1].outcome), (outcome, Outcome::Complete));
    }
}

/// Of the many, the small number of breakers that a test of many cuts would open.
const NO_BREAKERS: &str = "\ndefaults: { breaker: { enabled: false } }";

#[tokio::test]
async fn wherever_the_bytes_end_the_text_is_whole_and_nothing_comes_twice() {
    const ANSWER: [&str; 6] = ["Ünï", " 🦀", "  two\n", "\n", "three é ", "四."];
    let all = ANSWER.concat();
    let begun = saying(&ANSWER[..1]).concat().len();
    let whole = said(&ANSWER).concat();
    let (end, _) = whole.rsplit_once("data: {").unwrap();
    let stop = end.rfind("data: ").unwrap();
    let cuts: Vec<usize> = (begun..stop).step_by(23).chain([stop]).collect();
    let broken: Vec<Answer> = cuts
        .iter()
        .map(|cut| {
            let (head, rest) = whole.as_bytes()[..*cut].split_at(begun);
            let answer = Answer::events([String::from_utf8(head.to_vec()).unwrap()]);
            if rest.is_empty() { answer.cut() } else { answer.piece(rest.to_vec()).cut() }
        })
        .collect();
    // Writes on from what it is given, or answers anew.
    let rest = all.clone();
    let able = move |dialect: Dialect| {
        let all = rest.clone();
        Script::by(move |request| {
            let body = String::from_utf8(request.body.to_vec()).unwrap();
            let given = body.split(r#"{"role":"assistant","content":"#).nth(1).map(|given| {
                let mut values = serde_json::Deserializer::from_str(given).into_iter::<Value>();
                values.next().unwrap().unwrap().as_str().unwrap().to_owned()
            });
            let given = given.unwrap_or_default();
            assert_eq!(given.trim_end(), given);
            let rest = all.strip_prefix(&given).unwrap();
            let texts: Vec<String> = rest.chars().map(String::from).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            Answer::events(if dialect == Dialect::OpenaiChat { said(&texts) } else { messaged(&texts) })
        })
    };
    for second in [Dialect::OpenaiChat, Dialect::AnthropicMessages] {
        for caller in [Dialect::OpenaiChat, Dialect::AnthropicMessages] {
            let one = Vendor::start(broken.clone()).await.unwrap();
            let two = Vendor::start(able(second)).await.unwrap();
            let to = if second == Dialect::OpenaiChat { openai("two", &two) } else { anthropic("two", &two) };
            let house = House::with(&(openai("one", &one) + &to), &format!("{ROUTE}{NO_BREAKERS}")).await;
            for cut in &cuts {
                let mut inbound = message("r", true);
                inbound.dialect = caller;
                let seen = answered(&house, inbound).await;
                assert_eq!(heard(&seen), all, "{cut} {caller} {second}: {seen}");
                assert!(!seen.contains("error"), "{cut} {caller} {second}: {seen}");
            }
            let rows = house.rows().await;
            assert_eq!(rows.len(), 2 * cuts.len());
            let how = if second == Dialect::OpenaiChat { Rest::Anew } else { Rest::Prefill };
            assert!(rows.iter().filter_map(|row| row.seam).all(|seam| seam.how == how));
        }
    }
}

#[tokio::test]
async fn an_answer_that_differs_ends_with_the_error_of_the_first() {
    let second = Answer::events(saying(&["one ", "too ", "three"])).stalls();
    let (house, _one, two) = two(Answer::events(saying(&["one ", "two "])).cut(), second).await;
    let seen = answered(&house, chat("r", true)).await;
    assert_eq!(heard(&seen), "one two ", "{seen}");
    assert!(seen.contains("WL4005") && seen.contains("answered otherwise"), "{seen}");
    assert!(!seen.contains("[DONE]"), "{seen}");
    assert!(two.closed().await.during_answer);
    let rows = house.rows().await;
    assert_eq!((rows[0].outcome, rows[1].outcome), (Outcome::Cut, Outcome::Failed));
    assert_eq!(rows[1].code, Some(Code::StreamDiverged));
    assert!(rows[1].usage.output > 0 && rows[1].seam.is_some());
}

#[tokio::test]
async fn an_answer_that_is_shorter_has_differed() {
    let (house, _one, _two) =
        two(Answer::events(saying(&["one ", "two "])).cut(), Answer::events(said(&["one "]))).await;
    let seen = answered(&house, chat("r", true)).await;
    assert!(heard(&seen) == "one two " && seen.contains("WL4005") && !seen.contains("stop\""), "{seen}");
}

#[tokio::test]
async fn where_the_others_fail_too_the_first_cause_is_told() {
    let failing = Answer::json(500, gpt::error("boom", "server_error", None));
    let (house, _one, _two) = two(Answer::events(saying(&["one "])).cut(), failing).await;
    let seen = answered(&house, chat("r", true)).await;
    assert!(heard(&seen) == "one " && seen.contains("WL4005") && !seen.contains("[DONE]"), "{seen}");
    let rows = house.rows().await;
    assert_eq!(rows.iter().map(|row| row.outcome).collect::<Vec<_>>(), [Outcome::Cut, Outcome::Failed]);
}

#[tokio::test]
async fn a_rest_that_breaks_is_gone_on_with_too() {
    let one = Vendor::start(Answer::events(saying(&["one "])).cut()).await.unwrap();
    // The second breaks before it has said again what the caller has; another time behind that.
    for texts in [&["on"][..], &["one ", "two "]] {
        let two = Vendor::start(Answer::events(saying(texts)).cut()).await.unwrap();
        let three = Vendor::start(Answer::events(said(&["one two", " three"]))).await.unwrap();
        let providers = openai("one", &one) + &openai("two", &two) + &openai("three", &three);
        let house = House::with(&providers, THREE).await;
        let seen = answered(&house, chat("r", true)).await;
        assert_eq!(heard(&seen), "one two three", "{seen}");
        assert!(seen.ends_with("data: [DONE]\n\n"), "{seen}");
        assert_eq!(house.rows().await.len(), 3);
    }
}

#[tokio::test]
async fn the_same_model_is_asked_again_where_the_policy_says_so() {
    let answers = [Answer::events(saying(&["one "])).cut(), Answer::events(said(&["one ", "two"]))];
    let one = Vendor::start(answers).await.unwrap();
    let route = "routes: { r: { models: [one/m], retry: { attempts: 2, base: 0s, max: 1ms }, stream_failure: continue } }";
    let house = House::with(&openai("one", &one), route).await;
    assert_eq!(heard(&answered(&house, chat("r", true)).await), "one two");
    let rows = house.rows().await;
    assert_eq!((rows.len(), rows[1].fallback), (2, false));
}

#[tokio::test]
async fn a_refused_beginning_leads_to_asking_anew() {
    let refusing = Script::by(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let turns = body["messages"].as_array().unwrap();
        if turns.last().unwrap()["role"] == "assistant" {
            Answer::json(400, claude::error("This model does not support prefill.", "invalid_request_error"))
        } else {
            Answer::events(messaged(&["one ", "two"]))
        }
    });
    let one = Vendor::start(Answer::events(saying(&["one "])).cut()).await.unwrap();
    let two = Vendor::start(refusing).await.unwrap();
    let house = House::with(&(openai("one", &one) + &anthropic("two", &two)), ROUTE).await;
    let mut inbound = chat("r", true);
    inbound.body = r#"{"model":"r","stream":true,"messages":[{"role":"user","content":"hi"}]}"#.into();
    let seen = answered(&house, inbound).await;
    assert_eq!(heard(&seen), "one two", "{seen}");
    let rows = house.rows().await;
    let how: Vec<_> = rows.iter().map(|row| (row.outcome, row.seam.map(|seam| seam.how))).collect();
    assert_eq!(
        how,
        [(Outcome::Cut, None), (Outcome::Failed, Some(Rest::Prefill)), (Outcome::Complete, Some(Rest::Anew))]
    );
}

#[tokio::test]
async fn what_cannot_be_gone_on_with_ends_with_the_error() {
    let call = r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}]}"#;
    let tool = Answer::events(saying(&["one "])).piece(format!("{call}\n\n")).cut();
    let ended = Answer::events(said(&["one "]).into_iter().take(3)).cut();
    let long = "x".repeat(300 << 10);
    let long = Answer::events(saying(&["one ", &long])).cut();
    for broken in [tool, ended, long] {
        let (house, _one, two) = two(broken, Answer::events(said(&["one ", "two"]))).await;
        let seen = answered(&house, chat("r", true)).await;
        assert!(seen.contains("WL4005") && !seen.contains("[DONE]"));
        drop(two);
        assert_eq!(house.rows().await.len(), 1);
    }
    // Several answers.
    let (house, _one, _two) =
        two(Answer::events(saying(&["one "])).cut(), Answer::events(said(&["one ", "two"]))).await;
    let mut inbound = chat("r", true);
    inbound.body = r#"{"model":"r","n":2,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#.into();
    assert!(answered(&house, inbound).await.contains("WL4005"));
    // A provider that speaks the Responses dialect keeps the answer under its own id.
    let head = r#"data: {"type":"response.created","response":{"id":"resp_1","status":"in_progress"}}"#;
    let delta = r#"data: {"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"one "}"#;
    let one =
        Vendor::start(Answer::events([head, delta].map(|event| format!("{event}\n\n"))).cut()).await.unwrap();
    let provider =
        format!("  one: {{ kind: openai, api: both, base_url: '{}', api_key: k }}\n", one.url("/v1"));
    let two = Vendor::start(Answer::events(said(&["one ", "two"]))).await.unwrap();
    let house = House::with(&(provider + &openai("two", &two)), ROUTE).await;
    let body = json!({ "model": "r", "input": "hi", "stream": true });
    let inbound = Inbound {
        dialect: Dialect::OpenaiResponses,
        body: body.to_string().into(),
        head: engine::Head::default(),
    };
    assert!(answered(&house, inbound).await.contains("WL4005"));
    assert_eq!(house.rows().await.len(), 1);
}

#[tokio::test]
async fn without_the_setting_nobody_else_is_asked() {
    let one = Vendor::start(Answer::events(saying(&["one "])).cut()).await.unwrap();
    let two = Vendor::start(Answer::events(said(&["one ", "two"]))).await.unwrap();
    let route = "routes: { r: { models: [one/m, two/m] } }";
    let house = House::with(&(openai("one", &one) + &openai("two", &two)), route).await;
    assert!(answered(&house, chat("r", true)).await.contains("WL4005"));
    assert_eq!(house.rows().await.len(), 1);
}

#[tokio::test]
async fn hanging_up_while_the_rest_is_asked_for_cancels_it_and_is_accounted_for() {
    let gate = Gate::new();
    let second = Answer::events(said(&["one ", "two"])).behind(&gate);
    let (house, _one, two) = two(Answer::events(saying(&["one "])).cut(), second).await;
    let mut relay = stream(house.engine().call(chat("r", true)).await.unwrap());
    relay.frame().await.unwrap().unwrap();
    let waiting = tokio::spawn(async move { relay.frame().await });
    two.request().await;
    waiting.abort();
    two.closed().await;
    let rows = house.rows().await;
    assert_eq!(rows.iter().map(|row| row.outcome).collect::<Vec<_>>(), [Outcome::Cut, Outcome::HungUp]);
}

#[tokio::test]
async fn the_deadline_holds_for_the_rest() {
    let (one, two) = (Answer::events(saying(&["one "])).cut(), Answer::silent());
    let (one, two) = (Vendor::start(one).await.unwrap(), Vendor::start(two).await.unwrap());
    let more = format!("{ROUTE}\ndefaults: {{ timeouts: {{ total: 700ms }} }}");
    let house = House::with(&(openai("one", &one) + &openai("two", &two)), &more).await;
    let seen = answered(&house, chat("r", true)).await;
    assert!(heard(&seen) == "one " && seen.contains("WL4005"), "{seen}");
}
