//! Windlass's chain engine in this process, through the library's front door. Leaves the cases and the other
//! side to `chains`.

use std::time::{Duration, Instant};

use ::windlass::Windlass;
use anyhow::{Result, ensure};

/// A provider that answers at once. `{database}` and `{spool}` are filled in.
const CONFIGURATION: &str = r#"version: 1
storage: { database: "{database}", spool: "{spool}" }
providers: { instant: { kind: simulated, models: { zero: { price: { input: 0.15, output: 0.60 } } } } }
"#;

/// Where a run's journal is kept, and the ledger after it: each event is there before it takes effect. The
/// others keep nothing at all, so the journal in memory is what is like them. In both, each step's ledger row
/// is on the local disk before the step has finished, as always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journal {
    Memory,
    Disk,
}

impl Journal {
    pub(crate) const ALL: [Self; 2] = [Self::Memory, Self::Disk];

    /// The name of the side that is measured with it.
    pub(crate) fn side(self) -> &'static str {
        match self {
            Self::Memory => "windlass_journal_in_memory",
            Self::Disk => "windlass_journal_on_disk",
        }
    }
}

/// Runs the chain `runs` times on one core's runtime and gives the wall time of the runs.
///
/// # Errors
/// When the engine does not start or a run fails.
pub(crate) fn run_chain(yaml: &str, runs: u32, journal: Journal) -> Result<Duration> {
    let directory = tempfile::tempdir()?;
    let database = match journal {
        Journal::Memory => "sqlite::memory:".to_owned(),
        Journal::Disk => format!("sqlite:{}", directory.path().join("windlass.db").display()),
    };
    let spool = directory.path().join("spool");
    let configuration =
        CONFIGURATION.replace("{database}", &database).replace("{spool}", &spool.display().to_string());
    // What the binary makes of one core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let windlass = Windlass::from_yaml(&configuration).await?;
        let chain = windlass.chain(yaml)?.var("topic", "tidal power");
        let begun = Instant::now();
        for _ in 0..runs {
            let run = chain.clone().run().await?;
            ensure!(run.result().outputs.values().all(|text| !text.is_null()), "a step gave no answer");
        }
        let wall = begun.elapsed();
        drop(chain);
        windlass.close().await;
        Ok(wall)
    })
}
