//! From the command line to a configuration, a runtime and an engine.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use anyhow::Context as _;
use config::{Config, Database, Overrides};
use document::Source;
use engine::{Engine, StartError, Started};
use telemetry::log;
use types::{Blame, Code, Fault};

use crate::args::{Cli, Command};
use crate::exit::{Failure, unreadable};

/// The configuration that is used if it is there and none is named.
const USUAL: &str = "windlass.yaml";
/// A configuration and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// `None`: the defaults.
    pub(crate) path: Option<PathBuf>,
}

/// The configuration that the command line asks for.
pub(crate) fn load(cli: &Cli) -> Result<Loaded, Failure> {
    let path = path(cli);
    let config = match &path {
        Some(path) => read(path, cli)?,
        None => parse(Source { name: "the defaults", text: "version: 1\n" }, cli)?,
    };
    Ok(Loaded { config, path })
}

/// Reads and checks one configuration file.
pub(crate) fn read(path: &Path, cli: &Cli) -> Result<Config, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(Code::BadConfig, path, &error))?;
    parse(Source { name: &path.display().to_string(), text: &text }, cli)
}

fn parse(source: Source<'_>, cli: &Cli) -> Result<Config, Failure> {
    Ok(config::load(source, &environment, &overrides(cli))?)
}

/// The file that the command line names, or the usual one if it is there.
pub(crate) fn path(cli: &Cli) -> Option<PathBuf> {
    cli.config.clone().or_else(|| Some(PathBuf::from(USUAL)).filter(|path| path.exists()))
}

/// A variable of the environment, for `${NAME}` in a configuration.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What stands above the file: the environment, then flags.
pub(crate) fn overrides(cli: &Cli) -> Overrides {
    // Which of them set something is the configuration's business; what is no text sets nothing.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut overrides = Overrides::environment(variables);
    if let Some(level) = &cli.log_level {
        overrides = overrides.flag("--log-level", "telemetry.log_level", level);
    }
    if let Command::Serve(serve) = &cli.command
        && let Some(listen) = serve.listen
    {
        overrides = overrides.flag("--listen", "server.listen", listen.to_string());
    }
    overrides
}

/// Starts logging. Commands other than `serve` log only what went wrong, unless asked for more.
pub(crate) fn start_logging(config: &Config, cli: &Cli, serving: bool) -> Option<log::Handle> {
    let configured = level(config.telemetry.log_level);
    let quiet = !serving && cli.log_level.is_none();
    let settings = log::Settings {
        level: if quiet { log::Level::Error } else { configured },
        format: match (serving, config.telemetry.log_format) {
            (true, config::telemetry::LogFormat::Json) => log::Format::Json,
            _ => log::Format::Text,
        },
    };
    // Only a program that has started it before can fail to: a library's, and then it has its own.
    log::start(settings).ok()
}

pub(crate) fn level(configured: config::telemetry::LogLevel) -> log::Level {
    use config::telemetry::LogLevel;
    match configured {
        LogLevel::Error => log::Level::Error,
        LogLevel::Warn => log::Level::Warn,
        LogLevel::Info => log::Level::Info,
        LogLevel::Debug => log::Level::Debug,
        LogLevel::Trace => log::Level::Trace,
    }
}

/// A runtime with as many workers as there are cores to use; with one core, one that never switches threads.
pub(crate) fn runtime(config: &Config) -> Result<tokio::runtime::Runtime, Failure> {
    let cores = available_parallelism().map_or(1, usize::from);
    let workers = config.server.workers.map_or(cores, usize::from);
    let mut builder = if workers <= 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    Ok(builder
        .worker_threads(workers.max(1))
        .enable_all()
        .build()
        .context("cannot start the async runtime")?)
}

/// Starts an engine, or says what stood in the way.
pub(crate) async fn start(config: Config) -> Result<Started, Failure> {
    let database = config.storage.database.clone();
    let started = Engine::start(config).await.map_err(|error| not_started(error, &database))?;
    for damaged in &started.recovered.damaged {
        tracing::warn!(
            lines = damaged.lines,
            kept_in = %damaged.kept_in.display(),
            "the spool had damaged lines; they are kept aside"
        );
    }
    if started.recovered.rows > 0 {
        log::ledger_recovered(started.recovered.rows);
    }
    Ok(started)
}

/// With the code that the error has, and the file that it is about.
fn not_started(error: StartError, database: &Database) -> Failure {
    let (StartError::Store(error), Database::Sqlite(path)) = (&error, database) else {
        return match error {
            StartError::Provider(fault) => Failure::Fault(fault),
            error => Failure::Other(error.into()),
        };
    };
    let message = format!("the database {} cannot be used: {error}", path.display());
    let fault =
        Fault::new(types::Kind::DependencyFailure, Code::Database, message).with_blame(Blame::Operator);
    Failure::Fault(
        fault.with_hint("look at the folder's permissions and at the disk; storage.database names the file"),
    )
}

/// Where the files lie that a configuration names: beside it.
pub(crate) fn folder(configuration: Option<&Path>) -> &Path {
    configuration.and_then(Path::parent).unwrap_or(Path::new(""))
}
