//! The parameters of a task or profile, from the names that the caller and the route say to the request of one
//! target. A call without such names pays for the looking, and for nothing else.

use std::borrow::Cow;

use policy::profile::{Choice, Decided, Unknown};
use serde::Deserialize;
use serde_json::value::RawValue;
use types::{Applied, Code, Dialect, Fault, Parameters};
use wire::{Bounds, Edit, Said, Writing};

use crate::call::{Admitted, Parsed, Plan, Target};

/// What a call is to be sent with, if its caller does not say otherwise.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    decided: Decided,
    /// What the caller says itself.
    said: Said,
}

/// The part of `metadata.windlass` that is read here.
#[derive(Debug, Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    task: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    profile: Option<Cow<'a, str>>,
}

/// What the call's task and profile, and its route's, come to; `None`: it is sent as it is.
///
/// Fails with `BadField` for a name that is not known.
pub(super) fn wanted(admitted: &Admitted<'_>, plan: &Plan) -> Result<Option<Box<Wanted>>, Fault> {
    let Admitted { parsed: Parsed { inbound, peek, .. }, snapshot, .. } = admitted;
    let body = peek.windlass.map(read).transpose()?.unwrap_or_default();
    let (head, in_body) =
        (&inbound.head, Choice { task: body.task.as_deref(), profile: body.profile.as_deref() });
    let caller = Choice {
        task: head.task.as_deref().or(in_body.task),
        profile: head.profile.as_deref().or(in_body.profile),
    };
    let route = Choice { task: plan.task.as_deref(), profile: plan.profile.as_deref() };
    // Embeddings have no such parameters.
    if caller.is_empty() && route.is_empty() || inbound.dialect == Dialect::OpenaiEmbeddings {
        return Ok(None);
    }
    let table = &snapshot.config().profiles;
    let decided = table.decide(caller, route, || wire::text_length(&inbound.body));
    let decided = decided.map_err(|unknown| {
        let (name, header, in_header, known): (_, _, _, Vec<&str>) = match &unknown {
            Unknown::Task(name) => (name, "task", head.task.is_some(), table.task_names().collect()),
            Unknown::Profile(name) => {
                (name, "profile", head.profile.is_some(), table.profile_names().collect())
            }
        };
        let place =
            if in_header { format!("x-windlass-{header}") } else { format!("metadata.windlass.{header}") };
        let shown = if name.len() > 100 { format!("no {header} has that name") } else { unknown.to_string() };
        let near = document::closest(name, known.iter().copied());
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        Fault::invalid(Code::BadField, &place, shown).with_hint(format!("{near}known: {}", known.join(", ")))
    })?;
    let wanted = decided.map(|decided| Wanted { decided, said: Said::of(&inbound.body) });
    Ok(wanted.map(Box::new))
}

fn read(windlass: &RawValue) -> Result<Body<'_>, Fault> {
    // What else stands there has been read by `said`.
    if !windlass.get().starts_with('{') {
        return Ok(Body::default());
    }
    serde_json::from_str(windlass.get()).map_err(|_| {
        let message = "`metadata.windlass.task` and `metadata.windlass.profile` must be strings, each once";
        Fault::invalid(Code::BadField, "metadata.windlass", message)
    })
}

impl Wanted {
    /// The greatest number of tokens, unless the caller sets its own.
    pub(super) fn max_tokens(&self) -> Option<u64> {
        self.said.beside(self.decided.parameters).max_tokens
    }

    /// Lowers the greatest number of tokens.
    pub(super) fn at_most(&mut self, most: u64) {
        let tokens = &mut self.decided.parameters.max_tokens;
        *tokens = tokens.map(|tokens| tokens.min(most));
    }

    /// The call has another body now.
    pub(super) fn look_again(&mut self, body: &[u8]) {
        self.said = Said::of(body);
    }

    /// What of it `target` takes in a request that is written so and takes about `input` tokens.
    pub(super) fn fit(&self, target: &Target, writing: &Writing<'_>, input: u64) -> Applied {
        // The estimate may be a quarter short; a call that fits its context must not be made too long for it.
        let input = input.saturating_add(input / 4);
        let bounds = Bounds {
            max_output_tokens: target.max_output_tokens,
            room: target.context_tokens.map(|context| context.saturating_sub(input)),
        };
        let (applied, left_out) = wire::fit_parameters(&self.decided.parameters, &self.said, writing, bounds);
        Applied { name: self.decided.name.clone(), applied, left_out }
    }

    /// What to change in the caller's own `body` for that.
    pub(super) fn edits(&self, body: &[u8], applied: &Parameters, writing: &Writing<'_>) -> Vec<Edit> {
        debug_assert_eq!(self.said, Said::of(body), "this was said in another body");
        self.said.edits(applied, writing)
    }
}
