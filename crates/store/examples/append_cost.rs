//! What the spool, the ledger and the journal cost: nanoseconds per row appended, and how fast an existing
//! database is open.
//!
//! ```text
//! cargo run --profile quick -p windlass-store --example append_cost -- [ROWS] [DIRECTORY]
//! ```
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use store::journal::{self, Journal, NewRun};
use store::ledger::Ledger;
use store::spool::SpoolOptions;
use store::sqlite::SqliteOptions;
use store::{Spool, Sqlite};
use types::RunId;

#[path = "../tests/it/sample.rs"]
mod sample;

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = parent.join(format!("windlass-append-cost-{}", std::process::id()));
    let measured = measure(&dir, rows).await;
    std::fs::remove_dir_all(&dir)?;
    measured
}

async fn measure(dir: &std::path::Path, rows: u64) -> Result<(), Failure> {
    append(dir, rows)?;
    let path = dir.join("windlass.db");
    let start = Instant::now();
    let database = Sqlite::open(&path, &SqliteOptions::default()).await?;
    println!("{:>9.2} ms to make a database", start.elapsed().as_secs_f64() * 1e3);

    let batch: Vec<_> = (0..512).map(sample::row).collect();
    let start = Instant::now();
    database.insert(&batch).await?;
    println!("{:>9.2} µs per row inserted, in one batch of 512", micros(start.elapsed(), 512));

    let row = sample::row(0);
    let id = RunId::new(row.at, [1; 10]);
    let run = NewRun {
        id,
        chain: "bench".into(),
        source: "name: bench".into(),
        inputs: json!({}),
        trace: id.into(),
        caller: None,
        tenant: None,
        at: row.at,
    };
    let claim = database.create(&run, "bench", Duration::from_secs(60)).await?;
    let start = Instant::now();
    for number in 0..1_000 {
        database.append(&claim, number, journal::events([json!({"step": "one", "number": number})])).await?;
    }
    println!("{:>9.2} µs per event appended to a journal", micros(start.elapsed(), 1_000));

    database.close().await;
    let start = Instant::now();
    Sqlite::open(&path, &SqliteOptions::default()).await?;
    println!("{:>9.2} ms to open it again", start.elapsed().as_secs_f64() * 1e3);
    println!("{:>9.2} MB resident", resident()?);
    Ok(())
}

fn append(dir: &std::path::Path, rows: u64) -> Result<(), Failure> {
    let options = SpoolOptions { max_bytes: u64::MAX, ..SpoolOptions::default() };
    let (spool, _) = Spool::open(&dir.join("spool"), options)?;
    let row = sample::row(0);
    spool.append(&row)?;
    let mut times = Vec::with_capacity(usize::try_from(rows)?);
    for _ in 0..rows {
        let start = Instant::now();
        spool.append(&row)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let share = |per_mille: usize| times.get(times.len() * per_mille / 1_000).map_or(0, Duration::as_nanos);
    let size = spool.stats().bytes / (rows + 1);
    println!("{:>9} ns per row appended (median of {rows}; {size} bytes each)", share(500));
    println!("{:>9} ns 99th percentile", share(990));
    println!("{:>9.0} ns mean", micros(times.iter().sum(), rows) * 1e3);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn micros(time: Duration, things: u64) -> f64 {
    time.as_secs_f64() * 1e6 / things as f64
}

fn resident() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1e3)
}
