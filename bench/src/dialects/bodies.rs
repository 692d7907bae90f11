//! What is translated: requests in the callers' dialects, answers and streams in the providers'. Each is one
//! conversation, once mostly prose and once mostly tools, said in the words of the dialect; an image for those
//! who look at bytes. Leaves what is done with them to `translate`.

use anyhow::{Context, Result};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::{Value, json};
use types::Dialect;

/// What a body is mostly made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heavy {
    Text,
    Tools,
    Image,
}

impl Heavy {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Tools => "tools",
            Self::Image => "image",
        }
    }
}

/// A stream: its events as the network brings them, and the JSON in each.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) events: Vec<Vec<u8>>,
    pub(crate) data: Vec<Vec<u8>>,
}

const MODEL: &str = "mock/gpt-4o-mini";
const ID: &str = "0123456789abcdefghijklmn";

/// A request as a caller of `dialect` writes it.
///
/// # Errors
/// When our own body cannot be translated.
pub(crate) fn request(dialect: Dialect, heavy: Heavy) -> Result<Vec<u8>> {
    let body = match heavy {
        Heavy::Text => {
            json!({"model": MODEL, "messages": prose_turns(), "max_tokens": 800, "temperature": 0.7})
        }
        Heavy::Tools => {
            json!({"model": MODEL, "messages": tool_turns(), "tools": tools(), "tool_choice": "auto",
            "max_tokens": 800})
        }
        Heavy::Image => json!({"model": MODEL, "max_tokens": 800, "messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is on these pictures?"}, image(7), image(11)]}]}),
    };
    let body = body.to_string().into_bytes();
    if dialect == Dialect::OpenaiChat {
        return Ok(body);
    }
    // The same conversation in the other words, as our own encoder says it.
    let neutral = wire::decode_request(Dialect::OpenaiChat, &body)?;
    Ok(wire::encode_request(&neutral, &wire::Writing::plain(dialect, MODEL))?.body.to_vec())
}

fn prose_turns() -> Vec<Value> {
    let mut turns = vec![json!({"role": "system", "content": prose(14)})];
    for turn in 0..6 {
        turns.push(json!({"role": "user", "content": prose(4 + turn % 3)}));
        turns.push(json!({"role": "assistant", "content": prose(9 + turn % 5)}));
    }
    turns.push(json!({"role": "user", "content": prose(5)}));
    turns
}

/// Paragraphs with the line ends and quotes that prose has.
fn prose(sentences: usize) -> String {
    const SAID: [&str; 4] = [
        "The tide turbine at the mouth of the firth has run for three winters without a fault worth the name. ",
        "Its makers call that \"expected\"; the harbour master, who saw the two before it sink, does not.\n\n",
        "What it earns hangs less on the machine than on the cable, and on whose grid is short when it turns. ",
        "A café owner at the quay — no engineer — keeps a list of the hours in which the lights flicker.\n",
    ];
    SAID.iter().cycle().take(sentences).copied().collect()
}

fn tools() -> Vec<Value> {
    let names =
        ["search_orders", "get_customer", "create_refund", "list_invoices", "send_email", "get_weather"];
    let tool = |name: &&str| {
        json!({"type": "function", "function": {"name": name,
            "description": format!("Calls the back office's {name}. Use it when the customer asks for it by name."),
            "parameters": {"type": "object", "additionalProperties": false,
                "required": ["customer_id", "limit"], "properties": {
                "customer_id": {"type": "string", "description": "The customer's number, without the dash"},
                "status": {"type": "string", "enum": ["open", "paid", "shipped", "returned"]},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                "since": {"type": "string", "format": "date-time"},
                "lines": {"type": "array", "items": {"type": "object", "properties": {
                    "sku": {"type": "string"}, "quantity": {"type": "integer"},
                    "price": {"type": "number", "exclusiveMinimum": 0.5}}}}}}}})
    };
    names.iter().map(tool).collect()
}

