//! The tasks and profiles that there are: those of seed 004, and what the operator makes of them.

use std::collections::BTreeMap;

use types::Parameters;

use super::{ADAPTIVE, NONE, Response};

/// A task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// What it sets.
    pub parameters: Parameters,
    /// What kind of answer it wants, for `adaptive`.
    pub response: Option<Response>,
}

/// All tasks and profiles by name. The default has the seed's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    tasks: BTreeMap<String, Task>,
    profiles: BTreeMap<String, Parameters>,
}

impl Default for Table {
    fn default() -> Self {
        let tasks = TASKS.map(|(name, temperature, max_tokens, response)| {
            let parameters = Parameters {
                temperature: Some(temperature),
                max_tokens: Some(max_tokens),
                ..Parameters::NONE
            };
            (name.to_owned(), Task { parameters, response })
        });
        let profiles = PROFILES.map(|(name, temperature, max_tokens, top_p, frequency_penalty)| {
            let parameters = Parameters {
                temperature: Some(temperature),
                max_tokens: Some(max_tokens),
                top_p: Some(top_p),
                frequency_penalty: Some(frequency_penalty),
                presence_penalty: None,
            };
            (name.to_owned(), parameters)
        });
        Self { tasks: tasks.into(), profiles: profiles.into() }
    }
}

/// Seed 004's `task_configs`; the last column says which of the seed's response types each is.
const TASKS: [(&str, f64, u64, Option<Response>); 4] = [
    ("chat", 0.7, 500, None),
    ("code", 0.1, 1_000, Some(Response::Code)),
    ("analysis", 0.3, 1_500, Some(Response::Factual)),
    ("creative", 0.9, 800, Some(Response::Creative)),
];

/// Seed 004's `PERFORMANCE_PROFILES`.
const PROFILES: [(&str, f64, u64, f64, f64); 4] = [
    ("speed_optimized", 0.3, 300, 0.9, 0.1),
    ("quality_optimized", 0.7, 1_000, 0.95, 0.0),
    ("balanced", 0.5, 600, 0.92, 0.05),
    ("cost_optimized", 0.4, 200, 0.9, 0.2),
];

impl Table {
    /// The task of this name.
    pub fn task(&self, name: &str) -> Option<Task> {
        self.tasks.get(name).copied()
    }

    /// The parameters of the profile of this name. `adaptive` has none of its own.
    pub fn profile(&self, name: &str) -> Option<Parameters> {
        self.profiles.get(name).copied()
    }

    /// Adds a task. One of the same name keeps what `task` leaves open.
    pub fn set_task(&mut self, name: &str, task: Task) {
        let known = self.tasks.entry(name.to_owned()).or_default();
        known.parameters = task.parameters.over(known.parameters);
        known.response = task.response.or(known.response);
    }

    /// Adds a profile. One of the same name keeps what `parameters` leave open.
    pub fn set_profile(&mut self, name: &str, parameters: Parameters) {
        let known = self.profiles.entry(name.to_owned()).or_default();
        *known = parameters.over(*known);
    }

    /// What may be named as a task.
    pub fn task_names(&self) -> impl Iterator<Item = &str> {
        self.tasks.keys().map(String::as_str).chain([NONE])
    }

    /// What may be named as a profile.
    pub fn profile_names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str).chain([ADAPTIVE, NONE])
    }
}
