//! The vendors' endpoints: a request in, the engine's answer out.

use engine::{Engine, Inbound};
use http::{Request, Response};
use hyper::body::Incoming;
use types::{CallId, Code, Dialect, Fault, Kind};

use crate::reply::ReplyBody;
use crate::{body, head, reply};

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
    dialect: Dialect,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let inbound = match read(engine, dialect, request).await {
        Ok(inbound) => inbound,
        Err(fault) => return reply::fault(dialect, &fault, None::<CallId>),
    };
    match engine.call(inbound).await {
        Ok(answered) => reply::answered(answered),
        Err(refusal) => reply::refused(dialect, &refusal),
    }
}

async fn read(engine: &Engine, dialect: Dialect, request: Request<Incoming>) -> Result<Inbound, Fault> {
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
    let limits = body::Limits { max: config.server.max_body, idle: config.server.body_timeout };
    let body = body::read(incoming, limits).await?;
    Ok(Inbound { dialect, body, head })
}
