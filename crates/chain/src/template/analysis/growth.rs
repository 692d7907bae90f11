//! How much larger than its inputs a value in a template can become, as a factor, found without running it.
//!
//! Fuel does not see this: `{% set a = a ~ a %}` forty times over is eighty instructions and a terabyte. So
//! every expression gets a gain: a variable of the run counts 1, what `~`, lists and growing filters put
//! together counts as their sum, a text in the template as its 4 KiB share, and a variable that the template
//! sets as what it is set to. Where a variable feeds itself, the gain grows until it is refused; one that
//! grows by a short text only is let through, because fuel bounds how often. (What a loop *writes* is bounded
//! by the writer.)

use std::collections::HashMap;

use minijinja::machinery::ast::{BinOpKind, Expr, Stmt};

use super::super::TemplateError;
use super::super::walk::{children, targets};

/// Greatest gain of any value.
const MOST: f64 = 32.0;
/// The literal text that counts as much as a variable, in bytes.
const UNIT: f64 = 4096.0;
/// Most variables that a template may set.
const MAX_BINDINGS: usize = 256;
/// Rounds after which a gain that still grows has grown by less than `MOST / ROUNDS` each time.
const ROUNDS: usize = 400;

/// Refuses templates that could make values of unbounded size.
pub(super) fn check(statements: &[Stmt<'_>], problems: &mut Vec<TemplateError>) {
    let mut found = Found::default();
    collect(statements, &mut found);
    if let Some((_, expr)) = found.bindings.get(MAX_BINDINGS) {
        return refuse(expr, format!("a template may set {MAX_BINDINGS} variables at most"), problems);
    }
    let mut gains: HashMap<&str, f64> = found.bindings.iter().map(|(name, _)| (*name, 1.0)).collect();
    for _ in 0..ROUNDS {
        let mut changed = false;
        for (name, expr) in &found.bindings {
            let gain = gain(expr, &gains);
            if let Some(known) = gains.get_mut(name).filter(|known| gain > **known) {
                *known = gain;
                changed = true;
            }
            if gain > MOST {
                return refuse(expr, too_large(), problems);
            }
        }
        if !changed {
            break;
        }
    }
    if let Some(expr) = found.values.into_iter().find(|expr| gain(expr, &gains) > MOST) {
        refuse(expr, too_large(), problems);
    }
}

fn too_large() -> String {
    format!("this value could become more than {MOST} times as large as the inputs")
}

fn refuse(expr: &Expr<'_>, message: String, problems: &mut Vec<TemplateError>) {
    let span = expr.span();
    problems.push(TemplateError {
        message,
        range: Some(super::range(span)),
        line: Some(span.start_line.into()),
    });
}

#[derive(Default)]
struct Found<'e, 'a> {
    /// Names and what they are bound to, wherever that is.
    bindings: Vec<(&'a str, &'e Expr<'a>)>,
    /// All other expressions.
    values: Vec<&'e Expr<'a>>,
}

impl<'e, 'a> Found<'e, 'a> {
    fn bind(&mut self, target: &Expr<'a>, expr: &'e Expr<'a>) {
        let mut names = Vec::new();
        targets(target, &mut names);
        self.bindings.extend(names.into_iter().map(|name| (name, expr)));
    }
}

fn collect<'e, 'a>(statements: &'e [Stmt<'a>], found: &mut Found<'e, 'a>) {
    for statement in statements {
        match statement {
            Stmt::EmitExpr(emit) => found.values.push(&emit.expr),
            Stmt::ForLoop(stmt) => {
                found.bind(&stmt.target, &stmt.iter);
                found.values.extend(stmt.filter_expr.iter());
                collect(&stmt.body, found);
                collect(&stmt.else_body, found);
            }
            Stmt::IfCond(stmt) => {
                found.values.push(&stmt.expr);
                collect(&stmt.true_body, found);
                collect(&stmt.false_body, found);
            }
            Stmt::WithBlock(stmt) => {
                stmt.assignments.iter().for_each(|(target, expr)| found.bind(target, expr));
                collect(&stmt.body, found);
            }
            Stmt::Set(stmt) => found.bind(&stmt.target, &stmt.expr),
            _ => {}
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of a few KiB")]
fn gain(expr: &Expr<'_>, gains: &HashMap<&str, f64>) -> f64 {
    let inside = children(expr).into_iter().map(|child| gain(child, gains));
    match expr {
        Expr::Var(var) => gains.get(var.id).copied().unwrap_or(1.0),
        Expr::Const(text) => text.value.as_str().map_or(0.0, |text| text.len() as f64 / UNIT),
        Expr::BinOp(op) if !matches!(op.op, BinOpKind::Concat | BinOpKind::Add) => inside.fold(0.0, f64::max),
        Expr::BinOp(_) | Expr::Filter(_) | Expr::Call(_) | Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => {
            inside.sum()
        }
        Expr::Slice(_)
        | Expr::UnaryOp(_)
        | Expr::Compare(_)
        | Expr::IfExpr(_)
        | Expr::Test(_)
        | Expr::GetAttr(_)
        | Expr::GetItem(_) => inside.fold(0.0, f64::max),
    }
}
