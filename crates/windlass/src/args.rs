//! The command line: what can be said, and the help that teaches it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use config::telemetry::LogLevel;

/// One binary between applications and language models.
///
/// It answers single calls (OpenAI- and Anthropic-compatible HTTP) and runs chains of prompts, with exact costs,
/// retries, fallbacks and timings. Without a configuration it serves a small local model on 127.0.0.1:8080.
#[derive(Debug, Parser)]
#[command(
    name = "windlass",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 configuration, 4 budget or limit.\n\n\
                  First steps:\n  \
                  windlass run examples/research.yaml --var topic=\"tidal power\"\n  \
                  windlass serve\n  \
                  windlass chat \"hello\""
)]
pub(crate) struct Cli {
    /// Configuration file [default: ./windlass.yaml if it is there]
    #[arg(long, short, global = true, env = "WINDLASS_CONFIG", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Write JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but the result
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// How much to log on standard error
    #[arg(long, global = true, value_name = "LEVEL", value_parser = LogLevel::ALL.map(LogLevel::as_str))]
    pub(crate) log_level: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the gateway
    Serve(Serve),
    /// Run a chain of prompts
    Run(Run),
    /// Ask a model one thing
    Chat(Chat),
    /// Check configurations and chains, offline; all problems at once
    Check(Check),
    /// List the models that can be named, or the whole price list
    Models(Models),
    /// Look at chain runs, and go on with them
    #[command(subcommand)]
    Runs(Runs),
    /// Look at what calls used and cost
    Ledger(Ledger),
    /// Run a gateway against a provider that fails in every way, and print a scorecard
    ///
    /// A fault wall is started on this machine: a provider that answers 429, 500 or nothing, resets, cuts, stalls,
    /// lies about lengths and types, puts errors into streams and never stops, whatever the model's name asks for.
    /// The gateway at URL, of whatever make, is configured to use it as a provider of OpenAI's kind. Then each fault
    /// is asked for, plain and as a stream, and judged: the caller must see a whole answer or one clean error, never
    /// a half answer as if it were whole, in bounded time, and the provider must not be hammered.
    Certify(Certify),
    /// Print the JSON Schema of the configuration or of chain files
    Schema {
        /// Of what
        of: Schema,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Listen here instead of `server.listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The chain file
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// A variable of the chain; may be given several times
    #[arg(long = "var", short = 'v', value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) vars: Vec<(String, String)>,
    /// All variables as one JSON object
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) vars_file: Option<PathBuf>,
    /// Use this model wherever the chain names none
    #[arg(long, short)]
    pub(crate) model: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// What to say; `-` reads it from standard input
    pub(crate) text: String,
    /// The model, route or alias [default: the only or first one configured]
    #[arg(long, short)]
    pub(crate) model: Option<String>,
    /// Instructions that go before it
    #[arg(long)]
    pub(crate) system: Option<String>,
    /// Greatest number of tokens to write
    #[arg(long)]
    pub(crate) max_tokens: Option<u64>,
    /// What it is for: chat, code, analysis, creative or a task of the configuration
    #[arg(long)]
    pub(crate) task: Option<String>,
    /// The performance profile: balanced, adaptive or another
    #[arg(long)]
    pub(crate) profile: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Configurations and chain files [default: the configuration in use]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Models {
    /// Only names that contain this
    pub(crate) filter: Option<String>,
    /// The whole price list, not only what is configured
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// The newest runs
    List {
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One run, step by step
    Show {
        /// The run's id: run_…
        id: types::RunId,
    },
    /// Go on with a run where it was left; finished steps are not asked again
    Resume {
        /// The run's id: run_…
        id: types::RunId,
        /// Take it over although another process seems to work on it
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Ledger {
    /// Only attempts since then: 90m, 24h, 7d
    #[arg(long, default_value = "24h")]
    pub(crate) since: String,
    /// Sums by this, instead of single attempts
    #[arg(long)]
    pub(crate) by: Option<Group>,
    /// Only attempts of this run
    #[arg(long)]
    pub(crate) run: Option<types::RunId>,
    /// Only attempts of this call
    #[arg(long)]
    pub(crate) call: Option<types::CallId>,
    /// At most so many attempts
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 everything passed, 1 something failed or the gateway did not answer.\n\n\
                  First steps:\n  \
                  windlass certify --print-config > wall.yaml\n  \
                  windlass serve --config wall.yaml &\n  \
                  windlass certify http://127.0.0.1:8080\n\n\
                  The same for LiteLLM:\n  \
                  windlass certify --print-config litellm > litellm.yaml\n  \
                  litellm --port 4000 --config litellm.yaml &\n  \
                  windlass certify http://127.0.0.1:4000"
)]
pub(crate) struct Certify {
    #[arg(
        required_unless_present = "print_config",
        value_hint = ValueHint::Url,
        help = "The gateway, on this machine: http://127.0.0.1:8080"
    )]
    pub(crate) url: Option<String>,
    /// A key that the gateway takes
    #[arg(long, env = "WINDLASS_CERTIFY_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// Goes before the fault in the names of models
    #[arg(long, default_value = "wall/", value_name = "PREFIX")]
    pub(crate) model_prefix: String,
    /// Where the wall listens, on loopback; port 0 is any that is free
    #[arg(long, default_value = "127.0.0.1:18080", value_name = "ADDRESS:PORT")]
    pub(crate) wall: SocketAddr,
    /// Each call must be over by then; longer than the gateway's own limit for a call
    #[arg(long, default_value = "10s", value_name = "TIME")]
    pub(crate) deadline: String,
    /// How long to wait for the gateway to answer with the wall behind it
    #[arg(long, default_value = "2s", value_name = "TIME")]
    pub(crate) wait: String,
    /// Cases at a time; fewer if the gateway is slow for reasons of its own
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) at_once: u16,
    /// Only these faults: cut,stall
    #[arg(long, value_delimiter = ',', value_name = "FAULTS")]
    pub(crate) only: Vec<String>,
    /// Print a configuration that points a gateway at the wall, and do nothing else
    #[arg(long, value_name = "GATEWAY", num_args = 0..=1, default_missing_value = "windlass")]
    pub(crate) print_config: Option<Peer>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Peer {
    Windlass,
    Litellm,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Group {
    Provider,
    Model,
    Caller,
    Day,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Schema {
    Config,
    Chain,
}

/// `name=value`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it like NAME=VALUE".to_owned()),
    }
}
