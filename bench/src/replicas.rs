//! Two replicas under a steady load that share their limits in one Redis, and Redis paused, killed and cut off
//! from them: no call may fail, and latency and memory stay as they were. Leaves the load to `load` and the
//! configuration to `windlass`.

use std::{net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use testkit::{Cable, Redis};
use tokio::time::{self, Instant};

use crate::{
    child::{Recipe, Running, free_port},
    latency::Percentiles,
    load::Outcome,
    procfs,
    proxy::tail,
    report::{Goal, Report},
    windlass,
};

/// What latency and memory may be while Redis is away, as multiples of what is normal.
const LIMIT: f64 = 1.2;
/// What happens to Redis happens this long after the load has begun.
const LEAD: Duration = Duration::from_secs(1);
/// Seconds of the load that warms a fresh process, and of the load without any gateway.
const WARM: u64 = 2;
/// For a start, and for a replica to see that Redis is there or away.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// What a replica logs when it shares its limits, and when it stops to.
const THERE: &str = "Redis is there";
const AWAY: &str = "Redis is away";
/// How often it is tried to measure what is normal: on a busy machine Redis may be late of itself.
const TRIES: usize = 3;

/// `windlass-bench replicas`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The gateway's binary; without it, the one beside this program or in target/release.
    #[arg(long, value_name = "PATH")]
    windlass: Option<PathBuf>,
    /// Requests a second, at each replica.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rate: u64,
    /// The longest that a call waits for Redis.
    #[arg(long, value_name = "DURATION", default_value = "50ms")]
    redis_timeout: String,
    /// Seconds of the load while nothing happens.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(2..=60))]
    normal_seconds: u64,
    /// Seconds of the load in which Redis goes away after one. The calls of one `storage.redis_timeout` wait
    /// for it; the longer this is, the fewer of all they are.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(2..=60))]
    away_seconds: u64,
    /// The core of the mock, the load and Redis.
    #[arg(long, default_value_t = 0)]
    load_core: usize,
    /// The core of the replicas.
    #[arg(long, default_value_t = 1)]
    proxy_core: usize,
}

/// What the load found at both replicas.
#[derive(Debug)]
struct Found {
    /// Of the slower replica, at each percentile.
    latency: Percentiles,
    /// The most that one of them had, in MB.
    rss: f64,
    failed: u64,
}

/// What is measured with.
struct Bench<'a> {
    options: &'a Options,
    program: PathBuf,
    binary: PathBuf,
    mock: SocketAddr,
}

/// Measures everything and writes the report.
///
/// # Errors
/// When something cannot be started, or a replica does not notice that Redis went or came.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let core = options.load_core.max(options.proxy_core);
    ensure!(procfs::cores() > core, "core {core} is asked for, and this machine has {}", procfs::cores());
    let binary = windlass::binary(options.windlass.as_deref())?.context(windlass::MISSING)?;
    let mut report = Report::new("replicas");
    stay_on(options.load_core)?;
    let program = std::env::current_exe()?;
    let (mock, address) = Recipe::new("the mock", &program, options.load_core)
        .args(["mock", "--listen", "127.0.0.1:0"])
        .start_and_read_line()
        .await?;
    let bench =
        Bench { options, program, binary, mock: address.parse().context("the mock says no address")? };

    eprintln!("without a gateway");
    let direct = bench.load(bench.mock.port(), WARM).await?;
    latencies("direct", direct.latency, &mut report);

    let mut redis = Redis::start()?;
    let pair = Pair::start(&bench, &redis.address()).await?;
    let (normal, lost) = pair.normal().await?;
    add("normal", &normal, None, &mut report);
    #[expect(clippy::cast_precision_loss, reason = "a few")]
    report.add("replicas.normal.lost_redis", lost as f64, "times", Goal::AtMost(0.0));
    let paused = pair.away("paused", || redis.pause()).await?;
    add("paused", &paused, Some(&normal), &mut report);
    redis.resume()?;
    let killed = pair.away("killed", || redis.kill()).await?;
    add("killed", &killed, Some(&normal), &mut report);
    redis.restart()?;
    pair.stop().await;

    // A pair of its own: the way to Redis through the cable is longer, and what is normal must not be.
    let cable = Cable::to(redis.socket()).await?;
    let pair = Pair::start(&bench, &cable.address()).await?;
    let cut = pair
        .away("cut", || {
            cable.cut();
            Ok(())
        })
        .await?;
    add("cut", &cut, Some(&normal), &mut report);
    pair.stop().await;
    mock.stop().await;
    report.publish()
}

