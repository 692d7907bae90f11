//! The request as a target takes it: the caller's bytes with the fewest changes, or a translation.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use types::chat::Request;
use types::{Dialect, Fault, Moment};
use upstream::Outgoing;
use wire::Rewrite;

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
        let usage_added = parsed.peek.stream && dialect == Dialect::OpenaiChat && !parsed.peek.include_usage;
        let (body, headers) = if dialect == inbound.dialect {
            let rewrite = Rewrite {
                model: Some(&target.id),
                add_stream_usage: usage_added,
                drop_windlass_metadata: true,
            };
            (wire::splice(&inbound.body, &parsed.peek, &rewrite), inbound.head.passed.clone())
        } else {
            (self.translate(planned, target, dialect)?, Vec::new())
        };
        let outgoing = Outgoing {
            dialect,
            model: Arc::clone(&target.id),
            body,
            stream: parsed.peek.stream,
            traceparent,
            passed: headers,
            connect_by,
        };
        Ok(Made { outgoing, dialect, usage_added })
    }

    fn translate(&self, planned: &Planned<'_>, target: &Target, dialect: Dialect) -> Result<Bytes, Fault> {
        let inbound = planned.admitted.parsed.inbound;
        let neutral = if let Some(neutral) = self.neutral.get() {
            neutral
        } else {
            let mut request = wire::decode_request(inbound.dialect, &inbound.body)?;
            // Usage is always accounted, whatever the caller asked to see.
            request.stream_usage = true;
            self.neutral.get_or_init(|| request)
        };
        let written = wire::encode_request(neutral, &wire::Writing::plain(dialect, &target.id))?;
        Ok(written.body)
    }
}
