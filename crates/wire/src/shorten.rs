//! A request for a shorter answer: its ceiling of tokens lowered, or set, and every other byte as it was.

use bytes::Bytes;
use types::{Dialect, Fault};

use crate::object::look;

/// The body with a ceiling of at most `most` tokens in its dialect's own field.
///
/// Fails with `BadJson` for what is not a JSON object; who has peeked at the body has seen that before.
pub fn shorten(dialect: Dialect, body: &Bytes, most: u64) -> Result<Bytes, Fault> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let name = match dialect {
        Dialect::OpenaiResponses => "max_output_tokens",
        Dialect::OpenaiChat | Dialect::AnthropicMessages => "max_tokens",
        // Embeddings answer with no tokens, and the others do not come in.
        Dialect::OpenaiEmbeddings | Dialect::GeminiContent | Dialect::BedrockConverse => {
            return Ok(body.clone());
        }
    };
    let (mut ceilings, mut end) = (Vec::new(), None);
    look(text, |member| {
        let newer = dialect == Dialect::OpenaiChat && member.key == "max_completion_tokens";
        if member.key == name || newer {
            ceilings.push((member.value_at(), member.value.parse::<u64>().ok()));
        }
        end = Some(member.at.end);
        Ok(())
    })?;
    if !ceilings.is_empty() && ceilings.iter().all(|(_, asked)| asked.is_some_and(|asked| asked <= most)) {
        return Ok(body.clone());
    }
    let mut out = Vec::with_capacity(body.len() + 40);
    let mut from = 0;
    for (span, asked) in &ceilings {
        out.extend_from_slice(body.get(from..span.start).unwrap_or_default());
        out.extend_from_slice(asked.unwrap_or(most).min(most).to_string().as_bytes());
        from = span.end;
    }
    if let (true, Some(end)) = (ceilings.is_empty(), end) {
        out.extend_from_slice(body.get(..end).unwrap_or_default());
        out.extend_from_slice(format!(r#","{name}":{most}"#).as_bytes());
        from = end;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ceiling_changes() {
        let chat = Dialect::OpenaiChat;
        let cases = [
            (chat, r#"{"model": "m", "max_tokens" : 500}"#, r#"{"model": "m", "max_tokens" : 100}"#),
            (chat, r#"{"model":"m","max_tokens":50}"#, r#"{"model":"m","max_tokens":50}"#),
            (
                chat,
                r#"{"max_tokens":7,"max_completion_tokens":900,"x":1e400}"#,
                r#"{"max_tokens":7,"max_completion_tokens":100,"x":1e400}"#,
            ),
            (chat, r#"{"model":"m" }"#, r#"{"model":"m","max_tokens":100 }"#),
            (Dialect::OpenaiResponses, r#"{"model":"m"}"#, r#"{"model":"m","max_output_tokens":100}"#),
            (Dialect::AnthropicMessages, r#"{"max_tokens":101}"#, r#"{"max_tokens":100}"#),
            (Dialect::OpenaiEmbeddings, r#"{"input":"a"}"#, r#"{"input":"a"}"#),
        ];
        for (dialect, asked, sent) in cases {
            let short = shorten(dialect, &Bytes::from_static(asked.as_bytes()), 100).unwrap();
            assert_eq!(std::str::from_utf8(&short).unwrap(), sent);
        }
    }

    #[test]
    fn a_ceiling_of_null_is_none() {
        let body = Bytes::from_static(br#"{"model":"m","max_tokens":null}"#);
        let short = shorten(Dialect::OpenaiChat, &body, 9).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&short).unwrap();
        assert_eq!(value["max_tokens"], 9);
    }
}
