//! JSON that fits a schema, for tool calls and structured answers. Covers what such schemas usually say:
//! type, properties, required, items, enum, const, anyOf, local references, bounds of numbers and lengths.
//! Formats and patterns are left alone.

use serde_json::{Map, Number, Value};

use super::dice::Dice;

/// Deeper schemas, recursive ones among them, end in `null`.
const DEPTH: u32 = 16;

/// A value for `schema`.
pub(super) fn fit(schema: &Value, dice: &mut Dice) -> Value {
    Fit { root: schema, dice }.value(schema, DEPTH)
}

struct Fit<'a> {
    root: &'a Value,
    dice: &'a mut Dice,
}

impl<'a> Fit<'a> {
    fn value(&mut self, schema: &'a Value, depth: u32) -> Value {
        if depth == 0 {
            return Value::Null;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|name| self.target(name)) {
            return self.value(target, depth - 1);
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(value) =
            schema.get("enum").and_then(Value::as_array).and_then(|values| self.dice.pick(values))
        {
            return value.clone();
        }
        let any =
            ["anyOf", "oneOf", "allOf"].into_iter().find_map(|name| schema.get(name)?.as_array()?.first());
        if let Some(first) = any {
            return self.value(first, depth - 1);
        }
        match type_of(schema) {
            Some("string") => Value::String(text(schema)),
            Some("integer") => Value::Number(Number::from(self.integer(schema))),
            Some("number") => {
                let value = f64::from(i32::try_from(self.integer(schema)).unwrap_or(i32::MAX));
                Number::from_f64(value).map_or(Value::Null, Value::Number)
            }
            Some("boolean") => Value::Bool(self.dice.unit() < 0.5),
            Some("array") => self.array(schema, depth),
            Some("object") => self.object(schema, depth),
            _ => Value::Null,
        }
    }

    fn target(&self, name: &str) -> Option<&'a Value> {
        self.root.pointer(name.strip_prefix('#')?)
    }

    /// What is required, and nothing else; everything, if nothing is said to be required.
    fn object(&mut self, schema: &'a Value, depth: u32) -> Value {
        let mut object = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        for (name, property) in properties.into_iter().flatten() {
            if required.is_none_or(|required| required.iter().any(|wanted| wanted == name)) {
                object.insert(name.clone(), self.value(property, depth - 1));
            }
        }
        Value::Object(object)
    }

    fn array(&mut self, schema: &'a Value, depth: u32) -> Value {
        let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(0, 64).min(most);
        let Some(items) = schema.get("items") else { return Value::Array(Vec::new()) };
        Value::Array((0..count).map(|_| self.value(items, depth - 1)).collect())
    }

    /// A small number within the schema's bounds.
    fn integer(&mut self, schema: &Value) -> i64 {
        let bound = |name: &str| schema.get(name).and_then(number);
        let least =
            bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound.saturating_add(1)));
        let most =
            bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1)));
        let (least, most) = match (least, most) {
            (Some(least), Some(most)) => (least, most.max(least)),
            (Some(least), None) => (least, least.saturating_add(9)),
            (None, Some(most)) => (most.saturating_sub(9), most),
            (None, None) => (1, 10),
        };
        let span = most.abs_diff(least).saturating_add(1);
        least.saturating_add_unsigned(self.dice.next() % span)
    }
}

/// The type that a schema allows first; `null` only if it allows no other.
fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => Some(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ if schema.get("properties").is_some() => Some("object"),
        _ if schema.get("items").is_some() => Some("array"),
        // Anything goes.
        None if schema.as_object().is_some_and(Map::is_empty) => Some("string"),
        _ => None,
    }
}

fn text(schema: &Value) -> String {
    let length =
        |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let mut text = "simulated".to_owned();
    if let Some(least) = length("minLength") {
        while text.len() < least.min(4096) {
            text.push('.');
        }
    }
    if let Some(most) = length("maxLength") {
        text.truncate(most);
    }
    text
}

/// A bound as a whole number, towards the inside of small ranges.
#[expect(clippy::cast_possible_truncation, reason = "clamped before")]
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|value| value.ceil().clamp(-1e15, 1e15) as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: &Value, expect: &Value) {
        assert_eq!(&fit(schema, &mut Dice::new(7, 7)), expect, "{schema}");
    }

    #[test]
    fn values_fit_their_schema() {
        check(&json!({"type": "string"}), &json!("simulated"));
        check(&json!({"type": "string", "maxLength": 3}), &json!("sim"));
        check(&json!({"type": ["null", "integer"], "minimum": 5, "maximum": 5}), &json!(5));
        check(&json!({"enum": ["only"]}), &json!("only"));
        check(&json!({"type": "array", "minItems": 2, "items": {"const": 1}}), &json!([1, 1]));
        check(
            &json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["b"]}),
            &json!({"b": "simulated"}),
        );
        check(
            &json!({"$defs": {"x": {"const": true}}, "type": "object", "properties": {"x": {"$ref": "#/$defs/x"}}}),
            &json!({"x": true}),
        );
    }

    #[test]
    fn a_schema_that_contains_itself_comes_to_an_end() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(fit(&schema, &mut Dice::new(1, 1)).is_object());
    }
}
