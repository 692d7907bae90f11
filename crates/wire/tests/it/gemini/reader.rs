//! Reads a Gemini request back into the vocabulary: written against Google's documentation, not against the
//! encoder. Only what the tests write; anything else panics.

use serde_json::{Map, Value};
use types::chat::{Image, Message, Part, Request, Role};

pub(crate) fn read(body: &[u8]) -> Request {
    let body: Value = serde_json::from_slice(body).unwrap();
    let mut messages = Vec::new();
    if let Some(system) = body.get("systemInstruction") {
        messages.push(Message { role: Role::System, parts: parts(system), name: None });
    }
    for turn in body["contents"].as_array().unwrap() {
        let parts = parts(turn);
        let role = match turn["role"].as_str().unwrap() {
            "model" => Role::Assistant,
            "user" if matches!(parts[0], Part::ToolResult { .. }) => Role::Tool,
            "user" => Role::User,
            other => panic!("no such role: {other}"),
        };
        messages.push(Message { role, parts, name: None });
    }
    let config = &body["generationConfig"];
    let stop = config["stopSequences"].as_array().into_iter().flatten();
    Request {
        messages,
        max_tokens: config["maxOutputTokens"].as_u64(),
        top_k: config["topK"].as_u64(),
        seed: config["seed"].as_i64(),
        stop: stop.map(|text| text.as_str().unwrap().to_owned()).collect(),
        ..Request::default()
    }
}

fn parts(turn: &Value) -> Vec<Part> {
    let mut out = Vec::new();
    for part in turn["parts"].as_array().unwrap() {
        let part = part.as_object().unwrap();
        let thought = part.get("thought") == Some(&Value::Bool(true));
        if let Some(signature) = part.get("thoughtSignature") {
            let proof = Some(format!("signed-by-gemini:{}", signature.as_str().unwrap()));
            match out.last_mut() {
                // Of the thought before it, where that has none yet.
                Some(Part::Thinking { signature: unsigned @ None, .. }) => *unsigned = proof,
                _ => out.push(Part::Thinking { text: String::new(), signature: proof }),
            }
        }
        let kinds = ["text", "inlineData", "fileData", "functionCall", "functionResponse"];
        let kind = kinds.into_iter().find(|kind| part.contains_key(*kind)).unwrap();
        out.extend(data(kind, part, thought));
    }
    out
}

fn data(kind: &str, part: &Map<String, Value>, thought: bool) -> Option<Part> {
    let value = &part[kind];
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    Some(match kind {
        "text" => match value.as_str().unwrap() {
            "" => return None,
            text if thought => Part::Thinking { text: text.to_owned(), signature: None },
            text => Part::Text { text: text.to_owned() },
        },
        "inlineData" => match text("mimeType").strip_prefix("audio/") {
            Some(format) => Part::Audio { format: format.to_owned(), data: text("data") },
            None => {
                Part::Image(Image::Inline { media_type: text("mimeType"), data: text("data"), detail: None })
            }
        },
        "fileData" => Part::Image(Image::Url { url: text("fileUri"), detail: None }),
        "functionCall" => {
            Part::ToolCall { id: text("id"), name: text("name"), arguments: value["args"].to_string() }
        }
        "functionResponse" => {
            let response = value["response"].as_object().unwrap();
            let (key, said) = response.iter().next().unwrap();
            let parts = vec![Part::Text { text: said.as_str().unwrap().to_owned() }];
            Part::ToolResult { id: text("id"), parts, failed: key == "error" }
        }
        other => panic!("{other}"),
    })
}
