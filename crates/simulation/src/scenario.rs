//! One scenario: a configuration, providers, calls. What happens in it follows from these and a seed alone.

use std::fmt::Write as _;
use std::time::Duration;

use types::Priority;

use crate::dice::Dice;
use crate::provider::Model;
use crate::traffic::{Arrival, Trace};

/// A scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// The configuration but for its providers and storage: YAML.
    pub config: String,
    /// The models, each at a provider of its own name.
    pub models: Vec<Model>,
    /// Who calls.
    pub calls: Vec<Call>,
    /// Other configurations, from then on.
    pub reloads: Vec<(Duration, String)>,
    /// Routes, one for each model: each call asks for the one that Prequal chooses ([`crate::prequal`]).
    pub prequal: Option<&'static [&'static str]>,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it comes.
    pub at: Duration,
    /// What it asks for: a route, or `provider/model`.
    pub model: &'static str,
    /// Tokens to read.
    pub input: u32,
    /// Tokens to write.
    pub output: u32,
    /// Whether it wants a stream.
    pub stream: bool,
    /// Whose it is.
    pub tenant: Option<&'static str>,
    /// How much it matters.
    pub priority: Priority,
    /// After how long its caller hangs up.
    pub patience: Option<Duration>,
}

/// Tokens of the longest request and answer: the traces' longest ones would be all that a short scenario does.
const LONGEST: (u32, u32) = (4_000, 400);

/// Calls for `model` at `rate` a second for `span`, spaced as in `trace`; all of them streams of nobody in particular.
pub fn calls(
    trace: &Trace,
    model: &'static str,
    (rate, span): (f64, Duration),
    dice: &mut Dice,
) -> Vec<Call> {
    let arrivals = trace.window(rate, span, dice);
    arrivals.into_iter().map(|arrival| call(arrival, model)).collect()
}

fn call(arrival: Arrival, model: &'static str) -> Call {
    Call {
        at: arrival.at,
        model,
        input: arrival.input.clamp(1, LONGEST.0),
        output: arrival.output.clamp(1, LONGEST.1),
        stream: true,
        tenant: None,
        priority: Priority::Normal,
        patience: None,
    }
}

impl Scenario {
    /// A scenario without reloads.
    pub fn new(name: &'static str, config: impl Into<String>, models: Vec<Model>, calls: Vec<Call>) -> Self {
        Self { name, config: config.into(), models, calls, reloads: Vec::new(), prequal: None }
    }

    /// The whole configuration with `rest` as its own part.
    pub(crate) fn text(&self, rest: &str, folder: &str) -> String {
        let mut text = format!(
            "version: 1\nstorage: {{ database: 'sqlite::memory:', spool: '{folder}/spool' }}\nproviders:\n"
        );
        for Model { name, .. } in &self.models {
            let _ = writeln!(
                text,
                "  {name}: {{ kind: simulated, models: {{ {name}: {{ price: {{ input: '1', output: '4' }} }} }} }}"
            );
        }
        text.push_str(rest);
        text
    }
}
