//! Calls whose code panics: a bug ends one call, and its attempt has its row all the same.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use testkit::{Answer, Vendor, openai as gpt};
use types::UsageSource;
use types::ledger::Outcome;

use crate::house::{House, chat, openai, stream, text, whole};

/// A stream that does not come to its end: one that did would be whole to whoever reads it at one go.
fn endless() -> Answer {
    Answer::events(gpt::chat_stream(50, 5).into_iter().take(9)).stalls()
}

#[tokio::test]
async fn a_task_that_panics_while_it_relays_leaves_a_row() {
    let vendor = Vendor::start(endless()).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let engine = house.engine().clone();
    let task = tokio::spawn(async move {
        let mut relay = stream(engine.call(chat("up/m", true)).await.unwrap());
        relay.frame().await.unwrap().unwrap();
        panic!("a bug after the first words");
    });
    assert!(task.await.unwrap_err().is_panic());
    assert!(vendor.closed().await.during_answer, "the provider is let go");
    assert_eq!(house.engine().calls_in_flight(), 0);
    let rows = house.rows().await;
    assert_eq!((rows.len(), rows[0].outcome), (1, Outcome::Panicked), "{rows:#?}");
    // What was delivered is accounted.
    assert_eq!(rows[0].usage_source, UsageSource::Estimated);
    assert!(rows[0].usage.input > 0 && rows[0].usage.output > 0, "{rows:#?}");
}

#[tokio::test]
async fn a_task_that_panics_while_it_waits_for_an_answer_leaves_a_row_and_the_engine_goes_on() {
    let script = [Answer::silent(), Answer::json(200, gpt::chat("here", 3, 1))];
    let vendor = Vendor::start(script).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let call = house.engine().call(chat("up/m", false));
    let bug = async {
        vendor.request().await;
        panic!("a bug beside the call, in its task");
    };
    // As the server has it: what panics while the call is polled takes the call with it.
    let both = async {
        tokio::select! {
            answered = call => answered.map(drop).is_ok(),
            () = bug => false,
        }
    };
    assert!(Box::pin(AssertUnwindSafe(both).catch_unwind()).await.is_err());
    assert_eq!(whole(house.engine().call(chat("up/m", false)).await.unwrap()).settled.usage.input, 3);
    let rows = house.rows().await;
    let outcomes: Vec<_> = rows.iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes, [Outcome::Panicked, Outcome::Complete], "{rows:#?}");
}

#[tokio::test]
async fn a_stream_beside_one_that_panicked_is_whole() {
    let script = [endless(), Answer::events(gpt::chat_stream(3, 5))];
    let vendor = Vendor::start(script).await.unwrap();
    let house = House::with(&openai("up", &vendor), "").await;
    let mut first = stream(house.engine().call(chat("up/m", true)).await.unwrap());
    first.frame().await.unwrap().unwrap();
    let second = stream(house.engine().call(chat("up/m", true)).await.unwrap());
    let task = tokio::spawn(async move {
        let _first = first;
        panic!("a bug");
    });
    assert!(task.await.unwrap_err().is_panic());
    assert!(text(second).await.ends_with("data: [DONE]\n\n"));
    let rows = house.rows().await;
    let mut outcomes: Vec<_> = rows.iter().map(|row| row.outcome.as_str()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["complete", "panicked"], "{rows:#?}");
}
