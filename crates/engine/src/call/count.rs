//! How many tokens a request would be: asked of the provider where it knows, else counted or estimated here.
//!
//! Nothing is generated and nothing is billed, so there is no attempt and no row.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use types::chat::{Part, Request, Role};
use types::{Code, Dialect, Fault, Kind, Moment};
use upstream::clock;

use crate::Engine;
use crate::call::attempt::{MAX_ERROR, collect};
use crate::call::plan::named;
use crate::call::{Inbound, Target};

/// A number of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The number.
    pub tokens: u64,
    /// The provider's own figure, or counted with the model's own vocabulary; otherwise an estimate.
    pub exact: bool,
}

impl Engine {
    /// The tokens of the input of a request in Anthropic's dialect, for the first model behind its name.
    pub async fn count_tokens(&self, inbound: Inbound) -> Result<Counted, Fault> {
        #[derive(Deserialize)]
        struct Named {
            model: String,
        }
        let who = self.identify(&inbound.head)?;
        let missing =
            |_| Fault::invalid(Code::BadField, "model", "`model` is missing: name the model to count for");
        let request = decoded(&inbound.body)?;
        let Named { model } = serde_json::from_slice(&inbound.body).map_err(missing)?;
        let plan = named(&self.snapshot(), &who, &model)?;
        let target = plan.targets.first().ok_or_else(|| Fault::internal("a plan without models"))?;
        let by = clock::now() + plan.timeouts.total;
        let asked = tokio::time::timeout_at(
            clock::instant(by),
            ask(target, &inbound.body, clock::now() + plan.timeouts.connect),
        );
        let late = |_| {
            Fault::new(Kind::NetworkTimeout, Code::Timeout, "the provider did not count in time")
                .with_provider(&*target.provider.name)
        };
        if let Some(counted) = asked.await.map_err(late)?? {
            return Ok(counted);
        }
        let id = target.id.to_string();
        // Loading a vocabulary takes a tenth of a second, and long texts take long.
        let counted = tokio::task::spawn_blocking(move || counted(&id, &request)).await;
        counted.map_err(|_| Fault::internal("counting tokens failed"))
    }
}

/// The provider's own count; `None`: it has none to give.
async fn ask(target: &Target, body: &Bytes, connect_by: Moment) -> Result<Option<Counted>, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        input_tokens: u64,
    }
    let unread = |_| Fault::internal("a read body is not JSON");
    // Its other fields stay as they are written.
    let mut body: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).map_err(unread)?;
    body.insert("model".to_owned(), to_raw_value(&*target.id).map_err(unread)?);
    let body = serde_json::to_vec(&body).map_err(unread)?;
    let Some(answer) = target.provider.count_tokens(body.into(), connect_by).await else {
        return Ok(None);
    };
    let mut exchange = answer?;
    let body = collect(&mut exchange.body, MAX_ERROR).await?;
    if exchange.status != StatusCode::OK {
        let header = |name: &str| exchange.headers.get(name).and_then(|value| value.to_str().ok());
        let status = exchange.status.as_u16();
        let fault = wire::decode_error(Dialect::AnthropicMessages, status, &header, &body, clock::wall());
        return Err(fault.with_provider(&*target.provider.name));
    }
    let unreadable =
        |_| Fault::new(Kind::InvalidResponse, Code::BadAnswer, "the provider's count cannot be read");
    let Answer { input_tokens } = serde_json::from_slice(&body).map_err(unreadable)?;
    Ok(Some(Counted { tokens: input_tokens, exact: true }))
}

/// The request, which here needs no `max_tokens`.
fn decoded(body: &Bytes) -> Result<Request, Fault> {
    let read = wire::decode_request(Dialect::AnthropicMessages, body);
    match read {
        Err(fault) if fault.param.as_deref() == Some("max_tokens") => {
            let text = std::str::from_utf8(body).map_err(|_| fault.clone())?.trim_ascii_start();
            let rest = text.strip_prefix('{').ok_or(fault)?;
            wire::decode_request(Dialect::AnthropicMessages, format!("{{\"max_tokens\":1,{rest}").as_bytes())
        }
        other => other,
    }
}

/// Texts by the model's vocabulary, or one near to it; tools by their JSON. Pictures and sound are not counted.
pub(crate) fn counted(model: &str, request: &Request) -> Counted {
    let mut turns = Vec::with_capacity(request.messages.len() + 1);
    for message in &request.messages {
        let mut text = String::new();
        message.parts.iter().for_each(|part| gather(part, &mut text));
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        };
        turns.push((role, text));
    }
    if !request.tools.is_empty() {
        turns.push(("system", serde_json::to_string(&request.tools).unwrap_or_default()));
    }
    let count = models::tokens::count_chat(model, turns.iter().map(|(role, text)| (*role, text.as_str())));
    Counted { tokens: count.tokens, exact: count.exact && request.tools.is_empty() && !has_media(request) }
}

fn gather(part: &Part, out: &mut String) {
    match part {
        Part::Text { text } | Part::Refusal { text } | Part::Thinking { text, .. } => out.push_str(text),
        Part::ToolCall { name, arguments, .. } => {
            out.push_str(name);
            out.push_str(arguments);
        }
        Part::ToolResult { parts, .. } => parts.iter().for_each(|part| gather(part, out)),
        Part::Document(document) => {
            if let types::chat::Source::Text { text } = &document.source {
                out.push_str(text);
            }
        }
        Part::Image(_)
        | Part::Audio { .. }
        | Part::CachePoint { .. }
        | Part::HiddenThinking { .. }
        | Part::Citation(_) => {}
    }
}

fn has_media(request: &Request) -> bool {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.into_iter().any(|part| matches!(part, Part::Image(_) | Part::Audio { .. } | Part::Document(_)))
}
