//! Tools and whether they must be called.
//!
//! Schemas go as `parametersJsonSchema`, which takes JSON Schema as callers write it; the older `parameters`
//! takes a part of it only. Gemini knows no strict tool, but a mode in which all calls are held to their
//! schemas: it is chosen where a tool is strict. A cache marker is dropped: Gemini caches by itself.

use crate::text::Raw;
use serde::Serialize;
use types::chat::{Request, Tool, ToolChoice};

/// An item of `tools`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tools<'a> {
    function_declarations: Vec<Declaration<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters_json_schema: Raw<'a>,
}

/// `toolConfig`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'a> {
    function_calling_config: Calling<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Calling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_function_names: Option<[&'a str; 1]>,
}

pub(super) fn tools(tools: &[Tool]) -> Option<[Tools<'_>; 1]> {
    let function_declarations: Vec<_> = tools.iter().map(declaration).collect();
    (!function_declarations.is_empty()).then_some([Tools { function_declarations }])
}

fn declaration(tool: &Tool) -> Declaration<'_> {
    Declaration {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters_json_schema: (&tool.parameters).into(),
    }
}

/// `None` where there is nothing to choose from, or nothing said about it.
pub(super) fn config(request: &Request) -> Option<ToolConfig<'_>> {
    if request.tools.is_empty() {
        return None;
    }
    let strict = request.tools.iter().any(|tool| tool.strict == Some(true));
    let (mode, name) = match &request.tool_choice {
        None | Some(ToolChoice::Auto) if strict => ("VALIDATED", None),
        None => return None,
        Some(ToolChoice::Auto) => ("AUTO", None),
        Some(ToolChoice::None) => ("NONE", None),
        Some(ToolChoice::Any) => ("ANY", None),
        Some(ToolChoice::Named(name)) => ("ANY", Some([name.as_str()])),
    };
    Some(ToolConfig { function_calling_config: Calling { mode, allowed_function_names: name } })
}
