//! The gateways and libraries that Windlass is measured beside, installed once into `.cache/peers` of this
//! checkout at pinned versions, and how the gateways are started. Leaves measuring to `proxy` and `chains`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{child::Recipe, report};

const CHAINS: &[&str] = &["langchain-core==1.7.2", "langgraph==1.2.22", "langgraph-checkpoint-sqlite==3.1.2"];
const LITELLM: &[&str] = &["litellm[proxy]==1.106.2"];
/// Portkey cannot stream on Node 20 with the newest `@hono/node-server` that it allows (from 1.14 on, the
/// headers of the answer it passes on cannot be changed, and it changes them), so it gets an older one.
const PORTKEY: &str = r#"{
  "private": true,
  "dependencies": { "@portkey-ai/gateway": "1.15.2" },
  "overrides": { "@hono/node-server": "1.13.8" }
}
"#;

/// The key that callers of LiteLLM show.
pub(crate) const LITELLM_KEY: &str = "sk-bench-0123456789abcdef";

/// A gateway to measure beside Windlass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Gateway {
    Litellm,
    Portkey,
}

/// The Python that has `LangChain` and `LangGraph`.
///
/// # Errors
/// When it cannot be installed, with pip's own words on standard error.
pub(crate) fn chains_python() -> Result<PathBuf> {
    Ok(python("chains", CHAINS)?.join("bin/python"))
}

impl Gateway {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Litellm => "litellm",
            Self::Portkey => "portkey",
        }
    }

    /// Installs it where it is not there yet.
    pub(crate) fn install(self) -> Result<()> {
        match self {
            Self::Litellm => python("litellm", LITELLM).map(drop),
            Self::Portkey => node("portkey", PORTKEY).map(drop),
        }
    }

    /// How to start it before the mock, from what is installed.
    pub(crate) fn recipe(self, mock: SocketAddr, port: u16, directory: &Path, core: usize) -> Result<Recipe> {
        let port = port.to_string();
        match self {
            Self::Litellm => {
                let file = directory.join("litellm.yaml");
                std::fs::write(&file, litellm_configuration(mock))?;
                Ok(Recipe::new("litellm", cache("litellm").join("bin/litellm"), core)
                    .args(["--host", "127.0.0.1", "--port", &port, "--num_workers", "1", "--config"])
                    .args([&file])
                    .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
                    .env("LITELLM_LOG", "ERROR")
                    .directory(directory))
            }
            Self::Portkey => Ok(Recipe::new("portkey", "node", core)
                .args([cache("portkey").join("node_modules/@portkey-ai/gateway/build/start-server.js")])
                .args([format!("--port={port}").as_str(), "--headless"])
                .env("NODE_ENV", "production")
                .directory(directory)),
        }
    }

    /// The path that answers 200 once it serves.
    pub(crate) fn ready_path(self) -> &'static str {
        match self {
            Self::Litellm => "/health/liveliness",
            Self::Portkey => "/",
        }
    }

    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Litellm => LITELLM_KEY,
            Self::Portkey => "sk-mock",
        }
    }

    /// Header lines that a caller must send.
    pub(crate) fn headers(self, mock: SocketAddr) -> Vec<String> {
        match self {
            Self::Litellm => Vec::new(),
            Self::Portkey => {
                vec!["x-portkey-provider: openai".into(), format!("x-portkey-custom-host: http://{mock}/v1")]
            }
        }
    }
}

fn litellm_configuration(mock: SocketAddr) -> String {
    format!(
        r#"model_list:
  - model_name: mock/gpt-4o-mini
    litellm_params: {{ model: openai/gpt-4o-mini, api_base: "http://{mock}/v1", api_key: sk-mock }}
litellm_settings: {{ telemetry: false }}
general_settings: {{ master_key: {LITELLM_KEY} }}
"#
    )
}

fn cache(name: &str) -> PathBuf {
    report::root().join(".cache/peers").join(name)
}

fn python(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let home = cache(name);
    once(&home, &packages.join(" "), || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
        run(Command::new(home.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
            .args(packages))
    })?;
    Ok(home)
}

fn node(name: &str, manifest: &str) -> Result<PathBuf> {
    let home = cache(name);
    once(&home, manifest, || {
        std::fs::write(home.join("package.json"), manifest)?;
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--omit=dev"])
            .current_dir(&home))
    })?;
    Ok(home)
}

/// Installs unless the stamp in `home` says that exactly this was installed.
fn once(home: &Path, wanted: &str, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = home.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    eprintln!("installing into {}: {}", home.display(), wanted.trim());
    std::fs::create_dir_all(home)?;
    install()?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}
