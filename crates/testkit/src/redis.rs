//! A real Redis for a test, on a socket in a folder of its own, and a cable to it that can be cut.
//!
//! `scripts/setup services` installs the server where it is missing.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// A running server. Nothing of it outlives this value.
#[derive(Debug)]
pub struct Redis {
    folder: TempDir,
    server: Child,
}

impl Redis {
    /// Starts a server, and waits until it answers. It keeps nothing on disk.
    ///
    /// # Errors
    ///
    /// The system's, if there is no `redis-server` or it does not start.
    pub fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let server = launch(&folder)?;
        Ok(Self { folder, server })
    }

    /// `unix:///…`, for the configuration.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        socket(&self.folder)
    }

    /// Stops it in its tracks: connections stay open, and nothing is answered.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn pause(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn resume(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Kills it, with all that it knew.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn kill(&mut self) -> io::Result<()> {
        self.server.kill()?;
        self.server.wait().map(drop)
    }

    /// Starts it anew after [`Redis::kill`], with nothing in it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn restart(&mut self) -> io::Result<()> {
        self.server = launch(&self.folder)?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("no such process"))?;
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // An error means that it is dead already.
        let _either = self.kill();
    }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("redis.sock")
}

fn launch(folder: &TempDir) -> io::Result<Child> {
    let socket = socket(folder).display().to_string();
    server(folder.path(), &["--port", "0", "--unixsocket", &socket]).map(|(server, lines)| {
        lines.ignored();
        server
    })
}

/// What a server says.
pub(crate) struct Lines(std::io::Lines<BufReader<ChildStdout>>);

impl Lines {
    /// Waits until it says this.
    pub(crate) fn until(&mut self, said: &str) -> io::Result<()> {
        let mut last = String::new();
        loop {
            match self.0.next() {
                Some(Ok(line)) if line.contains(said) => return Ok(()),
                Some(Ok(line)) => last = line,
                Some(Err(error)) => return Err(error),
                None => return Err(io::Error::other(format!("redis-server ended: {last}"))),
            }
        }
    }

    /// Whoever closes the log makes the server end at its next line.
    pub(crate) fn ignored(self) {
        std::thread::spawn(move || self.0.for_each(drop));
    }
}

/// Starts a server in `folder` that keeps nothing on disk, and waits until it answers.
pub(crate) fn server(folder: &Path, arguments: &[&str]) -> io::Result<(Child, Lines)> {
    let missing = |error: io::Error| {
        let hint = "scripts/setup services installs it";
        io::Error::new(error.kind(), format!("redis-server cannot be started ({error}): {hint}"))
    };
    let mut server = Command::new("redis-server")
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(missing)?;
    let log = server.stdout.take().ok_or_else(|| io::Error::other("no log"))?;
    let mut lines = Lines(BufReader::new(log).lines());
    // On a socket "The server is now ready …", on a port "Ready …".
    lines.until("eady to accept connections")?;
    Ok((server, lines))
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A TCP address that leads to a socket, until it is cut: connections stay open then, new ones are accepted, and
/// not a byte passes, as when a network is parted. What was on its way is lost, and its connection with it.
#[derive(Debug)]
pub struct Cable {
    address: SocketAddr,
    whole: watch::Sender<bool>,
}

impl Cable {
    /// A cable to `socket`, in the tasks of the current runtime.
    ///
    /// # Errors
    ///
    /// The system's.
    pub async fn to(socket: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (whole, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (socket, state) = (socket.clone(), state.clone());
                tokio::spawn(async move {
                    let Ok(far) = UnixStream::connect(socket).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::join!(carry(near_in, far_out, state.clone()), carry(far_in, near_out, state));
                });
            }
        });
        Ok(Self { address, whole })
    }

    /// `redis://127.0.0.1:…`, for the configuration.
    pub fn address(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Nothing passes any more.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Everything passes again; connections that had something to say meanwhile are closed.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut whole: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if !*whole.borrow() {
            // Silence first, so that nobody learns of it before the cable is mended.
            let _over = whole.wait_for(|whole| *whole).await;
            return;
        }
        if to.write_all(buffer.get(..read).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}