fn arguments(round: usize) -> Value {
    json!({"customer_id": format!("C{round}00812"), "status": "shipped", "limit": 20,
        "since": "2026-01-31T00:00:00Z", "lines": [{"sku": "AX-1", "quantity": 2, "price": 12.5}]})
}

fn tool_turns() -> Vec<Value> {
    let mut turns = vec![
        json!({"role": "system", "content": "You work for the back office. Use the tools."}),
        json!({"role": "user", "content": "Where are the orders of these customers?"}),
    ];
    for round in 0..4 {
        let (first, second) = (format!("call_{ID}{round}a"), format!("call_{ID}{round}b"));
        let call = |id: &str, name: &str| {
            json!({"id": id, "type": "function",
                "function": {"name": name, "arguments": arguments(round).to_string()}})
        };
        turns.push(json!({"role": "assistant", "content": "I look.",
            "tool_calls": [call(&first, "search_orders"), call(&second, "list_invoices")]}));
        for id in [first, second] {
            let found = json!({"orders": [arguments(round), arguments(round + 1)], "more": false});
            turns.push(json!({"role": "tool", "tool_call_id": id, "content": found.to_string()}));
        }
    }
    turns.push(json!({"role": "user", "content": "Thank you. And the rest?"}));
    turns
}

/// 96 KiB of what looks like base64.
fn image(step: usize) -> Value {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let data: String = (0..96 << 10).map(|at| char::from(DIGITS[at * step % DIGITS.len()])).collect();
    json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}})
}

