//! Where a call goes: on from a model that is silent, too small or refuses it, by conditions, weights, turns, latency
//! and common beginnings; and the names that lead there.

use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::Inbound;
use testkit::{Answer, Gate, Vendor, openai as gpt};
use types::Code;

use crate::house::{House, chat, openai, stream, text, whole};
use crate::patient::{Patient, STREAK, answerer, fine, one};

#[tokio::test]
async fn a_silent_provider_is_asked_once_and_the_route_goes_on() {
    let silent = Vendor::start(Answer::silent()).await.unwrap();
    let good = Vendor::start(Answer::events(gpt::chat_stream(2, 5))).await.unwrap();
    let providers = openai("silent", &silent) + &openai("good", &good);
    let route = "routes: { r: { models: [silent/m, good/m], retry: { attempts: 3 }, timeouts: { first_token: 700ms } } }";
    let house = House::with(&providers, route).await;
    let relay = stream(house.engine().call(chat("r", true)).await.unwrap());
    assert_eq!((&*relay.about.provider, relay.about.attempts), ("good", 2));
    text(relay).await;
}

#[tokio::test]
async fn a_plain_call_leaves_a_silent_provider_in_time() {
    let silent = Vendor::start(Answer::silent()).await.unwrap();
    let good = Patient::start(false).await;
    let providers = openai("silent", &silent) + &one("good", &good);
    let routes = "
routes:
  r: { models: [silent/m, good/m], timeouts: { first_token: 50ms, idle: 50ms, total: 2s } }
  s: { models: [silent/m, good/m], timeouts: { answer: 700ms, total: 1m } }
  t: { models: [silent/m], timeouts: { answer: 50ms } }
  u: { models: [silent/m], timeouts: { total: 300ms } }
  v: { models: [silent/m] }
";
    let house = House::with(&providers, routes).await;
    for route in ["r", "s"] {
        let answered = whole(house.engine().call(chat(route, false)).await.unwrap());
        assert_eq!((&*answered.about.provider, answered.about.attempts), ("good", 2), "{route}");
    }
    // Which deadline it was is told.
    for (route, which) in [("t", "`timeouts.answer`"), ("u", "`timeouts.total` of 300ms")] {
        let refusal = house.engine().call(chat(route, false)).await.unwrap_err();
        assert_eq!(refusal.fault.code, Code::Timeout);
        assert!(refusal.fault.message.contains(which), "{}", refusal.fault.message);
    }
    let mut hurried = chat("v", false);
    hurried.head.deadline = Some(Duration::from_millis(300));
    let refusal = house.engine().call(hurried).await.unwrap_err();
    assert!(refusal.fault.message.contains("the caller's own deadline"), "{}", refusal.fault.message);
}

#[tokio::test]
async fn a_prompt_that_is_too_long_goes_to_a_larger_model_only() {
    let error = gpt::error("too long", "invalid_request_error", Some("context_length_exceeded"));
    let small = Vendor::start(Answer::json(400, error)).await.unwrap();
    let large = Vendor::start(fine()).await.unwrap();
    let model = |name: &str, tokens: u64, vendor: &Vendor| {
        let url = vendor.url("/v1");
        format!(
            "  {name}: {{ kind: openai, base_url: '{url}', api_key: k, models: {{ m: {{ context_tokens: {tokens} }} }} }}\n"
        )
    };
    let same = Vendor::start(fine()).await.unwrap();
    let providers =
        model("small", 1_000, &small) + &model("same", 1_000, &same) + &model("large", 9_000, &large);
    let routes =
        "routes: { r: { models: [small/m, same/m, large/m] }, alone: { models: [small/m, same/m] } }";
    let house = House::with(&providers, routes).await;
    let answered = whole(house.engine().call(chat("r", false)).await.unwrap());
    assert_eq!((&*answered.about.provider, answered.about.attempts), ("large", 2));
    assert!(answered.about.fallback);
    let refusal = house.engine().call(chat("alone", false)).await.unwrap_err();
    assert_eq!((refusal.fault.code, refusal.attempts), (Code::ContextTooLong, 1));
    assert_eq!(same.connections(), 0);
}

