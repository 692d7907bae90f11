//! The journal's port: runs and the events that happened in them, in order.
//!
//! Generic over what an event is: anything that serde can make JSON of. Resuming a run is loading its events
//! and folding them, which is the chain engine's business. Times come in as arguments.
//!
//! **The rule of writing.** [`Journal::create`], [`Journal::append`] and [`Journal::finish`] take their write in
//! when they are *called*, in that order, and answer when it is *kept*: there after a kill of the process. So a
//! run need not wait for the database between two steps, many writes become one, and still what is kept of a
//! run is at any moment a beginning of what happened in it, without gaps. Who tells anybody of an event waits
//! for its answer first. Dropping the answer does not take the write back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::{RunId, Timestamp, TraceId};

use crate::{Answer, StoreError};

/// A place that keeps runs.
///
/// One process works on a run at a time: it holds a [`Claim`], and whoever's claim has been taken over
/// cannot write any more. Texts longer than 1 KB are stored once by their content, which callers do not see.
pub trait Journal: Send + Sync {
    /// Starts a run, claimed for `owner` until `lease` after the run's `at`. Its claim, [`Claim::first`], can be
    /// written with at once: the writes come after this one.
    ///
    /// # Errors
    /// [`StoreError::KnownRun`] if there is one with this id.
    fn create(&self, run: &NewRun, owner: &str, lease: Duration) -> Answer<'static, Claim>;

    /// Claims a run to go on with it. A run that failed or was cancelled is running again.
    ///
    /// # Errors
    /// [`StoreError::Claimed`] while another owner's lease lasts (unless seized), [`StoreError::Complete`],
    /// [`StoreError::UnknownRun`].
    fn claim<'a>(&'a self, wish: &'a Wish) -> Answer<'a, Claim>;

    /// Makes the claim last until `lease` after `now`.
    ///
    /// # Errors
    /// [`StoreError::ClaimLost`].
    fn renew<'a>(&'a self, claim: &'a Claim, now: Timestamp, lease: Duration) -> Answer<'a, ()>;

    /// Gives the claim up without finishing the run, so that another process need not wait for its lease.
    ///
    /// # Errors
    /// [`StoreError::ClaimLost`].
    fn release<'a>(&'a self, claim: &'a Claim) -> Answer<'a, ()>;

    /// Appends events, all or none; the first has the number `seq`. Events are numbered from 0.
    ///
    /// # Errors
    /// [`StoreError::OutOfStep`] if `seq` is not the number of events so far, [`StoreError::ClaimLost`].
    fn append(&self, claim: &Claim, seq: u64, events: Vec<Arc<dyn Entry>>) -> Answer<'static, ()>;

    /// Ends the run, which has `seq` events, and gives the claim up.
    ///
    /// # Errors
    /// [`StoreError::OutOfStep`] if `seq` is not the number of events, [`StoreError::ClaimLost`].
    fn finish(&self, claim: &Claim, seq: u64, ending: &Ending) -> Answer<'static, ()>;

    /// A run with all its events, in order.
    ///
    /// # Errors
    /// [`StoreError::UnknownRun`].
    fn load(&self, run: RunId) -> Answer<'_, Stored>;

    /// The runs that fit, the newest first.
    fn list<'a>(&'a self, filter: &'a RunFilter) -> Answer<'a, Vec<RunHead>>;
}

/// Something to be written down. Made JSON of only where that is needed.
pub trait Entry: fmt::Debug + Send + Sync {
    /// Adds it as JSON.
    ///
    /// # Errors
    /// If it has no JSON form (a map whose keys are not text).
    fn write_json(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error>;

    /// It as a JSON value.
    ///
    /// # Errors
    /// As [`Entry::write_json`].
    fn value(&self) -> Result<Value, serde_json::Error>;
}

impl<T: Serialize + fmt::Debug + Send + Sync> Entry for T {
    fn write_json(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        serde_json::to_writer(out, self)
    }

