//! Too much to do: places, waiting by priority, shedding, bulkheads, providers that say how much they take, and
//! serving worse rather than not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::{Inbound, Level, Refusal};
use testkit::{Answer, Gate, Script, Vendor, openai as gpt};
use types::{Blame, Code, Kind, Priority, Retry};

use crate::house::{House, chat, openai, stream, text, whole};

fn fine() -> Answer {
    Answer::json(200, gpt::chat("ok", 5, 2))
}

fn of(priority: Priority, mut call: Inbound) -> Inbound {
    call.head.priority = Some(priority);
    call
}

fn from(tenant: &str, mut call: Inbound) -> Inbound {
    call.head.tenant = Some(tenant.into());
    call
}

/// Until `waiting` calls wait for a place.
async fn until_waiting(house: &House, waiting: usize) {
    while house.engine().overview().places.iter().map(|places| places.waiting).sum::<usize>() != waiting {
        tokio::task::yield_now().await;
    }
}

fn overloaded(refusal: &Refusal) -> Duration {
    assert_eq!((refusal.fault.kind, refusal.fault.code), (Kind::ResourceExhausted, Code::Overloaded));
    assert_eq!(refusal.attempts, 0, "nothing was asked");
    match refusal.fault.retry {
        Retry::After(wait) => wait,
        other => panic!("when to come back is told, not {other:?}"),
    }
}

#[tokio::test]
async fn who_finds_no_place_waits_and_the_more_important_go_first() {
    let gate = Gate::new();
    let vendor = Vendor::start([fine().behind(&gate), fine(), fine()]).await.unwrap();
    let more = "overload: { concurrency: { most: 1, least: 1, wait: 20s } }";
    let house = House::with(&openai("one", &vendor), more).await;
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut calls = tokio::task::JoinSet::new();
    for (number, priority) in [Priority::Normal, Priority::Low, Priority::Critical].into_iter().enumerate() {
        let (engine, order) = (house.engine().clone(), Arc::clone(&order));
        calls.spawn(async move {
            whole(engine.call(of(priority, chat("one/m", false))).await.unwrap());
            order.lock().unwrap().push(priority);
        });
        if number == 0 { gate.reached().await } else { until_waiting(&house, number).await }
    }
    gate.open();
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [Priority::Normal, Priority::Critical, Priority::Low]);
    assert_eq!(house.engine().overview().places[0].running, 0);
}

#[tokio::test]
async fn a_stream_keeps_its_place_until_its_end_and_others_go_to_the_next_model() {
    let gate = Gate::new();
    let open = Gate::new();
    open.open();
    let gates = [open.clone(), open, gate.clone()];
    let held = Answer::events(gpt::chat_stream(3, 5)).gates(&gates);
    let vendor = Vendor::start([held, fine()]).await.unwrap();
    let spare = Vendor::start(Script::by(|_| fine())).await.unwrap();
    let more = "routes: { r: { models: [one/m, two/m] } }\n\
                overload: { concurrency: { most: 1, least: 1, wait: 0s } }";
    let house = House::with(&(openai("one", &vendor) + &openai("two", &spare)), more).await;
    let relay = stream(house.engine().call(chat("one/m", true)).await.unwrap());
    let about = whole(house.engine().call(chat("r", false)).await.unwrap()).about;
    assert_eq!((&*about.provider, about.fallback, about.attempts), ("two", true, 1));
    let refusal = house.engine().call(chat("one/m", false)).await.unwrap_err();
    assert!(overloaded(&refusal) <= Duration::from_secs(1));
    gate.open();
    assert!(text(relay).await.contains("[DONE]"));
    let about = whole(house.engine().call(chat("r", false)).await.unwrap()).about;
    assert_eq!(&*about.provider, "one", "its place is free again");
}

