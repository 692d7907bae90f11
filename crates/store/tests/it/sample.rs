//! Rows to test with.

use std::time::Duration;

use types::ledger::{Outcome, Row};
use types::{AttemptKey, CallId, Dialect, Money, Timestamp, Timing, Usage, UsageSource};

/// A usual row; a different call for each `number`.
pub(crate) fn row(number: u64) -> Row {
    let at = Timestamp::from_micros(1_790_000_000_000_000 + i64::try_from(number).unwrap_or(0) * 1_000);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    let call = CallId::new(at, random);
    Row {
        key: AttemptKey { call, attempt: 1 },
        at,
        trace: call.into(),
        caller: Some("team-a".into()),
        tenant: None,
        user: None,
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
        usage: Usage::plain(1_200, 350),
        usage_source: UsageSource::Reported,
        cost: Some(Money::from_pico(1_234_567_890)),
        timing: Timing {
            first_byte: Some(Duration::from_micros(210_500)),
            transfer: Some(Duration::from_millis(900)),
            total: Some(Duration::from_micros(1_110_600)),
            ..Timing::default()
        },
        run: None,
        step: None,
        profile: None,
        seam: None,
    }
}
