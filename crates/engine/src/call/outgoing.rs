//! The request as a target takes it: the caller's bytes with the fewest changes, or a translation.

use std::sync::{Arc, OnceLock};

use types::chat::Request;
use types::quirks::StreamUsage;
use types::{Dialect, Fault, Moment};
use upstream::Outgoing;
use wire::{Rewrite, Writing, Written};

use crate::call::{Planned, Target};

/// Makes the requests of one call. The neutral form is made at most once, and only if some target needs it.
#[derive(Default)]
pub(super) struct Maker {
    neutral: OnceLock<Request>,
}

/// A request, and how its answer must be read.
pub(super) struct Made {
    pub(super) outgoing: Outgoing,
    /// The dialect that the target answers in.
    pub(super) dialect: Dialect,
    /// Whether a usage chunk was asked for that the caller did not ask for, and must not see.
    pub(super) usage_added: bool,
    /// What was left out because the target cannot take it, by the caller's names.
    pub(super) dropped: Vec<String>,
}

impl Maker {
    pub(super) fn make(
        &self,
        planned: &Planned<'_>,
        target: &Target,
        traceparent: Option<http::HeaderValue>,
        connect_by: Moment,
    ) -> Result<Made, Fault> {
        let parsed = &planned.admitted.parsed;
        let inbound = parsed.inbound;
        let dialect = target.provider.family.dialect(inbound.dialect)?;
        let quirks = &target.provider.quirks;
        let writing = Writing { dialect, model: &target.id, unsupported: planned.plan.unsupported, quirks };
        let usage_added = parsed.peek.stream
            && dialect == Dialect::OpenaiChat
            && !parsed.peek.include_usage
            && quirks.stream_usage == StreamUsage::Asked;
        let (written, headers) = if dialect == inbound.dialect {
            let rewrite = Rewrite {
                model: Some(&target.id),
                add_stream_usage: usage_added,
                drop_windlass_metadata: true,
            };
            let body = wire::splice(&inbound.body, &parsed.peek, &rewrite);
            // Reasoning of an earlier turn that another provider signed.
            let body = wire::own_signatures(dialect, &body).unwrap_or(body);
            let adapted = wire::adapt_request(&body, &writing)?;
            (adapted.unwrap_or(Written { body, dropped: Vec::new() }), inbound.head.passed.clone())
        } else {
            (self.translate(planned, &writing)?, Vec::new())
        };
        let Written { body, dropped } = written;
        let outgoing = Outgoing {
            dialect,
            model: Arc::clone(&target.id),
            body,
            stream: parsed.peek.stream,
            traceparent,
            passed: headers,
            connect_by,
        };
        Ok(Made { outgoing, dialect, usage_added, dropped })
    }

    fn translate(&self, planned: &Planned<'_>, writing: &Writing<'_>) -> Result<Written, Fault> {
        let inbound = planned.admitted.parsed.inbound;
        let neutral = if let Some(neutral) = self.neutral.get() {
            neutral
        } else {
            let mut request = wire::decode_request(inbound.dialect, &inbound.body)?;
            // Usage is always accounted, whatever the caller asked to see.
            request.stream_usage = true;
            self.neutral.get_or_init(|| request)
        };
        wire::encode_request(neutral, writing)
    }
}