/// A whole answer of a provider of `dialect`.
pub(crate) fn answer(dialect: Dialect, heavy: Heavy) -> Vec<u8> {
    let calls: Vec<(String, Value)> = match heavy {
        Heavy::Tools => (0..4).map(|round| (format!("call_{ID}{round}"), arguments(round))).collect(),
        Heavy::Text | Heavy::Image => Vec::new(),
    };
    let text = if calls.is_empty() { prose(24) } else { "I look.".to_owned() };
    let body = match dialect {
        Dialect::AnthropicMessages => {
            let mut content = vec![json!({"type": "text", "text": text})];
            content.extend(calls.iter().map(
                |(id, input)| json!({"type": "tool_use", "id": id, "name": "search_orders", "input": input}),
            ));
            json!({"id": "msg_01", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
                "content": content, "stop_reason": if calls.is_empty() { "end_turn" } else { "tool_use" },
                "stop_sequence": null, "usage": {"input_tokens": 42, "output_tokens": 120,
                    "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}})
        }
        Dialect::OpenaiResponses => responses_answer(&text, &calls),
        Dialect::GeminiContent => {
            let mut parts = vec![json!({"text": text})];
            parts.extend(calls.iter().map(
                |(id, args)| json!({"functionCall": {"id": id, "name": "search_orders", "args": args}}),
            ));
            json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP",
                "index": 0}], "usageMetadata": {"promptTokenCount": 42, "candidatesTokenCount": 120,
                "totalTokenCount": 162}, "modelVersion": "gemini-3-flash", "responseId": "r01"})
        }
        Dialect::BedrockConverse => {
            let mut content = vec![json!({"text": text})];
            content.extend(calls.iter().map(
                |(id, input)| json!({"toolUse": {"toolUseId": id, "name": "search_orders", "input": input}}),
            ));
            json!({"output": {"message": {"role": "assistant", "content": content}},
                "stopReason": if calls.is_empty() { "end_turn" } else { "tool_use" },
                "usage": {"inputTokens": 42, "outputTokens": 120, "totalTokens": 162},
                "metrics": {"latencyMs": 551}})
        }
        Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => {
            let mut message =
                json!({"role": "assistant", "content": text, "refusal": null, "annotations": []});
            if !calls.is_empty() {
                let call = |(id, input): &(String, Value)| {
                    json!({"id": id, "type": "function",
                        "function": {"name": "search_orders", "arguments": input.to_string()}})
                };
                message["tool_calls"] = calls.iter().map(call).collect();
            }
            json!({"id": format!("chatcmpl-{ID}"), "object": "chat.completion", "created": 1_721_172_741,
                "model": "gpt-4o-mini-2024-07-18", "service_tier": "default", "system_fingerprint": "fp_01",
                "choices": [{"index": 0, "message": message, "logprobs": null,
                    "finish_reason": if calls.is_empty() { "stop" } else { "tool_calls" }}],
                "usage": {"prompt_tokens": 42, "completion_tokens": 120, "total_tokens": 162,
                    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0,
                        "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}})
        }
    };
    body.to_string().into_bytes()
}

fn responses_answer(text: &str, calls: &[(String, Value)]) -> Value {
    let mut output = vec![responses_message(text)];
    output.extend(calls.iter().enumerate().map(|(place, (id, input))| responses_call(place, id, input)));
    responses_whole("completed", &output)
}

fn responses_message(text: &str) -> Value {
    json!({"id": "msg_01", "type": "message", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": text}]})
}

fn responses_call(place: usize, id: &str, input: &Value) -> Value {
    json!({"id": format!("fc_{place}"), "type": "function_call", "status": "completed", "call_id": id,
        "name": "search_orders", "arguments": input.to_string()})
}

fn responses_whole(status: &str, output: &[Value]) -> Value {
    let usage = json!({"input_tokens": 42, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 120,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 162});
    json!({"id": "resp_01", "object": "response", "created_at": 1_741_476_777, "status": status,
        "background": false, "error": null, "incomplete_details": null, "instructions": null,
        "max_output_tokens": null, "model": "gpt-4o-mini-2024-07-18", "output": output,
        "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null}, "store": true, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": if status == "completed" { usage } else { Value::Null },
        "user": null, "metadata": {}})
}

/// Pieces of the text or of one call's arguments.
const PIECES: usize = 60;

/// A stream of a provider of `dialect`: one text, or one call, in many pieces.
///
/// # Errors
/// When a frame cannot be written.
pub(crate) fn stream(dialect: Dialect, heavy: Heavy) -> Result<Stream> {
    let pieces: Vec<String> = match heavy {
        Heavy::Tools => {
            // Text of JSON: quotes everywhere.
            let whole: String = (0..8).map(|round| arguments(round).to_string()).collect();
            let whole: Vec<char> = format!("{{\"all\":[{}]}}", whole.replace("}{", "},{")).chars().collect();
            whole.chunks(whole.len().div_ceil(PIECES)).map(|piece| piece.iter().collect()).collect()
        }
        Heavy::Text | Heavy::Image => {
            let whole = prose(PIECES / 10);
            let words: Vec<&str> = whole.split_inclusive(' ').collect();
            words.iter().cycle().take(PIECES).map(|word| (*word).to_owned()).collect()
        }
    };
    let events = match (dialect, heavy == Heavy::Tools) {
        (Dialect::AnthropicMessages, tools) => anthropic_events(&pieces, tools),
        (Dialect::OpenaiResponses, tools) => responses_events(&pieces, tools),
        (Dialect::GeminiContent, tools) => gemini_events(&pieces, tools),
        (Dialect::BedrockConverse, tools) => return framed(&bedrock_events(&pieces, tools)),
        (Dialect::OpenaiChat | Dialect::OpenaiEmbeddings, tools) => openai_events(&pieces, tools),
    };
    let data: Vec<Vec<u8>> = events.iter().map(|(_, data)| data.to_string().into_bytes()).collect();
    let mut bytes: Vec<Vec<u8>> = events
        .iter()
        .map(|(name, data)| match name {
            Some(name) => format!("event: {name}\ndata: {data}\n\n").into_bytes(),
            None => format!("data: {data}\n\n").into_bytes(),
        })
        .collect();
    if dialect == Dialect::OpenaiChat {
        bytes.push(b"data: [DONE]\n\n".to_vec());
    }
    Ok(Stream { events: bytes, data })
}

type Events = Vec<(Option<&'static str>, Value)>;

fn openai_events(pieces: &[String], tools: bool) -> Events {
    let chunk = |choices: Value, usage: Value| {
        (
            None,
            json!({"id": format!("chatcmpl-{ID}"), "object": "chat.completion.chunk",
            "created": 1_721_172_741, "model": "gpt-4o-mini-2024-07-18", "service_tier": "default",
            "system_fingerprint": "fp_01", "choices": choices, "usage": usage}),
        )
    };
    let choice = |delta: Value, finish: Value| {
        chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]), Value::Null)
    };
    let mut events = vec![choice(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null)];
    if tools {
        let function = json!({"name": "search_orders", "arguments": ""});
        let call = json!({"index": 0, "id": format!("call_{ID}"), "type": "function", "function": function});
        events.push(choice(json!({"tool_calls": [call]}), Value::Null));
    }
    events.extend(pieces.iter().map(|piece| {
        let call = || json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
        choice(if tools { call() } else { json!({"content": piece}) }, Value::Null)
    }));
    events.push(choice(json!({}), json!(if tools { "tool_calls" } else { "stop" })));
    events.push(chunk(json!([]), json!({"prompt_tokens": 42, "completion_tokens": 60, "total_tokens": 102})));
    events
}

fn anthropic_events(pieces: &[String], tools: bool) -> Events {
    let block = if tools {
        json!({"type": "tool_use", "id": format!("toolu_{ID}"), "name": "search_orders", "input": {}})
    } else {
        json!({"type": "text", "text": ""})
    };
    let event = |name: &'static str, mut data: Value| {
        data["type"] = name.into();
        (Some(name), data)
    };
    let mut events = vec![
        event(
            "message_start",
            json!({"type": "", "message": {"id": format!("msg_{ID}"), "type": "message",
            "role": "assistant", "model": "claude-haiku-4-5", "content": [], "stop_reason": null,
            "stop_sequence": null, "usage": {"input_tokens": 42, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0, "output_tokens": 1}}}),
        ),
        event("content_block_start", json!({"type": "", "index": 0, "content_block": block})),
    ];
    events.extend(pieces.iter().map(|piece| {
        let delta = if tools {
            json!({"type": "input_json_delta", "partial_json": piece})
        } else {
            json!({"type": "text_delta", "text": piece})
        };
        event("content_block_delta", json!({"type": "", "index": 0, "delta": delta}))
    }));
    let reason = if tools { "tool_use" } else { "end_turn" };
    events.push(event("content_block_stop", json!({"type": "", "index": 0})));
    events.push(event(
        "message_delta",
        json!({"type": "", "usage": {"output_tokens": 60},
        "delta": {"stop_reason": reason, "stop_sequence": null}}),
    ));
    events.push(event("message_stop", json!({"type": ""})));
    events
}

fn responses_events(pieces: &[String], tools: bool) -> Events {
    let mut number = 0;
    let mut event = |name: &'static str, more: Value| {
        let mut data = json!({"type": name, "sequence_number": number});
        number += 1;
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
            data.extend(more);
        }
        (Some(name), data)
    };
    let whole = pieces.concat();
    let mut item = if tools {
        responses_call(0, &format!("call_{ID}"), &Value::String(whole.clone()))
    } else {
        responses_message(&whole)
    };
    if tools {
        item["arguments"] = whole.clone().into();
    }
    let mut begun = item.clone();
    begun["status"] = "in_progress".into();
    begun[if tools { "arguments" } else { "content" }] = if tools { json!("") } else { json!([]) };
    let id = item["id"].clone();
    let opening = responses_whole("in_progress", &[]);
    let mut events = vec![
        event("response.created", json!({"response": opening})),
        event("response.in_progress", json!({"response": opening})),
        event("response.output_item.added", json!({"output_index": 0, "item": begun})),
    ];
    let part = |text: &str| json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text});
    if tools {
        events.extend(pieces.iter().map(|piece| {
            event(
                "response.function_call_arguments.delta",
                json!({"item_id": id, "output_index": 0, "delta": piece, "obfuscation": "aBcDeFgH"}),
            )
        }));
        events.push(event(
            "response.function_call_arguments.done",
            json!({"item_id": id, "output_index": 0, "arguments": whole}),
        ));
    } else {
        events.push(event(
            "response.content_part.added",
            json!({"item_id": id, "output_index": 0, "content_index": 0, "part": part("")}),
        ));
        events.extend(pieces.iter().map(|piece| {
            event(
                "response.output_text.delta",
                json!({"item_id": id,
            "output_index": 0, "content_index": 0, "delta": piece, "logprobs": [],
            "obfuscation": "aBcDeFgH"}),
            )
        }));
        events.push(event(
            "response.output_text.done",
            json!({"item_id": id, "output_index": 0,
            "content_index": 0, "text": whole, "logprobs": []}),
        ));
        events.push(event(
            "response.content_part.done",
            json!({"item_id": id, "output_index": 0, "content_index": 0, "part": part(&whole)}),
        ));
    }
    events.push(event("response.output_item.done", json!({"output_index": 0, "item": item})));
    events.push(event("response.completed", json!({"response": responses_whole("completed", &[item])})));
    events
}

