//! What a template needs, found without running it: steps, outputs, variables; and what it must not do.

mod growth;

use std::collections::HashSet;
use std::ops::Range;

use minijinja::machinery::ast::{Expr, Stmt, UnaryOpKind};
use minijinja::machinery::{Span, parse};
use minijinja::syntax::SyntaxConfig;

use super::walk::{argument, children, left_out, targets};
use super::{MAX_TEMPLATE, TemplateError, depth, filters};

/// What a template refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `steps.NAME`
    Step(String),
    /// `steps` as a whole.
    AllSteps,
    /// `output[N]`
    Output(i64),
    /// `output` as a whole, or a part that only running would tell.
    AllOutputs,
    /// A variable; optional where the template asks whether it is there, has a default for it, or stands
    /// inside an `if` that asked.
    Variable { name: String, optional: bool },
}

/// A target and where in the template it is named, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) target: Target,
    pub(crate) range: Range<usize>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Analysis {
    pub(crate) references: Vec<Reference>,
    pub(crate) problems: Vec<TemplateError>,
    /// The expression, if the template is nothing but `{{ expression }}`.
    pub(crate) expression: Option<String>,
}

/// Reads a template.
pub(crate) fn analyse(source: &str) -> Analysis {
    let mut found = Finder { analysis: Analysis::default(), scopes: vec![HashSet::new()], asked: Vec::new() };
    if source.len() > MAX_TEMPLATE {
        let message = format!("the template has more than {} KiB", MAX_TEMPLATE >> 10);
        found.analysis.problems.push(TemplateError { message, range: None, line: None });
        return found.analysis;
    }
    if let Some(problem) = depth::check(source) {
        found.analysis.problems.push(problem);
        return found.analysis;
    }
    match parse(source, "template", SyntaxConfig::default()) {
        Ok(root) => {
            let Stmt::Template(template) = &root else { return found.analysis };
            found.body(&template.children);
            growth::check(&template.children, &mut found.analysis.problems);
            if let [Stmt::EmitExpr(emit)] = template.children.as_slice() {
                let inside = source.trim().strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
                let inside = inside.map(|text| text.trim_matches('-').trim().to_owned());
                found.analysis.expression = inside.filter(|_| !matches!(emit.expr, Expr::Const(_)));
            }
        }
        Err(error) => found.analysis.problems.push(super::explain(&error)),
    }
    found.analysis
}

struct Finder<'a> {
    analysis: Analysis,
    /// Names that the template has set, by scope.
    scopes: Vec<HashSet<&'a str>>,
    /// Variables that the conditions around have asked for.
    asked: Vec<String>,
}

impl<'a> Finder<'a> {
    fn body(&mut self, statements: &[Stmt<'a>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt<'a>) {
        if let Some((word, span)) = left_out(statement) {
            self.problem(span, format!("{word} is not part of the language of chains"));
            return;
        }
        match statement {
            Stmt::Template(template) => self.body(&template.children),
            Stmt::EmitExpr(emit) => self.expr(&emit.expr, false),
            Stmt::ForLoop(stmt) => {
                self.expr(&stmt.iter, false);
                self.scopes.push(HashSet::from(["loop"]));
                self.bind(&stmt.target);
                stmt.filter_expr.iter().for_each(|expr| self.expr(expr, false));
                self.body(&stmt.body);
                self.scopes.pop();
                self.body(&stmt.else_body);
            }
            Stmt::IfCond(stmt) => {
                let before = self.ask(&stmt.expr);
                self.body(&stmt.true_body);
                self.body(&stmt.false_body);
                self.asked.truncate(before);
            }
            Stmt::WithBlock(stmt) => {
                self.scopes.push(HashSet::new());
                for (target, expr) in &stmt.assignments {
                    self.expr(expr, false);
                    self.bind(target);
                }
                self.body(&stmt.body);
                self.scopes.pop();
            }
            Stmt::Set(stmt) => {
                self.expr(&stmt.expr, false);
                self.bind(&stmt.target);
            }
            _ => {}
        }
    }

    fn bind(&mut self, target: &Expr<'a>) {
        let mut names = Vec::new();
        targets(target, &mut names);
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(names);
        }
    }

    /// Visits a condition; what it asks for is optional until `asked` is cut back to the length returned.
    fn ask(&mut self, condition: &Expr<'a>) -> usize {
        let (asked, known) = (self.asked.len(), self.analysis.references.len());
        self.expr(condition, true);
        for reference in self.analysis.references.get(known..).unwrap_or_default() {
            if let Target::Variable { name, optional: true } = &reference.target {
                self.asked.push(name.clone());
            }
        }
        asked
    }