fn latencies(phase: &str, latency: Percentiles, report: &mut Report) {
    for (name, value) in [("p50_us", latency.p50_us), ("p99_us", latency.p99_us), ("max_us", latency.max_us)]
    {
        report.add(format!("replicas.{phase}.{name}"), value, "us", Goal::None);
    }
}

fn add(phase: &str, found: &Found, normal: Option<&Found>, report: &mut Report) {
    latencies(phase, found.latency, report);
    report.add(format!("replicas.{phase}.rss_mb"), found.rss, "MB", Goal::None);
    #[expect(clippy::cast_precision_loss, reason = "bounded by the number of requests")]
    report.add(format!("replicas.{phase}.failed"), found.failed as f64, "requests", Goal::AtMost(0.0));
    let Some(normal) = normal else { return };
    for (name, ratio) in
        [("p99_ratio", found.latency.p99_us / normal.latency.p99_us), ("rss_ratio", found.rss / normal.rss)]
    {
        report.add(format!("replicas.{phase}.{name}"), ratio, "x normal", Goal::AtMost(LIMIT));
    }
}

/// Keeps this process, its cable and the Redis that it starts, on the load's core.
fn stay_on(core: usize) -> Result<()> {
    let status = std::process::Command::new("taskset")
        .args(["-cp", &core.to_string(), &std::process::id().to_string()])
        .stdout(Stdio::null())
        .status()
        .context("cannot start taskset, of util-linux")?;
    ensure!(status.success(), "taskset failed ({status})");
    Ok(())
}

impl Bench<'_> {
    /// Load on the gateway, or whatever it is, at this port.
    async fn load(&self, port: u16, seconds: u64) -> Result<Outcome> {
        let url = format!("http://127.0.0.1:{port}/v1/chat/completions");
        let text = Recipe::new("the load", &self.program, self.options.load_core)
            .args(["load", "--json", "--count-failures", "--key", windlass::KEY, "--url", &url])
            .args(["--rate", &self.options.rate.to_string(), "--seconds", &seconds.to_string()])
            .output(Duration::from_secs(seconds + 30))
            .await?;
        let outcome: Outcome = serde_json::from_str(&text)?;
        for error in &outcome.samples {
            eprintln!("FAILED: {error}");
        }
        Ok(outcome)
    }
}

/// A replica in a directory of its own.
struct Replica {
    running: Running,
    port: u16,
    log: PathBuf,
    _directory: TempDir,
}

/// Both of them.
struct Pair<'a> {
    bench: &'a Bench<'a>,
    replicas: [Replica; 2],
}

impl<'a> Pair<'a> {
    /// Starts them, waits until they share their limits, and warms them.
    async fn start(bench: &'a Bench<'a>, redis: &str) -> Result<Self> {
        let replicas = [Replica::start(bench, redis).await?, Replica::start(bench, redis).await?];
        let pair = Self { bench, replicas };
        pair.until(THERE).await?;
        pair.loads(WARM).await?;
        Ok(pair)
    }

