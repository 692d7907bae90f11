//! Every expression and statement of a template, once. The one place that knows the parser's tree by heart.

use minijinja::machinery::ast::{CallArg, Expr, Stmt};

/// The expressions right inside an expression.
pub(super) fn children<'e, 'a>(expr: &'e Expr<'a>) -> Vec<&'e Expr<'a>> {
    match expr {
        Expr::Var(_) | Expr::Const(_) => Vec::new(),
        Expr::Slice(slice) => {
            let bounds = [&slice.start, &slice.stop, &slice.step];
            std::iter::once(&slice.expr).chain(bounds.into_iter().flatten()).collect()
        }
        Expr::UnaryOp(op) => vec![&op.expr],
        Expr::BinOp(op) => vec![&op.left, &op.right],
        Expr::Compare(compare) => {
            std::iter::once(&compare.expr).chain(compare.ops.iter().map(|op| &op.expr)).collect()
        }
        Expr::IfExpr(cond) => {
            [&cond.test_expr, &cond.true_expr].into_iter().chain(cond.false_expr.as_ref()).collect()
        }
        Expr::Filter(filter) => filter.expr.iter().chain(filter.args.iter().map(argument)).collect(),
        Expr::Test(test) => std::iter::once(&test.expr).chain(test.args.iter().map(argument)).collect(),
        Expr::GetAttr(attr) => vec![&attr.expr],
        Expr::GetItem(item) => vec![&item.expr, &item.subscript_expr],
        Expr::Call(call) => std::iter::once(&call.expr).chain(call.args.iter().map(argument)).collect(),
        Expr::List(list) => list.items.iter().collect(),
        Expr::Tuple(tuple) => tuple.items.iter().collect(),
        Expr::Map(map) => map.keys.iter().chain(&map.values).collect(),
    }
}

pub(super) fn argument<'e, 'a>(argument: &'e CallArg<'a>) -> &'e Expr<'a> {
    match argument {
        CallArg::Pos(expr)
        | CallArg::Kwarg(_, expr)
        | CallArg::PosSplat(expr)
        | CallArg::KwargSplat(expr) => expr,
    }
}

/// The names that an assignment's target binds.
pub(super) fn targets<'a>(expr: &Expr<'a>, names: &mut Vec<&'a str>) {
    match expr {
        Expr::Var(var) => names.push(var.id),
        Expr::List(list) => list.items.iter().for_each(|item| targets(item, names)),
        Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| targets(item, names)),
        _ => {}
    }
}

/// A statement that the language of chains leaves out, by its word.
pub(super) fn left_out(stmt: &Stmt<'_>) -> Option<(&'static str, minijinja::machinery::Span)> {
    Some(match stmt {
        Stmt::SetBlock(stmt) => ("a set block", stmt.span()),
        Stmt::AutoEscape(stmt) => ("autoescape", stmt.span()),
        Stmt::FilterBlock(stmt) => ("a filter block", stmt.span()),
        Stmt::Block(stmt) => ("block", stmt.span()),
        Stmt::Import(stmt) => ("import", stmt.span()),
        Stmt::FromImport(stmt) => ("import", stmt.span()),
        Stmt::Extends(stmt) => ("extends", stmt.span()),
        Stmt::Include(stmt) => ("include", stmt.span()),
        Stmt::Macro(stmt) => ("macro", stmt.span()),
        Stmt::CallBlock(stmt) => ("call", stmt.span()),
        Stmt::Do(stmt) => ("do", stmt.span()),
        Stmt::ForLoop(stmt) if stmt.recursive => ("a recursive loop", stmt.span()),
        _ => return None,
    })
}
