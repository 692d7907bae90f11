//! Windlass as a library: calls and chains without the server.
//!
//! ```no_run
//! # async fn example() -> Result<(), windlass::Error> {
//! use windlass::Windlass;
//!
//! let windlass = Windlass::from_file("windlass.yaml").await?;
//! let run = windlass.chain(include_str!("../../../examples/research.yaml"))?.var("topic", "tidal power").run().await?;
//! println!("{} for {}", run.output("report")?, run.cost());
//! windlass.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Windlass`] owns an engine: the call path with its pools, the ledger, the journal. It needs a tokio runtime
//! and no other service. [`Windlass::engine`] opens what has no shorter way here. The words of the engine's
//! crates are re-exported, so that a program needs this crate alone.

use std::path::Path;
use std::sync::Arc;

use ::chain::{Chain, Report, RunResult, RunStatus, Source};
use ::config::{Config, Overrides};
use ::engine::{Answered, Chains, Engine, Head, Inbound, NewRun, Started, Who};
use serde_json::{Map, Value};
use types::chat::{Answer, Message, Part, Request, Role};
use types::{Dialect, Fault, Money, RunId, Usage};

pub use ::{chain, config, engine, types};

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A configuration or a chain is not valid: all problems, each with its place.
    #[error("{0}")]
    Invalid(#[from] Report),
    /// The engine did not start.
    #[error("{0}")]
    Start(#[from] ::engine::StartError),
    /// A call or a run failed.
    #[error("{0}")]
    Failed(#[from] Fault),
    /// A result has no output of this name.
    #[error("the chain has no output `{0}`")]
    NoOutput(String),
}

/// A gateway and chain engine in this process.
#[derive(Debug)]
pub struct Windlass {
    started: Started,
}

impl Windlass {
    /// Starts with a configuration file. Its `${NAME}` are read from the environment.
    pub async fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let shown = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: shown.clone(), source })?;
        Self::start(Source { name: &shown, text: &text }).await
    }

    /// Starts with the text of a configuration.
    pub async fn from_yaml(text: &str) -> Result<Self, Error> {
        Self::start(Source { name: "the configuration", text }).await
    }

    /// Starts without a configuration: a small model on this machine, a database in the working directory.
    pub async fn local() -> Result<Self, Error> {
        Self::from_config(Config::default_for_machine()).await
    }

    /// Starts with a configuration that is checked already.
    pub async fn from_config(config: Config) -> Result<Self, Error> {
        Ok(Self { started: Engine::start(config).await? })
    }

    async fn start(source: Source<'_>) -> Result<Self, Error> {
        let environment = |name: &str| std::env::var(name).ok();
        Self::from_config(::config::load(source, &environment, &Overrides::default())?).await
    }

    /// The engine itself.
    pub fn engine(&self) -> &Engine {
        &self.started.engine
    }

    /// Asks a model one thing, and gives its text.
    pub async fn chat(&self, model: &str, prompt: &str) -> Result<String, Error> {
        let parts = vec![Part::Text { text: prompt.to_owned() }];
        let messages = vec![Message { role: Role::User, parts, name: None }];
        let answer =
            self.complete(&Request { model: model.to_owned(), messages, ..Request::default() }).await?;
        let parts = answer.choices.into_iter().flat_map(|choice| choice.parts);
        Ok(parts
            .filter_map(|part| if let Part::Text { text, .. } = part { Some(text) } else { None })
            .collect())
    }

    /// Answers a request whole.
    pub async fn complete(&self, request: &Request) -> Result<Answer, Error> {
        let request = Request { stream: false, ..request.clone() };
        let written =
            wire::encode_request(&request, &wire::Writing::plain(Dialect::OpenaiChat, &request.model))?;
        let body = written.body.joined().clone();
        let inbound = Inbound { dialect: Dialect::OpenaiChat, body, head: Head::local() };
        match self.engine().call(inbound).await {
            Ok(Answered::Whole(whole)) => Ok(wire::decode_answer(Dialect::OpenaiChat, &whole.body)?),
            Ok(Answered::Stream(_)) => {
                Err(Fault::internal("an answer that was asked for whole was streamed").into())
            }
            Err(refusal) => Err(refusal.fault.into()),
        }
    }

    /// A chain from its file's text, to be given variables and run.
    pub fn chain(&self, yaml: &str) -> Result<ChainRun<'_>, Error> {
        let chain = ::chain::parse(&Source { name: "the chain", text: yaml })?;
        Ok(ChainRun {
            windlass: self,
            chain: Arc::new(chain),
            source: Some(Arc::from(yaml)),
            vars: Map::new(),
        })
    }

    /// A chain that was built in code.
    pub fn built(&self, chain: Chain) -> ChainRun<'_> {
        ChainRun { windlass: self, chain: Arc::new(chain), source: None, vars: Map::new() }
    }

    /// Goes on with a run where it was left; finished steps are not asked again.
    pub async fn resume(&self, run: RunId) -> Result<Finished, Error> {
        let run = self.engine().resume_run(run, store::journal::Seize::Expired).await?;
        Finished::of(run.finished().await?)
    }

    /// Offers the chains that the configuration names, for [`Engine::chains`].
    pub fn offer(&self, chains: Chains) {
        self.engine().offer(chains);
    }

    /// Stops in order: calls in flight end, the ledger reaches the database.
    pub async fn close(self) {
        let drain = self.engine().config().server.drain;
        self.started.stop(drain, std::future::ready(())).await;
    }
}

/// A chain about to be run.
#[derive(Clone, Debug)]
pub struct ChainRun<'a> {
    windlass: &'a Windlass,
    chain: Arc<Chain>,
    source: Option<Arc<str>>,
    vars: Map<String, Value>,
}

impl ChainRun<'_> {
    /// Gives a variable its value.
    #[must_use]
    pub fn var(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// Runs it to its end. A run that fails is an error; [`Windlass::resume`] goes on with it.
    pub async fn run(self) -> Result<Finished, Error> {
        let new = NewRun {
            chain: self.chain,
            source: self.source,
            vars: self.vars,
            who: Who::default(),
            trace: None,
            model: None,
        };
        Finished::of(self.windlass.engine().run(new).await?)
    }
}

/// A run that succeeded.
#[derive(Clone, Debug)]
pub struct Finished(RunResult);

impl Finished {
    fn of(result: RunResult) -> Result<Self, Error> {
        match (&result.status, &result.error) {
            (RunStatus::Succeeded, _) => Ok(Self(result)),
            (_, Some(fault)) => Err(fault.clone().into()),
            (_, None) => Err(Fault::internal("the run did not end; it can be resumed").into()),
        }
    }

    /// An output as text.
    pub fn output(&self, name: &str) -> Result<String, Error> {
        match self.0.outputs.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Ok(other.to_string()),
            None => Err(Error::NoOutput(name.to_owned())),
        }
    }

    /// What is known of its cost; `result().cost_analysis.complete` says whether that is all.
    pub fn cost(&self) -> Money {
        self.0.cost_analysis.total
    }

    /// Tokens, all steps together.
    pub fn usage(&self) -> Usage {
        self.0.cost_analysis.usage
    }

    /// Everything that is known of the run.
    pub fn result(&self) -> &RunResult {
        &self.0
    }
}
