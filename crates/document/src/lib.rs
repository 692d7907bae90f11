//! YAML as a tree with places, and diagnostics with excerpt and did-you-mean. Pure.
//!
//! For `chain` and `config`, which give the tree its meaning; no rule of either lives here. The way in:
//! [`parse`] a [`Source`] into [`Node`]s, [`interpolate`] the environment into them (configuration only:
//! a chain may come from a stranger), read them with a [`Reader`], which notes every problem in
//! [`Problems`] and goes on, and hand back the [`Report`] if there is one.
//!
//! ```
//! use document::{Problems, Reader, Source, parse};
//!
//! let source = Source { name: "pump.yaml", text: "speed: 12\nmodle: big\n" };
//! let root = parse(&source, "WL6001")?;
//! let problems = Problems::new(source, "WL6001");
//! if let Some(mut map) = Reader::new(&problems, &root).map() {
//!     assert_eq!(map.optional("speed", |r| r.integer(1..=100_u8)), Some(12));
//!     map.optional("model", Reader::text);
//!     map.finish();
//! }
//! let report = problems.into_result(()).unwrap_err();
//! assert!(report.to_string().contains("pump.yaml:2:1: error: unknown field `modle`"));
//! assert!(report.to_string().contains("did you mean `model`?"));
//! # Ok::<(), document::Report>(())
//! ```

mod diagnostic;
mod interpolate;
mod leaf;
mod node;
mod parse;
mod reader;
mod scalar;
mod source;
mod suggest;
mod unit;

pub use diagnostic::{Diagnostic, Problems, Report, Severity};
pub use interpolate::interpolate;
pub use node::{Entry, Node, Value};
pub use parse::{Broken, MAX_BYTES, MAX_DEPTH, MAX_NODES, parse, parse_what_there_is};
pub use reader::{MapReader, Reader};
pub use source::{Source, Span};
pub use suggest::closest;
pub use unit::{parse_duration, parse_size};
