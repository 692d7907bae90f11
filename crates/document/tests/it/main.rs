//! What the tree, the readers and the diagnostics promise.

mod bounds;
mod reading;
mod tree;

use document::{Node, Source, parse};

/// The tree of a text that must parse.
fn tree(text: &str) -> Node {
    parse(&Source { name: "test.yaml", text }, "WL0000").unwrap_or_else(|report| panic!("{report}"))
}

/// The report on a text that must not parse.
fn refused(text: &str) -> String {
    parse(&Source { name: "test.yaml", text }, "WL0000").unwrap_err().to_string()
}
