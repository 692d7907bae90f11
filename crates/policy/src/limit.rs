//! Rate limits (B12): what may pass, per second to per day, in requests and in tokens, for everybody and for
//! each tenant, user, key, endpoint and model. All tiers are taken or none.
//!
//! [`Rule`], [`Take`], [`Verdict`] are plain data that any keeper of limits understands; [`Limits`] is the
//! keeper in this process. Another one, shared between replicas, keeps the same rules elsewhere; when it is
//! away, each replica goes on with [`Rules::local_share`]. Waiting for a limit is [`Queue`]'s, driven by the
//! engine. Nothing here sleeps or knows the time.

mod adaptive;
mod bucket;
mod cell;
mod elsewhere;
mod fair;
mod limits;
mod queue;
mod rule;
mod take;
mod window;

pub use adaptive::{Adaptive, Signal};
pub use bucket::Bucket;
pub use elsewhere::{Ask, Seen};
pub use limits::{Limits, Reservation};
pub use queue::{Place, Queue, Rank, Settings as QueueSettings, Ticket};
pub use rule::{Action, Algorithm, Excess, MAX_RULES, Rule, Rules, Shares, TIERS, Tier, Unit};
pub use take::{Claim, Denial, Gauge, Standing, Take, Verdict};
pub use window::SLOTS;

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "test figures are small")]
mod tests;
