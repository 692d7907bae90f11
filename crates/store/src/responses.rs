//! The port of kept answers: what `previous_response_id` of OpenAI's Responses dialect goes on from.
//!
//! Each answer is kept with its own turn only; a conversation is the chain of its answers. Contents are raw JSON
//! here and are not looked into.

use types::Timestamp;

use crate::Answer;

/// An answer to keep, with what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The answer's id: `resp_…`.
    pub id: String,
    /// The answer that it went on from.
    pub previous: Option<String>,
    /// Whose it is; nobody else finds it.
    pub tenant: Option<String>,
    /// When it was made.
    pub at: Timestamp,
    /// The items of its input, joined by commas.
    pub input: String,
    /// The items of its output, joined by commas.
    pub output: String,
    /// The whole answer, as the caller got it.
    pub body: String,
}

/// A turn of a conversation: what was asked and what came, as items joined by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What was asked.
    pub input: String,
    /// What came.
    pub output: String,
}

/// A place that keeps answers.
pub trait Responses: Send + Sync {
    /// Keeps an answer. One that is there already stays as it is.
    fn keep(&self, kept: Kept) -> Answer<'static, ()>;

    /// The turns up to the answer `id`, oldest first; `None` if it, or one before it, is not there for `tenant`.
    fn history<'a>(&'a self, id: &'a str, tenant: Option<&'a str>) -> Answer<'a, Option<Vec<Turn>>>;

    /// The whole answer `id`, as its caller got it.
    fn find<'a>(&'a self, id: &'a str, tenant: Option<&'a str>) -> Answer<'a, Option<String>>;

    /// Forgets the answer `id`. Whether it was there.
    fn remove<'a>(&'a self, id: &'a str, tenant: Option<&'a str>) -> Answer<'a, bool>;

    /// Forgets what was made before `before`: how many that were.
    fn forget(&self, before: Timestamp) -> Answer<'_, u64>;
}
