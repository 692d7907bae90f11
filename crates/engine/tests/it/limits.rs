//! Rate limits: all tiers or none, refused, waiting or served worse, and settled to what was used.

use std::time::Duration;

use engine::{Inbound, Level, Refusal};
use testkit::{Answer, Gate, Vendor, openai as gpt};
use types::{Blame, Code, Kind, Priority, Retry};

use crate::house::{House, chat, openai, stream, text, whole};

fn fine(input: u64, output: u64) -> Answer {
    Answer::json(200, gpt::chat("ok", input, output))
}

fn from(tenant: &str, user: &str, mut call: Inbound) -> Inbound {
    call.head.tenant = Some(tenant.into());
    call.head.user = Some(user.into());
    call
}

fn limited(refusal: &Refusal) -> Duration {
    let fault = &refusal.fault;
    assert_eq!((fault.kind, fault.code, fault.blame), (Kind::RateLimit, Code::LimitExceeded, Blame::Caller));
    assert_eq!(refusal.attempts, 0, "nothing was sent");
    match fault.retry {
        Retry::After(wait) => wait,
        other => panic!("when to come back is told, not {other:?}"),
    }
}

#[tokio::test]
async fn each_tier_counts_its_own_and_a_refusal_takes_of_none() {
    let vendor = Vendor::start(fine(5, 2)).await.unwrap();
    let more =
        "limits: { global: { requests_per_hour: 3 }, per_user: { requests_per_hour: 1 }, on_exceeded: deny }";
    let house = House::with(&openai("one", &vendor), more).await;
    let ask = |tenant, user| house.engine().call(from(tenant, user, chat("one/m", false)));
    let about = whole(ask("acme", "ann").await.unwrap()).about;
    let gauge = about.limits.unwrap().requests.unwrap();
    assert_eq!((gauge.limit, gauge.remaining), (1, 0), "the tightest is told");
    let refusal = ask("acme", "ann").await.unwrap_err();
    assert!(refusal.fault.message.contains("1 requests per hour for this user"), "{}", refusal.fault.message);
    assert!(limited(&refusal) > Duration::from_secs(3_500));
    assert_eq!(refusal.limits.requests.unwrap().remaining, 0);
    // The same name at another tenant is somebody else, and the refusal has taken nothing of the global three.
    whole(ask("other", "ann").await.unwrap());
    whole(ask("other", "bob").await.unwrap());
    let refusal = ask("third", "eve").await.unwrap_err();
    assert!(refusal.fault.message.contains("this gateway"), "{}", refusal.fault.message);
}

#[tokio::test]
async fn tokens_are_reserved_and_settled_to_what_was_used() {
    let vendor = Vendor::start([fine(600, 300), fine(10, 10)]).await.unwrap();
    let more = "limits: { per_tenant: { tokens_per_hour: 1000 }, on_exceeded: deny }";
    let house = House::with(&openai("one", &vendor), more).await;
    let ask = || house.engine().call(from("acme", "ann", chat("one/m", false)));
    let reserved = whole(ask().await.unwrap()).about.limits.unwrap().tokens.unwrap();
    assert!(reserved.remaining > 500, "an estimate was taken: {reserved:?}");
    // 900 of 1,000 were used: the next estimate does not fit.
    let refusal = ask().await.unwrap_err();
    let left = refusal.limits.tokens.unwrap();
    assert!((99..=101).contains(&left.remaining), "{left:?}");
    limited(&refusal);
}

