//! The filters, tests and functions of templates: minijinja's own where they cannot make much out of little,
//! bounded ones of our own where they could, and none of the rest.

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, filters, functions, tests};

use super::MAX_TEXT;

/// What a value that would be too large is refused with.
pub(super) const TOO_LARGE: &str = "a value in the template would be too large";
/// Most numbers that `range` gives.
const MAX_RANGE: usize = 1_000;

/// Filters whose result is never much larger than what they are given.
pub(super) const PLAIN: [&str; 34] = [
    "lower",
    "upper",
    "title",
    "capitalize",
    "length",
    "count",
    "dictsort",
    "items",
    "reverse",
    "trim",
    "split",
    "lines",
    "default",
    "d",
    "round",
    "abs",
    "int",
    "float",
    "attr",
    "first",
    "last",
    "min",
    "max",
    "sort",
    "list",
    "string",
    "bool",
    "sum",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "groupby",
    "unique",
];
/// Filters that may make their input larger; `map` because it may call one of these.
pub(super) const GROWING: [&str; 8] =
    ["replace", "join", "indent", "truncate", "json", "tojson", "map", "zip"];
/// The tests.
pub(super) const TESTS: [&str; 26] = [
    "undefined",
    "defined",
    "none",
    "boolean",
    "odd",
    "even",
    "divisibleby",
    "number",
    "integer",
    "float",
    "string",
    "sequence",
    "iterable",
    "mapping",
    "startingwith",
    "endingwith",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "in",
    "true",
    "false",
    "equalto",
];

pub(super) fn install(env: &mut Environment<'static>) {
    env.add_filter("lower", filters::lower);
    env.add_filter("upper", filters::upper);
    env.add_filter("title", filters::title);
    env.add_filter("capitalize", filters::capitalize);
    env.add_filter("length", filters::length);
    env.add_filter("count", filters::length);
    env.add_filter("dictsort", filters::dictsort);
    env.add_filter("items", filters::items);
    env.add_filter("reverse", filters::reverse);
    env.add_filter("trim", filters::trim);
    env.add_filter("split", filters::split);
    env.add_filter("lines", filters::lines);
    env.add_filter("default", filters::default);
    env.add_filter("d", filters::default);
    env.add_filter("round", filters::round);
    env.add_filter("abs", filters::abs);
    env.add_filter("int", filters::int);
    env.add_filter("float", filters::float);
    env.add_filter("attr", filters::attr);
    env.add_filter("first", filters::first);
    env.add_filter("last", filters::last);
    env.add_filter("min", filters::min);
    env.add_filter("max", filters::max);
    env.add_filter("sort", filters::sort);
    env.add_filter("list", filters::list);
    env.add_filter("string", filters::string);
    env.add_filter("bool", filters::bool);
    env.add_filter("sum", filters::sum);
    env.add_filter("select", filters::select);
    env.add_filter("reject", filters::reject);
    env.add_filter("selectattr", filters::selectattr);
    env.add_filter("rejectattr", filters::rejectattr);
    env.add_filter("groupby", filters::groupby);
    env.add_filter("unique", filters::unique);
    env.add_filter("map", filters::map);
    env.add_filter("zip", filters::zip);
    env.add_filter("replace", replace);
    env.add_filter("join", join);
    env.add_filter("indent", indent);
    env.add_filter("truncate", truncate);
    env.add_filter("json", json);
    env.add_filter("tojson", json);
    env.add_function("range", range);
    install_tests(env);
}

fn install_tests(env: &mut Environment<'static>) {
    env.add_test("undefined", tests::is_undefined);
    env.add_test("defined", tests::is_defined);
    env.add_test("none", tests::is_none);
    env.add_test("boolean", tests::is_boolean);
    env.add_test("odd", tests::is_odd);
    env.add_test("even", tests::is_even);
    env.add_test("divisibleby", tests::is_divisibleby);
    env.add_test("number", tests::is_number);
    env.add_test("integer", tests::is_integer);
    env.add_test("float", tests::is_float);
    env.add_test("string", tests::is_string);
    env.add_test("sequence", tests::is_sequence);
    env.add_test("iterable", tests::is_iterable);
    env.add_test("mapping", tests::is_mapping);
    env.add_test("startingwith", tests::is_startingwith);
    env.add_test("endingwith", tests::is_endingwith);
    env.add_test("eq", tests::is_eq);
    env.add_test("equalto", tests::is_eq);
    env.add_test("ne", tests::is_ne);
    env.add_test("lt", tests::is_lt);
    env.add_test("le", tests::is_le);
    env.add_test("gt", tests::is_gt);
    env.add_test("ge", tests::is_ge);
    env.add_test("in", tests::is_in);
    env.add_test("true", tests::is_true);
    env.add_test("false", tests::is_false);
}

