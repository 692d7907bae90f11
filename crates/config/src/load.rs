//! The way in: a text, the environment and flags become a checked configuration, or a report of all that is
//! wrong with them. No file is opened and no network is asked: what this accepts, the process starts with.

use document::{Problems, Reader, Report, Source, interpolate};

use crate::overrides::Overrides;
use crate::variables::Shielded;
use crate::{Config, around, hide, read};

/// The code that configuration errors have: [`types::Code::BadConfig`].
const CODE: &str = types::Code::BadConfig.as_str();

/// Reads a configuration.
///
/// `environment` answers for `${NAME}`; `overrides` is what stands above the file: `WINDLASS__…` variables
/// and flags. The error is the report of all problems.
pub fn load(
    source: Source<'_>,
    environment: &dyn Fn(&str) -> Option<String>,
    overrides: &Overrides,
) -> Result<Config, Report> {
    let (config, report) = examine(source, environment, overrides);
    config.ok_or(report)
}

/// As [`load`], with the report also where all is well: it may have warnings.
pub fn examine(
    source: Source<'_>,
    environment: &dyn Fn(&str) -> Option<String>,
    overrides: &Overrides,
) -> (Option<Config>, Report) {
    let shielded = Shielded::new(source.text);
    let (mut root, broken, to_the_end) = match around::parse(&Source { text: &shielded.text, ..source }, CODE)
    {
        Ok(root) => (root, None, true),
        Err(mut broken) => {
            shielded.restore_report(&mut broken.report);
            hide::secrets_in_excerpts(&mut broken.report);
            let Some(rest) = broken.rest else { return (None, broken.report) };
            (rest, Some(broken.report), broken.to_the_end)
        }
    };
    shielded.restore(&mut root);
    let problems = Problems::new(source, CODE);
    interpolate(&mut root, environment, &problems);
    overrides.apply(&mut root, &problems);
    let config = read::config(Some(Reader::new(&problems, &root)), to_the_end);
    let good = problems.errors() == 0 && broken.is_none();
    let mut report = problems.into_report();
    overrides.name_origins(&mut report);
    if let Some(broken) = broken {
        report = broken.and(report);
    }
    hide::secrets_of(&root, &mut report);
    (good.then_some(config), report)
}

impl Config {
    /// What holds on a machine without a configuration: `127.0.0.1:8080`, the `local` provider, anybody on
    /// this machine may call.
    pub fn default_for_machine() -> Self {
        read::config(None, true)
    }
}
