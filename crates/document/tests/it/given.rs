//! Texts given to the parser.

use document::{Node, Source, parse};

/// The tree of a text that must parse.
pub(crate) fn tree(text: &str) -> Node {
    parse(&Source { name: "test.yaml", text }, "WL0000").unwrap_or_else(|report| panic!("{report}"))
}

/// The report on a text that must not parse.
pub(crate) fn refused(text: &str) -> String {
    parse(&Source { name: "test.yaml", text }, "WL0000").unwrap_err().to_string()
}
