//! The comparison of proxies: each stands alone on its core before the same mock, gets the same load from the
//! other core, in repetitions that are interleaved so that a busy moment of the machine hits all alike.
//! Leaves the load to `load`, the configurations to `nginx`, `windlass` and `peers`, the sums to `summary`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::time;

use crate::{
    child::{Recipe, Running, free_port},
    load::Outcome,
    nginx,
    peers::Gateway,
    procfs,
    report::Report,
    summary::{Kind, Sample, Samples},
    windlass,
};

/// The fixed rate, in requests a second.
const RATE: u64 = 200;
/// Where a gateway cannot carry that rate, it gets this part of what it can carry.
const PART: f64 = 0.5;

/// `windlass-bench proxy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The gateway's binary; without it, the one beside this program or in target/release.
    #[arg(long, value_name = "PATH")]
    windlass: Option<PathBuf>,
    /// Further gateways to measure, installed on first use: litellm, portkey.
    #[arg(long, value_enum, value_delimiter = ',')]
    peers: Vec<Gateway>,
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    repetitions: u8,
    /// Seconds of each closed-loop run.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    closed_seconds: u64,
    /// Seconds of each run at a fixed rate.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=60))]
    open_seconds: u64,
    /// The core of the mock and the load.
    #[arg(long, default_value_t = 0)]
    load_core: usize,
    /// The core of the proxy.
    #[arg(long, default_value_t = 1)]
    proxy_core: usize,
}

/// What stands between the load and the mock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Direct,
    Nginx,
    Windlass(PathBuf),
    Peer(Gateway),
}

impl Target {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Windlass(_) => "windlass",
            Self::Peer(gateway) => gateway.name(),
        }
    }

    fn recipe(&self, mock: SocketAddr, port: u16, directory: &Path, core: usize) -> Result<Option<Recipe>> {
        Ok(match self {
            Self::Direct => None,
            Self::Nginx => Some(nginx::recipe(mock, port, directory, core)?),
            Self::Windlass(binary) => Some(windlass::recipe(binary, mock, port, directory, core)?),
            Self::Peer(gateway) => Some(gateway.recipe(mock, port, directory, core)?),
        })
    }

    fn ready_path(&self) -> &'static str {
        match self {
            Self::Peer(gateway) => gateway.ready_path(),
            Self::Direct | Self::Nginx | Self::Windlass(_) => "/readyz",
        }
    }

    /// What the load generator must send, beside how much of it.
    fn load_arguments(&self, mock: SocketAddr, port: u16, kind: Kind) -> Vec<String> {
        let (port, path) = match (self, kind) {
            (Self::Direct, _) => (mock.port(), "/v1/chat/completions"),
            (Self::Nginx, Kind::Plain) => (port, nginx::PLAIN),
            (Self::Nginx, Kind::Stream) => (port, nginx::STREAM),
            (Self::Windlass(_) | Self::Peer(_), _) => (port, "/v1/chat/completions"),
        };
        let mut words = vec!["--url".into(), format!("http://127.0.0.1:{port}{path}")];
        let (key, headers) = match self {
            Self::Direct | Self::Nginx | Self::Windlass(_) => (windlass::KEY, Vec::new()),
            Self::Peer(gateway) => (gateway.key(), gateway.headers(mock)),
        };
        words.extend(["--key".into(), key.into()]);
        words.extend(headers.into_iter().flat_map(|line| ["--header".into(), line]));
        if kind == Kind::Stream {
            words.push("--stream".into());
        }
        words
    }
}

/// Measures everything and writes the report.
///
/// # Errors
/// When a target cannot be started or a single request fails. Nothing is written then, unless it was a peer:
/// that one's figures are left out.
pub(crate) async fn run(options: &Options) -> Result<()> {
    if procfs::cores() <= options.load_core.max(options.proxy_core) {
        bail!(
            "cores {} and {} are asked for, and this machine has {}",
            options.load_core,
            options.proxy_core,
            procfs::cores()
        );
    }
    let mut report = Report::new("proxy");
    let mut targets = targets(options)?;
    let program = std::env::current_exe()?;
    let (mock, address) = Recipe::new("the mock", &program, options.load_core)
        .args(["mock", "--listen", "127.0.0.1:0"])
        .start_and_read_line()
        .await?;
    let bench = Bench {
        options,
        program,
        mock: address.parse().context("the mock says no address")?,
        mock_pid: mock.pid,
    };
    let mut samples = Samples::default();
    let mut failed = Vec::new();
    for repetition in 1..=options.repetitions {
        let mut standing = Vec::new();
        for target in targets {
            eprintln!("{repetition}/{}: {}", options.repetitions, target.name());
            match bench.measure(&target, &mut samples).await.with_context(|| target.name()) {
                Err(error) if matches!(target, Target::Peer(_)) => failed.push(format!("{error:#}")),
                Err(error) => return Err(error),
                Ok(()) => standing.push(target),
            }
        }
        targets = standing;
    }
    mock.stop().await;
    samples.summarize(&targets.iter().map(Target::name).collect::<Vec<_>>(), &mut report);
    report.publish()?;
    if !failed.is_empty() {
        bail!("left out, because it failed: {}", failed.join("\n"));
    }
    Ok(())
}

