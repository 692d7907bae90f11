//! Rows and ids that tests use, the same in every run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use types::ledger::{Outcome, Row};
use types::{
    AttemptKey, CallId, Code, Dialect, Kind, Money, RunId, Timestamp, Timing, TraceId, Usage, UsageSource,
};

/// 2026-01-01T00:00:00Z.
pub(crate) const AT: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

pub(crate) fn call() -> CallId {
    CallId::new(AT, [7; 10])
}

pub(crate) fn run() -> RunId {
    RunId::new(AT, [9; 10])
}

pub(crate) fn trace() -> TraceId {
    "0af7651916cd43dd8448eb211c80319c".parse().unwrap()
}

/// A streamed answer of eleven tokens, one every ten milliseconds, over a new connection.
pub(crate) fn complete() -> Row {
    let ms = |ms| Some(Duration::from_millis(ms));
    Row {
        key: AttemptKey { call: call(), attempt: 1 },
        at: AT,
        trace: trace(),
        caller: Some("ci".into()),
        tenant: Some("acme".into()),
        user: Some("someone@example.com".into()),
        asked: "smart".into(),
        provider: "openai".into(),
        model: "gpt-5-mini".into(),
        dialect: Dialect::OpenaiChat,
        streamed: true,
        fallback: false,
        simulated: false,
        outcome: Outcome::Complete,
        status: Some(200),
        fault: None,
        code: None,
        usage: Usage { cache_read: 60, reasoning: 4, ..Usage::plain(100, 11) },
        usage_source: UsageSource::Reported,
        cost: Some(Money::from_pico(47_000_000)),
        timing: Timing {
            dns: ms(1),
            connect: ms(2),
            tls: ms(4),
            first_byte: ms(40),
            first_token: ms(50),
            transfer: ms(110),
            total: ms(160),
        },
        run: None,
        step: None,
        profile: None,
        seam: None,
    }
}

/// A rate limit, before anything was seen.
pub(crate) fn limited() -> Row {
    Row {
        outcome: Outcome::Failed,
        status: Some(429),
        fault: Some(Kind::RateLimit),
        code: Some(Code::RateLimited),
        usage: Usage::default(),
        usage_source: UsageSource::None,
        cost: None,
        timing: Timing { total: Some(Duration::from_millis(20)), ..Timing::default() },
        ..complete()
    }
}

/// Where a test lets the log write.
#[derive(Clone, Default)]
pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