/// Gemini sends larger pieces, and its calls whole.
fn gemini_events(pieces: &[String], tools: bool) -> Events {
    let chunk = |part: Value, finish: Option<&str>| {
        let mut candidate = json!({"content": {"parts": [part], "role": "model"}, "index": 0});
        if let Some(finish) = finish {
            candidate["finishReason"] = finish.into();
        }
        (
            None,
            json!({"candidates": [candidate], "usageMetadata": {"promptTokenCount": 42,
            "candidatesTokenCount": 60, "totalTokenCount": 102, "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 42}]}, "modelVersion": "gemini-3-flash", "responseId": ID}),
        )
    };
    let mut events: Events = if tools {
        let call = |round| json!({"functionCall": {"name": "search_orders", "args": arguments(round)}});
        (0..8).map(|round| chunk(call(round), None)).collect()
    } else {
        pieces.chunks(6).map(|pieces| chunk(json!({"text": pieces.concat()}), None)).collect()
    };
    events.push(chunk(json!({"text": ""}), Some("STOP")));
    events
}

fn bedrock_events(pieces: &[String], tools: bool) -> Vec<(&'static str, Value)> {
    let mut events = vec![("messageStart", json!({"p": "abcdefgh", "role": "assistant"}))];
    if tools {
        events.push((
            "contentBlockStart",
            json!({"contentBlockIndex": 0, "p": "abcd",
            "start": {"toolUse": {"toolUseId": format!("tooluse_{ID}"), "name": "search_orders"}}}),
        ));
    }
    events.extend(pieces.iter().map(|piece| {
        let delta = if tools { json!({"toolUse": {"input": piece}}) } else { json!({"text": piece}) };
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": delta, "p": "abcdefghijkl"}))
    }));
    events.push(("contentBlockStop", json!({"contentBlockIndex": 0, "p": "abcd"})));
    let reason = if tools { "tool_use" } else { "end_turn" };
    events.push(("messageStop", json!({"p": "ab", "stopReason": reason})));
    events.push((
        "metadata",
        json!({"metrics": {"latencyMs": 551}, "p": "abcdef",
        "usage": {"inputTokens": 42, "outputTokens": 60, "totalTokens": 102}}),
    ));
    events
}

/// The events in AWS's frames.
fn framed(events: &[(&str, Value)]) -> Result<Stream> {
    let mut stream = Stream { events: Vec::new(), data: Vec::new() };
    for (name, data) in events {
        let data = data.to_string().into_bytes();
        let headers =
            [(":event-type", *name), (":content-type", "application/json"), (":message-type", "event")];
        let headers = headers
            .map(|(key, value)| Header::new(key.to_owned(), HeaderValue::String(value.to_owned().into())));
        let message = Message::new_from_parts(headers.to_vec(), data.clone());
        let mut frame = Vec::new();
        write_message_to(&message, &mut frame).context("cannot write a frame")?;
        stream.events.push(frame);
        stream.data.push(data);
    }
    Ok(stream)
}
