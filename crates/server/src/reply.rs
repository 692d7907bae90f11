//! From the engine's answers and faults to HTTP responses.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use engine::{About, Answered, Level, Refusal, Relay};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use types::{CallId, Dialect, Fault, Retry};

use crate::{limits, streams};

/// The body of any answer.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    /// All of it.
    Whole(Bytes),
    /// A committed stream.
    Stream(Box<Relay>),
    /// What the router made, and what of it is to be handed out first.
    Routed(axum::body::Body, Bytes),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        fn never<T>(result: Result<T, Infallible>) -> Result<T, axum::Error> {
            result.map_err(|never| match never {})
        }
        let polled = match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(next(bytes)),
            Self::Stream(relay) => Pin::new(relay.as_mut()).poll_frame(cx).map(|frame| frame.map(never)),
            Self::Routed(_, rest) if !rest.is_empty() => Poll::Ready(next(rest)),
            Self::Routed(body, rest) => {
                Pin::new(body).poll_frame(cx).map(|frame| match frame?.map(Frame::into_data) {
                    Ok(Ok(data)) => {
                        *rest = data;
                        let piece = streams::piece(rest);
                        Some(Ok(Frame::data(piece)))
                    }
                    Ok(Err(other)) => Some(Ok(other)),
                    Err(error) => Some(Err(error)),
                })
            }
        };
        streams::asked(polled.is_ready());
        polled
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Stream(relay) => relay.is_end_stream(),
            Self::Routed(body, rest) => rest.is_empty() && body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Routed(body, rest) if rest.is_empty() => body.size_hint(),
            Self::Stream(_) | Self::Routed(..) => SizeHint::default(),
        }
    }
}

/// What is handed out next of bytes that are all there.
fn next(bytes: &mut Bytes) -> Option<Result<Frame<Bytes>, axum::Error>> {
    (!bytes.is_empty()).then(|| Ok(Frame::data(streams::piece(bytes))))
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const YES: HeaderValue = HeaderValue::from_static("true");

// Checked when compiled: `from_static` in a function would look at each letter with every call.
const CALL: HeaderName = HeaderName::from_static("x-windlass-call");
const PROVIDER: HeaderName = HeaderName::from_static("x-windlass-provider");
const MODEL: HeaderName = HeaderName::from_static("x-windlass-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-windlass-attempts");
const FALLBACK: HeaderName = HeaderName::from_static("x-windlass-fallback");
const SIMULATED: HeaderName = HeaderName::from_static("x-windlass-simulated");
const LEVEL: HeaderName = HeaderName::from_static("x-windlass-level");
const DROPPED: HeaderName = HeaderName::from_static("x-windlass-dropped");
const PROFILE: HeaderName = HeaderName::from_static("x-windlass-profile");
const COST: HeaderName = HeaderName::from_static("x-windlass-cost");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Room for all headers of an answer, so that the map does not grow.
const HEADERS: usize = 12;

/// The response to a call that was answered.
pub(crate) fn answered(dialect: Dialect, answered: Answered) -> Response<ReplyBody> {
    match answered {
        Answered::Whole(whole) => {
            let mut headers = HeaderMap::with_capacity(HEADERS);
            headers.insert(CONTENT_TYPE, JSON);
            tell(&mut headers, dialect, whole.about);
            if let Some(cost) = whole.cost {
                put(&mut headers, COST, cost.text().as_str());
            }
            response(headers, ReplyBody::Whole(whole.body))
        }
        Answered::Stream(relay) => {
            let mut headers = HeaderMap::with_capacity(HEADERS);
            headers.insert(CONTENT_TYPE, EVENTS);
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            // nginx in front of us would otherwise hold the events back.
            headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
            tell(&mut headers, dialect, relay.about.clone());
            response(headers, ReplyBody::Stream(relay))
        }
    }
}

fn response(headers: HeaderMap, body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// The response to a call that was not answered.
pub(crate) fn refused(dialect: Dialect, refusal: &Refusal) -> Response<ReplyBody> {
    let mut response = fault(dialect, &refusal.fault, Some(refusal.call));
    limits::tell(response.headers_mut(), dialect, &refusal.limits);
    response
}

/// A fault in a dialect's own shape.
pub(crate) fn fault(dialect: Dialect, fault: &Fault, call: Option<CallId>) -> Response<ReplyBody> {
    let (status, body) = wire::encode_error(dialect, fault, call);
    let mut response = Response::new(ReplyBody::Whole(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Retry::After(wait) = fault.retry {
        // Rounded up: a caller that comes back a little late is served, one that is early is not.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    } else if status == StatusCode::SERVICE_UNAVAILABLE.as_u16() {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let Some(call) = call {
        let id = named(call);
        headers.insert(CALL, id.clone());
        headers.insert(REQUEST_ID, id);
    }
    response
}

fn tell(headers: &mut HeaderMap, dialect: Dialect, about: About) {
    let call = named(about.call);
    headers.insert(REQUEST_ID, about.request_id.unwrap_or_else(|| call.clone()));
    headers.insert(CALL, call);
    put(headers, PROVIDER, &*about.provider);
    put(headers, MODEL, &*about.model);
    headers.insert(ATTEMPTS, HeaderValue::from(about.attempts));
    if about.fallback {
        headers.insert(FALLBACK, YES);
    }
    if about.simulated {
        headers.insert(SIMULATED, YES);
    }
    if let Some(standing) = &about.limits {
        limits::tell(headers, dialect, standing);
    }
    if about.level != Level::Full {
        headers.insert(LEVEL, HeaderValue::from_static(about.level.as_str()));
    }
    if !about.dropped.is_empty() {
        put(headers, DROPPED, about.dropped.join(", "));
    }
    if let Some(profile) = about.profile {
        put(headers, PROFILE, profile);
    }
}

/// A call's name; cheap to clone.
fn named(call: CallId) -> HeaderValue {
    let bytes = Bytes::from(call.to_string());
    // An id is letters, digits and an underscore.
    HeaderValue::from_maybe_shared(bytes).unwrap_or(HeaderValue::from_static(""))
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: impl TryInto<HeaderValue>) {
    // A model's name may hold what no header can: then the header is left out.
    if let Ok(value) = value.try_into() {
        headers.insert(name, value);
    }
}
