//! The server's process: kept out of the terminal's signals, its last words kept, gone when we are gone.
//!
//! A shell stands between us and the server. Its standard input is a pipe whose other end only we hold; when
//! that closes, because we let go of it or because we were killed, the shell's watch sends the server
//! SIGTERM once. (The kernel's way to the same, `PR_SET_PDEATHSIG`, needs unsafe code and is tied to a thread.)

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Runs `"$@"` and ends with it, and with all that is left of its group. Its input's end ends the server:
/// gently, then after five seconds not.
const SHELL: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
(read -r _ <&3; kill -TERM "$server"; sleep 5; kill -KILL 0) >/dev/null 2>&1 &
exec 3<&-
trap "" PIPE
wait "$server"
echo "the server ended with status $?" >&2
kill -KILL 0
"#;

/// What of our environment the server sees.
const KEPT: [&str; 6] = ["PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "CUDA_VISIBLE_DEVICES"];
/// Time for the server to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(3);
/// Bytes of its output that are kept.
const TAIL: usize = 4096;

/// A server process and its shell.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    stop: Arc<Notify>,
    ended: watch::Receiver<bool>,
    tail: Arc<Mutex<VecDeque<u8>>>,
}

impl Process {
    /// Starts the program; libraries beside it are found.
    pub(super) fn start(
        program: &Path,
        arguments: &[OsString],
        tasks: &TaskTracker,
    ) -> std::io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SHELL, "windlass-local"]).arg(program).args(arguments);
        // It needs none of our environment, and ours holds the keys of other providers.
        command.env_clear().envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        if let Some(folder) = program.parent() {
            command.env("LD_LIBRARY_PATH", folder);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Its own group: Ctrl-C at our terminal is ours to handle, and what is left can be killed together.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn()?;
        let pid = child.id().unwrap_or(0);
        let tail = Arc::new(Mutex::new(VecDeque::with_capacity(TAIL)));
        let out = child.stdout.take().map(|out| tasks.spawn(drain(out, Arc::clone(&tail))));
        let err = child.stderr.take().map(|err| tasks.spawn(drain(err, Arc::clone(&tail))));
        let stop = Arc::new(Notify::new());
        let (ending, ended) = watch::channel(false);
        tasks.spawn(watch_over(child, [out, err], Arc::clone(&stop), ending));
        Ok(Self { pid, stop, ended, tail })
    }

    /// The shell's process id, which is also its group's.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) {
        // An error means that nobody watches any more: then it is over as well.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Asks it to end; gives it a while, then kills it. Does not wait.
    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }

    /// The last line or lines that it wrote.
    pub(super) fn last_words(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        match lines.split_at_checked(lines.len().saturating_sub(3)) {
            Some((_, last)) if !last.is_empty() => last.join(" / "),
            _ => "it said nothing".to_owned(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop.notify_one();
    }
}

/// Waits for the end, and brings it about when asked to.
async fn watch_over(
    mut child: Child,
    drains: [Option<JoinHandle<()>>; 2],
    stop: Arc<Notify>,
    ending: watch::Sender<bool>,
) {
    let group = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let input = child.stdin.take();
    let asked = tokio::select! {
        _ = child.wait() => false,
        () = stop.notified() => true,
    };
    drop(input);
    if asked
        && tokio::time::timeout(GRACE, child.wait()).await.is_err()
        && let Some(group) = group
    {
        // An error means that there is nobody left to kill.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait().await;
    }
    // Its last words are in the pipes. Whoever still holds them open must not keep us.
    for drain in drains.into_iter().flatten() {
        let _ = tokio::time::timeout(GRACE, drain).await;
    }
    tracing::info!(pid = group.map(Pid::as_raw_pid), "the local model has ended");
    ending.send_replace(true);
}

/// Reads what a process writes, so that it never waits for a reader, and keeps the end of it.
async fn drain(mut from: impl AsyncRead + Unpin, tail: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(&buffer[..count]);
        let surplus = tail.len().saturating_sub(TAIL);
        tail.drain(..surplus);
    }
}
