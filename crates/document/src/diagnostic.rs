//! What is wrong with a text, where, and what to do about it; collected, not thrown one by one.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::Serialize;

use crate::{Source, Span};

/// More problems than this are counted, not kept.
const MOST: usize = 100;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The text cannot be used.
    Error,
    /// The text can be used; this part of it does nothing, or soon will not.
    Warning,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Which field: `routes.assistant.retry`; empty for the text as a whole.
    pub path: String,
    /// Where, if it has a place.
    #[serde(flatten)]
    pub span: Option<Span>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The code with a page in the book: `WL6001`.
    pub code: &'static str,
    /// The line with carets below it; filled in by [`Problems`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

impl Diagnostic {
    /// An error; refine it with the `with_…` methods.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            severity: Severity::Error,
            path: String::new(),
            span: None,
            message,
            help: None,
            code,
            excerpt: None,
        }
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Says where.
    #[must_use]
    pub const fn with_span(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// Says which field.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Collects the problems of one text, so that all are told at once. Shared by all readers of the text.
#[derive(Debug)]
pub struct Problems<'s> {
    source: Source<'s>,
    code: &'static str,
    kept: RefCell<Vec<Diagnostic>>,
    errors: Cell<usize>,
    beyond: Cell<usize>,
}

impl<'s> Problems<'s> {
    /// No problems yet. `code` is what errors without a code of their own get.
    pub const fn new(source: Source<'s>, code: &'static str) -> Self {
        let kept = RefCell::new(Vec::new());
        Self { source, code, kept, errors: Cell::new(0), beyond: Cell::new(0) }
    }

    /// The text.
    pub const fn source(&self) -> &Source<'s> {
        &self.source
    }

    /// The code of errors without one of their own.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Notes a problem.
    pub fn add(&self, mut diagnostic: Diagnostic) {
        if diagnostic.severity == Severity::Error {
            self.errors.set(self.errors.get() + 1);
        }
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= MOST {
            self.beyond.set(self.beyond.get() + 1);
            return;
        }
        // A thing that was built, not read, has no place.
        diagnostic.span = diagnostic.span.filter(|span| span.line > 0);
        diagnostic.excerpt = diagnostic.span.map(|span| self.source.excerpt(span));
        kept.push(diagnostic);
    }

    /// Notes an error at a place.
    pub fn error(&self, path: &str, span: Span, message: impl Into<String>) {
        self.add(Diagnostic::error(self.code, message).with_path(path).with_span(span));
    }

    /// How many errors there are so far.
    pub const fn errors(&self) -> usize {
        self.errors.get()
    }

    /// Everything noted, by place.
    pub fn into_report(self) -> Report {
        let mut problems = self.kept.into_inner();
        problems.sort_by_key(|problem| problem.span.map_or((0, 0), |span| (span.line, span.column)));
        let file = self.source.name.to_owned();
        Report { file, problems, errors: self.errors.get(), not_shown: self.beyond.get() }
    }

    /// `value` if there were no errors (warnings are dropped: ask [`Self::into_report`] for them).
    pub fn into_result<T>(self, value: T) -> Result<T, Report> {
        if self.errors() == 0 { Ok(value) } else { Err(self.into_report()) }
    }
}

/// All problems of one text, by place. `Display` shows each as `file:LINE:COLUMN: error: message` with an
/// excerpt and a help line (with the path where there is no place); as JSON it is an object with `file` and `problems`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The text's name.
    pub file: String,
    /// The problems, by place; at most a hundred.
    pub problems: Vec<Diagnostic>,
    /// How many errors there are, shown or not.
    pub errors: usize,
    /// How many problems there are beyond those in `problems`.
    pub not_shown: usize,
}

impl Report {
    /// A report of one problem without an excerpt.
    pub fn of(source: &Source<'_>, diagnostic: Diagnostic) -> Self {
        let problems = Problems::new(*source, diagnostic.code);
        problems.add(diagnostic);
        problems.into_report()
    }

    /// With what another look at the same text has found.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.problems.extend(other.problems);
        self.problems.sort_by_key(|problem| problem.span.map_or((0, 0), |span| (span.line, span.column)));
        self.errors += other.errors;
        self.not_shown += other.not_shown + self.problems.len().saturating_sub(MOST);
        self.problems.truncate(MOST);
        self
    }

    /// The first error, or the first problem if none is an error.
    pub fn first(&self) -> Option<&Diagnostic> {
        let error = self.problems.iter().find(|problem| problem.severity == Severity::Error);
        error.or_else(|| self.problems.first())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.file)?;
            if let Some(span) = problem.span {
                write!(f, ":{}:{}", span.line, span.column)?;
            } else if !problem.path.is_empty() {
                write!(f, ": {}", problem.path)?;
            }
            let severity = match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            writeln!(f, ": {severity}: {} ({})", problem.message, problem.code)?;
            f.write_str(problem.excerpt.as_deref().unwrap_or(""))?;
            if let Some(help) = &problem.help {
                writeln!(f, "  help: {help}")?;
            }
        }
        if self.not_shown > 0 {
            writeln!(f, "\n… and {} more", self.not_shown)?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
