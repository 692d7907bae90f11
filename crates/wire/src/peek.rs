//! The borrowed look at a request: what routing, limits and accounting need, and where it stands.
//!
//! One pass checks the syntax of the whole body and reads a handful of its top-level fields. Everything else
//! is left for the provider to judge. A field that is read here may not stand twice: two readers that
//! disagree on which one counts is how limits are slipped past.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;
use types::{Code, Dialect, Fault, Kind};

use crate::object::{Member, kind_of, kind_of_text, look};
use crate::prefix::Prompt;

/// What a request body says, borrowed from it.
#[derive(Clone, Debug)]
pub struct Peek<'a> {
    /// `model`.
    pub model: Cow<'a, str>,
    /// Whether `stream` is true.
    pub stream: bool,
    /// Whether the caller asked for a usage chunk: `stream_options.include_usage` (OpenAI).
    pub include_usage: bool,
    /// `max_completion_tokens`, else `max_tokens`; `max_output_tokens` (Responses).
    pub max_tokens: Option<u64>,
    /// `user`, else `safety_identifier` (OpenAI), or `metadata.user_id` (Anthropic).
    pub user: Option<Cow<'a, str>>,
    /// The response that this call goes on from (Responses).
    pub previous_response_id: Option<Cow<'a, str>>,
    /// Whether the answer is to be kept, where the caller says so (Responses: it is kept unless this is false).
    pub store: Option<bool>,
    /// `metadata.windlass`, as it stands.
    pub windlass: Option<&'a RawValue>,
    /// Where things stand, for [`crate::splice`].
    pub spans: Spans,
}

/// Where the fields stand that [`crate::splice`] may change: plain numbers that outlive the borrow of the
/// body. They mean nothing for any other body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    pub(crate) body: usize,
    pub(crate) model: Range<usize>,
    /// What to write where so that the provider reports usage; `None` if it does anyway.
    pub(crate) usage: Option<(Range<usize>, &'static str)>,
    /// What to leave out so that `metadata.windlass` is gone.
    pub(crate) windlass: Option<Range<usize>>,
    /// `input` of the Responses dialect; where it is missing, the end of the last field.
    pub(crate) input: Input,
    /// The value of `previous_response_id`.
    pub(crate) previous: Option<Range<usize>>,
    /// For [`Peek::prefix`].
    pub(crate) prompt: Prompt,
}

/// Where the `input` of a Responses request stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Input {
    /// The dialect has none.
    #[default]
    Not,
    /// A string.
    Text(Range<usize>),
    /// An array.
    Items(Range<usize>),
    /// It is missing: the place where it may be written.
    Missing(usize),
}

impl AsRef<Spans> for Spans {
    fn as_ref(&self) -> &Spans {
        self
    }
}

impl AsRef<Spans> for Peek<'_> {
    fn as_ref(&self) -> &Spans {
        &self.spans
    }
}

/// Looks at a request body of the given dialect.
///
/// Fails with `BadUtf8`, `BadJson` (with line and column), or `BadField` for a field that is missing, has
/// the wrong type or stands twice.
pub fn peek(dialect: Dialect, body: &[u8]) -> Result<Peek<'_>, Fault> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        Fault::new(Kind::Parsing, Code::BadUtf8, format!("the body is not valid UTF-8 at byte {at}"))
            .with_hint("send the JSON encoded as UTF-8")
    })?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err(not_an_object(text));
    }
    let mut found = Found::default();
    look(text, |member| found.member(dialect, &member))?;
    found.finish(dialect, text)
}

fn not_an_object(text: &str) -> Fault {
    if text.trim_ascii_start().is_empty() {
        return Fault::new(Kind::Parsing, Code::BadJson, "the body is empty: expected a JSON object");
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => {
            let message = format!("the body is {}: expected a JSON object", kind_of(value));
            Fault::new(Kind::Parsing, Code::BadJson, message)
        }
        Err(error) => crate::object::broken(&error),
    }
}

/// The fields that are read, by their place in [`Found::seen`]. From the place `RESPONSES` on they are those of that
/// dialect only.
const READ: [&str; 15] = [
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "user",
    "metadata",
    "messages",
    "input",
    "max_output_tokens",
    "safety_identifier",
    "previous_response_id",
    "store",
    "prompt",
    "conversation",
];

const RESPONSES: usize = 9;

#[derive(Default)]
struct Found<'a> {
    seen: [bool; READ.len()],
    model: Option<Cow<'a, str>>,
    stream: bool,
    include_usage: bool,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    user: Option<Cow<'a, str>>,
    identifier: Option<Cow<'a, str>>,
    previous_response_id: Option<Cow<'a, str>>,
    store: Option<bool>,
    windlass: Option<&'a RawValue>,
    has_turns: bool,
    spans: Spans,
    /// End of the value before the present member; `None` before the first.
    before: Option<usize>,
    /// `metadata` stood first and is to go: the removal ends where the next key begins.
    removes_first: bool,
}

