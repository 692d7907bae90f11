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
    #[command(
        after_help = "Examples:\n  windlass serve\n  windlass serve --config windlass.yaml --listen 127.0.0.1:8080\n  WINDLASS__SERVER__LISTEN=127.0.0.1:9000 windlass serve"
    )]
    Serve(Serve),
    /// Run a chain of prompts
    #[command(
        after_help = "Examples:\n  windlass run examples/research.yaml --var topic=\"tidal power\"\n  windlass run examples/research.yaml --vars-file vars.json --json"
    )]
    Run(Run),
    /// Ask a model one thing
    #[command(
        after_help = "Examples:\n  windlass chat \"hello\"\n  windlass chat --model local/smollm2 --system \"Answer in one word\" \"The capital of France?\"\n  windlass chat - < question.txt"
    )]
    Chat(Chat),
    /// Check configurations and chains, offline; all problems at once
    #[command(
        after_help = "Examples:\n  windlass check\n  windlass check windlass.yaml examples/research.yaml\n  windlass check --json windlass.yaml"
    )]
    Check(Check),
    /// List the models that can be named, or the whole price list
    #[command(after_help = "Examples:\n  windlass models\n  windlass models --all sonnet")]
    Models(Models),
    /// Look at chain runs, and go on with them
    #[command(
        subcommand,
        after_help = "Examples:\n  windlass runs list\n  windlass runs show run_018bcfe5680077078707070707070707\n  windlass runs resume run_018bcfe5680077078707070707070707"
    )]
    Runs(Runs),
    /// Look at what calls used and cost
    #[command(
        after_help = "Examples:\n  windlass ledger --since 7d --by model\n  windlass ledger --run run_018bcfe5680077078707070707070707\n  windlass ledger --json --limit 1000"
    )]
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
    #[command(
        after_help = "Examples:\n  windlass schema config > windlass.schema.json\n  windlass schema chain > chain.schema.json"
    )]
    Schema {
        /// Of what
        of: Schema,
    },
    /// Print completions for a shell
    #[command(
        after_help = "Examples:\n  windlass completions bash > ~/.local/share/bash-completion/completions/windlass\n  windlass completions zsh > _windlass"
    )]
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
    #[command(after_help = "Examples:\n  windlass runs list\n  windlass runs list --limit 5 --json")]
    List {
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One run, step by step
    #[command(
        after_help = "Examples:\n  windlass runs show run_018bcfe5680077078707070707070707\n  windlass runs show run_018bcfe5680077078707070707070707 --json"
    )]
    Show {
        /// The run's id: run_…
        id: types::RunId,
    },
    /// Go on with a run where it was left; finished steps are not asked again
    #[command(
        after_help = "Examples:\n  windlass runs resume run_018bcfe5680077078707070707070707\n  windlass runs resume run_018bcfe5680077078707070707070707 --force"
    )]
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// The words of a line, as a shell takes them: what is quoted is one, and what goes elsewhere is none.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                '>' | '<' | '&' if !quoted => break,
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    fn teaches(command: &mut clap::Command, path: &str) {
        let help = command.render_long_help().to_string();
        let examples = help.lines().map(str::trim).filter_map(|line| {
            let from = line.find("windlass ")?;
            // Before it, variables may be set.
            line[..from].split_whitespace().all(|word| word.contains('=')).then_some(&line[from..])
        });
        let mut count = 0;
        for example in examples {
            Cli::try_parse_from(words(example)).unwrap_or_else(|error| panic!("{example}: {error}"));
            // What it needs beside it may stand there, too.
            count += usize::from(example.starts_with(path));
        }
        assert!(count > 0, "the help of `{path}` has no example:\n{help}");
        for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
            let path = format!("{path} {}", inner.get_name());
            teaches(inner, &path);
        }
    }

    #[test]
    fn every_commands_help_has_examples_that_are_true() {
        teaches(&mut Cli::command(), "windlass");
    }
}
