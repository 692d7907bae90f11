//! The body of a made-up answer: which of its bytes are due, and how it ends.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};
use types::{Code, Fault, Kind, Progress};

use super::dice::Dice;
use super::settings::Model;

/// The end of an event, and the token that it waits for: 0 for what comes before the first one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) end: usize,
    pub(super) token: u32,
}

/// How fast one answer comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    first: Duration,
    each: Duration,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// As it should.
    Whole,
    /// Never: silence after so many tokens.
    Stalls { after: u32 },
    /// With a closed connection, after so many tokens.
    Cut { after: u32 },
}

/// The body of a made-up answer.
#[derive(Debug)]
pub struct Body {
    bytes: Bytes,
    /// How far it has been given out.
    at: usize,
    schedule: Option<Schedule>,
    end: End,
    /// What is given back once nobody reads any more.
    #[cfg(feature = "driven")]
    _held: Option<crate::driven::Held>,
}

/// When which event is due.
#[derive(Debug)]
struct Schedule {
    marks: std::vec::IntoIter<Mark>,
    /// The answer's last token: what follows comes with it.
    last: u32,
    pace: Pace,
    began: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Pace {
    pub(super) fn new(model: &Model, factor: f64, dice: &mut Dice) -> Self {
        let each = model.tokens_per_second.filter(|speed| *speed > 0.0).map_or(0.0, f64::recip);
        let mut vary = |seconds: f64| {
            if seconds == 0.0 {
                return Duration::ZERO;
            }
            let jitter =
                if model.jitter > 0.0 { 1.0 + model.jitter * (2.0 * dice.unit() - 1.0) } else { 1.0 };
            Duration::try_from_secs_f64(seconds * factor * jitter).unwrap_or_default()
        };
        Self { first: vary(model.first_token.as_secs_f64()), each: vary(each) }
    }

    /// Time from the request to the `token`-th token, counted from 1.
    pub(super) fn until(self, token: u32) -> Duration {
        match token {
            0 => Duration::ZERO,
            token => self.first.saturating_add(self.each.saturating_mul(token - 1)),
        }
    }

    #[cfg(feature = "driven")]
    pub(super) const fn of(first: Duration, each: Duration) -> Self {
        Self { first, each }
    }

    fn is_instant(self) -> bool {
        self.first.is_zero() && self.each.is_zero()
    }
}

impl Body {
    /// A body that is all there.
    pub(super) fn whole(bytes: Bytes, end: End) -> Self {
        let bytes = match end {
            End::Whole | End::Stalls { .. } => bytes,
            End::Cut { .. } => bytes.slice(..bytes.len() / 2),
        };
        Self::made(bytes, None, end)
    }

    /// A body of events.
    pub(super) fn stream(bytes: Bytes, mut marks: Vec<Mark>, pace: Pace, end: End) -> Self {
        let after_last = marks.last().map_or(0, |mark| mark.token);
        let bytes = match end {
            End::Whole => bytes,
            // The last mark's token is the one after the last: a stream that breaks off never gets there.
            End::Stalls { after } | End::Cut { after } => {
                let kept = marks.partition_point(|mark| mark.token <= after && mark.token < after_last);
                marks.truncate(kept);
                bytes.slice(..marks.last().map_or(0, |mark| mark.end))
            }
        };
        if pace.is_instant() {
            return Self::made(bytes, None, end);
        }
        let began = Instant::now();
        let timer = Box::pin(tokio::time::sleep_until(began));
        let (marks, last) = (marks.into_iter(), after_last.saturating_sub(1));
        Self::made(bytes, Some(Schedule { marks, last, pace, began, timer }), end)
    }

    #[cfg(feature = "driven")]
    pub(super) fn holding(self, held: crate::driven::Held) -> Self {
        Self { _held: Some(held), ..self }
    }

    fn made(bytes: Bytes, schedule: Option<Schedule>, end: End) -> Self {
        Self {
            bytes,
            at: 0,
            schedule,
            end,
            #[cfg(feature = "driven")]
            _held: None,
        }
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        if self.at < self.bytes.len() {
            let due = match &mut self.schedule {
                None => self.bytes.len(),
                Some(schedule) => std::task::ready!(schedule.poll_due(cx)).unwrap_or(self.bytes.len()),
            };
            let chunk = self.bytes.slice(self.at..due);
            self.at = due;
            return Poll::Ready(Some(Ok(chunk)));
        }
        match self.end {
            End::Whole => Poll::Ready(None),
            End::Stalls { .. } => Poll::Pending,
            End::Cut { .. } => {
                self.end = End::Whole;
                let message = "the simulated provider closed the connection before the answer was whole";
                let fault = Fault::new(Kind::NetworkTimeout, Code::Unreachable, message);
                Poll::Ready(Some(Err(fault.with_progress(Progress::PerhapsExecuted))))
            }
        }
    }
}

impl Schedule {
    /// Waits for the next event, and takes those along that are due with it. Gives their end.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        let Some(next) = self.marks.as_slice().first() else { return Poll::Ready(None) };
        let due = self.due(*next);
        if self.timer.deadline() < due {
            self.timer.as_mut().reset(due);
        }
        std::task::ready!(self.timer.as_mut().poll(cx));
        let now = Instant::now();
        let mut end = None;
        while let Some(mark) = self.marks.as_slice().first() {
            if end.is_some() && self.due(*mark) > now {
                break;
            }
            end = Some(mark.end);
            self.marks.next();
        }
        Poll::Ready(end)
    }
    fn due(&self, mark: Mark) -> Instant {
        self.began + self.pace.until(mark.token.min(self.last))
    }
}
