//! Where the repository is and which files are in it. Knows nothing of what the files mean.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what was built or installed, never what was written.
const NOT_OURS: &[&str] = &["target", "node_modules", "corpus", "__pycache__"];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// All files under `folder` whose name ends in `suffix`, sorted, as paths relative to `root`.
pub(crate) fn files(root: &Path, folder: &str, suffix: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry.map_err(|error| format!("{}: {error}", folder.display()))?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || NOT_OURS.contains(&name.as_str()) {
                continue;
            }
            // A file that went away since the folder was read is nobody's concern here.
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && name.ends_with(suffix) {
                found.push(relative(root, &path));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The text of a file, or a complaint that names it.
pub(crate) fn read(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("xtask/Cargo.toml").is_file());
        let files = files(&root(), "xtask", ".rs").unwrap();
        assert!(files.contains(&"xtask/src/tree.rs".to_owned()), "{files:?}");
    }
}
