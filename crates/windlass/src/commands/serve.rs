//! `windlass serve`: the gateway, until it is told to stop.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::Config;
use config::telemetry::LogFormat;
use document::Diagnostic;
use engine::{Chains, Engine};
use server::Server;
use telemetry::log;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;
use types::{Blame, Code, Fault, Kind};

use crate::args::Cli;
use crate::exit::Failure;
use crate::setup;

/// How often the configuration's file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Editors and orchestrators write a file in several steps: wait until they are done.
const SETTLE: Duration = Duration::from_millis(200);

/// Serves until SIGTERM or SIGINT, then lets what is in flight finish.
pub(crate) fn serve(cli: &Cli) -> Result<(), Failure> {
    let loaded = setup::load(cli)?;
    let logs = setup::start_logging(&loaded.config, cli, true);
    let path = loaded.path.as_deref();
    let chains = Chains::read(&loaded.config, setup::folder(path)).map_err(chains_failure)?;
    setup::runtime(&loaded.config)?.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(anyhow::Error::from)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(anyhow::Error::from)?;
        let started = setup::start(loaded.config.clone()).await?;
        let engine = started.engine.clone();
        engine.offer(chains);
        let server = Server::bind(engine.clone()).map_err(|error| cannot_listen(&error))?;
        let address = server.address();
        log::serving(address, env!("CARGO_PKG_VERSION"));
        // Where the log is lines of JSON, one of them says it, and programs read nothing else there.
        let for_people =
            loaded.config.telemetry.log_format == LogFormat::Text || std::io::stderr().is_terminal();
        if for_people && !cli.quiet && !cli.json {
            eprintln!("windlass {} on http://{address}", env!("CARGO_PKG_VERSION"));
        }
        let running = Running { engine: engine.clone(), address, began: engine.config(), logs };
        let reload = reload(running, path, cli);
        let mut told = Instant::now();
        let stop = async {
            let notice = tokio::select! {
                _ = terminate.recv() => engine.config().server.drain_notice,
                // Somebody at a terminal has no balancer, and waits.
                _ = interrupt.recv() => Duration::ZERO,
                () = reload => Duration::ZERO,
            };
            told = Instant::now();
            engine.stop_taking();
            let notice = notice.min(engine.config().server.drain);
            if !notice.is_zero() {
                log::leaving(notice);
                tokio::select! {
                    () = tokio::time::sleep(notice) => {}
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
        };
        let rest = server.run(stop).await;
        let drain = engine.config().server.drain.saturating_sub(told.elapsed());
        log::stopping(engine.calls_in_flight() as u64, drain);
        let in_flight = engine.clone();
        let left = async move {
            let cut = in_flight.calls_in_flight() as u64;
            rest.cut().await;
            log::stopped(cut);
        };
        started.stop(drain, left).await;
        Ok(())
    })
}

fn cannot_listen(error: &server::BindError) -> Failure {
    let fault = Fault::new(Kind::ResourceExhausted, Code::CannotListen, error.to_string());
    Failure::Fault(
        fault.with_blame(Blame::Operator).with_hint("choose another with --listen or server.listen"),
    )
}

fn chains_failure(error: engine::ChainsError) -> Failure {
    Failure::Invalid(error.0)
}

/// Puts the configuration in force again whenever its file changes, or on SIGHUP. Never returns.
///
/// The file is looked at once a second. To be told of changes, its folder would have to be watched, because a
/// file that is replaced is another file by the same name; and by default the folder also holds the database,
/// whose every write would then wake us.
async fn reload(running: Running, path: Option<&Path>, cli: &Cli) {
    let Some(path) = path else { return std::future::pending().await };
    let mut hangups = signal(SignalKind::hangup()).ok();
    let mut known = Stamp::of(path);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let hangup = async {
            match &mut hangups {
                Some(hangups) => _ = hangups.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = looks.tick() => {
                let now = Stamp::of(path);
                // A file that is away is being replaced: it will be another one when it is back.
                if now.is_none() || now == known {
                    continue;
                }
                tokio::time::sleep(SETTLE).await;
            }
            () = hangup => {}
        }
        known = Stamp::of(path);
        again(&running, path, cli);
    }
}

/// What tells one state of a file from the next, also where a link to it is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        let changed = (file.ctime(), file.ctime_nsec());
        Some(Self { device: file.dev(), inode: file.ino(), length: file.len(), changed })
    }
}

/// What a changed configuration meets.
struct Running {
    engine: Engine,
    /// Where this process listens, whatever a later configuration says.
    address: SocketAddr,
    /// The configuration that it was started with.
    began: Arc<Config>,
    logs: Option<log::Handle>,
}

/// Without the excerpt, which may show a secret.
fn where_and_what(file: &str, problem: &Diagnostic) -> String {
    match problem.span {
        Some(span) => format!("{file}:{}:{}: {}", span.line, span.column, problem.message),
        None => format!("{file}: {}", problem.message),
    }
}

/// All of the new configuration, or none of it.
fn again(running: &Running, path: &Path, cli: &Cli) {
    let engine = &running.engine;
    let loaded = setup::read(path, cli).and_then(|config| {
        let chains = Chains::read(&config, setup::folder(Some(path))).map_err(chains_failure)?;
        Ok((config, chains))
    });
    let (config, chains) = match loaded {
        Ok(loaded) => loaded,
        Err(Failure::Invalid(reports)) => {
            let first = reports.first().and_then(|report| Some((&report.file, report.first()?)));
            let first = first.map(|(file, problem)| where_and_what(file, problem)).unwrap_or_default();
            return log::config_refused(reports.iter().map(|report| report.errors).sum(), &first);
        }
        Err(failure) => return log::config_refused(1, &failure.to_string()),
    };
    if config.is_open_at(running.address) {
        let address = running.address;
        let first = format!(
            "anybody who reaches {address}, where this process listens until it is started again, could call: \
             there are no `keys`"
        );
        return log::config_refused(1, &first);
    }
    if config == *engine.config() {
        return engine.offer(chains);
    }
    let level = setup::level(config.telemetry.log_level);
    let waits = config.waits_for_a_start(&running.began);
    match engine.reload(config) {
        Ok(()) => {
            engine.offer(chains);
            if let Some(logs) = &running.logs {
                logs.set_level(level);
            }
            log::config_reloaded();
            if !waits.is_empty() {
                log::config_waits(&waits.join(", "));
            }
        }
        Err(fault) => log::config_refused(1, &fault.to_string()),
    }
}