fn too_large() -> Error {
    Error::new(ErrorKind::InvalidOperation, TOO_LARGE)
}

/// The text of a value: as it is written in a prompt.
fn text(value: &Value) -> Result<String, Error> {
    match (value.as_str(), value.kind()) {
        (Some(text), _) => Ok(text.to_owned()),
        (None, ValueKind::Undefined) => Err(Error::from(ErrorKind::UndefinedError)),
        (None, ValueKind::Seq | ValueKind::Map | ValueKind::Iterable) => json_text(value, false),
        _ => Ok(value.to_string()),
    }
}

fn replace(value: &Value, from: &str, to: &str) -> Result<String, Error> {
    let value = text(value)?;
    let grown = value.matches(from).count().saturating_mul(to.len()).saturating_add(value.len());
    if grown > MAX_TEXT {
        return Err(too_large());
    }
    Ok(value.replace(from, to))
}

fn join(value: &Value, joiner: Option<&str>) -> Result<String, Error> {
    let mut whole = String::new();
    for (index, item) in value.try_iter()?.enumerate() {
        if index > 0 {
            whole.push_str(joiner.unwrap_or(""));
        }
        whole.push_str(&text(&item)?);
        if whole.len() > MAX_TEXT {
            return Err(too_large());
        }
    }
    Ok(whole)
}

/// Indents all lines but the first (all with `first`) by `width` spaces; empty lines stay empty.
fn indent(value: &Value, width: Option<usize>, first: Option<bool>) -> Result<String, Error> {
    let value = text(value)?;
    let width = width.unwrap_or(4).min(64);
    if value.lines().count().saturating_mul(width).saturating_add(value.len()) > MAX_TEXT {
        return Err(too_large());
    }
    let margin = " ".repeat(width);
    let mut indented = String::with_capacity(value.len());
    for (index, line) in value.split_inclusive('\n').enumerate() {
        if (index > 0 || first.unwrap_or(false)) && !line.trim().is_empty() {
            indented.push_str(&margin);
        }
        indented.push_str(line);
    }
    Ok(indented)
}

/// The first `length` characters, and `end` if there were more.
fn truncate(value: &Value, length: Option<usize>, end: Option<&str>) -> Result<String, Error> {
    let value = text(value)?;
    let length = length.unwrap_or(255);
    match value.char_indices().nth(length) {
        Some((at, _)) => Ok([&value[..at], end.unwrap_or("…")].concat()),
        None => Ok(value),
    }
}

/// JSON with nothing escaped beyond what JSON needs, keys in their order; `json(true)` is indented.
fn json(value: &Value, pretty: Option<bool>) -> Result<String, Error> {
    json_text(value, pretty.unwrap_or(false))
}

pub(super) fn json_text(value: &Value, pretty: bool) -> Result<String, Error> {
    let mut text = super::Bounded(Vec::new());
    let written = if pretty {
        serde_json::to_writer_pretty(&mut text, value)
    } else {
        serde_json::to_writer(&mut text, value)
    };
    match written {
        Ok(()) => String::from_utf8(text.0).map_err(|_| Error::from(ErrorKind::BadSerialization)),
        Err(error) if error.is_io() => Err(too_large()),
        Err(_) => Err(Error::from(ErrorKind::BadSerialization)),
    }
}

/// The value as JSON.
pub(super) fn to_json(value: &Value) -> Result<serde_json::Value, Error> {
    if let Some(text) = value.as_str() {
        return Ok(serde_json::Value::String(text.to_owned()));
    }
    // By way of text, because that is bounded.
    serde_json::from_str(&json_text(value, false)?).map_err(|_| Error::from(ErrorKind::BadSerialization))
}

fn range(lower: isize, upper: Option<isize>, step: Option<isize>) -> Result<Value, Error> {
    let (from, to) = upper.map_or((0, lower), |upper| (lower, upper));
    if from.abs_diff(to) / step.unwrap_or(1).unsigned_abs().max(1) > MAX_RANGE {
        return Err(too_large());
    }
    functions::range(lower, upper, step)
}
