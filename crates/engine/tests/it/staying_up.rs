//! Staying up when providers do not: breakers, retry budgets, backups and probes, with vendors that fail, are slow or
//! ask to be left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use testkit::{Answer, Gate, Script, Vendor, openai as gpt};
use tokio::time::Instant;
use types::ledger::Outcome;
use types::{Code, Kind, Retry, UsageSource};

use crate::house::{House, chat, openai, stream, text, until_usual_is_known, whole};
use crate::patient::{Patient, STREAK, answerer, fine, one};

#[tokio::test]
async fn a_dead_provider_is_skipped_until_it_is_back_and_a_reload_does_not_forget() {
    let (bad, good) = (Patient::start(true).await, Patient::start(false).await);
    let providers = one("bad", &bad) + &one("good", &good);
    let route = "routes: { r: { models: [bad/m, good/m], retry: { attempts: 1 } } }\n";
    let house = House::with(&providers, &format!("{route}defaults: {{ breaker: {{ open: 1m }} }}")).await;
    for _ in 0..STREAK + 5 {
        assert_eq!(answerer(&house).await, "good");
    }
    assert_eq!(bad.asked(), STREAK, "after that its breaker is open");
    let metrics = house.engine().metrics().render();
    let opened = r#"windlass_breaker_changes_total{provider="bad",model="m",state="open"} 1"#;
    assert!(metrics.contains(opened), "{metrics}");
    assert!(metrics.contains(r#"windlass_breaker_state{provider="bad",model="m"} 3"#), "{metrics}");
    house.engine().reload((*house.engine().config()).clone()).unwrap();
    answerer(&house).await;
    assert_eq!(bad.asked(), STREAK);
    // A call that names it alone is told when to come back.
    let refusal = house.engine().call(chat("bad/m", false)).await.unwrap_err();
    assert_eq!((refusal.fault.kind, refusal.attempts), (Kind::Throttling, 0));
    assert!(matches!(refusal.fault.retry, Retry::After(wait) if wait > Duration::from_secs(10)));
}

/// A route's own numbers decide for its own calls, and what they decide from is what all calls have met.
#[tokio::test]
async fn a_routes_own_breaker_learns_from_all_calls_and_decides_for_its_own() {
    let (bad, good) = (Patient::start(true).await, Patient::start(false).await);
    let providers = one("bad", &bad) + &one("good", &good);
    let more = "
defaults: { retry: { attempts: 1 }, breaker: { open: 1m } }
routes:
  r: { models: [bad/m, good/m] }
  stubborn: { models: [bad/m, good/m], breaker: { enabled: false } }
  brisk: { models: [bad/m, good/m], breaker: { open: 1ms } }
";
    let house = House::with(&providers, more).await;
    let ask = async |route: &str| {
        let answered = house.engine().call(chat(route, false)).await.unwrap();
        assert_eq!(&*whole(answered).about.provider, "good");
    };
    // All three have been asked for, so that all have a breaker there.
    ask("brisk").await;
    for _ in 1..STREAK + 5 {
        ask("stubborn").await;
    }
    assert_eq!(bad.asked(), STREAK + 5, "without a breaker it is asked each time");
    ask("r").await;
    assert_eq!(bad.asked(), STREAK + 5, "the defaults' has opened by the others' calls");
    let metrics = house.engine().metrics().render();
    let opened = r#"windlass_breaker_changes_total{provider="bad",model="m",state="open"} 2"#;
    assert!(metrics.contains(opened), "{metrics}");
    let until = Instant::now() + Duration::from_secs(20);
    while bad.asked() == STREAK + 5 {
        ask("brisk").await;
        assert!(Instant::now() < until, "it was never tried again");
    }
    let mut same = (*house.engine().config()).clone();
    house.engine().reload(same.clone()).unwrap();
    let before = bad.asked();
    ask("r").await;
    assert_eq!(bad.asked(), before, "a reload does not forget");
    same.routes.retain(|route| route.name != "stubborn");
    house.engine().reload(same).unwrap();
    ask("r").await;
    assert_eq!(bad.asked(), before, "nor does one that takes a route away");
}

#[tokio::test]
async fn what_is_mended_comes_back_by_probes() {
    let (bad, good) = (Patient::start(true).await, Patient::start(false).await);
    let providers = one("bad", &bad) + &one("good", &good);
    let route = "routes: { r: { models: [bad/m, good/m], retry: { attempts: 1 } } }\n";
    let house = House::with(&providers, &format!("{route}defaults: {{ breaker: {{ open: 1ms }} }}")).await;
    for _ in 0..STREAK {
        answerer(&house).await;
    }
    bad.ill.store(false, Ordering::SeqCst);
    let until = Instant::now() + Duration::from_secs(20);
    while answerer(&house).await != "bad" {
        assert!(Instant::now() < until, "it was never tried again");
    }
}

#[tokio::test]
async fn retries_stop_at_the_budget() {
    let bad = Patient::start(true).await;
    let off = "defaults: { breaker: { enabled: false }, retry: { base: 0s, max: 1ms } }";
    let house = House::with(&one("bad", &bad), off).await;
    for _ in 0..25 {
        house.engine().call(chat("bad/m", false)).await.unwrap_err();
    }
    // One a second is always allowed, taken over twenty seconds.
    assert_eq!(bad.asked(), 25 + 20);
    assert!(house.engine().metrics().render().contains("windlass_retries_denied_total 5"));
}

#[tokio::test]
async fn when_most_are_open_the_breakers_are_not_believed() {
    let all = [Patient::start(true).await, Patient::start(true).await, Patient::start(true).await];
    let providers: String =
        all.iter().zip(["a", "b", "c"]).map(|(patient, name)| one(name, patient)).collect();
    let more = "
defaults: { retry: { attempts: 1 }, breaker: { open: 1m } }
routes: { r: { models: [a/m, b/m, c/m] } }
";
    let house = House::with(&providers, more).await;
    for _ in 0..STREAK {
        house.engine().call(chat("r", false)).await.unwrap_err();
    }
    assert!(all.iter().all(|patient| patient.asked() == STREAK));
    let refusal = house.engine().call(chat("r", false)).await.unwrap_err();
    assert_eq!((refusal.attempts, all[0].asked()), (1, STREAK + 1), "one attempt a call");
    all[0].ill.store(false, Ordering::SeqCst);
    assert_eq!(answerer(&house).await, "a");
}

#[tokio::test]
async fn a_backup_answers_for_a_slow_stream_and_both_are_accounted_for() {
    let (gate, stuck) = (Gate::new(), Arc::new(AtomicBool::new(false)));
    let (held, closed) = (Arc::clone(&stuck), gate.clone());
    let answer = || Answer::events(gpt::chat_stream(2, 5));
    let script =
        Script::by(move |_| if held.load(Ordering::SeqCst) { answer().behind(&closed) } else { answer() });
    let slow = Vendor::start(script).await.unwrap();
    let quick = Vendor::start(answer()).await.unwrap();
    let more = "
prices: { m: { input: 1, output: 2 } }
routes:
  r:
    models: [slow/m, quick/m]
    timeouts: { first_token: 8s }
    hedge: { enabled: true, samples: 10, calls: 100%, money: 100% }
";
    let house = House::with(&(openai("slow", &slow) + &openai("quick", &quick)), more).await;
    until_usual_is_known(async || {
        text(stream(house.engine().call(chat("r", true)).await.unwrap())).await;
    })
    .await;
    stuck.store(true, Ordering::SeqCst);
    let relay = stream(house.engine().call(chat("r", true)).await.unwrap());
    assert_eq!((&*relay.about.provider, relay.about.attempts), ("quick", 2));
    let call = relay.about.call;
    text(relay).await;
    assert!(house.engine().metrics().render().contains("windlass_hedges_total"));
    let rows: Vec<_> = house.rows().await.into_iter().filter(|row| row.key.call == call).collect();
    let [beaten, winner] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((beaten.outcome, beaten.fault), (Outcome::HungUp, Some(Kind::Cancelled)));
    assert_eq!(beaten.usage_source, UsageSource::Estimated);
    assert!(beaten.usage.input > 0 && beaten.cost.is_some());
    assert_eq!((winner.outcome, winner.usage.output), (Outcome::Complete, 2));
    assert!(winner.fallback && !beaten.fallback);
}

#[tokio::test]
async fn a_backup_answers_for_a_slow_whole_answer_and_the_loser_is_no_completion() {
    let (gate, stuck) = (Gate::new(), Arc::new(AtomicBool::new(false)));
    let (held, closed) = (Arc::clone(&stuck), gate.clone());
    let script =
        Script::by(move |_| if held.load(Ordering::SeqCst) { fine().behind(&closed) } else { fine() });
    let (slow, quick) = (Vendor::start(script).await.unwrap(), Patient::start(false).await);
    let more = "
prices: { m: { input: 1, output: 2 } }
routes:
  r:
    models: [slow/m, quick/m]
    timeouts: { first_token: 1ms, total: 20s }
    hedge: { enabled: true, samples: 10, calls: 100%, money: 100% }
";
    let house = House::with(&(openai("slow", &slow) + &one("quick", &quick)), more).await;
    let (mut calls, mut backups) = (0, 0);
    until_usual_is_known(async || {
        // A machine that does much else may hold one up for long enough.
        backups += usize::from(answerer(&house).await == "quick");
        calls += 1;
    })
    .await;
    assert!(backups * 2 < calls, "{backups} of {calls}");
    stuck.store(true, Ordering::SeqCst);
    let answered = whole(house.engine().call(chat("r", false)).await.unwrap());
    assert_eq!((&*answered.about.provider, answered.about.attempts), ("quick", 2));
    let (call, cost) = (answered.about.call, answered.cost);
    let rows: Vec<_> = house.rows().await.into_iter().filter(|row| row.key.call == call).collect();
    let [beaten, winner] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((beaten.outcome, beaten.fault), (Outcome::HungUp, Some(Kind::Cancelled)));
    assert_eq!((beaten.usage_source, beaten.usage.output), (UsageSource::Estimated, 0));
    assert_eq!((winner.outcome, winner.usage_source), (Outcome::Complete, UsageSource::Reported));
    assert_eq!(cost, Some(beaten.cost.unwrap() + winner.cost.unwrap()), "both are paid");
}

#[tokio::test]
async fn whole_answers_that_take_too_long_for_their_length_open_the_breaker() {
    let late = Arc::new(AtomicBool::new(false));
    let (seen, count) = (Arc::clone(&late), AtomicUsize::new(0));
    let script = Script::by(move |_| {
        let wait = if seen.load(Ordering::SeqCst) { 600 } else { 1 };
        // The longer ones take no longer here: length explains nothing.
        let output = 2 + 40 * (count.fetch_add(1, Ordering::SeqCst) as u64 % 5);
        Answer::json(200, gpt::chat("ok", 5, output)).after(Duration::from_millis(wait))
    });
    let slow = Vendor::start(script).await.unwrap();
    let quick = Patient::start(false).await;
    let more = "
defaults: { breaker: { slow: 300ms, open: 1m, forecast: false } }
routes: { r: { models: [slow/m, quick/m] } }
";
    let house = House::with(&(openai("slow", &slow) + &one("quick", &quick)), more).await;
    for _ in 0..30 {
        assert_eq!(answerer(&house).await, "slow");
    }
    late.store(true, Ordering::SeqCst);
    // Many at once: what counts are the last ten seconds.
    let mut rounds = 0;
    while !join_all((0..20).map(|_| answerer(&house))).await.contains(&"quick".to_owned()) {
        rounds += 1;
        assert!(rounds < 20, "a model that answers too late is still asked");
    }
}

#[tokio::test]
async fn streams_that_are_cut_open_the_breaker_and_an_impatient_caller_does_not() {
    let events: Vec<_> = gpt::chat_stream(3, 5).into_iter().take(3).collect();
    let cutting = Vendor::start(Answer::events(events).cut()).await.unwrap();
    let silent = Vendor::start(Answer::silent()).await.unwrap();
    let providers = openai("cutting", &cutting) + &openai("silent", &silent);
    let house = House::with(&providers, "defaults: { retry: { attempts: 1 }, breaker: { open: 1m } }").await;
    for _ in 0..10 {
        let mut inbound = chat("silent/m", true);
        inbound.head.deadline = Some(Duration::from_millis(10));
        let refusal = house.engine().call(inbound).await.unwrap_err();
        assert_eq!((refusal.fault.code, refusal.fault.blame), (Code::Timeout, types::Blame::Caller));
    }
    let mut calls = 0;
    while let Ok(answered) = house.engine().call(chat("cutting/m", true)).await {
        text(stream(answered)).await;
        calls += 1;
        assert!(calls < 60, "a provider that cuts every stream is still asked");
    }
}

#[tokio::test]
async fn a_provider_that_asks_for_an_hour_gets_it() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let limited = Vendor::start(Script::by(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Answer::json(429, gpt::error("come later", "rate_limit_error", None)).header("retry-after", "3600")
    }));
    let limited = limited.await.unwrap();
    let house = House::with(&openai("limited", &limited), "").await;
    for _ in 0..3 {
        let refusal = house.engine().call(chat("limited/m", false)).await.unwrap_err();
        assert_eq!(refusal.fault.code, Code::RateLimited);
        let wait = refusal.fault.retry;
        assert!(matches!(wait, Retry::After(wait) if wait > Duration::from_secs(3_590)), "{wait:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "who has been told to wait does not ask again");
}

#[tokio::test]
async fn made_up_names_do_not_push_out_what_is_configured() {
    let (dead, good) = (Patient::start(true).await, Patient::start(false).await);
    let providers = one("dead", &dead) + &one("good", &good);
    let routes = "routes: { r: { models: [dead/m, good/m], retry: { attempts: 1 } } }\n\
                  defaults: { breaker: { open: 1m } }";
    let house = House::with(&providers, routes).await;
    for number in 0..1_100 {
        house.engine().call(chat(&format!("good/made-up-{number}"), false)).await.unwrap();
    }
    for _ in 0..STREAK + 20 {
        assert_eq!(answerer(&house).await, "good");
    }
    assert_eq!(dead.asked(), STREAK, "its breaker holds");
    // One that is asked all the time stays, though nobody has configured it.
    let metrics = house.engine().metrics().render();
    assert!(metrics.contains(r#"windlass_breaker_state{provider="dead",model="m"} 3"#), "{metrics}");
    assert!(house.engine().overview().places.len() <= 2 + 512);
}

#[tokio::test]
async fn what_fails_is_known_by_the_metrics_names_and_told_with_its_reason() {
    let names: Vec<_> = policy::attempt::Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    assert_eq!(names, telemetry::metrics::CLASSES, "each class has a counter");
    let (one_bad, two_bad) = (Patient::start(true).await, Patient::start(true).await);
    let providers = one("one", &one_bad) + &one("two", &two_bad);
    let more = "defaults: { retry: { attempts: 1 }, breaker: { open: 1m } }";
    let house = House::with(&providers, more).await;
    for _ in 0..STREAK {
        house.engine().call(chat("one/m", false)).await.unwrap_err();
        house.engine().call(chat("two/m", false)).await.unwrap_err();
    }
    let errors = house.engine().errors(60);
    assert_eq!((errors.all.attempts, errors.all.failures), (14, 14));
    assert_eq!(errors.by_class.len(), 1);
    assert_eq!(errors.by_provider.len(), 2);
    assert!(errors.patterns.iter().any(|pattern| pattern.kind == "everywhere"), "{:?}", errors.patterns);
    assert_eq!(errors.actions.len(), 2);
    assert!(errors.actions.iter().all(|action| action.what.ends_with("open") && !action.why.is_empty()));
}
