//! From a model's text to the value that a step's schema asks for.

use std::fmt;

use jsonschema::Validator;
use serde_json::Value as Json;
use types::{Code, Fault, Kind, Progress};

use crate::Chain;

/// Problems of one answer that are told.
const MAX_ERRORS: usize = 3;

/// A compiled JSON Schema. References to other documents are not followed.
pub(crate) struct Schema(Validator);

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}

impl Schema {
    /// Compiles a schema; the error is a sentence.
    pub(crate) fn new(schema: &Json) -> Result<Self, String> {
        if !schema.is_object() && !schema.is_boolean() {
            return Err("a JSON Schema is a map".to_owned());
        }
        jsonschema::validator_for(schema).map(Self).map_err(|error| format!("not a JSON Schema: {error}"))
    }

    /// What does not fit, as paths and keywords: never the values, which are the model's words.
    fn problems(&self, value: &Json) -> Vec<String> {
        let problem = |error: jsonschema::ValidationError<'_>| {
            let path = error.instance_path().to_string();
            let path = if path.is_empty() { "the answer".to_owned() } else { path };
            format!("{path}: {}", error.masked())
        };
        self.0.iter_errors(value).take(MAX_ERRORS).map(problem).collect()
    }
}

impl Chain {
    /// What a model's text means for a step: `None` without a schema, the parsed and checked JSON with one.
    /// JSON in a Markdown fence is unwrapped. Fails with [`Code::BadOutput`], which may go better next time.
    pub fn read_answer(&self, step: usize, text: &str) -> Result<Option<Json>, Fault> {
        let Some(step) = self.steps.get(step) else { return Err(Fault::internal("no such step")) };
        let Some(schema) = &step.schema else { return Ok(None) };
        let bad = |message: String| {
            Fault::new(Kind::InvalidResponse, Code::BadOutput, message)
                .with_progress(Progress::PerhapsExecuted)
                .with_param(format!("steps.{}", step.name))
        };
        let value: Json = serde_json::from_str(unfence(text)).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            bad(format!(
                "the answer of step `{}` is not JSON (line {line}, column {column} of it)",
                step.name
            ))
        })?;
        let problems = schema.problems(&value);
        if problems.is_empty() {
            return Ok(Some(value));
        }
        let problems = problems.join("; ");
        Err(bad(format!("the answer of step `{}` does not fit its schema: {problems}", step.name)))
    }
}

/// The text without a Markdown fence around it.
fn unfence(text: &str) -> &str {
    let text = text.trim();
    let Some(inside) = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) else {
        return text;
    };
    match inside.split_once('\n') {
        Some((language, body)) if language.trim().bytes().all(|b| b.is_ascii_alphanumeric()) => body.trim(),
        _ => inside.trim(),
    }
}
