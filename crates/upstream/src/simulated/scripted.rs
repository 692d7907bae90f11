//! An answer that a simulation's script gives instead of the model's own.

use std::future::pending;

use types::{Fault, Moment, Progress};

use super::body::{Body, End, Mark, Pace};
use super::{exchange_of, lost};
use crate::driven::{Act, Reply, Script};
use crate::{Exchange, Outgoing};

pub(super) async fn send(
    script: &dyn Script,
    outgoing: &Outgoing,
    sent_at: Moment,
) -> Result<Exchange, Fault> {
    let reply = match script.arrived(outgoing).await {
        Act::Refuse => return Err(lost("the scripted provider refuses connections")),
        Act::Reset => {
            let fault = lost("the scripted provider reset the connection before its answer");
            return Err(fault.with_progress(Progress::PerhapsExecuted));
        }
        Act::Hang => pending().await,
        Act::Answer(reply) => reply,
    };
    let Reply { status, headers, body, marks, first, each, cut, held } = *reply;
    let end = cut.map_or(End::Whole, |after| End::Cut { after });
    let mut body = if marks.is_empty() {
        Body::whole(body, end)
    } else {
        let marks = marks.into_iter().map(|(end, token)| Mark { end, token }).collect();
        Body::stream(body, marks, Pace::of(first, each), end)
    };
    if let Some(held) = held {
        body = body.holding(held);
    }
    Ok(exchange_of(status, headers, body, sent_at))
}