#[tokio::test]
async fn who_waits_in_vain_is_told_when_to_come_back_and_who_goes_away_leaves_the_line() {
    let held = async |wait: &str| {
        let gate = Gate::new();
        let vendor = Vendor::start([fine().behind(&gate), fine()]).await.unwrap();
        let more = format!("overload: {{ concurrency: {{ most: 1, least: 1, wait: {wait}, queue: 1 }} }}");
        let house = House::with(&openai("one", &vendor), &more).await;
        let engine = house.engine().clone();
        let held = tokio::spawn(async move { engine.call(chat("one/m", false)).await });
        gate.reached().await;
        (house, vendor, gate, held)
    };
    let (house, _vendor, gate, first) = held("50ms").await;
    overloaded(&house.engine().call(chat("one/m", false)).await.unwrap_err());
    gate.open();
    whole(first.await.unwrap().unwrap());
    // Another that waits as long as it has to.
    let (house, _vendor, gate, held) = held("10m").await;
    let engine = house.engine().clone();
    let gone = tokio::spawn(async move { engine.call(chat("one/m", false)).await });
    until_waiting(&house, 1).await;
    // The line has one place only.
    overloaded(&house.engine().call(chat("one/m", false)).await.unwrap_err());
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    until_waiting(&house, 0).await;
    gate.open();
    whole(held.await.unwrap().unwrap());
    whole(house.engine().call(chat("one/m", false)).await.unwrap());
}

#[tokio::test]
async fn a_provider_that_says_when_to_come_back_is_left_alone_until_then() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let script = Script::by(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Answer::json(429, gpt::error("slow down", "requests", None)).header("retry-after", "30")
    });
    let vendor = Vendor::start(script).await.unwrap();
    let more = "defaults: { retry: { attempts: 1 } }\noverload: { concurrency: { wait: 0s } }";
    let house = House::with(&openai("one", &vendor), more).await;
    let refusal = house.engine().call(chat("one/m", false)).await.unwrap_err();
    assert_eq!(refusal.fault.kind, Kind::RateLimit);
    // What it would say again is said for it.
    let refusal = house.engine().call(chat("one/m", false)).await.unwrap_err();
    assert_eq!((refusal.fault.code, refusal.attempts), (Code::RateLimited, 0));
    let Retry::After(wait) = refusal.fault.retry else { panic!("{:?}", refusal.fault) };
    assert!(wait > Duration::from_secs(25) && wait <= Duration::from_secs(30), "{wait:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_providers_own_limit_is_obeyed_before_it_refuses() {
    let vendor = Vendor::start([
        fine().header("x-ratelimit-remaining-requests", "0").header("x-ratelimit-reset-requests", "20s"),
        fine(),
    ])
    .await
    .unwrap();
    let spare = Vendor::start(Script::by(|_| fine())).await.unwrap();
    let more = "routes: { r: { models: [one/m, two/m] } }";
    let house = House::with(&(openai("one", &vendor) + &openai("two", &spare)), more).await;
    for provider in ["one", "two", "two"] {
        let about = whole(house.engine().call(chat("r", false)).await.unwrap()).about;
        assert_eq!(&*about.provider, provider);
    }
}

#[tokio::test]
async fn a_full_compartment_refuses_its_own_and_nobody_else() {
    let gate = Gate::new();
    let vendor = Vendor::start([fine().behind(&gate), fine()]).await.unwrap();
    let more = "overload: { bulkheads: { tenant: 1 } }";
    let house = House::with(&openai("one", &vendor), more).await;
    let engine = house.engine().clone();
    let held = tokio::spawn(async move { engine.call(from("acme", chat("one/m", false))).await });
    gate.reached().await;
    let refusal = house.engine().call(from("acme", chat("one/m", false))).await.unwrap_err();
    let fault = &refusal.fault;
    assert_eq!((fault.kind, fault.code, fault.blame), (Kind::RateLimit, Code::TenantFull, Blame::Caller));
    whole(house.engine().call(from("other", chat("one/m", false))).await.unwrap());
    let rows = house.engine().overview().bulkheads;
    let row = rows.iter().find(|row| &*row.name == "acme").unwrap();
    assert_eq!((row.size, row.running, row.refused), (1, 1, 1));
    gate.open();
    whole(held.await.unwrap().unwrap());
    assert!(house.engine().overview().bulkheads.iter().all(|row| row.running == 0));
}

#[tokio::test]
async fn no_more_calls_run_than_the_process_can_take() {
    let gate = Gate::new();
    let vendor = Vendor::start([fine().behind(&gate)]).await.unwrap();
    let house = House::with(&openai("one", &vendor), "overload: { max_calls: 1 }").await;
    let engine = house.engine().clone();
    let held = tokio::spawn(async move { engine.call(chat("one/m", false)).await });
    gate.reached().await;
    overloaded(&house.engine().call(of(Priority::Critical, chat("one/m", false))).await.unwrap_err());
    gate.open();
    whole(held.await.unwrap().unwrap());
}

