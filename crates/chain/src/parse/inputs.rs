//! `inputs`: a map of names to types, or a list of names.

use document::{Reader, Value};

use super::Places;
use crate::Spec;
use crate::spec::{Input, InputKind};

pub(super) fn read(reader: Reader<'_>, spec: &mut Spec, places: &mut Places) -> Option<()> {
    let inputs = spec.inputs.insert(Vec::new());
    if let Value::List(_) = reader.node().value {
        for item in reader.list()? {
            let span = item.span();
            if let Some(name) = item.nonempty_text() {
                inputs.push(Input {
                    name,
                    kind: InputKind::Any,
                    default: None,
                    required: true,
                    description: None,
                });
                places.inputs.push(span);
            }
        }
        return Some(());
    }
    for (name, (span, mut input)) in reader.map_of(|r| Some((r.key_span(), one(r)?)))? {
        input.name = name;
        inputs.push(input);
        places.inputs.push(span);
    }
    Some(())
}

/// `string`, or `{ type: string, default: …, required: …, description: … }`, or nothing.
fn one(reader: Reader<'_>) -> Option<Input> {
    let mut input =
        Input { name: String::new(), kind: InputKind::Any, default: None, required: true, description: None };
    if reader.node().is_null() {
        return Some(input);
    }
    if matches!(reader.node().value, Value::Text(_)) {
        input.kind = reader.one_of(&InputKind::WORDS)?;
        return Some(input);
    }
    let mut map = reader.map()?;
    input.kind = map.optional("type", |r| r.one_of(&InputKind::WORDS)).unwrap_or_default();
    input.description = map.optional("description", Reader::text);
    let kind = input.kind;
    input.default = map.optional("default", |r| {
        let value = r.node().to_json();
        if !kind.accepts(&value) {
            r.error(format!("the default is not of type {}", kind.as_str()));
        }
        Some(value)
    });
    let required = map.optional("required", Reader::bool);
    input.required = required.unwrap_or(input.default.is_none());
    map.finish();
    Some(input)
}
