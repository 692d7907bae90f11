//! A reader of Converse requests that shares nothing with the writer: strict, so that a field which Bedrock does
//! not know is an error here as it is there.

use serde_json::{Map, Value, json};
use types::chat::{Document, Format, Image, Message, Part, Request, Role, Source, Tool, ToolChoice};

/// The request that a body says.
pub(crate) fn read(body: &[u8]) -> Request {
    let mut body = object(serde_json::from_slice(body).unwrap());
    let mut request = Request::default();
    if let Some(system) = body.remove("system") {
        let parts = array(system).into_iter().map(part).collect();
        request.messages.push(Message { role: Role::System, parts, name: None });
    }
    let mut last = None;
    for turn in array(body.remove("messages").unwrap()) {
        let mut turn = object(turn);
        let role = match text(turn.remove("role").unwrap()).as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            other => panic!("role {other}"),
        };
        assert_ne!(last, Some(role), "turns alternate");
        last = Some(role);
        let content = array(turn.remove("content").unwrap());
        assert!(!content.is_empty(), "no turn is empty");
        request.messages.push(Message { role, parts: content.into_iter().map(part).collect(), name: None });
        done(&turn);
    }
    if let Some(config) = body.remove("inferenceConfig") {
        let mut config = object(config);
        assert!(!config.is_empty());
        request.max_tokens = config.remove("maxTokens").map(|count| count.as_u64().unwrap());
        request.temperature = config.remove("temperature").map(|number| number.as_number().unwrap().clone());
        request.top_p = config.remove("topP").map(|number| number.as_number().unwrap().clone());
        let stop = config.remove("stopSequences").map(array).unwrap_or_default();
        request.stop = stop.into_iter().map(text).collect();
        done(&config);
    }
    if let Some(config) = body.remove("toolConfig") {
        tools(object(config), &mut request);
    }
    if let Some(config) = body.remove("outputConfig") {
        request.format = format(config);
    }
    if let Some(fields) = body.remove("additionalModelRequestFields") {
        let mut fields = object(fields);
        request.top_k = fields.remove("top_k").map(|k| k.as_u64().unwrap());
        if let Some(choice) = fields.remove("tool_choice") {
            assert_eq!(request.tool_choice, None, "the choice is said once");
            request.parallel_tool_calls = choice.get("disable_parallel_tool_use").map(|one| *one != true);
            request.tool_choice = Some(match choice["type"].as_str().unwrap() {
                "auto" => ToolChoice::Auto,
                "none" => ToolChoice::None,
                "any" => ToolChoice::Any,
                "tool" => ToolChoice::Named(choice["name"].as_str().unwrap().to_owned()),
                other => panic!("choice {other}"),
            });
        }
        done(&fields);
    }
    let paths = body.remove("additionalModelResponseFieldPaths");
    assert_eq!(paths.is_some(), !request.stop.is_empty());
    done(&body);
    request
}

fn part(block: Value) -> Part {
    let block = object(block);
    assert_eq!(block.len(), 1, "a block is a union: {block:?}");
    let (kind, value) = block.into_iter().next().unwrap();
    match kind.as_str() {
        "text" => {
            let text = text(value);
            assert!(!text.trim().is_empty(), "no text is blank");
            Part::Text { text }
        }
        "image" => {
            let mut image = object(value);
            let media_type = format!("image/{}", text(image.remove("format").unwrap()));
            let data = bytes(image.remove("source").unwrap());
            done(&image);
            Part::Image(Image::Inline { media_type, data, detail: None })
        }
        "document" => document(object(value)),
        "audio" => {
            Part::Audio { format: text(value["format"].clone()), data: bytes(value["source"].clone()) }
        }
        "toolUse" => {
            let mut tool = object(value);
            let part = Part::ToolCall {
                id: text(tool.remove("toolUseId").unwrap()),
                name: text(tool.remove("name").unwrap()),
                arguments: Value::Object(object(tool.remove("input").unwrap())).to_string(),
            };
            done(&tool);
            part
        }
        "toolResult" => {
            let mut result = object(value);
            let status = result.remove("status").map(text);
            let part = Part::ToolResult {
                id: text(result.remove("toolUseId").unwrap()),
                parts: array(result.remove("content").unwrap()).into_iter().map(part).collect(),
                failed: status.as_deref() == Some("error"),
            };
            done(&result);
            part
        }
        "reasoningContent" => {
            let mut reasoning = object(value);
            let part = match (reasoning.remove("reasoningText"), reasoning.remove("redactedContent")) {
                (Some(told), None) => Part::Thinking {
                    text: text(told["text"].clone()),
                    signature: told.get("signature").cloned().map(text).as_deref().map(signed),
                },
                (None, Some(data)) => Part::HiddenThinking { data: signed(&text(data)) },
                other => panic!("{other:?}"),
            };
            done(&reasoning);
            part
        }
        "cachePoint" => Part::CachePoint { marker: marker(value) },
        other => panic!("block {other}"),
    }
}