impl<'a> Found<'a> {
    fn member(&mut self, dialect: Dialect, member: &Member<'a, str>) -> Result<(), Fault> {
        if self.removes_first {
            self.removes_first = false;
            if let Some(span) = &mut self.spans.windlass {
                span.end = member.at.start;
            }
        }
        let before = self.before.replace(member.at.end);
        let known = if dialect == Dialect::OpenaiResponses { READ.len() } else { RESPONSES };
        let Some(place) = READ[..known].iter().position(|name| *name == member.key) else {
            self.note(member);
            return Ok(());
        };
        if std::mem::replace(&mut self.seen[place], true) {
            return Err(bad_field(READ[place], format!("`{}` stands twice in the request", READ[place])));
        }
        self.read(dialect, before, member)
    }

    /// Fields that nothing but the balance looks at: whichever counts, no limit depends on it.
    fn note(&mut self, member: &Member<'a, str>) {
        match &*member.key {
            "system" | "instructions" => self.spans.prompt.instructions = member.value_at(),
            "prompt_cache_key" if !is_null(member.value) => self.spans.prompt.key = member.value_at(),
            _ => {}
        }
    }

    fn read(
        &mut self,
        dialect: Dialect,
        before: Option<usize>,
        member: &Member<'a, str>,
    ) -> Result<(), Fault> {
        let value = member.value;
        let chat = dialect == Dialect::OpenaiChat;
        let responses = dialect == Dialect::OpenaiResponses;
        match &*member.key {
            "model" => {
                self.model = text_of("model", value)?;
                self.spans.model = member.value_at();
            }
            "stream" if dialect != Dialect::OpenaiEmbeddings => {
                self.stream = flag_of("stream", value)?;
            }
            "stream_options" if chat => self.stream_options(member)?,
            "max_tokens" if !responses => self.max_tokens = count_of("max_tokens", value)?,
            "max_completion_tokens" if chat => {
                self.max_completion_tokens = count_of("max_completion_tokens", value)?;
            }
            "user" if dialect != Dialect::AnthropicMessages => self.user = text_of("user", value)?,
            "metadata" => self.metadata(dialect, before, member)?,
            "messages" if dialect != Dialect::OpenaiEmbeddings && !responses => {
                self.has_turns = array_of("messages", value)?;
                self.spans.prompt.turns = member.value_at();
            }
            "input" if responses && is_null(value) => {}
            "input" if responses || dialect == Dialect::OpenaiEmbeddings => {
                self.spans.input = match value.as_bytes().first() {
                    Some(b'"') if responses => Input::Text(member.value_at()),
                    Some(b'[') if responses => Input::Items(member.value_at()),
                    Some(b'"' | b'[') => Input::Not,
                    _ => return Err(wrong_type("input", "a string or an array", value)),
                };
                if responses {
                    self.spans.prompt.turns = member.value_at();
                }
                self.has_turns = true;
            }
            "max_output_tokens" => self.max_tokens = count_of("max_output_tokens", value)?,
            "safety_identifier" => self.identifier = text_of("safety_identifier", value)?,
            "store" if !is_null(value) => self.store = Some(flag_of("store", value)?),
            "previous_response_id" => {
                self.previous_response_id = text_of("previous_response_id", value)?;
                self.spans.previous = self.previous_response_id.is_some().then(|| member.value_at());
                self.has_turns |= self.previous_response_id.is_some();
            }
            // Turns that lie with the provider.
            "prompt" | "conversation" => self.has_turns |= !is_null(value),
            _ => {}
        }
        Ok(())
    }

