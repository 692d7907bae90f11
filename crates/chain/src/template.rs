//! Templates: compiled once per chain, rendered within bounds, with nothing escaped.
//!
//! A template is text by a stranger that runs here. It is bounded in its own length and depth (`depth`), in
//! the instructions it may execute (fuel), in the text it may write, and in how much larger than its inputs a
//! value in it may become (`analysis::growth`). Only the filters, tests and functions of `filters` exist.

mod analysis;
mod depth;
mod filters;
mod scope;
mod walk;

use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use minijinja::value::ValueKind;
use minijinja::{
    AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter,
};

pub(crate) use analysis::{Analysis, Target, analyse};
pub(crate) use scope::{RunScope, Scope};

/// Longest template, in bytes.
pub(crate) const MAX_TEMPLATE: usize = 256 << 10;
/// Longest text that a template may write, and longest value that a filter may make, in bytes.
pub(crate) const MAX_TEXT: usize = 8 << 20;
/// Instructions that one rendering may execute.
const FUEL: u64 = 50_000;

/// What is wrong with a template, without what it was filled with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateError {
    pub(crate) message: String,
    /// Where in the template, in bytes.
    pub(crate) range: Option<Range<usize>>,
    /// Line in the template, from 1.
    pub(crate) line: Option<usize>,
}

/// The compiled templates of one chain.
#[derive(Clone, Debug)]
pub(crate) struct Templates {
    env: Environment<'static>,
}

impl Templates {
    pub(crate) fn new() -> Self {
        static BASE: OnceLock<Environment<'static>> = OnceLock::new();
        Self { env: BASE.get_or_init(base).clone() }
    }

    /// Compiles a template under a name.
    pub(crate) fn add(&mut self, name: String, source: String) -> Result<(), TemplateError> {
        self.env.add_template_owned(name, source).map_err(|error| explain(&error))
    }

    /// The text of a template in a scope.
    pub(crate) fn render(&self, name: &str, scope: Scope) -> Result<String, TemplateError> {
        let template = self.env.get_template(name).map_err(|error| explain(&error))?;
        let mut text = Bounded(Vec::with_capacity(template.source().len() * 2));
        template.render_captured_to(Value::from_object(scope), &mut text).map_err(|error| explain(&error))?;
        // Templates write text only, so this never replaces anything; it does not copy valid text.
        Ok(String::from_utf8(text.0)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The value of an expression in a scope, as JSON.
    pub(crate) fn evaluate(
        &self,
        expression: &str,
        scope: Scope,
    ) -> Result<serde_json::Value, TemplateError> {
        let expression = self.env.compile_expression(expression).map_err(|error| explain(&error))?;
        let value = expression.eval(Value::from_object(scope)).map_err(|error| explain(&error))?;
        if value.is_undefined() {
            return Err(TemplateError { message: "undefined value".to_owned(), range: None, line: None });
        }
        filters::to_json(&value).map_err(|error| explain(&error))
    }
}

fn base() -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_formatter(format);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    filters::install(&mut env);
    env
}

/// As Jinja writes it, but lists and maps as JSON.
fn format(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            Ok(out.write_str(&filters::json_text(value, false)?)?)
        }
        _ => escape_formatter(out, state, value),
    }
}

/// The error in words that show no values: what minijinja says of values may quote them.
fn explain(error: &minijinja::Error) -> TemplateError {
    let detail = error.detail().unwrap_or("");
    let message = match error.kind() {
        ErrorKind::OutOfFuel => format!("the template does too much (more than {FUEL} instructions)"),
        ErrorKind::WriteFailure => format!("the template writes more than {} MiB", MAX_TEXT >> 20),
        ErrorKind::SyntaxError | ErrorKind::UndefinedError | ErrorKind::BadEscape if !detail.is_empty() => {
            format!("{}: {detail}", error.kind())
        }
        ErrorKind::InvalidOperation if detail == filters::TOO_LARGE => detail.to_owned(),
        kind => kind.to_string(),
    };
    TemplateError { message, range: error.range(), line: error.line() }
}

/// A text that refuses to grow beyond the bound.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_TEXT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Text as a template value; cheap to clone.
pub(crate) fn text_value(text: &str) -> Value {
    Value::from(Arc::<str>::from(text))
}

/// JSON as a template value.
pub(crate) fn json_value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::String(text) => text_value(text),
        other => Value::from(minijinja::value::Serde(other)),
    }
}
