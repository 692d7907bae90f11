//! A simulated provider's configuration, in the words of the provider itself. The two are equal in shape and
//! kept apart so that `upstream` needs no configuration.

use config::simulated::{FaultKind, FaultRule, Simulated, SimulatedModel, When};
use upstream::simulated as up;

pub(super) fn settings(configured: &Simulated) -> up::Settings {
    up::Settings { models: configured.models.iter().map(model).collect(), seed: configured.seed }
}

fn model(configured: &SimulatedModel) -> up::Model {
    up::Model {
        first_token: configured.first_token,
        tokens_per_second: configured.tokens_per_second,
        jitter: configured.jitter,
        output_tokens: configured.output_tokens,
        text: configured.text.clone(),
        requests_per_minute: configured.requests_per_minute,
        tokens_per_minute: configured.tokens_per_minute,
        faults: configured.faults.iter().map(rule).collect(),
        ..up::Model::new(configured.name.clone())
    }
}

fn rule(configured: &FaultRule) -> up::FaultRule {
    let kind = match configured.kind {
        FaultKind::Status { status, retry_after } => up::FaultKind::Status { status, retry_after },
        FaultKind::Refuse => up::FaultKind::Refuse,
        FaultKind::Reset => up::FaultKind::Reset,
        FaultKind::Stall { after_tokens } => up::FaultKind::Stall { after_tokens },
        FaultKind::Cut { after_tokens } => up::FaultKind::Cut { after_tokens },
        FaultKind::Slow { factor } => up::FaultKind::Slow { factor },
        FaultKind::Malformed => up::FaultKind::Malformed,
    };
    let when = match configured.when {
        When::Every(n) => up::When::Every(n),
        When::After(n) => up::When::After(n),
        When::First(n) => up::When::First(n),
        When::Probability(part) => up::When::Probability(part),
        When::Always => up::When::Always,
    };
    up::FaultRule { kind, when }
}
