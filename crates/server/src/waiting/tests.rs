use std::future::{pending, poll_fn};

use super::*;

const HEADER: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(300);

fn watched() -> (HeadTimer, Watch) {
    let timer = HeadTimer::new(HEADER);
    (timer.clone(), Watch::new(timer, Waits { header: HEADER, idle: IDLE }))
}

/// The seconds until it is over, or `None` where it is given up.
async fn over(watch: &mut Watch, wait: Pin<&mut (impl Future<Output = ()> + ?Sized)>) -> Option<u64> {
    let (began, mut wait) = (time::Instant::now(), wait);
    poll_fn(|cx| watch.poll(wait.as_mut(), cx)).await?;
    Some(began.elapsed().as_secs())
}

/// What the connection does if it is polled now.
async fn now(watch: &mut Watch) -> Next {
    poll_fn(|cx| Poll::Ready(watch.next(cx))).await
}

#[tokio::test(start_paused = true)]
async fn the_first_head_has_its_time_from_the_first_moment() {
    // hyper has not begun to wait: nobody knows yet what is spoken.
    let (_, mut watch) = watched();
    let began = time::Instant::now();
    assert_eq!(over(&mut watch, pin!(pending())).await, None);
    assert_eq!(began.elapsed(), HEADER);
    // It has, and what it says of silence does not count yet.
    let (timer, mut watch) = watched();
    time::advance(HEADER / 2).await;
    timer.heard();
    let mut wait = timer.sleep(IDLE);
    assert_eq!(over(&mut watch, wait.as_mut()).await, Some(5));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_moves_on_is_slept_for_again_and_one_that_passes_is_told() {
    let (timer, mut watch) = watched();
    drop(timer.sleep(IDLE));
    assert_eq!(watch.until(), None);
    for _ in 0..2 {
        let mut silence = timer.sleep(IDLE);
        assert!(matches!(now(&mut watch).await, Next::Waits));
        time::advance(IDLE / 2).await;
        timer.reset(&mut silence, timer.now() + IDLE);
        // The second does not take the first one's word.
        assert_eq!(over(&mut watch, silence.as_mut()).await, Some(300));
    }
}

#[tokio::test(start_paused = true)]
async fn silence_may_be_shorter_than_a_head() {
    let timer = HeadTimer::new(IDLE);
    let mut watch = Watch::new(timer.clone(), Waits { header: IDLE, idle: HEADER });
    assert!(matches!(now(&mut watch).await, Next::Waits));
    drop(timer.sleep(HEADER));
    let mut silence = timer.sleep(HEADER);
    assert_eq!(over(&mut watch, silence.as_mut()).await, Some(10));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_has_begun_is_waited_for_as_a_head_from_its_first_byte() {
    let (timer, mut watch) = watched();
    drop(timer.sleep(IDLE));
    // A body's bytes begin no head.
    timer.heard();
    let mut silence = timer.sleep(IDLE);
    assert!(matches!(now(&mut watch).await, Next::Waits));
    time::advance(IDLE.saturating_sub(HEADER * 2)).await;
    timer.heard();
    assert!(matches!(now(&mut watch).await, Next::Waits));
    time::advance(HEADER / 2).await;
    timer.heard();
    assert_eq!(over(&mut watch, silence.as_mut()).await, Some(5));
}

#[tokio::test(start_paused = true)]
async fn calls_over_http2_are_no_silence_and_what_follows_them_is() {
    let (timer, mut watch) = watched();
    let stream = timer.stream();
    let mut connection = pin!(pending::<()>());
    for _ in 0..5 {
        time::advance(IDLE).await;
        let polled = poll_fn(|cx| Poll::Ready(watch.poll(connection.as_mut(), cx))).await;
        assert!(polled.is_pending());
    }
    time::advance(IDLE / 2).await;
    drop(stream);
    let began = time::Instant::now();
    assert_eq!(over(&mut watch, connection.as_mut()).await, None);
    assert_eq!(began.elapsed(), IDLE);
    // Asked to end, it has as long as a head.
    watch.ending();
    assert_eq!(over(&mut watch, connection).await, None);
    assert_eq!(began.elapsed(), IDLE + HEADER);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_done_much_is_woken_all_the_same() {
    let (timer, mut watch) = watched();
    let mut sleep = timer.sleep(IDLE);
    let mut spent = false;
    poll_fn(|cx| {
        if !std::mem::replace(&mut spent, true) {
            while tokio::task::coop::has_budget_remaining() {
                let _ = pin!(tokio::task::consume_budget()).poll(cx);
            }
        }
        watch.poll(sleep.as_mut(), cx)
    })
    .await;
}