fn targets(options: &Options) -> Result<Vec<Target>> {
    let mut targets = vec![Target::Direct, Target::Nginx];
    match windlass::binary(options.windlass.as_deref())? {
        Some(path) => targets.push(Target::Windlass(path)),
        None => eprintln!("windlass is NOT MEASURED: {}", windlass::MISSING),
    }
    for gateway in &options.peers {
        gateway.install()?;
        targets.push(Target::Peer(*gateway));
    }
    Ok(targets)
}

/// One comparison with its mock.
struct Bench<'a> {
    options: &'a Options,
    program: PathBuf,
    mock: SocketAddr,
    mock_pid: u32,
}

impl Bench<'_> {
    /// Starts the target, measures it idle and under both kinds of load, and stops it.
    async fn measure(&self, target: &Target, samples: &mut Samples) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let port = free_port()?;
        let recipe = target.recipe(self.mock, port, directory.path(), self.options.proxy_core)?;
        let log = directory.path().join("output.log");
        let mut proxy = recipe.map(|recipe| recipe.start(&log)).transpose()?;
        if let Some(proxy) = &mut proxy {
            let ready = proxy.ready(port, target.ready_path(), Duration::from_secs(90)).await;
            let ready = ready.with_context(|| tail(&log))?;
            samples.add(target.name(), None, Sample::StartupMs, ready.as_secs_f64() * 1e3);
            time::sleep(Duration::from_secs(1)).await;
            samples.add(target.name(), None, Sample::RssIdleMb, procfs::rss_mb(proxy.pid));
        }
        for kind in [Kind::Plain, Kind::Stream] {
            let measured = self.measure_kind(target, kind, port, proxy.as_ref(), samples).await;
            measured.with_context(|| format!("{} answers. {}", kind.name(), tail(&log)))?;
        }
        if let Some(proxy) = proxy {
            proxy.stop().await;
        }
        Ok(())
    }

    async fn measure_kind(
        &self,
        target: &Target,
        kind: Kind,
        port: u16,
        proxy: Option<&Running>,
        samples: &mut Samples,
    ) -> Result<()> {
        let arguments = target.load_arguments(self.mock, port, kind);
        // The first answers of a fresh process are not what is asked about.
        self.load(&arguments, &["--requests", "2000", "--seconds", "2"], 2).await?;

        let measured = proxy.map_or(self.mock_pid, |proxy| proxy.pid);
        let seconds = self.options.closed_seconds;
        let before = procfs::cpu(measured)?;
        let amount = ["--connections", "64", "--seconds", &seconds.to_string()];
        let loading = self.load(&arguments, &amount, seconds);
        let (closed, peak) = watched(loading, proxy.map(|proxy| proxy.pid)).await?;
        let cpu = procfs::cpu(measured)?.saturating_sub(before);
        samples.add(target.name(), Some(kind), Sample::Rps, closed.rps);
        #[expect(clippy::cast_precision_loss, reason = "bounded by the number of requests")]
        let per_request = cpu.as_secs_f64() * 1e6 / closed.done as f64;
        samples.add(target.name(), Some(kind), Sample::CpuUs, per_request);
        if proxy.is_some() {
            samples.add(target.name(), None, Sample::RssLoadedMb, peak);
        }

        let rate = rate_for(closed.rps);
        let seconds = self.options.open_seconds;
        let fixed = ["--rate", &rate.to_string(), "--seconds", &seconds.to_string()];
        let open = self.load(&arguments, &fixed, seconds).await?;
        samples.add(target.name(), Some(kind), Sample::P50Us, open.latency.p50_us);
        samples.add(target.name(), Some(kind), Sample::P99Us, open.latency.p99_us);
        if rate != RATE {
            #[expect(clippy::cast_precision_loss, reason = "below RATE")]
            samples.add(target.name(), Some(kind), Sample::Rate, rate as f64);
        }
        Ok(())
    }

    async fn load(&self, arguments: &[String], amount: &[&str], seconds: u64) -> Result<Outcome> {
        let text = Recipe::new("the load", &self.program, self.options.load_core)
            .args(["load", "--json"])
            .args(arguments)
            .args(amount)
            .output(Duration::from_secs(seconds + 60))
            .await?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// The fixed rate, or what a slow gateway can carry.
fn rate_for(rps: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and RATE")]
    let bearable = (rps * PART).clamp(1.0, 200.0) as u64;
    bearable.min(RATE)
}

/// Waits for the load and takes the most memory that was seen meanwhile.
async fn watched(load: impl Future<Output = Result<Outcome>>, proxy: Option<u32>) -> Result<(Outcome, f64)> {
    let mut load = std::pin::pin!(load);
    let mut peak = 0.0_f64;
    let mut look = time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            outcome = &mut load => return Ok((outcome?, peak)),
            _ = look.tick() => peak = proxy.map_or(0.0, |pid| peak.max(procfs::rss_mb(pid))),
        }
    }
}

/// The end of what a target printed, to explain why it failed.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
