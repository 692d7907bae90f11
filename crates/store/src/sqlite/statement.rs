//! The text of what the journal's queue writes: one statement, or several in one message to the connection's thread.

use std::ops::Range;

/// Who begins and commits the transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bounds {
    /// The text itself.
    Own,
    /// Whoever sends it.
    Given,
}

/// What there is to write of a claim.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parts {
    /// A run, with its first events and its end where there are any.
    Run,
    Events,
    End,
    EventsAndEnd,
    Nothing,
}

/// The number of a run's next event.
pub(super) const NEXT: &str = "SELECT COALESCE((SELECT seq + count FROM events WHERE events.run = runs.run \
     ORDER BY seq DESC LIMIT 1), firsts) FROM runs WHERE run = ?";

/// The statements for these parts, and which of their results must each tell of one row. The arguments have the
/// same numbers in all of them: 1 run, 2 epoch, 3 to 5 the events, 6 to 9 the end, 10 to 18 the creation.
///
/// A statement alone is a transaction of its own, so it needs no other two around it.
pub(super) const fn text(parts: Parts, bounds: Bounds) -> Option<(&'static str, Range<usize>)> {
    macro_rules! create {
        () => {
            "INSERT INTO runs (run, epoch, firsts, first, status, result, ended, \
             chain, source, inputs, trace, caller, tenant, at, owner, until) \
             VALUES (?1, ?2, ?4, ?5, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
        };
    }
    macro_rules! append {
        () => {
            "INSERT INTO events (run, seq, count, body) SELECT run, ?3, ?4, ?5 FROM runs \
             WHERE run = ?1 AND epoch = ?2 AND owner IS NOT NULL AND ?3 = COALESCE((SELECT seq + count FROM events \
             WHERE run = ?1 ORDER BY seq DESC LIMIT 1), firsts)"
        };
    }
    macro_rules! finish {
        () => {
            "UPDATE runs SET status = ?7, result = ?8, ended = ?9, owner = NULL, until = NULL \
             WHERE run = ?1 AND epoch = ?2 AND owner IS NOT NULL AND ?6 = COALESCE((SELECT seq + count FROM events \
             WHERE run = ?1 ORDER BY seq DESC LIMIT 1), firsts)"
        };
    }
    Some(match (parts, bounds) {
        (Parts::Run, _) => (create!(), 0..1),
        (Parts::Events, _) => (append!(), 0..1),
        (Parts::End, _) => (finish!(), 0..1),
        (Parts::EventsAndEnd, Bounds::Given) => (concat!(append!(), ";", finish!()), 0..2),
        (Parts::EventsAndEnd, Bounds::Own) => {
            (concat!("BEGIN IMMEDIATE;", append!(), ";", finish!(), ";COMMIT"), 1..3)
        }
        (Parts::Nothing, _) => return None,
    })
}
