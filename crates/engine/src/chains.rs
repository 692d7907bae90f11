//! The chains that a configuration offers by name, read and checked once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chain::{Chain, Report, Source};
use config::Config;
use document::Diagnostic;
use types::Code;

/// A chain that can be run by its name.
#[derive(Clone, Debug)]
pub struct Offered {
    /// The chain.
    pub chain: Arc<Chain>,
    /// Its file's text, from which its runs are resumed.
    pub source: Arc<str>,
}

/// The chains on offer.
#[derive(Debug, Default)]
pub struct Chains(BTreeMap<String, Offered>);

/// Why a configuration's chains cannot be offered: what is wrong with each file, also with those that cannot be read.
#[derive(Debug)]
pub struct ChainsError(pub Vec<Report>);

impl std::fmt::Display for ChainsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|report| report.fmt(f))
    }
}

impl std::error::Error for ChainsError {}

impl Chains {
    /// Reads the chains that `config` names. A path in it starts from `folder`, where the configuration lies.
    pub fn read(config: &Config, folder: &Path) -> Result<Self, ChainsError> {
        let (mut chains, mut wrong) = (BTreeMap::new(), Vec::new());
        for (name, file) in &config.chains {
            match offered(name, &folder.join(file)) {
                Ok(offered) => _ = chains.insert(name.clone(), offered),
                Err(report) => wrong.push(report),
            }
        }
        if wrong.is_empty() { Ok(Self(chains)) } else { Err(ChainsError(wrong)) }
    }

    /// The chain called `name`.
    pub fn get(&self, name: &str) -> Option<&Offered> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Offered)> {
        self.0.iter().map(|(name, offered)| (name.as_str(), offered))
    }
}

fn offered(name: &str, path: &Path) -> Result<Offered, Report> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot be read: {error}");
        let diagnostic = Diagnostic::error(Code::BadChain.as_str(), message);
        let diagnostic =
            diagnostic.with_help(format!("`chains.{name}` of the configuration names this file"));
        Report::of(&Source { name: &shown, text: "" }, diagnostic)
    })?;
    let chain = chain::parse(&Source { name: &shown, text: &text })?;
    Ok(Offered { chain: Arc::new(chain), source: Arc::from(text) })
}
