//! A small real model on this machine: a llama.cpp server, started when it is first asked, watched, started
//! again when it dies, and stopped when nobody has asked for a while.
//!
//! Starting runs in a task of its own: a caller that gives up does not undo it for the others.

mod find;
mod process;
mod settings;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::task::TaskTracker;
use types::{Blame, Code, Fault, Kind, Moment, Progress, Retry};

pub use settings::Settings;

use crate::local::process::Process;
use crate::{Exchange, Http, HttpVersion, Origin, Outgoing, clock};

/// Time between asking the server whether it is ready, at first and at most.
const ASK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));
/// Time after a failed start before the next, at first and at most; doubled in between.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A model served by a process on this machine.
pub struct Local {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    tasks: TaskTracker,
    running: Mutex<Option<Arc<Running>>>,
    /// Held by the one who starts the server.
    starting: tokio::sync::Mutex<Starts>,
}

/// How the last starts have gone.
#[derive(Default)]
struct Starts {
    /// Failed ones in a row.
    failed: u32,
    /// Why the last one failed, and until when no other is tried.
    last: Option<(Fault, Moment)>,
}

/// A server that answers.
struct Running {
    process: Process,
    http: Http,
    used: Mutex<Moment>,
}

impl Local {
    /// The models that this provider offers.
    pub const MODELS: &'static [&'static str] = &["smollm2"];

    /// A local model. Starts nothing yet. `tasks` runs the watch over the process.
    pub fn new(settings: Settings, tasks: TaskTracker) -> Self {
        let inner =
            Inner { settings, tasks, running: Mutex::default(), starting: tokio::sync::Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Sends one request, and starts the server before if it does not run. Starting has its own deadline
    /// ([`Settings::start_timeout`]); the caller's for the connection counts from then on.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Exchange, Fault> {
        let asked = clock::now();
        let (running, started) = self.running().await?;
        let patience = outgoing.connect_by - asked;
        let connect_by = if started { clock::now() + patience } else { outgoing.connect_by };
        let again = Outgoing { connect_by, ..outgoing.clone() };
        match running.send(Outgoing { connect_by, ..outgoing }).await {
            // It died since it was last asked. Nothing was sent, so a new one can be asked once.
            Err(fault) if fault.progress == Progress::NothingSent && running.process.has_ended() => {
                let (running, _) = self.running().await?;
                running.send(again).await
            }
            Err(fault) if running.process.has_ended() => {
                let message = format!(
                    "the local model's server died while it answered: {}",
                    running.process.last_words()
                );
                Err(local_fault(message).with_progress(fault.progress).with_retry(Retry::Maybe))
            }
            result => result,
        }
    }

    /// Starts the server if it does not run, and waits until it answers.
    pub async fn start(&self) -> Result<(), Fault> {
        self.running().await.map(|_| ())
    }

    /// Stops the server if nobody has asked for as long as the settings say.
    pub fn sweep(&self) {
        let mut place = self.inner.lock();
        let Some(running) = place.as_ref() else { return };
        running.http.sweep();
        let idle = running.idle_since(clock::now());
        if running.process.has_ended() || self.inner.settings.stop_after.is_some_and(|after| idle >= after) {
            running.process.stop();
            *place = None;
        }
    }

    /// Stops the server and waits until it is gone.
    pub async fn stop(&self) {
        // A start that is on the way comes to its end first.
        let _starts = self.inner.starting.lock().await;
        let running = self.inner.lock().take();
        if let Some(running) = running {
            running.process.stop();
            running.process.ended().await;
        }
    }

    /// The process id of what runs, if anything.
    pub fn pid(&self) -> Option<u32> {
        self.inner.current().map(|running| running.process.pid())
    }

    /// The server that runs, and whether it had to be started.
    async fn running(&self) -> Result<(Arc<Running>, bool), Fault> {
        if let Some(running) = self.inner.current() {
            return Ok((running, false));
        }
        let inner = Arc::clone(&self.inner);
        let start = self.inner.tasks.spawn(async move { inner.ensure().await });
        let running = start.await.map_err(|_| Fault::internal("starting the local model broke off"))??;
        Ok((running, true))
    }
}

impl Inner {
    /// The server that runs.
    fn current(&self) -> Option<Arc<Running>> {
        let place = self.lock();
        place.as_ref().filter(|running| !running.process.has_ended()).cloned()
    }