/// As the vocabulary has the signatures of this dialect.
fn signed(proof: &str) -> String {
    format!("signed-by-bedrock:{proof}")
}

fn document(mut document: Map<String, Value>) -> Part {
    let media_type = match text(document.remove("format").unwrap()).as_str() {
        "pdf" => "application/pdf",
        "csv" => "text/csv",
        "txt" => "text/plain",
        other => panic!("format {other}"),
    };
    let name = text(document.remove("name").unwrap());
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || " -()[]".contains(c)) && !name.contains("  "));
    let part = Part::Document(Document {
        source: Source::Inline {
            media_type: media_type.to_owned(),
            data: bytes(document.remove("source").unwrap()),
        },
        name: Some(name),
        context: document.remove("context").map(text),
        citations: document.remove("citations") == Some(json!({ "enabled": true })),
    });
    done(&document);
    part
}

fn tools(mut config: Map<String, Value>, request: &mut Request) {
    let tools = array(config.remove("tools").unwrap());
    assert!(!tools.is_empty());
    for tool in tools {
        let mut tool = object(tool);
        if let Some(point) = tool.remove("cachePoint") {
            request.tools.last_mut().unwrap().cache = Some(marker(point));
            continue;
        }
        let mut spec = object(tool.remove("toolSpec").unwrap());
        request.tools.push(Tool {
            name: text(spec.remove("name").unwrap()),
            description: spec.remove("description").map(text),
            parameters: object(spec.remove("inputSchema").unwrap()).remove("json").unwrap().into(),
            strict: spec.remove("strict").map(|strict| strict.as_bool().unwrap()),
            cache: None,
        });
        done(&spec);
    }
    if let Some(choice) = config.remove("toolChoice") {
        request.tool_choice = Some(match &choice {
            choice if *choice == json!({ "auto": {} }) => ToolChoice::Auto,
            choice if *choice == json!({ "any": {} }) => ToolChoice::Any,
            choice => ToolChoice::Named(text(choice["tool"]["name"].clone())),
        });
    }
    done(&config);
}

fn format(config: Value) -> Format {
    let mut format = object(object(config).remove("textFormat").unwrap());
    assert_eq!(format.remove("type"), Some("json_schema".into()));
    let mut schema = object(object(format.remove("structure").unwrap()).remove("jsonSchema").unwrap());
    let read = Format::Schema {
        schema: serde_json::from_str(&text(schema.remove("schema").unwrap())).unwrap(),
        name: schema.remove("name").map(text).unwrap_or_default(),
        description: schema.remove("description").map(text),
        strict: None,
    };
    done(&schema);
    done(&format);
    read
}

fn marker(point: Value) -> Value {
    let mut point = object(point);
    assert_eq!(point.remove("type"), Some("default".into()));
    let mut marker = json!({ "type": "ephemeral" });
    if let Some(ttl) = point.remove("ttl") {
        assert!(ttl == "5m" || ttl == "1h");
        marker["ttl"] = ttl;
    }
    done(&point);
    marker
}

fn bytes(source: Value) -> String {
    let mut source = object(source);
    let data = text(source.remove("bytes").unwrap());
    done(&source);
    data
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => panic!("not an array: {other}"),
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => panic!("not a string: {other}"),
    }
}

fn done(left: &Map<String, Value>) {
    assert!(left.is_empty(), "Bedrock does not know {left:?}");
}
