//! Rate limits: all tiers or none, refused, waiting or served worse, and settled to what was used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::{Inbound, Level, Refusal};
use testkit::{Answer, Gate, Script, Vendor, openai as gpt};
use types::{Blame, Code, Kind, Priority, Retry};

use crate::house::{House, chat, openai, stream, text, until_usual_is_known, whole};

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
    let more = "limits: { per_tenant: { tokens_per_day: 1000 }, on_exceeded: deny }";
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
    let more = "limits: { global: { requests_per_hour: 2, tokens_per_day: 5000 }, on_exceeded: deny }\n\
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
    let (mut calls, order) = (tokio::task::JoinSet::new(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let mut before = 0;
    for number in 0..9 {
        let (engine, order) = (house.engine().clone(), Arc::clone(&order));
        let mut call = chat("one/m", false);
        call.head.priority = Some(if number == 8 { Priority::Critical } else { Priority::Normal });
        // On a busy machine some are through before the last one comes.
        before = order.lock().unwrap().len();
        calls.spawn(async move {
            whole(engine.call(call).await.unwrap());
            order.lock().unwrap().push(number);
        });
        tokio::task::yield_now().await;
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    let order = order.lock().unwrap();
    assert!(order.iter().position(|number| *number == 8) <= Some(before + 2), "{before} and then {order:?}");
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

async fn three() -> [Vendor; 3] {
    let broken = Answer::json(500, gpt::error("boom", "server_error", None));
    [Vendor::start(broken).await, Vendor::start(fine(5, 2)).await, Vendor::start(fine(5, 2)).await]
        .map(Result::unwrap)
}

fn named(vendors: &[Vendor; 3]) -> String {
    let names = ["a", "b", "c"];
    names.iter().zip(vendors).map(|(name, vendor)| openai(name, vendor)).collect()
}

#[tokio::test]
async fn a_fallbacks_limit_counts_too_and_a_used_up_one_is_passed_over() {
    let vendors = three().await;
    let more = "
defaults: { retry: { attempts: 1 }, breaker: { enabled: false } }
routes: { r: { models: [a/m, b/m, c/m] } }
limits: { models: { b/m: { requests_per_hour: 1 }, c/m: { requests_per_hour: 2 } }, on_exceeded: deny }
";
    let house = House::with(&named(&vendors), more).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let about = whole(house.engine().call(chat("r", false)).await.unwrap()).about;
        assert_eq!((about.attempts, about.fallback), (2, true), "what was not sent is no attempt");
        seen.push(about.provider.to_string());
    }
    assert_eq!(seen, ["b", "c", "c"]);
    // The caller is told what went wrong, not that there was a limit behind it.
    let refusal = house.engine().call(chat("r", false)).await.unwrap_err();
    assert_eq!((refusal.fault.code, refusal.attempts), (Code::ProviderError, 1));
    let rows = house.rows().await;
    let asked: Vec<_> = rows.iter().map(|row| (&*row.provider, row.key.attempt)).collect();
    assert_eq!(asked, [("a", 1), ("b", 2), ("a", 1), ("c", 2), ("a", 1), ("c", 2), ("a", 1)]);
}

#[tokio::test]
async fn where_the_first_models_limit_is_used_up_the_next_one_answers() {
    let vendors = [fine(5, 2), fine(5, 2), fine(5, 2)].map(Vendor::start);
    let [a, b, c] = vendors;
    let vendors = [a.await.unwrap(), b.await.unwrap(), c.await.unwrap()];
    let more = "
routes: { r: { models: [a/m, { model: c/m, when: silent }, { model: b/m, when: [rate_limited] }] } }
limits:
  global: { requests_per_hour: 10 }
  models: { a/m: { requests_per_hour: 1 }, b/m: { requests_per_hour: 1 } }
  on_exceeded: deny
";
    let house = House::with(&named(&vendors), more).await;
    let first = whole(house.engine().call(chat("r", false)).await.unwrap()).about;
    assert_eq!((&*first.provider, first.fallback), ("a", false));
    let second = whole(house.engine().call(chat("r", false)).await.unwrap()).about;
    assert_eq!((&*second.provider, second.fallback, second.attempts), ("b", true, 1));
    let refusal = house.engine().call(chat("r", false)).await.unwrap_err();
    assert!(refusal.fault.message.contains("for this model"), "{}", refusal.fault.message);
    limited(&refusal);
    let third = whole(house.engine().call(chat("c/m", false)).await.unwrap()).about;
    let gauge = third.limits.unwrap().requests.unwrap();
    assert_eq!((gauge.limit, gauge.remaining), (10, 7), "the refusal has taken of no tier");
}

#[tokio::test]
async fn each_models_tokens_are_settled_to_what_its_own_attempts_used() {
    let vendors = three().await;
    let large = Vendor::start(fine(600, 300)).await.unwrap();
    let [a, _, c] = vendors;
    let vendors = [a, large, c];
    let more = "
defaults: { retry: { attempts: 1 }, breaker: { enabled: false } }
routes: { r: { models: [a/m, b/m, c/m] } }
limits: { per_model: { tokens_per_hour: 1000 }, on_exceeded: deny }
";
    let house = House::with(&named(&vendors), more).await;
    let answerer = async || whole(house.engine().call(chat("r", false)).await.unwrap()).about;
    assert_eq!(&*answerer().await.provider, "b");
    // 900 of 1,000 tokens are gone there; what failed at the first has used none.
    let second = answerer().await;
    assert_eq!(&*second.provider, "c");
    let left = second.limits.unwrap().tokens.unwrap();
    assert!(left.remaining > 600, "only this call's own estimate is taken there: {left:?}");
}

#[tokio::test]
async fn what_was_taken_for_a_model_that_was_not_asked_is_given_back() {
    let vendors = three().await;
    let more = "
defaults: { retry: { attempts: 1 }, breaker: { open: 1m } }
routes: { r: { models: [a/m, b/m] } }
limits: { models: { a/m: { requests_per_day: 100 } }, on_exceeded: deny }
";
    let house = House::with(&named(&vendors), more).await;
    let mut left = Vec::new();
    for _ in 0..20 {
        let about = whole(house.engine().call(chat("r", false)).await.unwrap()).about;
        left.push(about.limits.unwrap().requests.unwrap().remaining);
    }
    let asked = house.rows().await.iter().filter(|row| &*row.provider == "a").count() as u64;
    assert!((3..15).contains(&asked), "its breaker has opened: {asked}");
    assert_eq!(left.last(), Some(&(99 - asked)), "{left:?}");
}

#[tokio::test]
async fn a_retry_counts_at_its_model_and_a_route_of_one_waits_for_the_soonest() {
    let script = [Answer::json(500, gpt::error("boom", "server_error", None)), fine(5, 2)];
    let vendors = [Vendor::start(script).await.unwrap(), Vendor::start(fine(5, 2)).await.unwrap()];
    let more = "
defaults: { retry: { attempts: 3, base: 1ms, max: 1ms } }
routes: { r: { models: [a/m, b/m] } }
limits: { models: { a/m: { requests_per_second: 5, burst: 1 }, b/m: { requests_per_hour: 1 } } }
";
    let house = House::with(&(openai("a", &vendors[0]) + &openai("b", &vendors[1])), more).await;
    let about = whole(house.engine().call(chat("r", false)).await.unwrap()).about;
    assert_eq!((&*about.provider, about.attempts), ("b", 2), "the second call of a second is not for `a`");
    let began = tokio::time::Instant::now();
    let about = whole(house.engine().call(chat("r", false)).await.unwrap()).about;
    assert_eq!(&*about.provider, "a", "the one that is free in a fifth of a second, not in an hour");
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_backup_needs_room_in_its_models_limit() {
    let gate = Gate::new();
    let (held, closed) = (Arc::new(AtomicBool::new(false)), gate.clone());
    let stuck = Arc::clone(&held);
    let answer = || Answer::events(gpt::chat_stream(2, 5));
    let script =
        Script::by(move |_| if stuck.load(Ordering::SeqCst) { answer().behind(&closed) } else { answer() });
    let (slow, quick) = (Vendor::start(script).await.unwrap(), Vendor::start(answer()).await.unwrap());
    let more = "
routes:
  r: { models: [slow/m, quick/m], hedge: { enabled: true, samples: 10, calls: 100%, money: 100% } }
limits: { models: { quick/m: { requests_per_hour: 0 } } }
";
    let house = House::with(&(openai("slow", &slow) + &openai("quick", &quick)), more).await;
    until_usual_is_known(async || {
        text(stream(house.engine().call(chat("r", true)).await.unwrap())).await;
    })
    .await;
    // On a busy machine one of those before may have been slow enough, too.
    let denied = || {
        let text = house.engine().metrics().render();
        let line = text.lines().find_map(|line| line.strip_prefix("windlass_hedges_denied_total "));
        line.unwrap().parse::<u64>().unwrap()
    };
    let before = denied();
    held.store(true, Ordering::SeqCst);
    let call = tokio::spawn({
        let engine = house.engine().clone();
        async move { stream(engine.call(chat("r", true)).await.unwrap()) }
    });
    while denied() == before {
        assert!(!call.is_finished(), "the held call ended without having wanted a backup");
        tokio::task::yield_now().await;
    }
    gate.open();
    let relay = call.await.unwrap();
    assert_eq!((&*relay.about.provider, relay.about.attempts), ("slow", 1));
    text(relay).await;
    assert_eq!(quick.connections(), 0);
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
async fn who_stands_too_far_back_in_the_line_is_told_at_once_too() {
    let vendor = Vendor::start(fine(5, 2)).await.unwrap();
    let more = "limits: { global: { requests_per_second: 1, burst: 1 }, on_exceeded: { action: queue, queue_timeout: 2500ms } }";
    let house = House::with(&openai("one", &vendor), more).await;
    let (mut calls, first) = (tokio::task::JoinSet::new(), tokio::time::Instant::now());
    for _ in 0..12 {
        let engine = house.engine().clone();
        calls.spawn(async move {
            let began = tokio::time::Instant::now();
            (engine.call(chat("one/m", false)).await.is_ok(), began.elapsed(), began - first)
        });
    }
    let (mut served, mut refused, mut last) = (0, 0, Duration::ZERO);
    while let Some(done) = calls.join_next().await {
        let (answered, took, came) = done.unwrap();
        last = last.max(came);
        if answered {
            served += 1;
        } else {
            refused += 1;
            assert!(took < Duration::from_millis(2_300), "it waited {took:?} in vain");
        }
    }
    // One at once and one each second, with half a second to spare; also in the time that the last one came later.
    let more = (last.as_millis() + 500) / 1_000;
    assert!(
        (3..=3 + more).contains(&served),
        "{served} served, {refused} refused, the last came after {last:?}"
    );
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