#[tokio::test]
async fn a_refusal_for_content_is_the_answer_unless_the_route_says_otherwise() {
    let error = gpt::error("not this", "invalid_request_error", Some("content_filter"));
    let strict = Vendor::start(Answer::json(400, error)).await.unwrap();
    let lax = Vendor::start(fine()).await.unwrap();
    let providers = openai("strict", &strict) + &openai("lax", &lax);
    let routes = "routes: { r: { models: [strict/m, lax/m] }, around: { models: [strict/m, lax/m], filtered: route_around } }";
    let house = House::with(&providers, routes).await;
    let refusal = house.engine().call(chat("r", false)).await.unwrap_err();
    assert_eq!((refusal.fault.code, refusal.attempts), (Code::ContentFiltered, 1));
    assert_eq!(refusal.fault.provider_reason.as_deref(), Some("content_filter"));
    let answered = whole(house.engine().call(chat("around", false)).await.unwrap());
    assert_eq!((&*answered.about.provider, answered.about.attempts), ("lax", 2));
}

#[tokio::test]
async fn a_model_with_a_condition_is_asked_in_that_case_only() {
    let limited = Vendor::start(Answer::json(429, gpt::error("no", "rate_limit_error", None))).await.unwrap();
    let (other, spare) = (Patient::start(true).await, Patient::start(false).await);
    let providers = openai("limited", &limited) + &one("other", &other) + &one("spare", &spare);
    let routes = "
defaults: { retry: { attempts: 1 } }
routes:
  r: { models: [limited/m, { model: spare/m, when: rate_limited }] }
  s: { models: [other/m, { model: spare/m, when: [rate_limited, silent] }] }
";
    let house = House::with(&providers, routes).await;
    assert_eq!(answerer(&house).await, "spare");
    house.engine().call(chat("s", false)).await.unwrap_err();
    assert_eq!((other.asked(), spare.asked()), (1, 1));
}

#[tokio::test]
async fn weights_are_kept_and_a_first_choice_is_no_fallback() {
    let (heavy, light, none) =
        (Patient::start(false).await, Patient::start(false).await, Patient::start(false).await);
    let providers = one("heavy", &heavy) + &one("light", &light) + &one("none", &none);
    let route = "routes: { r: { strategy: weighted, models: [{ model: light/m }, { model: heavy/m, weight: 3 }, \
                 { model: none/m, weight: 0 }] } }";
    let house = House::with(&providers, route).await;
    for _ in 0..40 {
        let answered = whole(house.engine().call(chat("r", false)).await.unwrap());
        assert!(!answered.about.fallback);
    }
    assert_eq!((heavy.asked(), light.asked(), none.asked()), (30, 10, 0));
    assert!(house.rows().await.iter().all(|row| !row.fallback));
}

#[tokio::test]
async fn each_takes_its_turn_but_not_while_its_breaker_is_open() {
    let (a, b, bad) = (Patient::start(false).await, Patient::start(false).await, Patient::start(true).await);
    let providers = one("a", &a) + &one("b", &b) + &one("bad", &bad);
    let more = "
defaults: { retry: { attempts: 1 }, breaker: { open: 1m } }
routes: { r: { strategy: round_robin, models: [a/m, b/m, bad/m] } }
";
    let house = House::with(&providers, more).await;
    for _ in 0..60 {
        answerer(&house).await;
    }
    assert_eq!((bad.asked(), a.asked() + b.asked()), (STREAK, 60));
    assert!(a.asked() >= 20 && b.asked() >= 20, "{} and {}", a.asked(), b.asked());
}

#[tokio::test]
async fn by_latency_the_slow_one_gets_little() {
    let slow = Vendor::start(fine().after(Duration::from_millis(300))).await.unwrap();
    let quick = Patient::start(false).await;
    let providers = openai("slow", &slow) + &one("quick", &quick);
    let house =
        House::with(&providers, "routes: { r: { strategy: latency, models: [slow/m, quick/m] } }").await;
    // What was never asked is taken to be slow, and found out when that has faded: both are known here.
    for model in ["slow/m", "quick/m"] {
        house.engine().call(chat(model, false)).await.unwrap();
    }
    for _ in 0..40 {
        answerer(&house).await;
    }
    assert!(quick.asked() > 32, "{} of 40", quick.asked());
}

/// A chat whose beginning is long enough to be kept, after so many answers.
fn conversation(number: usize, answers: usize, stream: bool) -> Inbound {
    let question = format!("question {number} ").repeat(400);
    let turn = r#",{"role":"assistant","content":"well"},{"role":"user","content":"and?"}"#;
    let body = format!(
        r#"{{"model":"r","stream":{stream},"messages":[{{"role":"user","content":"{question}"}}{}]}}"#,
        turn.repeat(answers)
    );
    Inbound { body: body.into(), ..chat("r", stream) }
}

