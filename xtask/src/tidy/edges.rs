//! Which crate may use which. A new edge is a decision about the map in ARCHITECTURE.md, so it is made
//! there and here, not in passing in a manifest.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Finding;
use crate::tree;

/// Each room and the rooms it may use. What is not listed here may use none.
const MAP: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("document", &[]),
    ("wire", &["types"]),
    ("policy", &["types"]),
    ("learn", &["types"]),
    ("chain", &["types", "policy", "document"]),
    ("config", &["types", "policy", "learn", "chain", "document"]),
    ("models", &["types"]),
    ("telemetry", &["types"]),
    ("upstream", &["types", "wire", "models"]),
    ("store", &["types", "policy", "chain", "learn"]),
    (
        "engine",
        &[
            "types",
            "wire",
            "policy",
            "learn",
            "chain",
            "config",
            "models",
            "upstream",
            "store",
            "document",
            "telemetry",
        ],
    ),
    ("server", &["types", "wire", "config", "engine", "telemetry", "document", "chain", "store"]),
    (
        "windlass",
        &[
            "types",
            "document",
            "wire",
            "policy",
            "learn",
            "chain",
            "config",
            "models",
            "upstream",
            "store",
            "telemetry",
            "engine",
            "server",
            "wall",
        ],
    ),
    ("wall", &[]),
    ("testkit", &["types", "wire", "wall"]),
];

/// The test room, for `[dev-dependencies]` only.
const TESTKIT: &str = "testkit";

/// Crates outside the product: they may use any room.
const FREE: &[&str] = &["bench", "simulation", "xtask"];

/// Libraries that do what a pure crate must not: sockets, files, timers, tasks.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "hyper",
    "hyper-util",
    "axum",
    "tower",
    "sqlx",
    "notify",
    "socket2",
    "mio",
    "reqwest",
    "rustls",
    "tokio-rustls",
    "async-trait",
    "getrandom",
    "rayon",
];

/// Compares the manifests with the map.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let packages = packages(root)?;
    let map: BTreeMap<&str, &[&str]> = MAP.iter().copied().collect();
    let mut findings = Vec::new();
    for package in &packages {
        let Some(allowed) = map.get(package.room.as_str()) else {
            if !FREE.contains(&package.room.as_str()) {
                let what = format!("the room `{}` is not on the map: add it to {}", package.room, file!());
                findings.push(Finding::new(&package.manifest, 0, what));
            }
            continue;
        };
        let text = tree::read(root, &package.manifest)?;
        for edge in &package.edges {
            if let Some(what) = objection(package, edge, allowed) {
                findings.push(Finding::new(&package.manifest, line_of(&text, edge), what));
            }
        }
    }
    Ok(findings)
}

struct Package {
    room: String,
    manifest: String,
    edges: Vec<Edge>,
}

struct Edge {
    /// The room, or the name of the library.
    name: String,
    room: bool,
    dev: bool,
}

fn objection(package: &Package, edge: &Edge, allowed: &[&str]) -> Option<String> {
    let (from, to) = (package.room.as_str(), edge.name.as_str());
    if !edge.room {
        let impure = super::purity::PURE.contains(&from) && !edge.dev && IMPURE.contains(&to);
        return impure
            .then(|| format!("`{from}` is a pure crate and `{to}` is not: take its results as arguments"));
    }
    if allowed.contains(&to) {
        return None;
    }
    let testkit_uses: &[&str] = &["types", "wire", "wall"];
    if to == TESTKIT && edge.dev && from != TESTKIT && !testkit_uses.contains(&from) {
        return None;
    }
    Some(match (to == TESTKIT, edge.dev) {
        (true, false) => format!("`{TESTKIT}` is for tests: move it to [dev-dependencies]"),
        (true, true) => {
            format!("`{TESTKIT}` is built on `{from}`, which would be compiled twice for its tests")
        }
        (false, _) => format!(
            "the map has no edge from `{from}` to `{to}` (ARCHITECTURE.md; the table is in {})",
            file!()
        ),
    })
}

fn line_of(manifest: &str, edge: &Edge) -> usize {
    let is_it =
        |line: &str| line.strip_prefix(&edge.name).is_some_and(|rest| rest.starts_with([' ', '.', '=']));
    manifest.lines().position(is_it).map_or(0, |index| index + 1)
}

/// The packages of the workspace. `--no-deps` reads manifests only: no network, no lock file.
fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata: no packages")?;
    packages.iter().map(|package| read_package(root, package)).collect()
}

fn read_package(root: &Path, package: &Value) -> Result<Package, String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let manifest = text(&package["manifest_path"]).ok_or("cargo metadata: a package without a manifest")?;
    let relative =
        Path::new(&manifest).strip_prefix(root).map_or(manifest.clone(), |path| path.display().to_string());
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let edges = dependencies.iter().filter_map(|dependency| {
        let name = text(&dependency["name"])?;
        let local = dependency["path"].is_string();
        Some(Edge {
            name: if local { room_of(&name) } else { name },
            room: local,
            dev: dependency["kind"] == "dev",
        })
    });
    Ok(Package {
        room: room_of(&text(&package["name"]).unwrap_or_default()),
        manifest: relative,
        edges: edges.collect(),
    })
}

fn room_of(package: &str) -> String {
    package.strip_prefix("windlass-").unwrap_or(package).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(from: &str, to: &str, room: bool, dev: bool) -> Option<String> {
        let package = Package { room: from.to_owned(), manifest: String::new(), edges: Vec::new() };
        let edge = Edge { name: to.to_owned(), room, dev };
        let allowed = MAP.iter().find(|(room, _)| *room == from).unwrap().1;
        objection(&package, &edge, allowed)
    }

    #[test]
    fn an_edge_must_be_on_the_map() {
        assert_eq!(object("wire", "types", true, false), None);
        assert!(object("types", "wire", true, false).unwrap().contains("no edge from `types` to `wire`"));
        assert!(object("policy", "store", true, true).is_some(), "tests keep to the map too");
    }

    #[test]
    fn the_testkit_is_for_tests() {
        assert_eq!(object("engine", "testkit", true, true), None);
        assert!(object("engine", "testkit", true, false).unwrap().contains("[dev-dependencies]"));
        assert!(object("wire", "testkit", true, true).unwrap().contains("compiled twice"));
    }

    #[test]
    fn a_pure_crate_links_no_runtime() {
        assert!(object("policy", "tokio", false, false).is_some());
        assert_eq!(object("policy", "tokio", false, true), None);
        assert_eq!(object("store", "tokio", false, false), None);
    }
}
