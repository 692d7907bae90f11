//! Child processes on chosen cores that never outlive the comparison: each leads a group of its own, is told
//! to end when this process ends in whatever way (`setpriv --pdeathsig`), and its group is killed when it is
//! dropped. Leaves measuring them to `procfs`.

use std::{
    ffi::OsStr,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
    time,
};

use crate::http1::Responses;

/// How long a child may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// A command line, to run on one core.
#[derive(Debug)]
pub(crate) struct Recipe {
    command: Command,
    name: String,
}

impl Recipe {
    pub(crate) fn new(name: &str, program: impl AsRef<OsStr>, core: usize) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "taskset", "-c"]).arg(core.to_string()).arg(program);
        command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        Self { command, name: name.to_owned() }
    }

    pub(crate) fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Starts it, with what it prints in `log`.
    pub(crate) fn start(mut self, log: &Path) -> Result<Running> {
        let log = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        self.command.stdout(log.try_clone()?).stderr(log);
        self.spawn()
    }

    /// Starts it and reads the first line that it prints.
    pub(crate) async fn start_and_read_line(mut self) -> Result<(Running, String)> {
        self.command.stdout(Stdio::piped());
        let mut running = self.spawn()?;
        let stdout = running.stdout()?;
        let mut line = String::new();
        time::timeout(PATIENCE, BufReader::new(stdout).read_line(&mut line))
            .await
            .context("it says nothing")??;
        Ok((running, line.trim().to_owned()))
    }

    /// Runs it to its end; what it printed.
    ///
    /// # Errors
    /// When it fails, with what it said on standard error, or takes longer than `limit`.
    pub(crate) async fn output(mut self, limit: Duration) -> Result<String> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = self.spawn()?;
        let mut stdout = running.stdout()?;
        let mut stderr = running.child.stderr.take().context("standard error is not piped")?;
        let (mut text, mut complaint) = (String::new(), String::new());
        let reading = async {
            tokio::try_join!(stdout.read_to_string(&mut text), stderr.read_to_string(&mut complaint))
        };
        let Ok(read) = time::timeout(limit, reading).await else {
            bail!("{} did not end within {} s", running.name, limit.as_secs());
        };
        read?;
        let status = running.child.wait().await?;
        if !status.success() {
            bail!("{} failed ({status}): {}", running.name, complaint.trim());
        }
        Ok(text)
    }

    fn spawn(mut self) -> Result<Running> {
        let started = Instant::now();
        let child = self.command.spawn().with_context(|| {
            format!("cannot start {} (setpriv and taskset, of util-linux, must be there too)", self.name)
        })?;
        let pid = child.id().context("it ended at once")?;
        Ok(Running { child, pid, started, name: self.name })
    }
}

/// A child that runs.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) pid: u32,
    started: Instant,
    pub(crate) name: String,
}

impl Running {
    /// Asks `http://127.0.0.1:port/path` until it answers 200; the time since the start.
    ///
    /// # Errors
    /// When the child ends, or is not ready within `limit`.
    pub(crate) async fn ready(&mut self, port: u16, path: &str, limit: Duration) -> Result<Duration> {
        loop {
            if answers_200(port, path).await {
                return Ok(self.started.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended before it was ready ({status})", self.name);
            }
            if self.started.elapsed() > limit {
                bail!("{} was not ready within {} s", self.name, limit.as_secs());
            }
            time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Asks it to end, waits, and kills what is left of its group.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::TERM);
        time::timeout(PATIENCE, self.child.wait()).await.ok();
    }

    fn stdout(&mut self) -> Result<ChildStdout> {
        self.child.stdout.take().context("standard output is not piped")
    }

    fn signal(&self, signal: Signal) {
        // The group is gone when every process in it has ended: nothing is left to do then.
        if let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            kill_process_group(group, signal).ok();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

async fn answers_200(port: u16, path: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut reader = Responses::default();
        loop {
            let ended = stream.read_buf(&mut reader.input).await? == 0;
            if let Some(response) = reader.next(ended)? {
                return anyhow::Ok(response.status == 200);
            }
        }
    };
    matches!(time::timeout(Duration::from_secs(2), ask).await, Ok(Ok(true)))
}