    fn stream_options(&mut self, member: &Member<'a, str>) -> Result<(), Fault> {
        const ON: &str = r#"{"include_usage":true}"#;
        let at = member.value_at();
        if is_null(member.value) {
            self.spans.usage = Some((at, ON));
            return Ok(());
        }
        if !member.value.starts_with('{') {
            return Err(wrong_type("stream_options", "an object", member.value));
        }
        let inside = at.start + 1;
        self.spans.usage = Some((inside..inside, r#""include_usage":true"#));
        let mut seen = false;
        look(member.value, |inner| {
            if inner.key != "include_usage" {
                if !seen {
                    self.spans.usage = Some((inside..inside, r#""include_usage":true,"#));
                }
                return Ok(());
            }
            if std::mem::replace(&mut seen, true) {
                let name = "stream_options.include_usage";
                return Err(bad_field(name, format!("`{name}` stands twice in the request")));
            }
            self.include_usage = flag_of("stream_options.include_usage", inner.value)?;
            let here = inner.value_at();
            let here = at.start + here.start..at.start + here.end;
            self.spans.usage = (!self.include_usage).then_some((here, "true"));
            Ok(())
        })
    }

    fn metadata(
        &mut self,
        dialect: Dialect,
        before: Option<usize>,
        member: &Member<'a, str>,
    ) -> Result<(), Fault> {
        let raw = member.value;
        if !raw.starts_with('{') {
            return Ok(());
        }
        let base = member.value_at().start;
        let (mut count, mut before_inner, mut removal) = (0_u32, None::<usize>, None::<Range<usize>>);
        let (mut first_goes, mut user_seen) = (false, false);
        look(raw, |inner| {
            count += 1;
            let at = base + inner.at.start..base + inner.at.end;
            if std::mem::take(&mut first_goes) {
                removal = removal.take().map(|span| span.start..at.start);
            }
            let previous = before_inner.replace(at.end);
            if inner.key == "windlass" {
                let value = serde_json::from_str::<&RawValue>(inner.value);
                let value = value.map_err(|error| crate::object::broken(&error))?;
                if self.windlass.replace(value).is_some() {
                    let name = "metadata.windlass";
                    return Err(bad_field(name, format!("`{name}` stands twice in the request")));
                }
                first_goes = previous.is_none();
                removal = Some(previous.unwrap_or(at.start)..at.end);
            } else if inner.key == "user_id" && dialect == Dialect::AnthropicMessages {
                if std::mem::replace(&mut user_seen, true) {
                    let name = "metadata.user_id";
                    return Err(bad_field(name, format!("`{name}` stands twice in the request")));
                }
                self.user = text_of("metadata.user_id", inner.value)?;
            }
            Ok(())
        })?;
        if removal.is_some() && count == 1 {
            // Nothing else in it: the whole member goes, since some servers do not know `metadata`.
            self.removes_first = before.is_none();
            removal = Some(before.unwrap_or(member.at.start)..member.at.end);
        }
        self.spans.windlass = removal;
        Ok(())
    }

    fn finish(mut self, dialect: Dialect, text: &str) -> Result<Peek<'a>, Fault> {
        let Some(model) = self.model.filter(|model| !model.is_empty()) else {
            return Err(bad_field("model", "`model` is missing: name the model that is to answer"));
        };
        if !self.has_turns {
            let by_input = matches!(dialect, Dialect::OpenaiEmbeddings | Dialect::OpenaiResponses);
            let name = if by_input { "input" } else { "messages" };
            return Err(bad_field(name, format!("`{name}` is missing")));
        }
        if dialect == Dialect::AnthropicMessages && self.max_tokens.is_none() {
            return Err(bad_field("max_tokens", "`max_tokens` is missing: Anthropic's dialect asks for it"));
        }
        if dialect == Dialect::OpenaiChat && !self.seen[2] {
            let end = self.before.unwrap_or_default();
            self.spans.usage = Some((end..end, r#","stream_options":{"include_usage":true}"#));
        }
        if dialect == Dialect::OpenaiResponses && self.spans.input == Input::Not {
            self.spans.input = Input::Missing(self.before.unwrap_or_default());
        }
        self.spans.body = text.len();
        Ok(Peek {
            model,
            stream: self.stream,
            include_usage: self.include_usage,
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            user: self.user.or(self.identifier),
            previous_response_id: self.previous_response_id,
            store: self.store,
            windlass: self.windlass,
            spans: self.spans,
        })
    }
}

fn bad_field(param: &str, message: impl Into<String>) -> Fault {
    Fault::invalid(Code::BadField, param, message)
}

fn wrong_type(param: &str, wanted: &str, value: &str) -> Fault {
    bad_field(param, format!("`{param}` must be {wanted}, not {}", kind_of_text(value)))
}

fn is_null(value: &str) -> bool {
    value == "null"
}

fn text_of<'a>(param: &str, value: &'a str) -> Result<Option<Cow<'a, str>>, Fault> {
    if is_null(value) {
        return Ok(None);
    }
    let Some(inside) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(wrong_type(param, "a string", value));
    };
    if !inside.contains('\\') {
        return Ok(Some(Cow::Borrowed(inside)));
    }
    let owned = serde_json::from_str::<String>(value);
    owned
        .map(|text| Some(Cow::Owned(text)))
        .map_err(|_| bad_field(param, format!("`{param}` has an escape that is not a Unicode character")))
}

fn flag_of(param: &str, value: &str) -> Result<bool, Fault> {
    match value {
        "true" => Ok(true),
        "false" | "null" => Ok(false),
        _ => Err(wrong_type(param, "true or false", value)),
    }
}

fn array_of(param: &str, value: &str) -> Result<bool, Fault> {
    if value.starts_with('[') { Ok(true) } else { Err(wrong_type(param, "an array", value)) }
}

/// A number of tokens. `100.0` is 100, as it is to the servers that read JSON numbers as floats.
fn count_of(param: &str, value: &str) -> Result<Option<u64>, Fault> {
    if is_null(value) {
        return Ok(None);
    }
    let whole = value
        .split_once('.')
        .map_or(value, |(whole, rest)| if rest.bytes().all(|digit| digit == b'0') { whole } else { value });
    match whole.parse::<u64>() {
        Ok(count) => Ok(Some(count)),
        Err(_) => Err(bad_field(param, format!("`{param}` must be a whole number of tokens, at least 0"))),
    }
}
