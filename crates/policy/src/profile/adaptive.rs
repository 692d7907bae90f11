//! Parameters from how long the content is and what kind of answer is wanted: seed 004's
//! `adaptive_parameters`.

use types::Parameters;

use super::Response;

/// Fewer characters than this are a short content.
const SHORT: usize = 100;
/// More characters than this are a long one.
const LONG: usize = 1_000;

/// `base`, which is the profile `balanced`, for a content of `length` characters. A parameter that `base` does not
/// set stays unset unless the kind of answer sets it.
pub fn adaptive(base: Parameters, length: usize, response: Option<Response>) -> Parameters {
    let mut fit = base;
    if length < SHORT {
        fit.max_tokens = fit.max_tokens.map(|tokens| tokens.min(300));
        fit.temperature = fit.temperature.map(|heat| rounded(heat - 0.2).max(0.3));
    } else if length > LONG {
        fit.max_tokens = fit.max_tokens.map(|tokens| tokens.saturating_add(500).min(1_500));
        fit.temperature = fit.temperature.map(|heat| rounded(heat + 0.1).min(0.8));
    }
    match response {
        Some(Response::Factual) => {
            fit.temperature = Some(0.1);
            fit.top_p = Some(0.85);
        }
        Some(Response::Creative) => {
            fit.temperature = Some(0.9);
            fit.top_p = Some(0.98);
        }
        Some(Response::Code) => {
            fit.temperature = Some(0.2);
            fit.frequency_penalty = Some(0.1);
        }
        None => {}
    }
    fit
}

/// Without the dust that adding binary fractions leaves: 0.5 - 0.2 is 0.3.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}
