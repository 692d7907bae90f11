//! The deadlines of a call.

use std::time::Duration;

/// How long each stage of a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name look-up, TCP connect and TLS handshake together, per attempt.
    pub connect: Duration,
    /// From the request sent to the first content event of a stream, per attempt. A plain answer has no
    /// tokens to watch: for it `answer` counts.
    pub first_token: Duration,
    /// From the request sent to the whole of a plain answer, per attempt. `None`: an equal share of the time left
    /// for each target that is still to be asked, at least `first_token` and, while there is another one, at most
    /// half of it.
    pub answer: Option<Duration>,
    /// Silence between two pieces of an answer, per attempt.
    pub idle: Duration,
    /// The whole call with all its attempts and waits.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_token: Duration::from_secs(60),
            answer: None,
            idle: Duration::from_secs(30),
            total: Duration::from_secs(600),
        }
    }
}