    /// The load on both, and `happens` after its beginning.
    async fn measure(
        &self,
        phase: &str,
        seconds: u64,
        happens: impl FnOnce() -> std::io::Result<()>,
    ) -> Result<Found> {
        eprintln!("{phase}");
        let mut loads = std::pin::pin!(self.loads(seconds));
        let mut happens = Some(happens);
        let mut when = std::pin::pin!(time::sleep(LEAD));
        let mut look = time::interval(Duration::from_millis(250));
        let mut rss = 0.0_f64;
        let [one, other] = loop {
            tokio::select! {
                found = &mut loads => break found?,
                () = &mut when, if happens.is_some() => if let Some(happens) = happens.take() { happens()? },
                _ = look.tick() => {
                    for replica in &self.replicas {
                        rss = rss.max(procfs::rss_mb(replica.running.pid));
                    }
                }
            }
        };
        Ok(Found {
            latency: Percentiles {
                p50_us: one.latency.p50_us.max(other.latency.p50_us),
                p90_us: one.latency.p90_us.max(other.latency.p90_us),
                p99_us: one.latency.p99_us.max(other.latency.p99_us),
                max_us: one.latency.max_us.max(other.latency.max_us),
            },
            rss,
            failed: one.errors + other.errors,
        })
    }

    /// What is measured while Redis is there all the time; and how often a replica went on without it all the
    /// same, in the best of some tries.
    async fn normal(&self) -> Result<(Found, usize)> {
        let mut best: Option<(Found, usize)> = None;
        for _ in 0..TRIES {
            self.until(THERE).await?;
            let before = self.losses()?;
            let found = self.measure("normal", self.bench.options.normal_seconds, || Ok(())).await?;
            let lost = self.losses()? - before;
            if best.as_ref().is_none_or(|(_, least)| lost < *least) {
                best = Some((found, lost));
            }
            if lost == 0 {
                break;
            }
            eprintln!("Redis was late for {lost}: the machine is busy");
        }
        best.context("nothing was measured")
    }

    /// The same with Redis taken from them; both must have it before, and miss it after.
    async fn away(&self, phase: &str, taken: impl FnOnce() -> std::io::Result<()>) -> Result<Found> {
        self.until(THERE).await?;
        let found = self.measure(phase, self.bench.options.away_seconds, taken).await?;
        self.until(AWAY).await.with_context(|| format!("Redis was {phase}"))?;
        Ok(found)
    }

    async fn loads(&self, seconds: u64) -> Result<[Outcome; 2]> {
        let [one, other] = &self.replicas;
        let both = tokio::try_join!(self.bench.load(one.port, seconds), self.bench.load(other.port, seconds));
        let (one, other) = both.with_context(|| format!("{}\n{}", tail(&one.log), tail(&other.log)))?;
        Ok([one, other])
    }

    /// How often they have lost Redis.
    fn losses(&self) -> Result<usize> {
        self.replicas.iter().map(|replica| Ok(replica.log()?.matches(AWAY).count())).sum()
    }

    /// Waits until `state`, of [`THERE`] and [`AWAY`], is the last that each has logged.
    async fn until(&self, state: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        for replica in &self.replicas {
            while last(&replica.log()?) != Some(state) {
                ensure!(
                    Instant::now() < until,
                    "a replica does not say that {state}: {}",
                    tail(&replica.log)
                );
                time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    async fn stop(self) {
        for replica in self.replicas {
            replica.running.stop().await;
        }
    }
}

impl Replica {
    async fn start(bench: &Bench<'_>, redis: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let (port, log) = (free_port()?, directory.path().join("output.log"));
        let (core, redis) = (bench.options.proxy_core, (redis, bench.options.redis_timeout.as_str()));
        let recipe = windlass::replica(&bench.binary, bench.mock, port, directory.path(), core, redis)?;
        let mut running = recipe.start(&log)?;
        running.ready(port, "/readyz", PATIENCE).await.with_context(|| tail(&log))?;
        Ok(Self { running, port, log, _directory: directory })
    }

    fn log(&self) -> Result<String> {
        std::fs::read_to_string(&self.log).with_context(|| format!("cannot read {}", self.log.display()))
    }
}

/// Which of the two a log has told last.
fn last(log: &str) -> Option<&'static str> {
    let told = |line: &str| [THERE, AWAY].into_iter().find(|state| line.contains(state));
    log.lines().rev().find_map(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        assert_eq!(last("serving\n"), None);
        assert_eq!(last("x Redis is there: y\nz\n"), Some(THERE));
        assert_eq!(last("Redis is there: y\nRedis is away: y\nz\n"), Some(AWAY));
    }
}
