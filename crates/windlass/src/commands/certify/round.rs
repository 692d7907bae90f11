//! One round: every case, many at a time, against one gateway and one wall.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use wall::{Fault, Wall, Way};

use super::call::{Gateway, Seen, Stay};
use super::case::{Case, Owed};
use super::judge::{self, Verdict};
use super::reading::{self, Said};

/// Events of an endless stream after which its caller leaves.
const ENOUGH: usize = 40;
/// How long a gateway may go on with a provider whose answer nobody waits for.
const LEAVING: Duration = Duration::from_secs(2);
/// Between two looks at a gateway that is not ready yet.
const LOOK: Duration = Duration::from_millis(200);

/// Who is judged, and how.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) gateway: Gateway,
    /// Goes before the fault's name in the model's.
    pub(super) prefix: String,
    /// Each call must be over by then.
    pub(super) deadline: Duration,
    /// Cases at a time: those that wait for a deadline need not wait in a row.
    pub(super) at_once: usize,
}

impl Round {
    /// Waits until the gateway answers with the wall behind it; else what it said last.
    pub(super) async fn ready(&self, wait: Duration) -> Result<(), String> {
        let start = Instant::now();
        loop {
            let body = self.body(Fault::Well, Way::Plain, "ready", 0);
            let seen = self.gateway.call(body, Stay::ToTheEnd, self.deadline).await;
            let why = match reading::plain(&seen) {
                Ok(Said::Answer { text, .. }) if text == wall::text() => return Ok(()),
                Ok(Said::Answer { .. }) => "it answered, but not with the wall's words".to_owned(),
                Ok(_) => format!(
                    "status {}: {}",
                    seen.status.unwrap_or_default(),
                    String::from_utf8_lossy(&seen.body).trim().chars().take(300).collect::<String>()
                ),
                Err(why) => why,
            };
            if start.elapsed() >= wait {
                return Err(why);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Runs the cases of these faults; all of them where there are none.
    pub(super) async fn run(self, wall: Wall, only: &[Fault]) -> Vec<Verdict> {
        let only: HashSet<Fault> = only.iter().copied().collect();
        let cases: Vec<_> =
            Case::all().filter(|case| only.is_empty() || only.contains(&case.fault)).collect();
        let places = Arc::new(Semaphore::new(self.at_once));
        let (this, wall) = (Arc::new(self), Arc::new(wall));
        let mut running = JoinSet::new();
        // Who is owed a whole answer comes first: retries that a gateway rightly bounds are not to be used up before
        // by faults that no retry mends.
        let mut order: Vec<_> = cases.iter().copied().enumerate().collect();
        order.sort_by_key(|(_, case)| case.owed != Owed::Whole);
        for (number, case) in order {
            let (this, wall, places) = (Arc::clone(&this), Arc::clone(&wall), Arc::clone(&places));
            running.spawn(async move {
                // Nobody closes it.
                let _place = places.acquire().await;
                (number, this.case(&case, &wall).await)
            });
        }
        let mut done = running.join_all().await;
        done.sort_by_key(|(number, _)| *number);
        // Counted now: a gateway that goes on asking when its caller has long been answered is found out.
        let judged = cases.iter().zip(done).map(|(case, (_, (answers, late)))| {
            let mut verdict = judge::judge(case, &answers, &wall.visits(&case.name()));
            verdict.complaints.extend(late);
            verdict
        });
        judged.collect()
    }

    /// What the callers of a case saw, and a complaint of the wall's if it was not left alone.
    async fn case(&self, case: &Case, wall: &Wall) -> (Vec<Seen>, Option<String>) {
        let leaving = case.owed == Owed::Leaving;
        let stay = if leaving { Stay::Events(ENOUGH) } else { Stay::ToTheEnd };
        let mut answers = Vec::with_capacity(case.calls());
        for number in 0..case.calls() {
            let body = self.body(case.fault, case.way, &case.name(), number);
            answers.push(self.gateway.call(body, stay, self.deadline).await);
        }
        if leaving && tokio::time::timeout(LEAVING, wall.all_left(&case.name())).await.is_err() {
            let seconds = LEAVING.as_secs();
            let why = format!("the provider's stream was still read {seconds} s after its caller had left");
            return (answers, Some(why));
        }
        (answers, None)
    }

    fn body(&self, fault: Fault, way: Way, case: &str, number: usize) -> String {
        // No two prompts are alike: no cache may answer for the gateway.
        let run = std::process::id();
        let prompt = format!("Say what you have to say. ({}{case} call {number} run {run})", wall::CASE);
        let mut body = json!({
            "model": format!("{}{fault}", self.prefix),
            "messages": [{ "role": "user", "content": prompt }],
        });
        if way == Way::Streamed {
            body["stream"] = json!(true);
            body["stream_options"] = json!({ "include_usage": true });
        }
        body.to_string()
    }
}
