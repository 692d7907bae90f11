//! Error analysis (B16): what fails where and how often, what comes back again and again, and what is about to
//! fail. Fed by tallies that cost a call two atomic additions; everything else is worked out when somebody
//! looks, or once a second.
//!
//! It proposes ([`Action`]) and says why ([`Sign`]). Whoever drives it opens the breaker or shifts the weight.

mod forecast;
mod patterns;
mod report;
mod tally;

pub use forecast::{Action, Forecast, Outlook, Prediction, Seen, Sign, Trend};
pub use patterns::{Metric, Pattern, Series, patterns};
pub use report::{Count, Deployment, Report, report};
pub use tally::Tally;

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "figures of simulations")]
mod tests;
