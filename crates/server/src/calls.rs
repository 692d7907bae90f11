//! The vendors' endpoints: a request in, the engine's answer out.

use config::{Compress, Config};
use engine::{Engine, Inbound};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use types::{Code, Dialect, Fault, Kind};

use wire::Coding;

use crate::reply::ReplyBody;
use crate::room::{Held, Room};
use crate::{body, coded, head, reply};

/// The dialect that a path speaks, if it is a call's path.
pub(crate) fn dialect(path: &str) -> Option<Dialect> {
    match path {
        "/v1/chat/completions" | "/openai/v1/chat/completions" => Some(Dialect::OpenaiChat),
        "/v1/embeddings" | "/openai/v1/embeddings" => Some(Dialect::OpenaiEmbeddings),
        "/v1/messages" | "/anthropic/v1/messages" => Some(Dialect::AnthropicMessages),
        "/v1/responses" | "/openai/v1/responses" => Some(Dialect::OpenaiResponses),
        _ => None,
    }
}

/// Answers one call.
pub(crate) async fn answer(
    engine: &Engine,
    room: &Room,
    dialect: Dialect,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let (inbound, held, coding) = match read(engine, room, dialect, request).await {
        Ok(read) => read,
        Err(fault) => return reply::fault(dialect, &fault, Some(engine.turned_away(&fault))),
    };
    let answered = engine.call(inbound).await;
    // The body went into the call, and is gone with it.
    drop(held);
    match answered {
        Ok(answered) => coded(reply::answered(dialect, answered), coding).await,
        Err(refusal) => reply::refused(dialect, &refusal),
    }
}

/// The coding in which a caller with these headers is answered, where answers are compressed at all.
pub(crate) fn coding(config: &Config, headers: &HeaderMap) -> Option<Coding> {
    match config.server.compress {
        Compress::Auto => coded::accepted(headers),
        Compress::Off => None,
    }
}

/// The answer as it leaves.
pub(crate) async fn coded(response: Response<ReplyBody>, coding: Option<Coding>) -> Response<ReplyBody> {
    match coding {
        Some(coding) => Box::pin(coded::reply(response, coding)).await,
        None => response,
    }
}

async fn read(
    engine: &Engine,
    room: &Room,
    dialect: Dialect,
    request: Request<Incoming>,
) -> Result<(Inbound, Held, Option<Coding>), Fault> {
    let (parts, incoming) = request.into_parts();
    let config = engine.config();
    let size: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size as u64 > config.server.max_header {
        let message =
            format!("the request's headers take {size} bytes, more than {}", config.server.max_header);
        return Err(Fault::new(Kind::Validation, Code::BadHeaders, message)
            .with_hint("send fewer or shorter headers; the operator sets server.max_header"));
    }
    let mut head = head::read(&parts.headers)?;
    // Before the body: a stranger's bytes are not worth reading.
    head.who = Some(engine.identify(&head)?);
    let limits = body::Limits::from(&config.server);
    let is_coded = coded::of_request(&parts.headers)?;
    let mut taken = body::read(incoming, limits, room).await?;
    if let Some(coding) = is_coded {
        taken = Box::pin(coded::decode(taken, coding, limits, room)).await?;
    }
    let (body, place) = taken;
    Ok((Inbound { dialect, body, head }, place, coding(&config, &parts.headers)))
}
