//! The request as a target takes it: the caller's bytes with the fewest changes, or a translation.

use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderName;
use types::chat::Request;
use types::quirks::StreamUsage;
use types::{Applied, Dialect, Fault, Moment, Parameters};
use upstream::Outgoing;
use wire::{Rewrite, Writing, Written};

use crate::call::continuation::{Beginning, Resumed};
use crate::call::{Planned, Target};

const TRACESTATE: HeaderName = HeaderName::from_static(telemetry::trace::TRACESTATE);
const BAGGAGE: HeaderName = HeaderName::from_static(telemetry::trace::BAGGAGE);

/// Makes the requests of one call. The neutral form is made at most once, and only if some target needs it: most
/// calls keep nothing here.
#[derive(Default)]
pub(super) struct Maker {
    neutral: Mutex<Option<Box<Request>>>,
    /// What the caller has already, where only the rest is asked for.
    beginning: Option<Box<Beginning>>,
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
    /// What a task or profile added.
    pub(super) profile: Option<Box<Applied>>,
    /// How the answer is read where it goes on with another.
    pub(super) resumed: Option<Resumed>,
}

impl Maker {
    /// Makes requests for the rest of an answer.
    pub(super) fn going_on(beginning: Beginning) -> Self {
        Self { beginning: Some(Box::new(beginning)), ..Self::default() }
    }

    /// This target does not take the beginning of its answer.
    pub(super) fn refused(&mut self, target: &Arc<Target>) {
        if let Some(beginning) = &mut self.beginning {
            beginning.refused(target);
        }
    }

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
        let profile = planned
            .terms
            .profile
            .as_ref()
            .map(|wanted| (wanted, wanted.fit(target, &writing, planned.terms.expected.0)));
        let (written, mut headers) = if dialect == inbound.dialect {
            let more =
                profile.as_ref().map(|(wanted, fit)| wanted.edits(&inbound.body, &fit.applied, &writing));
            let rewrite = Rewrite {
                model: Some(&target.id),
                add_stream_usage: usage_added,
                drop_windlass_metadata: true,
                more: more.as_deref().unwrap_or_default(),
            };
            let body = wire::splice(&inbound.body, &parsed.peek, &rewrite);
            // Reasoning of an earlier turn that another provider signed.
            let body = wire::own_signatures(dialect, &body).unwrap_or(body);
            let adapted = wire::adapt_request(&body, &writing)?;
            (adapted.unwrap_or(Written { body, dropped: Vec::new() }), inbound.head.passed.clone())
        } else {
            let added = profile.as_ref().map_or(Parameters::NONE, |(_, fit)| fit.applied);
            (self.translate(planned, &writing, &added)?, Vec::new())
        };
        if let Some(along) = &inbound.head.along {
            let state = along.tracestate.clone().filter(|_| inbound.head.trace.is_some());
            headers.extend(state.map(|state| (TRACESTATE, state)));
            let wanted = planned.admitted.snapshot.config().telemetry.pass_baggage;
            headers.extend(along.baggage.clone().filter(|_| wanted).map(|baggage| (BAGGAGE, baggage)));
        }
        let Written { body, dropped } = written;
        let (body, resumed) = match &self.beginning {
            None => (body, None),
            Some(beginning) => {
                let (body, resumed) = beginning.ask(body, &writing, target);
                (body, Some(resumed))
            }
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
        let profile = profile.map(|(_, applied)| Box::new(applied));
        Ok(Made { outgoing, dialect, usage_added, dropped, profile, resumed })
    }

    fn translate(
        &self,
        planned: &Planned<'_>,
        writing: &Writing<'_>,
        added: &Parameters,
    ) -> Result<Written, Fault> {
        let inbound = planned.admitted.parsed.inbound;
        // Held while the request is written, which waits for nothing.
        let mut neutral = self.neutral.lock().unwrap_or_else(PoisonError::into_inner);
        let request = match neutral.take() {
            Some(request) => request,
            None => Box::new(wire::decode_request(inbound.dialect, &inbound.body)?),
        };
        let request = neutral.insert(request);
        // Usage is always accounted, whatever the caller asked to see.
        request.stream_usage = true;
        if added.is_empty() {
            return wire::encode_request(request, writing);
        }
        // Another target may take others.
        wire::set_parameters(request, added);
        let written = wire::encode_request(request, writing);
        wire::unset_parameters(request, added);
        written
    }
}