    fn variable(&self, name: &str, optional: bool) -> Target {
        let optional = optional || self.asked.iter().any(|asked| asked == name);
        Target::Variable { name: name.to_owned(), optional }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.contains(name))
    }

    fn expr(&mut self, expr: &Expr<'a>, optional: bool) {
        if let Some(target) = self.special(expr, optional) {
            self.refer(target, expr.span());
            return;
        }
        match expr {
            Expr::Var(var) if !self.is_bound(var.id) => {
                let target = match var.id {
                    "steps" => Target::AllSteps,
                    "output" => Target::AllOutputs,
                    "inputs" => return,
                    name => self.variable(name, optional),
                };
                self.refer(target, var.span());
            }
            Expr::Filter(filter) => {
                self.known_filter(filter.name, filter.span());
                let first = filter.args.first().map(argument).and_then(Expr::as_const);
                if filter.name == "map" && !filter.args.is_empty() {
                    self.map_filter(first.as_ref().and_then(|name| name.as_str()), expr);
                }
                let default = matches!(filter.name, "default" | "d");
                filter.expr.iter().for_each(|expr| self.expr(expr, default));
                filter.args.iter().for_each(|arg| self.expr(argument(arg), false));
            }
            Expr::Test(test) => {
                if !filters::TESTS.contains(&test.name) {
                    self.unknown("test", test.name, &filters::TESTS, test.span());
                }
                self.expr(&test.expr, matches!(test.name, "defined" | "undefined"));
                test.args.iter().for_each(|arg| self.expr(argument(arg), false));
            }
            Expr::Call(call) => {
                match &call.expr {
                    Expr::Var(var) if var.id == "range" => {}
                    Expr::GetAttr(attr) if matches!(&attr.expr, Expr::Var(var) if var.id == "loop") => {}
                    _ => self.problem(call.span(), "the only function is range()".to_owned()),
                }
                call.args.iter().for_each(|arg| self.expr(argument(arg), false));
            }
            Expr::BinOp(op) => {
                use minijinja::machinery::ast::BinOpKind::{Mul, Pow, ScAnd, ScOr};
                if matches!(op.op, Mul | Pow) {
                    self.problem(op.span(), "`*` is not part of the language of chains".to_owned());
                }
                let optional = optional && matches!(op.op, ScAnd | ScOr);
                self.expr(&op.left, optional);
                self.expr(&op.right, optional);
            }
            Expr::IfExpr(cond) => {
                let before = self.ask(&cond.test_expr);
                self.expr(&cond.true_expr, false);
                cond.false_expr.iter().for_each(|expr| self.expr(expr, false));
                self.asked.truncate(before);
            }
            Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Not) => self.expr(&op.expr, optional),
            _ => children(expr).into_iter().for_each(|child| self.expr(child, false)),
        }
    }

    /// `steps.x`, `steps["x"]`, `output[-1]`, `inputs.x`.
    fn special(&self, expr: &Expr<'a>, optional: bool) -> Option<Target> {
        let (holder, key) = match expr {
            Expr::GetAttr(attr) => (&attr.expr, minijinja::Value::from(attr.name)),
            Expr::GetItem(item) => (&item.expr, item.subscript_expr.as_const()?),
            _ => return None,
        };
        let Expr::Var(holder) = holder else { return None };
        if self.is_bound(holder.id) {
            return None;
        }
        match holder.id {
            "steps" => Some(Target::Step(key.as_str()?.to_owned())),
            "output" => Some(Target::Output(key.as_i64()?)),
            "inputs" => Some(self.variable(key.as_str()?, optional)),
            _ => None,
        }
    }

    fn refer(&mut self, target: Target, span: Span) {
        self.analysis.references.push(Reference { target, range: range(span) });
    }

    fn problem(&mut self, span: Span, message: String) {
        let line = Some(usize::from(span.start_line));
        self.analysis.problems.push(TemplateError { message, range: Some(range(span)), line });
    }

    fn unknown(&mut self, what: &str, name: &str, known: &[&str], span: Span) {
        let closest = document::closest(name, known.iter().copied());
        let hint = closest.map(|best| format!("; did you mean `{best}`?")).unwrap_or_default();
        self.problem(span, format!("there is no {what} `{name}`{hint}"));
    }

    fn known_filter(&mut self, name: &str, span: Span) {
        if !filters::PLAIN.contains(&name) && !filters::GROWING.contains(&name) {
            let known = [filters::PLAIN.as_slice(), &filters::GROWING].concat();
            self.unknown("filter", name, &known, span);
        }
    }

    /// `map("filter")` may only call filters that do not grow; `map(attribute="name")` calls none.
    fn map_filter(&mut self, called: Option<&str>, expr: &Expr<'a>) {
        let Expr::Filter(map) = expr else { return };
        let by_attribute = map
            .args
            .iter()
            .any(|arg| matches!(arg, minijinja::machinery::ast::CallArg::Kwarg("attribute", _)));
        let spelled = called.is_some_and(|name| filters::PLAIN.contains(&name));
        if !by_attribute && !spelled {
            self.problem(map.span(), "`map` takes attribute=\"…\" or the name of a simple filter".to_owned());
        }
    }
}

fn range(span: Span) -> Range<usize> {
    let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
    at(span.start_offset)..at(span.end_offset)
}
