//! The chains that a configuration offers by name, read and checked once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chain::{Chain, Report, Source};
use config::Config;

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

/// Why a configuration's chains cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum ChainsError {
    /// A file could not be read.
    #[error("the chain `{name}` cannot be read from {}", .path.display())]
    Read {
        /// The chain's name.
        name: String,
        /// Its file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not a valid chain.
    #[error("{0}")]
    Invalid(Report),
}

impl Chains {
    /// Reads the chains that `config` names. A path in it starts from `folder`, where the configuration lies.
    pub fn read(config: &Config, folder: &Path) -> Result<Self, ChainsError> {
        let mut chains = BTreeMap::new();
        for (name, file) in &config.chains {
            let path = folder.join(file);
            let text = std::fs::read_to_string(&path).map_err(|source| ChainsError::Read {
                name: name.clone(),
                path: path.clone(),
                source,
            })?;
            let parsed = chain::parse(&Source { name: &path.display().to_string(), text: &text });
            let chain = Arc::new(parsed.map_err(ChainsError::Invalid)?);
            chains.insert(name.clone(), Offered { chain, source: Arc::from(text) });
        }
        Ok(Self(chains))
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
