//! Task and performance profiles (A6): parameters for calls whose caller says what the answer is for, and not
//! how the model is to be set.
//!
//! The numbers and the adaptive rule are seed 004's (`task_configs`, `PERFORMANCE_PROFILES`,
//! `adaptive_parameters`). What the caller sets in the request itself wins field by field; that, and what a
//! provider does not take, is settled where the request is written.

mod adaptive;
mod table;
#[cfg(test)]
mod tests;

use types::Parameters;

pub use adaptive::adaptive;
pub use table::{Table, Task};

/// The profile that follows from the content's length and the task.
pub const ADAPTIVE: &str = "adaptive";
/// The name that asks for no task, or no profile, where a route has one.
pub const NONE: &str = "none";

/// What kind of answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// Facts: little is left to chance.
    Factual,
    /// Ideas and prose.
    Creative,
    /// A program.
    Code,
}

impl Response {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 3] = [Self::Code, Self::Creative, Self::Factual];

    /// The name in configurations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Factual => "factual",
            Self::Creative => "creative",
            Self::Code => "code",
        }
    }
}

/// The names that somebody chose: a caller, or a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The task.
    pub task: Option<&'a str>,
    /// The performance profile.
    pub profile: Option<&'a str>,
}

impl Choice<'_> {
    /// Whether nothing was chosen.
    pub const fn is_empty(&self) -> bool {
        self.task.is_none() && self.profile.is_none()
    }
}

/// What the names come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The names, what counts more first: `code+speed_optimized`.
    pub name: String,
    /// The parameters, before the caller's own are taken into account.
    pub parameters: Parameters,
}

/// A name that nothing has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No such task.
    #[error("no task is called `{0}`")]
    Task(String),
    /// No such profile.
    #[error("no profile is called `{0}`")]
    Profile(String),
}

/// One name that counts, and what it sets.
struct Layer<'a> {
    name: &'a str,
    of_caller: bool,
    parameters: Parameters,
}

impl Table {
    /// The parameters for a call whose caller and whose route chose these names; `None`: nothing is set.
    ///
    /// One task and one profile count: the caller's, else the route's. Field by field the caller's names come
    /// before the route's, and the task before the profile. Under `adaptive` the task says what kind of answer is
    /// wanted and sets nothing itself. `length` gives the characters of the conversation, and is asked only by
    /// `adaptive`.
    ///
    /// Fails with [`Unknown`] for a name that the table does not have.
    pub fn decide(
        &self,
        caller: Choice<'_>,
        route: Choice<'_>,
        length: impl FnOnce() -> usize,
    ) -> Result<Option<Decided>, Unknown> {
        let task_name = caller.task.or(route.task).filter(|name| *name != NONE);
        let profile_name = caller.profile.or(route.profile).filter(|name| *name != NONE);
        let task = match task_name {
            Some(name) => Some((name, self.task(name).ok_or_else(|| Unknown::Task(name.to_owned()))?)),
            None => None,
        };
        let profile = match profile_name {
            Some(ADAPTIVE) => {
                let response = task.and_then(|(_, task)| task.response);
                let base = self.profile("balanced").unwrap_or_default();
                let name = task.map_or(ADAPTIVE.to_owned(), |(task, _)| format!("{task}+{ADAPTIVE}"));
                return Ok(Some(Decided { name, parameters: adaptive(base, length(), response) }));
            }
            Some(name) => Some((name, self.profile(name).ok_or_else(|| Unknown::Profile(name.to_owned()))?)),
            None => None,
        };
        let task = task.map(|(name, task)| Layer {
            name,
            of_caller: caller.task.is_some(),
            parameters: task.parameters,
        });
        let profile =
            profile.map(|(name, parameters)| Layer { name, of_caller: caller.profile.is_some(), parameters });
        Ok(match (task, profile) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => {
                Some(Decided { name: one.name.to_owned(), parameters: one.parameters })
            }
            (Some(task), Some(profile)) if profile.of_caller && !task.of_caller => {
                Some(both(&profile, &task))
            }
            (Some(task), Some(profile)) => Some(both(&task, &profile)),
        })
    }
}

fn both(first: &Layer<'_>, second: &Layer<'_>) -> Decided {
    Decided {
        name: format!("{}+{}", first.name, second.name),
        parameters: first.parameters.over(second.parameters),
    }
}
