//! `windlass chat`: one call.

use std::io::Read as _;
use std::sync::Arc;

use anyhow::Context as _;
use engine::{Answered, Engine, Head, Inbound};
use serde_json::json;
use types::Dialect;
use types::chat::{Message, Part, Request, Role};

use crate::args::{Chat, Cli};
use crate::exit::Failure;
use crate::output;

/// Asks one thing and prints the answer; what it cost goes to standard error.
pub(crate) async fn chat(engine: Engine, cli: &Cli, args: &Chat) -> Result<(), Failure> {
    let model = args.model.clone().or_else(|| engine.default_model());
    let model =
        model.ok_or_else(|| Failure::Usage("no model is configured: name one with --model".to_owned()))?;
    let request = request(args)?;
    let written = wire::encode_request(&request, &wire::Writing::plain(Dialect::OpenaiChat, &model))?;
    let body = written.body.joined().clone();
    let named = |name: &Option<String>| name.as_deref().map(Arc::from);
    let head = Head { task: named(&args.task), profile: named(&args.profile), ..Head::local() };
    let inbound = Inbound { dialect: Dialect::OpenaiChat, body, head };
    let whole = match engine.call(inbound).await {
        Ok(Answered::Whole(whole)) => whole,
        Ok(Answered::Stream(_)) => return Err(anyhow::anyhow!("the answer came as a stream").into()),
        Err(refusal) => return Err(refusal.fault.into()),
    };
    let answer = wire::decode_answer(Dialect::OpenaiChat, &whole.body)?;
    let text: String = answer
        .choices
        .iter()
        .flat_map(|choice| &choice.parts)
        .filter_map(|part| if let Part::Text { text, .. } = part { Some(text.as_str()) } else { None })
        .collect();
    let (about, settled) = (&whole.about, &whole.settled);
    if cli.json {
        return output::json(&json!({
            "text": text, "call": about.call, "provider": about.provider, "model": about.model,
            "attempts": about.attempts, "simulated": about.simulated, "usage": settled.usage,
            "usage_source": settled.source, "cost": whole.cost, "timing": settled.timing,
        }));
    }
    output::answer(text.trim_end());
    if !cli.quiet {
        eprintln!(
            "\n{} · {} + {} tokens · {} · {}",
            output::harmless_line(&format!("{}/{}", about.provider, about.model)),
            settled.usage.input,
            settled.usage.output,
            output::cost(whole.cost),
            output::duration(settled.timing.total.unwrap_or_default()),
        );
    }
    Ok(())
}

fn request(args: &Chat) -> Result<Request, Failure> {
    let text = match args.text.as_str() {
        "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
            text
        }
        text => text.to_owned(),
    };
    let message = |role, text: String| Message { role, parts: vec![Part::Text { text }], name: None };
    let system = args.system.clone().map(|text| message(Role::System, text));
    let messages = system.into_iter().chain([message(Role::User, text)]).collect();
    Ok(Request { messages, max_tokens: args.max_tokens, ..Request::default() })
}
