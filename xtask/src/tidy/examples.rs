//! What stands in `examples/` is accepted by the code of today: chains as chains, `windlass*.yaml` as
//! configurations, with the chains that they name. Running them is the product's tests' business.

use std::path::{Path, PathBuf};

use config::Overrides;
use document::{Report, Source};

use super::Finding;
use crate::tree;

/// Checks every YAML file.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for file in tree::files(root, "examples", ".yaml")? {
        let text = tree::read(root, &file)?;
        match accept(&Source { name: &file, text: &text }) {
            Ok(chains) => findings.extend(lost(root, &file, &chains)),
            Err(report) => findings.push(Finding::new(&file, 0, format!("is not accepted:\n{report}"))),
        }
    }
    Ok(findings)
}

/// The chains that a configuration names and that are not there. Their paths start beside it.
fn lost(root: &Path, file: &str, chains: &[PathBuf]) -> Vec<Finding> {
    let file_path = root.join(file);
    let folder = file_path.parent().unwrap_or(root);
    let lost = chains.iter().filter(|chain| !folder.join(chain).is_file());
    lost.map(|chain| Finding::new(file, 0, format!("names a chain that is not there: {}", chain.display())))
        .collect()
}

/// The chain files that it names, if it is a configuration.
fn accept(source: &Source<'_>) -> Result<Vec<PathBuf>, Report> {
    let name = source.name.rsplit('/').next().unwrap_or(source.name);
    if name.starts_with("windlass") {
        // An example asks for keys by their usual variables; any value will do to check it.
        let environment = |_: &str| Some("an-example".to_owned());
        let config = config::load(*source, &environment, &Overrides::default())?;
        Ok(config.chains.into_values().collect())
    } else {
        chain::parse(source).map(|_| Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_and_a_configuration_are_told_apart_by_name() {
        let configuration = "providers: { local: { kind: local } }\n";
        assert!(accept(&Source { name: "examples/windlass.yaml", text: configuration }).is_ok());
        assert!(accept(&Source { name: "examples/other.yaml", text: configuration }).is_err());
    }

    #[test]
    fn a_chain_that_is_not_there_is_told() {
        let chains = ["research.yaml", "examples/research.yaml"].map(PathBuf::from);
        let findings = lost(&tree::root(), "examples/windlass.yaml", &chains);
        assert_eq!(findings.len(), 1, "{findings:?}");
    }
}
