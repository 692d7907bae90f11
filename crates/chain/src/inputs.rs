//! The variables of a run, checked before anything is sent.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use types::{Code, Fault};

use crate::Chain;
use crate::chain::Declared;
use crate::spec::InputKind;

/// Largest size of all variables of a run as JSON, in bytes.
const MAX_INPUTS: usize = 4 << 20;

/// The variables of a run, defaults filled in, types checked. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inputs(Arc<Map<String, Json>>);

impl Inputs {
    /// The variables by name.
    pub fn values(&self) -> &Map<String, Json> {
        &self.0
    }
}

impl Chain {
    /// Checks the variables of a run. A text where a number, truth value, list or map is asked for is read as
    /// JSON, so that `--var count=3` works. Fails with [`Code::MissingVariable`], naming every missing
    /// variable and the line that asks for it, or with [`Code::BadField`].
    pub fn check_inputs(&self, vars: &Map<String, Json>) -> Result<Inputs, Fault> {
        let mut values = Map::new();
        let mut missing = Vec::new();
        for declared in &self.inputs {
            let input = &declared.input;
            match vars.get(&input.name).or(input.default.as_ref()) {
                Some(value) => {
                    values.insert(input.name.clone(), convert(input.kind, value, &input.name)?);
                }
                None if input.required => missing.push(declared),
                None => {}
            }
        }
        if !missing.is_empty() {
            return Err(self.missing(&missing));
        }
        if let Some(unknown) = vars.keys().find(|name| !values.contains_key(*name)) {
            return Err(self.unknown(unknown));
        }
        let size = serde_json::to_string(&values).map_or(usize::MAX, |text| text.len());
        if size > MAX_INPUTS {
            let message = format!("the variables have more than {} MiB", MAX_INPUTS >> 20);
            return Err(Fault::invalid(Code::BodyTooLarge, "vars", message));
        }
        Ok(Inputs(Arc::new(values)))
    }

    fn missing(&self, missing: &[&Declared]) -> Fault {
        let list: Vec<String> = missing
            .iter()
            .map(|declared| {
                let name = &declared.input.name;
                if declared.line == 0 {
                    format!("`{name}`")
                } else {
                    format!("`{name}` ({}:{})", self.file, declared.line)
                }
            })
            .collect();
        let first = missing.first().map_or("", |declared| declared.input.name.as_str());
        let (noun, verb) = if list.len() == 1 { ("variable", "is") } else { ("variables", "are") };
        let message = format!("the {noun} {} {verb} missing", list.join(", "));
        Fault::invalid(Code::MissingVariable, format!("vars.{first}"), message)
            .with_hint(format!("give it with --var {first}=…, or as \"vars\": {{\"{first}\": …}}"))
    }

    fn unknown(&self, name: &str) -> Fault {
        let known: Vec<&str> = self.inputs.iter().map(|declared| declared.input.name.as_str()).collect();
        let shown: String = name.chars().take(64).collect();
        let fault = Fault::invalid(Code::BadField, "vars", format!("the chain has no variable `{shown}`"));
        match document::closest(name, known.iter().copied()) {
            Some(best) => fault.with_hint(format!("did you mean `{best}`?")),
            None if known.is_empty() => fault.with_hint("it asks for none"),
            None => fault.with_hint(format!("it asks for: {}", known.join(", "))),
        }
    }
}

fn convert(kind: InputKind, value: &Json, name: &str) -> Result<Json, Fault> {
    if kind.accepts(value) {
        return Ok(value.clone());
    }
    let read = value.as_str().and_then(|text| serde_json::from_str(text.trim()).ok());
    read.filter(|value| kind.accepts(value)).ok_or_else(|| {
        let message = format!("the variable `{name}` must be of type {}", kind.as_str());
        Fault::invalid(Code::BadField, format!("vars.{name}"), message)
    })
}