/// Until the first reading of the memory.
async fn until_tight(house: &House) {
    while house.engine().overview().memory.is_none_or(|(_, percent)| percent == 0) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn without_memory_only_what_matters_most_is_taken_and_it_is_served_worse() {
    let vendor = Vendor::start(Script::by(|_| fine())).await.unwrap();
    let more = "overload: { degrade: true, memory: { limit: 1MB } }";
    let house = House::with(&openai("one", &vendor), more).await;
    until_tight(&house).await;
    for priority in [Priority::Low, Priority::Normal, Priority::High] {
        overloaded(&house.engine().call(of(priority, chat("one/m", false))).await.unwrap_err());
    }
    let mut call = of(Priority::Critical, chat("one/m", false));
    call.body =
        br#"{"model":"one/m","max_tokens": 100,"messages":[{"role":"user","content":"hi"}]}"#[..].into();
    let about = whole(house.engine().call(call.clone()).await.unwrap()).about;
    assert_eq!(about.level, Level::Reduced, "two better than what holds");
    assert_eq!(vendor.request().await.json()["max_tokens"], 70);
    call.head.floor = Some(Level::Full);
    overloaded(&house.engine().call(call).await.unwrap_err());
}

#[tokio::test]
async fn a_load_level_shortens_calls_and_their_answers() {
    let vendor = Vendor::start(Script::by(|_| fine())).await.unwrap();
    // Nothing has to happen for it to be low, and what low allows is told here.
    let more = "overload: { load: { enabled: true, low: { max_tokens: 9, attempts: 1, timeout: 3s } } }";
    let house = House::with(&openai("one", &vendor), more).await;
    whole(house.engine().call(chat("one/m", false)).await.unwrap());
    let sent = String::from_utf8(vendor.request().await.body.to_vec()).unwrap();
    assert!(sent.ends_with(r#""odd":1.0e400,"max_tokens":9}"#), "{sent}");
    assert_eq!(house.engine().overview().ceiling, 5, "what low allows");
}

#[tokio::test]
async fn a_provider_that_takes_no_more_is_no_overload_of_ours() {
    let busy = Answer::json(429, gpt::error("slow down", "requests", None)).header("retry-after", "1");
    let (full, fine) = (Vendor::start(busy).await.unwrap(), Vendor::start(fine()).await.unwrap());
    let more = "defaults: { retry: { attempts: 1 } }\noverload: { concurrency: { wait: 0s } }";
    let house = House::with(&(openai("full", &full) + &openai("fine", &fine)), more).await;
    for _ in 0..5 {
        house.engine().call(chat("full/m", false)).await.unwrap_err();
    }
    for _ in 0..50 {
        whole(house.engine().call(of(Priority::Low, chat("fine/m", false))).await.unwrap());
    }
    let overview = house.engine().overview();
    assert_eq!(overview.shed, 0);
}

#[tokio::test]
async fn what_a_breaker_holds_back_does_not_count_against_the_providers_limit() {
    let asked = AtomicUsize::new(0);
    let vendor = Vendor::start(Script::by(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => {
            fine().header("x-ratelimit-remaining-requests", "20").header("x-ratelimit-reset-requests", "50s")
        }
        _ => Answer::json(500, gpt::error("boom", "server_error", None)),
    }))
    .await
    .unwrap();
    let more = "defaults: { retry: { attempts: 1 }, breaker: { open: 1m } }\n\
                overload: { concurrency: { wait: 0s } }";
    let house = House::with(&openai("one", &vendor), more).await;
    whole(house.engine().call(chat("one/m", false)).await.unwrap());
    let mut refused = 0;
    while refused < 30 {
        let refusal = house.engine().call(chat("one/m", false)).await.unwrap_err();
        if refusal.attempts == 0 {
            refused += 1;
            // Had they counted, the provider's twenty would be used up by now.
            assert_eq!(refusal.fault.kind, Kind::Throttling, "{}", refusal.fault.message);
        }
    }
}
