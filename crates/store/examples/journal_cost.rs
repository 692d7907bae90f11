//! What a short run costs the journal on disk: CPU and wall microseconds per run that is created, has its events
//! written and ends while nobody waits in between.
//!
//! ```text
//! cargo run --profile quick -p windlass-store --example journal_cost -- [RUNS] [STEPS] [DIRECTORY]
//! ```
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use store::Sqlite;
use store::journal::{self, Claim, Ending, Journal, NewRun, Status};
use store::sqlite::SqliteOptions;
use types::{RunId, Timestamp};

type Failure = Box<dyn std::error::Error>;

const LEASE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let runs: u32 = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let steps: u32 = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = parent.join(format!("windlass-journal-cost-{}", std::process::id()));
    let measured = measure(&dir, runs, steps).await;
    std::fs::remove_dir_all(&dir)?;
    measured
}

async fn measure(dir: &std::path::Path, runs: u32, steps: u32) -> Result<(), Failure> {
    let path = dir.join("windlass.db");
    let database = Sqlite::open(&path, &SqliteOptions::default()).await?;
    let (cpu, start) = (cpu()?, Instant::now());
    for number in 0..runs {
        let at = Timestamp::from_micros(1_790_000_000_000_000 + i64::from(number) * 1_000);
        let id = RunId::new(at, [1; 10]);
        let run = NewRun {
            id,
            chain: "bench".into(),
            source: "name: bench".into(),
            inputs: json!({ "topic": "tidal power" }),
            trace: id.into(),
            caller: None,
            tenant: None,
            at,
        };
        let created = database.create(&run, "bench", LEASE);
        let claim = Claim::first(id);
        let mut seq = 0;
        for step in 0..steps {
            let events = [json!({ "event": "step_started", "step": step }), finished(step)];
            drop(database.append(&claim, seq, journal::events(events)));
            seq += 2;
        }
        let result = Arc::new((0..steps).map(finished).collect::<Value>());
        let ended = database.finish(&claim, seq, &Ending { status: Status::Complete, result, at });
        created.await?;
        ended.await?;
    }
    let wall = start.elapsed();
    let cpu = self::cpu()?.saturating_sub(cpu);
    database.close().await;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(runs);
    println!("{:>9.1} µs of CPU per run of {steps} steps", each(cpu));
    println!("{:>9.1} µs of wall time", each(wall));
    println!("{:>9} bytes of database", std::fs::metadata(&path)?.len() / u64::from(runs));
    Ok(())
}

fn finished(step: u32) -> Value {
    json!({ "event": "step_finished", "step": step, "result": {
        "text": "Tidal power turns the sea's regular movement into electricity with turbines in barrages and streams.",
        "model": "zero", "provider": "instant", "usage": { "input": 12, "output": 32 },
        "usage_source": "reported", "cost": "0.000021", "latency_ms": 1.364,
        "api": { "first_byte": 192, "transfer": 38, "total": 434 }, "attempts": 1,
        "call": "call_01a2036176ae73f1b52f53016bae34ce", "simulated": true } })
}

/// User and system time of this process so far, in steps of a hundredth of a second.
fn cpu() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: Vec<u64> = after.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(10 * ticks.iter().sum::<u64>()))
}
