//! A provider behind HTTP: its headers, its pools, and one exchange over them.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderName, HeaderValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use types::{Blame, Code, Fault, Kind, Moment, Timing};
use wire::http1::Answer;

use crate::auth::{OauthSettings, Tokens};
use crate::coding::{self, Compression};
use crate::dial::{self, Dialed, Dialer};
use crate::exchange::{Body, Exchange, Outgoing};
use crate::http1::{self, Live, Pool, SendError};
use crate::http2::{Place, Shared};
use crate::request::{Ready, Template};
use crate::sigv4::Signer;
use crate::tls::Trust;
use crate::{Endpoints, Origin, clock};

/// Which versions of HTTP to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/2 where TLS negotiates it, else HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only, on plain connections by prior knowledge.
    Http2,
}

/// How to speak to one provider over HTTP.
pub struct Settings {
    /// Where it lives.
    pub origin: Origin,
    /// Which paths its endpoints have.
    pub endpoints: Endpoints,
    /// What opens its door beside headers.
    pub auth: Auth,
    /// Headers on every request: credentials, versions, the operator's own. Secrets are marked sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What is compressed.
    pub compression: Compression,
    /// Versions to speak.
    pub versions: HttpVersion,
    /// Connections open at once.
    pub max_connections: usize,
    /// Connections kept open with nothing to do.
    pub max_idle: usize,
    /// How long they are kept.
    pub idle_timeout: Duration,
    /// How long a name look-up holds.
    pub dns_ttl: Duration,
    /// Certificates (PEM) to trust beside the public authorities: of a company's own authority, or a test's.
    pub roots: Option<Vec<u8>>,
}

/// What opens a provider's door beside headers.
#[derive(Default)]
pub enum Auth {
    /// Nothing: a key, if there is one, is a header.
    #[default]
    Headers,
    /// Tokens of a token server.
    Oauth(Box<OauthSettings>),
    /// AWS signatures.
    Signed(Box<Signer>),
}

/// [`Auth`], ready to be used.
enum Door {
    Open,
    Oauth(Box<Tokens>),
    Signed(Box<Signer>),
}

