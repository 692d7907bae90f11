//! Which answer comes to which request.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::{Answer, Request};

type Choose = dyn FnMut(&Request) -> Answer + Send;

/// Chooses an answer for each request.
pub struct Script(Mutex<Box<Choose>>);

impl Script {
    /// Chosen by looking at the request.
    pub fn by(choose: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(choose)))
    }

    pub(super) fn next(&self, request: &Request) -> Answer {
        (self.0.lock().unwrap_or_else(PoisonError::into_inner))(request)
    }
}

/// The same answer to every request.
impl From<Answer> for Script {
    fn from(answer: Answer) -> Self {
        Self::by(move |_| answer.clone())
    }
}

/// One answer after the other, in the order in which requests come; then errors that say that it is over.
impl<const N: usize> From<[Answer; N]> for Script {
    fn from(answers: [Answer; N]) -> Self {
        Self::from(Vec::from(answers))
    }
}

/// One answer after the other, as for arrays.
impl From<Vec<Answer>> for Script {
    fn from(answers: Vec<Answer>) -> Self {
        let mut answers = VecDeque::from(answers);
        Self::by(move |_| {
            answers.pop_front().unwrap_or_else(|| Answer::json(500, r#"{"error":"the script is over"}"#))
        })
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}
