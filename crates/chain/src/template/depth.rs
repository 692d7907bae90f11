//! Keeps templates shallow. The parser, the compiler and our own walks are recursive, and a chain such as
//! `a ~ a ~ a …` is as deep as it is long; so depth is bounded by counting tokens, before anything recurses.
//! The tokens are the parser's own, so there is nothing to hide from one and show to the other.

use minijinja::machinery::{Span, Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::TemplateError;

/// Most operators, brackets and the like between `{{` and `}}` or `{%` and `%}`.
const MAX_OPERATORS: usize = 250;
/// Most statements that open something: `if`, `elif`, `for`, `with` and those that are refused later.
const MAX_OPENED: usize = 200;

/// What is too deep about a template, if something is.
pub(super) fn check(source: &str) -> Option<TemplateError> {
    let (mut operators, mut opened, mut first) = (0, 0, false);
    for token in tokenize(source, false, SyntaxConfig::default()) {
        // What does not even split into tokens is the parser's to report.
        let (token, span) = token.ok()?;
        match token {
            Token::TemplateData(_) => {}
            Token::VariableStart | Token::BlockStart => operators = 0,
            Token::Ident(word) if first && !word.starts_with("end") && word != "set" => opened += 1,
            Token::Ident(word) if !matches!(word, "not" | "and" | "or" | "if" | "else" | "is" | "in") => {}
            Token::Comma | Token::Colon | Token::Str(_) | Token::String(_) => {}
            Token::Int(_) | Token::Int128(_) | Token::Float(_) => {}
            _ => operators += 1,
        }
        first = matches!(token, Token::BlockStart);
        if operators > MAX_OPERATORS {
            return Some(too_much(span, format!("more than {MAX_OPERATORS} operators in one expression")));
        }
        if opened > MAX_OPENED {
            return Some(too_much(span, format!("more than {MAX_OPENED} statements in one template")));
        }
    }
    None
}

fn too_much(span: Span, message: String) -> TemplateError {
    let at = usize::try_from(span.start_offset).unwrap_or(usize::MAX);
    TemplateError { message, range: Some(at..at), line: Some(span.start_line.into()) }
}
