//! A folder with a configuration in it, and the program running there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testkit::Vendor;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use crate::client::{Ask, Open, Reply};

/// Longer than anything here takes on a slow machine. Reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks at something that has no way to tell that it has changed.
const LOOK: Duration = Duration::from_millis(10);

/// Waits for what must come, but not for ever.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// The checkout.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A folder with a `windlass.yaml`, a database and whatever else the program leaves there.
#[derive(Debug)]
pub(crate) struct House {
    folder: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It must have done what it was told.
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

impl House {
    pub(crate) fn new(configuration: &str) -> Self {
        let house = Self { folder: tempfile::tempdir().unwrap() };
        house.write("windlass.yaml", configuration);
        house
    }

    /// One in front of a provider of OpenAI's kind, `vendor`. `more` is the rest of the configuration.
    pub(crate) fn before(vendor: &Vendor, more: &str) -> Self {
        let url = vendor.url("/v1");
        Self::new(&format!(
            "version: 1\nproviders: {{ vendor: {{ kind: openai, base_url: '{url}' }} }}\n{more}"
        ))
    }

    /// One in front of a provider that speaks two dialects: OpenAI's as `there`, Anthropic's as `here`.
    pub(crate) fn before_both(vendor: &Vendor, more: &str) -> Self {
        let (openai, anthropic) = (vendor.url("/v1"), vendor.url(""));
        Self::new(&format!(
            "version: 1
providers:
  there: {{ kind: openai, base_url: '{openai}', api_key: the-providers-key }}
  here: {{ kind: anthropic, base_url: '{anthropic}', api_key: the-providers-key }}
{more}"
        ))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file into the folder, whole at once as editors and orchestrators do.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let new = self.path(&format!("{name}.new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    /// The program with these arguments, in the folder, with nothing of our own environment that it reads.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WINDLASS") {
                command.env_remove(name);
            }
        }
        // Nobody here looks whether it is ready before it is told to stop; who does says so.
        command.env("WINDLASS__SERVER__DRAIN_NOTICE", "0s");
        command.args(args).current_dir(self.folder.path()).kill_on_drop(true).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Said {
        said(self.command(args)).await
    }

    /// Starts the gateway on a port that is free.
    pub(crate) async fn serve(&self) -> Gateway {
        Gateway::start(self.command(&["serve", "--listen", "127.0.0.1:0"])).await
    }

    /// The rows that have reached the database.
    pub(crate) async fn ledger(&self) -> Vec<Value> {
        let said = self.run(&["ledger", "--json", "--limit", "4000000"]).await.well();
        serde_json::from_value(said.json()).unwrap()
    }
}

/// Runs a command to its end.
pub(crate) async fn said(mut command: Command) -> Said {
    let output = soon("a command", command.output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A gateway that serves. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    news: Notify,
}

impl Log {
    async fn read(self: Arc<Self>, from: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            self.lines.lock().unwrap().push(line);
            self.news.notify_waiters();
        }
        self.lines.lock().unwrap().push("(the process has closed its standard error)".to_owned());
        self.news.notify_waiters();
    }

    /// The first line, from `start` on, that has `what` in it.
    async fn line(&self, what: &str, start: usize) -> String {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            {
                let lines = self.lines.lock().unwrap();
                if let Some(line) = lines.iter().skip(start).find(|line| line.contains(what)) {
                    return line.clone();
                }
                assert!(
                    !lines.iter().any(|line| line.starts_with("(the process")),
                    "no {what:?}: {lines:#?}"
                );
            }
            news.await;
        }
    }
}

impl Gateway {
    /// Starts `command`, which serves.
    pub(crate) async fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Log::default());
        tokio::spawn(Arc::clone(&log).read(child.stderr.take().unwrap()));
        // Every line is JSON where nobody looks.
        let line = soon("the gateway's start", log.line("\"serving\"", 0)).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        let address = line["address"].as_str().unwrap().parse().unwrap();
        Self { child, address, log }
    }

    /// Sends a request; its answer must come whole.
    pub(crate) async fn ask(&self, ask: Ask) -> Reply {
        soon("an answer", ask.send(self.address)).await.unwrap()
    }

    /// Sends a request; the head of its answer must come.
    pub(crate) async fn open(&self, ask: Ask) -> Open {
        soon("the head of an answer", ask.open(self.address)).await.unwrap()
    }

    /// The rows of a call, once there are `count` of them in the database.
    pub(crate) async fn rows(&self, call: &str, count: usize) -> Vec<Value> {
        let path = format!("/api/v1/calls?call={call}");
        let rows = self.json_once(&path, |found| found["data"].as_array().is_some_and(|d| d.len() >= count));
        let mut rows = serde_json::from_value::<Vec<Value>>(rows.await["data"].take()).unwrap();
        rows.sort_by_key(|row| row["attempt"].as_u64());
        assert_eq!(rows.len(), count, "{rows:#?}");
        rows
    }

    /// What `path` says, once it is as it should be.
    pub(crate) async fn json_once(&self, path: &str, right: impl Fn(&Value) -> bool) -> Value {
        let look = async {
            loop {
                let found = self.ask(Ask::get(path)).await.json();
                if right(&found) {
                    return found;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        soon(path, look).await
    }

    /// Where the log ends now.
    pub(crate) fn mark(&self) -> usize {
        self.log.lines.lock().unwrap().len()
    }

    /// The first line of the log after `mark` that has `what` in it.
    pub(crate) async fn logged(&self, what: &str, mark: usize) -> String {
        soon(what, self.log.line(what, mark)).await
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lines.lock().unwrap().join("\n")
    }

    /// Its number among the machine's processes.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// SIGKILL.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM.
    pub(crate) async fn tell_to_stop(&self) {
        let pid = self.child.id().unwrap().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        assert!(told.success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        soon("the gateway's end", self.child.wait()).await.unwrap()
    }

    /// SIGTERM, and an orderly end.
    pub(crate) async fn stop(self) {
        self.tell_to_stop().await;
        let log = Arc::clone(&self.log);
        let status = self.ended().await;
        assert!(status.success(), "{status}: {:#?}", log.lines.lock().unwrap());
    }
}
