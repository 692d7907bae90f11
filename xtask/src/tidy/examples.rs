//! What stands in `examples/` is accepted by the code of today: chains as chains, `windlass*.yaml` as
//! configurations. Running them is the product's tests' business.

use std::path::Path;

use config::Overrides;
use document::{Report, Source};

use super::Finding;
use crate::tree;

/// Checks every YAML file.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for file in tree::files(root, "examples", ".yaml")? {
        let text = tree::read(root, &file)?;
        if let Err(report) = accept(&Source { name: &file, text: &text }) {
            findings.push(Finding::new(&file, 0, format!("is not accepted:\n{report}")));
        }
    }
    Ok(findings)
}

fn accept(source: &Source<'_>) -> Result<(), Report> {
    let name = source.name.rsplit('/').next().unwrap_or(source.name);
    if name.starts_with("windlass") {
        // An example asks for keys by their usual variables; any value will do to check it.
        let environment = |_: &str| Some("an-example".to_owned());
        config::load(*source, &environment, &Overrides::default()).map(drop)
    } else {
        chain::parse(source).map(drop)
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
}
