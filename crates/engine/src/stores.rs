//! Where an engine keeps things: the ledger, the journal, kept answers. Opens what the configuration names, or takes
//! what an embedding program (or a simulation) brings.

use std::sync::Arc;

use config::Database;
use store::drain::DrainOptions;
use store::sqlite::SqliteOptions;
use store::{Journal, Ledger, Memory, Responses, Sqlite};

/// Where an engine keeps what must outlive a call; the spool stands before the ledger.
pub struct Stores {
    /// Takes the rows of attempts from the spool.
    pub ledger: Arc<dyn Ledger>,
    /// The journals of runs.
    pub journal: Arc<dyn Journal>,
    /// Answers that a caller may go on from.
    pub responses: Arc<dyn Responses>,
    /// How rows get from the spool to the ledger.
    pub drain: DrainOptions,
    /// Closed once the engine has stopped.
    pub database: Option<Sqlite>,
}

impl Stores {
    /// Those that the configuration names.
    pub(crate) async fn open(database: &Database) -> Result<Self, store::StoreError> {
        let (database, journal): (_, Arc<dyn Journal>) = match database {
            Database::Sqlite(path) => {
                let database = Sqlite::open(path, &SqliteOptions::default()).await?;
                (database.clone(), Arc::new(database))
            }
            Database::Memory => (Sqlite::in_memory().await?, Arc::new(Memory::default())),
        };
        Ok(Self {
            ledger: Arc::new(database.clone()),
            responses: Arc::new(database.clone()),
            journal,
            drain: DrainOptions::default(),
            database: Some(database),
        })
    }
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").field("drain", &self.drain).finish_non_exhaustive()
    }
}
