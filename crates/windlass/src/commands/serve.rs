//! `windlass serve`: the gateway, until it is told to stop.

use std::path::Path;
use std::time::Duration;

use engine::{Chains, Engine};
use notify::{RecursiveMode, Watcher as _};
use server::Server;
use telemetry::log;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::args::{self, Cli};
use crate::exit::Failure;
use crate::setup;

/// Editors and orchestrators write a file in several steps: wait until they are done.
const SETTLE: Duration = Duration::from_millis(200);

/// Serves until SIGTERM or SIGINT, then lets what is in flight finish.
pub(crate) fn serve(cli: &Cli, args: &args::Serve) -> Result<(), Failure> {
    let mut loaded = setup::load(cli)?;
    if let Some(listen) = args.listen {
        loaded.config.server.listen = listen;
    }
    let logs = setup::start_logging(&loaded.config, cli, true);
    let path = loaded.path.as_deref();
    let chains = Chains::read(&loaded.config, setup::folder(path)).map_err(chains_failure)?;
    setup::runtime(&loaded.config)?.block_on(async {
        let drain = loaded.config.server.drain;
        let mut terminate = signal(SignalKind::terminate()).map_err(anyhow::Error::from)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(anyhow::Error::from)?;
        let started = setup::start(loaded.config.clone()).await?;
        let engine = started.engine.clone();
        engine.offer(chains);
        let server = Server::bind(engine.clone()).map_err(|error| Failure::Other(error.into()))?;
        let address = server.address();
        log::serving(address, env!("CARGO_PKG_VERSION"));
        if !cli.quiet && !cli.json {
            eprintln!("windlass {} on http://{address}", env!("CARGO_PKG_VERSION"));
        }
        let reload = reload(engine.clone(), path, cli, logs);
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = reload => {}
            }
        };
        let rest = server.run(stop).await;
        log::stopping(engine.calls_in_flight() as u64, drain);
        let cut = engine.clone();
        let left = async move {
            log::stopped(cut.calls_in_flight() as u64);
            rest.cut().await;
        };
        started.stop(drain, left).await;
        Ok(())
    })
}

fn chains_failure(error: engine::ChainsError) -> Failure {
    match error {
        engine::ChainsError::Invalid(report) => report.into(),
        error @ engine::ChainsError::Read { .. } => Failure::Other(error.into()),
    }
}

/// Puts the configuration in force again whenever its file changes, or on SIGHUP. Never returns.
async fn reload(engine: Engine, path: Option<&Path>, cli: &Cli, logs: Option<log::Handle>) {
    let (tell, mut changes) = mpsc::channel(1);
    // Kept until the end: dropping it ends the watch.
    let _watcher = path.and_then(|path| watch(path, tell));
    let mut hangups = signal(SignalKind::hangup()).ok();
    loop {
        let hangup = async {
            match &mut hangups {
                Some(hangups) => _ = hangups.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(()) = changes.recv() => tokio::time::sleep(SETTLE).await,
            () = hangup => {}
        }
        while changes.try_recv().is_ok() {}
        if let Some(path) = path {
            again(&engine, path, cli, logs.as_ref());
        }
    }
}

/// All of the new configuration, or none of it.
fn again(engine: &Engine, path: &Path, cli: &Cli, logs: Option<&log::Handle>) {
    let loaded = setup::read(path, cli).and_then(|config| {
        let chains = Chains::read(&config, setup::folder(Some(path))).map_err(chains_failure)?;
        Ok((config, chains))
    });
    let (config, chains) = match loaded {
        Ok(loaded) => loaded,
        Err(Failure::Invalid(report)) => {
            let first = report.first().map(|problem| problem.message.clone()).unwrap_or_default();
            return log::config_refused(report.errors, &first);
        }
        Err(failure) => return log::config_refused(1, &failure.to_string()),
    };
    if config == *engine.config() {
        return engine.offer(chains);
    }
    let level = setup::level(config.telemetry.log_level);
    match engine.reload(config) {
        Ok(()) => {
            engine.offer(chains);
            if let Some(logs) = logs {
                logs.set_level(level);
            }
            log::config_reloaded();
        }
        Err(fault) => log::config_refused(1, &fault.to_string()),
    }
}

/// Watches the folder: what replaces a file, or the link to it, is another file by the same name.
fn watch(path: &Path, changed: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // A change that already waits to be looked at stands for this one too.
            let _ = changed.try_send(());
        }
    });
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    match watching {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "the configuration file is not watched; send SIGHUP after a change");
            None
        }
    }
}