#[tokio::test]
async fn calls_that_begin_alike_go_to_the_same_deployment() {
    let all = [Patient::start(false).await, Patient::start(false).await, Patient::start(false).await];
    let names = ["a", "b", "c"];
    let providers: String = all.iter().zip(names).map(|(patient, name)| one(name, patient)).collect();
    let more = "
defaults: { retry: { attempts: 1 }, breaker: { open: 1m } }
routes: { r: { strategy: affinity, models: [a/m, b/m, c/m] } }
";
    let house = House::with(&providers, more).await;
    let answerer = async |number, turns| {
        let answered = house.engine().call(conversation(number, turns, false)).await.unwrap();
        whole(answered).about.provider.to_string()
    };
    let mut homes = Vec::new();
    for number in 0..12 {
        homes.push(answerer(number, 0).await);
    }
    assert!(names.iter().all(|name| homes.iter().any(|home| home == name)), "each has some: {homes:?}");
    for turns in 1..4 {
        for (number, home) in homes.iter().enumerate() {
            assert_eq!(&answerer(number, turns).await, home, "conversation {number}, turn {turns}");
        }
    }
    // The others stay where they are when one is gone.
    all[0].ill.store(true, Ordering::SeqCst);
    for (number, home) in homes.iter().enumerate().cycle().take(120) {
        let now = answerer(number, 4).await;
        assert!(home == "a" && now != "a" || now == *home, "{home} and then {now}");
    }
    assert!(all[0].asked() < 12 * 4 + 4 * STREAK, "its breaker is open: {}", all[0].asked());
}

#[tokio::test]
async fn one_prefix_that_everybody_has_does_not_overload_the_deployment_that_keeps_it() {
    let gate = Gate::new();
    let mut vendors = Vec::new();
    for _ in 0..3 {
        let (first, closed) = (Gate::new(), gate.clone());
        first.open();
        let answer = Answer::events(gpt::chat_stream(2, 5)).gates(&[first.clone(), first, closed]);
        vendors.push(Vendor::start(answer).await.unwrap());
    }
    let names = ["a", "b", "c"];
    let providers: String = vendors.iter().zip(names).map(|(vendor, name)| openai(name, vendor)).collect();
    let route = "routes: { r: { strategy: affinity, models: [a/m, b/m, c/m] } }";
    let house = House::with(&providers, route).await;
    let (mut relays, mut running) = (Vec::new(), std::collections::BTreeMap::<String, usize>::new());
    for call in 0..48 {
        let relay = stream(house.engine().call(conversation(1, 0, true)).await.unwrap());
        *running.entry(relay.about.provider.to_string()).or_default() += 1;
        // A quarter over the mean of what runs, and two.
        let bound = 2 + ((call + 1) * 5_usize).div_ceil(12);
        assert!(running.values().all(|calls| *calls <= bound), "{running:?} of {call}");
        relays.push(relay);
    }
    assert_eq!(running.len(), 3, "{running:?}");
    gate.open();
    for relay in relays {
        text(relay).await;
    }
}

#[tokio::test]
async fn a_translated_stream_names_the_model_that_answered() {
    let bad = Patient::start(true).await;
    let good = Vendor::start(Answer::events(gpt::chat_stream(2, 5))).await.unwrap();
    let providers = one("bad", &bad) + &openai("good", &good);
    let routes = "routes: { gw: { models: [bad/m, good/other], retry: { attempts: 1 } } }";
    let house = House::with(&providers, routes).await;
    let said = text(stream(house.engine().call(crate::house::message("gw", true)).await.unwrap())).await;
    let start = said.lines().find(|line| line.contains("message_start") && line.starts_with("data")).unwrap();
    assert!(start.contains(r#""model":"scripted""#) && !said.contains(r#""model":"gw""#), "{said}");
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused_and_not_repeated() {
    let good = Patient::start(false).await;
    let house = House::with(&one("good", &good), "").await;
    let long = "x".repeat(2 << 20);
    let refusal = house.engine().call(chat(&format!("good/{long}"), false)).await.unwrap_err();
    assert_eq!((refusal.fault.code, refusal.attempts), (Code::NameTooLong, 0));
    assert!(refusal.fault.message.len() < 200);
    let mut call = chat("good/m", false);
    let body =
        format!(r#"{{"model":"good/m","user":"{long}","messages":[{{"role":"user","content":"hi"}}]}}"#);
    call.body = body.into();
    let refusal = house.engine().call(call).await.unwrap_err();
    assert_eq!((refusal.fault.code, refusal.fault.param.as_deref()), (Code::NameTooLong, Some("user")));
    assert_eq!(good.asked(), 0);
}