/// A provider behind HTTP.
pub struct Http {
    origin: Origin,
    max_connections: usize,
    template: Template,
    compression: Compression,
    door: Door,
    dialer: Dialer,
    pool: Arc<Pool>,
    shared: Shared,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Http {
    /// A client for one provider. Opens nothing yet. `tasks` runs the HTTP/2 connections.
    pub fn new(settings: Settings, tasks: TaskTracker) -> Result<Self, Fault> {
        let Settings { origin, endpoints, auth, headers, versions, .. } = settings;
        let Settings { max_connections, max_idle, idle_timeout, dns_ttl, roots, compression, .. } = settings;
        let template = Template::new(&origin, &endpoints, &headers, compression)?;
        let door = match auth {
            Auth::Headers => Door::Open,
            Auth::Oauth(settings) => Door::Oauth(Box::new(Tokens::new(*settings, tasks.clone())?)),
            Auth::Signed(signer) => Door::Signed(signer),
        };
        let trust = Trust::new(roots.as_deref())?;
        let max_connections = max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            max_connections,
            template,
            compression,
            door,
            dialer: Dialer::new(origin.clone(), versions, dns_ttl, trust),
            pool: Arc::new(Pool::new(max_idle, idle_timeout)),
            shared: Shared::new(idle_timeout, versions == HttpVersion::Http2),
            room: Arc::new(Semaphore::new(max_connections)),
            tasks,
            origin,
        })
    }

    /// Sends one request and waits for the answer's head. Deadlines after the connection are the caller's:
    /// dropping the future cancels.
    pub async fn send(&self, mut outgoing: Outgoing) -> Result<Exchange, Fault> {
        let (connect_by, stream) = (outgoing.connect_by, outgoing.stream);
        let coded = self.compression.coded(&outgoing.body).await;
        let is_coded = coded.is_some();
        if let Some(coded) = coded {
            outgoing.body = coded;
        }
        let to_sign = matches!(self.door, Door::Signed(_)).then(|| outgoing.body.clone());
        let mut request = self.template.request(outgoing)?;
        if is_coded {
            request.headers_mut().insert(CONTENT_ENCODING, coding::GZIP);
        }
        match &self.door {
            Door::Open => {}
            Door::Oauth(tokens) => Box::pin(tokens.authorize(&mut request, connect_by)).await?,
            Door::Signed(signer) => signer.sign(&mut request, &to_sign.unwrap_or_default(), clock::wall())?,
        }
        Ok(coding::plain(self.exchange(request, connect_by).await?, stream))
    }

    /// Posts a form to the base URL itself.
    pub(crate) async fn post_form(&self, body: Bytes, connect_by: Moment) -> Result<Exchange, Fault> {
        Ok(coding::plain(self.exchange(self.template.form(body)?, connect_by).await?, false))
    }

    /// Asks Anthropic how many tokens a request's input is.
    pub(crate) async fn count_tokens(&self, body: Bytes, connect_by: Moment) -> Result<Exchange, Fault> {
        let request = self.template.post("/v1/messages/count_tokens", body)?;
        Ok(coding::plain(self.exchange(request, connect_by).await?, false))
    }

    /// Asks whether the provider answers at all: `GET` of `path` under the base URL.
    pub async fn probe(&self, path: &str, connect_by: Moment) -> Result<Exchange, Fault> {
        Ok(coding::plain(self.exchange(self.template.get(path)?, connect_by).await?, false))
    }

    /// Closes connections that have been idle for too long. To be called now and then.
    pub fn sweep(&self) {
        self.pool.sweep();
        self.shared.sweep();
    }

    /// Whether a call over HTTP/1 is on the way.
    pub(crate) fn is_busy(&self) -> bool {
        self.room.available_permits() < self.max_connections
    }

    async fn exchange(&self, request: Ready, connect_by: Moment) -> Result<Exchange, Fault> {
        if self.shared.is_known() {
            self.over_http2(request, connect_by).await
        } else {
            self.over_http1(request, connect_by).await
        }
    }

    /// Over a connection of this call's own.
    async fn over_http1(&self, mut request: Ready, connect_by: Moment) -> Result<Exchange, Fault> {
        let permit = self.permit(connect_by).await?;
        // A pooled connection may have been closed the moment before: then nothing of the request was sent,
        // and the next one is tried. This ends, as the pool is finite and new connections do not come from it.
        while let Some(mut live) = self.pool.take() {
            let sent_at = clock::now();
            match live.send(request).await {
                Ok(answer) => return Ok(self.answered(answer, live, permit, (sent_at, Timing::default()))),
                Err(SendError::Unsent(returned)) => request = *returned,
                Err(SendError::Failed(fault)) => return Err(fault),
            }
        }
        let Dialed { stream, http2, timing } = Box::pin(self.dialer.dial(connect_by)).await?;
        if http2 {
            drop(permit);
            let place = self.shared.open(stream, &self.tasks).await?;
            let request = self.template.http2(request);
            return exchange_at(place, request, timing).await.map_err(|error| self.unanswered(error));
        }
        let mut live = Live::new(stream);
        let sent_at = clock::now();
        match live.send(request).await {
            Ok(answer) => Ok(self.answered(answer, live, permit, (sent_at, timing))),
            Err(error) => Err(self.unanswered(error)),
        }
    }

    /// Over a connection that calls share.
    async fn over_http2(&self, request: Ready, connect_by: Moment) -> Result<Exchange, Fault> {
        let mut request = self.template.http2(request);
        // A connection that refuses a call is not offered again, so this ends.
        while let Some(place) = self.shared.take() {
            match exchange_at(place, request, Timing::default()).await {
                Ok(exchange) => return Ok(exchange),
                Err(SendError::Unsent(returned)) => request = *returned,
                Err(SendError::Failed(fault)) => return Err(fault),
            }
        }
        let (place, timing) = Box::pin(self.new_place(connect_by)).await?;
        exchange_at(place, request, timing).await.map_err(|error| self.unanswered(error))
    }

    /// A place on a connection that has just been opened, by this call or by one that it has waited for.
    async fn new_place(&self, connect_by: Moment) -> Result<(Place, Timing), Fault> {
        let waited = tokio::time::timeout_at(clock::instant(connect_by), self.shared.turn()).await;
        let late = |_| dial::unreachable(&self.origin, "the connection was not open in time");
        let _turn = waited.map_err(late)?;
        if let Some(place) = self.shared.take() {
            return Ok((place, Timing::default()));
        }
        let Dialed { stream, http2, timing } = Box::pin(self.dialer.dial(connect_by)).await?;
        if !http2 {
            self.shared.forget();
            return Err(dial::unreachable(&self.origin, "the server no longer speaks HTTP/2"));
        }
        Ok((self.shared.open(stream, &self.tasks).await?, timing))
    }

    /// Waits for room among the open connections.
    async fn permit(&self, by: Moment) -> Result<OwnedSemaphorePermit, Fault> {
        if let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() {
            return Ok(permit);
        }
        let waited =
            tokio::time::timeout_at(clock::instant(by), Arc::clone(&self.room).acquire_owned()).await;
        // The semaphore is never closed: what is left is that time has run out.
        waited.ok().and_then(Result::ok).ok_or_else(|| {
            let message = format!("all {} connections are busy", self.max_connections);
            let fault = Fault::new(Kind::ResourceExhausted, Code::Overloaded, message);
            fault.with_blame(Blame::Operator).with_hint("raise the provider's pool.max_connections")
        })
    }

    fn answered(
        &self,
        answer: Answer,
        live: Live,
        permit: OwnedSemaphorePermit,
        (sent_at, mut timing): (Moment, Timing),
    ) -> Exchange {
        timing.first_byte = Some(clock::now() - sent_at);
        let Answer { status, headers, framing, stays_open } = answer;
        let pool = stays_open.then(|| Arc::clone(&self.pool));
        let body = Body::Http1(http1::Body::new(framing, live, pool, permit));
        Exchange { status, headers, body, timing, sent_at }
    }

    /// A connection that was new took no answer.
    fn unanswered(&self, error: SendError) -> Fault {
        match error {
            SendError::Unsent(_) => {
                dial::unreachable(&self.origin, "the connection was closed as soon as it was open")
            }
            SendError::Failed(fault) => fault,
        }
    }
}

/// The whole body, up to `max` bytes.
pub(crate) async fn collect(body: &mut Body, max: usize) -> Result<Vec<u8>, Fault> {
    let mut all = Vec::new();
    while let Some(chunk) = poll_fn(|cx| body.poll_chunk(cx)).await {
        let chunk = chunk?;
        if all.len() + chunk.len() > max {
            return Err(Fault::new(Kind::InvalidResponse, Code::BadAnswer, "the answer is too large"));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

async fn exchange_at(place: Place, request: Ready, mut timing: Timing) -> Result<Exchange, SendError> {
    let sent_at = clock::now();
    let (head, body) = place.send(request).await?.into_parts();
    timing.first_byte = Some(clock::now() - sent_at);
    Ok(Exchange { status: head.status, headers: head.headers, body: Body::Http2(body), timing, sent_at })
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("origin", &self.origin.authority).finish_non_exhaustive()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("origin", &self.origin).finish_non_exhaustive()
    }
}