#[tokio::test]
async fn a_call_that_never_left_gives_everything_back_and_a_cut_one_pays_for_what_it_saw() {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    gates[0].open();
    gates[1].open();
    let events = Answer::events(gpt::chat_stream(3, 5)).gates(&gates);
    let vendor = Vendor::start([events, fine(5, 2)]).await.unwrap();
    let more = "limits: { global: { requests_per_hour: 2, tokens_per_hour: 5000 }, on_exceeded: deny }\n\
                overload: { concurrency: { most: 1, least: 1, wait: 0s } }";
    let house = House::with(&openai("one", &vendor), more).await;
    let relay = stream(house.engine().call(chat("one/m", true)).await.unwrap());
    let refusal = house.engine().call(chat("one/m", false)).await.unwrap_err();
    assert_eq!(refusal.fault.code, Code::Overloaded);
    drop(relay);
    let about = whole(house.engine().call(chat("one/m", false)).await.unwrap()).about;
    let standing = about.limits.unwrap();
    assert_eq!(standing.requests.unwrap().remaining, 0, "two were sent, and the one between was not");
    let refusal = house.engine().call(chat("one/m", false)).await.unwrap_err();
    let left = refusal.limits.tokens.unwrap().remaining;
    assert!(left > 4_900 && left < 5_000, "what was really used: {left}");
}

#[tokio::test]
async fn who_may_wait_waits_for_the_limit_by_priority() {
    let vendor = Vendor::start(fine(5, 2)).await.unwrap();
    let more = "limits: { global: { requests_per_second: 20, burst: 1 }, on_exceeded: { action: queue, queue_timeout: 10s } }";
    let house = House::with(&openai("one", &vendor), more).await;
    let began = tokio::time::Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..9 {
        let engine = house.engine().clone();
        let mut call = chat("one/m", false);
        call.head.priority = if number == 8 { Priority::Critical } else { Priority::Normal };
        calls.spawn(async move {
            whole(engine.call(call).await.unwrap());
            number
        });
        tokio::task::yield_now().await;
    }
    let mut order = Vec::new();
    while let Some(done) = calls.join_next().await {
        order.push(done.unwrap());
    }
    assert!(order.iter().position(|number| *number == 8) <= Some(2), "{order:?}");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(395), "20 a second, one at once: {took:?}");
}

#[tokio::test]
async fn a_models_limit_counts_also_what_comes_through_a_route() {
    let vendor = Vendor::start(fine(5, 2)).await.unwrap();
    let more = "routes: { r: { models: [one/m] } }\n\
                limits: { models: { one/m: { requests_per_hour: 2 } }, on_exceeded: deny }";
    let house = House::with(&openai("one", &vendor), more).await;
    whole(house.engine().call(chat("r", false)).await.unwrap());
    whole(house.engine().call(chat("one/m", false)).await.unwrap());
    limited(&house.engine().call(chat("r", false)).await.unwrap_err());
    whole(house.engine().call(chat("one/other", false)).await.unwrap());
}

#[tokio::test]
async fn who_would_wait_in_vain_is_told_at_once() {
    let vendor = Vendor::start(fine(5, 2)).await.unwrap();
    let more =
        "limits: { global: { requests_per_hour: 1 }, on_exceeded: { action: queue, queue_timeout: 5s } }";
    let house = House::with(&openai("one", &vendor), more).await;
    whole(house.engine().call(chat("one/m", false)).await.unwrap());
    let began = tokio::time::Instant::now();
    limited(&house.engine().call(chat("one/m", false)).await.unwrap_err());
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn on_excess_a_call_may_be_served_worse_by_the_cheapest_model() {
    let dear = Vendor::start(fine(5, 2)).await.unwrap();
    let cheap = Vendor::start(Answer::events(gpt::chat_stream(2, 5))).await.unwrap();
    let more = "routes: { r: { models: [dear/gpt-4o, cheap/gpt-4o-mini] } }\n\
                limits: { global: { requests_per_hour: 1 }, on_exceeded: degraded }";
    let house = House::with(&(openai("dear", &dear) + &openai("cheap", &cheap)), more).await;
    let about = whole(house.engine().call(chat("r", false)).await.unwrap()).about;
    assert_eq!((&*about.provider, about.level), ("dear", Level::Full));
    let relay = stream(house.engine().call(chat("r", true)).await.unwrap());
    assert_eq!((&*relay.about.provider, relay.about.level), ("cheap", Level::Minimal));
    text(relay).await;
    let sent = String::from_utf8(cheap.request().await.body.to_vec()).unwrap();
    assert!(sent.contains(r#""max_tokens":300"#), "{sent}");
}
