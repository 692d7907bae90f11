//! Requests and tokens a minute, counted in windows of a minute that begin with their first call.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::Moment;

const WINDOW: Duration = Duration::from_secs(60);

/// The limits of one model.
pub(super) struct Limiter {
    requests: Option<u64>,
    tokens: Option<u64>,
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    /// `None` before the first call.
    began: Option<Moment>,
    requests: u64,
    tokens: u64,
}

/// What is left of a model's limits.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) requests: Option<Left>,
    pub(super) tokens: Option<Left>,
}

/// One limit, and what is left of it in this window.
#[derive(Clone, Copy)]
pub(super) struct Left {
    pub(super) most: u64,
    pub(super) left: u64,
}

impl Limiter {
    /// `None` without limits.
    pub(super) fn new(requests: Option<u32>, tokens: Option<u64>) -> Option<Self> {
        let any = requests.is_some() || tokens.is_some();
        any.then(|| Self { requests: requests.map(u64::from), tokens, window: Mutex::default() })
    }

    /// Takes one call of `tokens` into account, or says how long to wait.
    pub(super) fn admit(&self, tokens: u64, now: Moment) -> Result<Limits, Duration> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let began = match window.began {
            Some(began) if now - began < WINDOW => began,
            _ => {
                *window = Window { began: Some(now), ..Window::default() };
                now
            }
        };
        let over = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used > limit);
        if over(self.requests, window.requests + 1) || over(self.tokens, window.tokens.saturating_add(tokens))
        {
            return Err(WINDOW.saturating_sub(now - began));
        }
        window.requests += 1;
        window.tokens += tokens;
        let left =
            |limit: Option<u64>, used: u64| limit.map(|most| Left { most, left: most.saturating_sub(used) });
        Ok(Limits {
            requests: left(self.requests, window.requests),
            tokens: left(self.tokens, window.tokens),
        })
    }
}