    /// Starts the server, unless another call has done so meanwhile.
    async fn ensure(&self) -> Result<Arc<Running>, Fault> {
        let mut starts = self.starting.lock().await;
        if let Some(running) = self.current() {
            return Ok(running);
        }
        let now = clock::now();
        if let Some((fault, until)) = &starts.last
            && now < *until
        {
            return Err(fault.clone().with_retry(Retry::After(*until - now)));
        }
        match self.start().await {
            Ok(running) => {
                let running = Arc::new(running);
                *starts = Starts::default();
                *self.lock() = Some(Arc::clone(&running));
                Ok(running)
            }
            Err(fault) => {
                // What is missing may be there the next time: looking costs nothing.
                if fault.retry != Retry::Never {
                    let wait = BACK_OFF.0.saturating_mul(1 << starts.failed.min(6)).min(BACK_OFF.1);
                    starts.failed += 1;
                    starts.last = Some((fault.clone(), clock::now() + wait));
                }
                Err(fault)
            }
        }
    }

    async fn start(&self) -> Result<Running, Fault> {
        let server = find::server(&self.settings)?;
        let model = find::model(&self.settings)?;
        let port = match self.settings.port {
            Some(port) => port,
            None => free_port().await?,
        };
        let origin: Result<Origin, _> = format!("http://127.0.0.1:{port}/v1").parse();
        let http = crate::Settings {
            endpoints: crate::Endpoints::Openai,
            auth: crate::Auth::Headers,
            origin: origin.map_err(|error| Fault::internal(error.to_string()))?,
            headers: Vec::new(),
            // On one machine compressing costs more than it saves.
            compression: crate::Compression::default(),
            versions: HttpVersion::Http1,
            // The server queues what it has no slot for; so do we, beyond this.
            max_connections: usize::from(self.settings.parallel).saturating_mul(8).max(64),
            max_idle: 16,
            idle_timeout: Duration::from_secs(4),
            dns_ttl: Duration::from_secs(60),
            roots: None,
        };
        let http = Http::new(http, self.tasks.clone())?;
        let process = Process::start(&server, &self.settings.arguments(&model, port), &self.tasks)
            .map_err(|error| local_fault(format!("{} could not be started: {error}", server.display())))?;
        tracing::info!(pid = process.pid(), port, model = %model.display(), "the local model is starting");
        let running = Running { process, http, used: Mutex::new(clock::now()) };
        running.wait_until_ready(self.settings.start_timeout).await?;
        tracing::info!(pid = running.process.pid(), port, "the local model is ready");
        Ok(running)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    async fn send(&self, outgoing: Outgoing) -> Result<Exchange, Fault> {
        self.touch(clock::now());
        self.http.send(outgoing).await
    }

    async fn wait_until_ready(&self, within: Duration) -> Result<(), Fault> {
        let by = clock::now() + within;
        let ready = tokio::time::timeout_at(clock::instant(by), async {
            let mut wait = ASK.0;
            loop {
                // While the model is being loaded the server refuses, or answers 503.
                if self.http.probe("/health", by).await.is_ok_and(|answer| answer.status.is_success()) {
                    return;
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(ASK.1);
            }
        });
        let why = tokio::select! {
            ready = ready => match ready {
                Ok(()) => return Ok(()),
                Err(_) => format!("the local model's server was not ready after {within:?}"),
            },
            () = self.process.ended() => "the local model's server ended as soon as it was started".to_owned(),
        };
        self.process.stop();
        Err(local_fault(format!("{why}: {}", self.process.last_words())).with_retry(Retry::Maybe))
    }

    /// How long nobody has used it.
    fn idle_since(&self, now: Moment) -> Duration {
        if self.http.is_busy() {
            self.touch(now);
        }
        now - *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self, now: Moment) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

/// A port that nobody listens on now. Somebody else may take it before the server does: then the server
/// says so, and the next start asks for another.
async fn free_port() -> Result<u16, Fault> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|error| local_fault(format!("no free port: {error}")))
}

fn local_fault(message: String) -> Fault {
    Fault::new(Kind::DependencyFailure, Code::LocalModel, message).with_blame(Blame::Operator)
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("pid", &self.pid()).finish_non_exhaustive()
    }
}
