//! What the tests start from.

use config::{Config, Overrides};
use document::{Report, Source};

/// Reads a configuration with a small environment.
pub(crate) fn load(text: &str) -> Result<Config, Report> {
    load_with(text, &Overrides::default())
}

pub(crate) fn load_with(text: &str, overrides: &Overrides) -> Result<Config, Report> {
    config::load(Source { name: "windlass.yaml", text }, &environment, overrides)
}

/// The report of a configuration that must be refused, as a person sees it.
pub(crate) fn refused(text: &str) -> String {
    load(text).expect_err("this must be refused").to_string()
}

fn environment(name: &str) -> Option<String> {
    match name {
        "OPENAI_API_KEY" => Some("sk-openai-0123456789".to_owned()),
        "ANTHROPIC_API_KEY" => Some("sk-ant-0123456789".to_owned()),
        "GROQ_API_KEY" => Some("gsk-0123456789".to_owned()),
        "WORKERS" => Some("4".to_owned()),
        _ => None,
    }
}