    fn value(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

/// A run that begins.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// The chain's name.
    pub chain: Arc<str>,
    /// The chain file's text, as it was when the run began.
    pub source: Arc<str>,
    /// The run's variables.
    pub inputs: Value,
    /// The trace that it belongs to.
    pub trace: TraceId,
    /// The name of the key that started it; `None` where keys are off, and for the operator's own runs.
    pub caller: Option<Arc<str>>,
    /// Whose run it is.
    pub tenant: Option<Arc<str>>,
    /// When it began.
    pub at: Timestamp,
}

/// The right to write to a run's journal, until somebody takes it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The run.
    pub run: RunId,
    /// Counts the claims on this run: an older number can write no more.
    pub epoch: i64,
}

impl Claim {
    /// The claim of whoever creates the run.
    pub const fn first(run: RunId) -> Self {
        Self { run, epoch: 1 }
    }
}

/// A claim that somebody would like to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The run.
    pub run: RunId,
    /// Who asks: a text that people understand and that no other process has, `host/pid/start`.
    pub owner: Arc<str>,
    /// The time.
    pub now: Timestamp,
    /// How long the claim lasts unless renewed.
    pub lease: Duration,
    /// What to do about a claim that another owner holds.
    pub seize: Seize,
}

/// What to do about a claim that another owner holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seize {
    /// Take it only once its lease is over.
    #[default]
    Expired,
    /// Take it from this owner, who is gone; from nobody else, who may have taken it meanwhile.
    From(Arc<str>),
    /// Take it anyway: the caller knows that the other is gone.
    Held,
}

impl Seize {
    /// Whether a claim is taken whose lease lasts.
    pub(crate) fn takes_from(&self, owner: &Arc<str>) -> bool {
        match self {
            Self::Expired => false,
            Self::From(gone) => gone == owner,
            Self::Held => true,
        }
    }
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not ended: a process works on it, or did until it was killed.
    Running,
    /// Ended well.
    Complete,
    /// A step failed.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl Status {
    /// The name in rows and lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Any but [`Status::Running`].
    pub status: Status,
    /// Outputs, or what went wrong.
    pub result: Arc<dyn Entry>,
    /// When.
    pub at: Timestamp,
}

/// What lists show of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunHead {
    /// Its id.
    pub id: RunId,
    /// The chain's name.
    pub chain: Arc<str>,
    /// How it stands.
    pub status: Status,
    /// The trace that it belongs to.
    pub trace: TraceId,
    /// The name of the key that started it.
    pub caller: Option<Arc<str>>,
    /// Whose run it is.
    pub tenant: Option<Arc<str>>,
    /// When it began.
    pub at: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Who holds it, and until when.
    pub held: Option<Held>,
    /// How many events its journal has.
    pub events: u64,
}

/// Who holds a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The owner's name.
    pub owner: Arc<str>,
    /// The end of the lease, unless renewed.
    pub until: Timestamp,
}

/// A run with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// What lists show.
    pub head: RunHead,
    /// The chain file's text.
    pub source: Arc<str>,
    /// The run's variables.
    pub inputs: Value,
    /// Outputs or what went wrong, if it has ended.
    pub result: Option<Value>,
    /// What happened, in order.
    pub events: Vec<Value>,
}

impl Stored {
    /// The events as what they were before they were JSON.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] if one is something else.
    pub fn events_as<E: serde::de::DeserializeOwned>(&self) -> Result<Vec<E>, StoreError> {
        let each = self.events.iter().map(|event| E::deserialize(event));
        each.collect::<Result<_, _>>().map_err(|error| StoreError::unreadable("event", error))
    }
}

/// Events as [`Journal::append`] takes them.
pub fn events<E: Entry + 'static>(events: impl IntoIterator<Item = E>) -> Vec<Arc<dyn Entry>> {
    events.into_iter().map(|event| -> Arc<dyn Entry> { Arc::new(event) }).collect()
}

/// Which runs; every field that is set must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this chain.
    pub chain: Option<Arc<str>>,
    /// That stand so.
    pub status: Option<Status>,
    /// Begun not before.
    pub since: Option<Timestamp>,
    /// Older than this run: the last of the page before.
    pub before: Option<RunId>,
    /// At most so many; `None` for all.
    pub limit: Option<u32>,
}
