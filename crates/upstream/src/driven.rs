//! A world that a simulation drives, instead of the one outside: where time counts from, what luck brings, and
//! what the simulated providers do. One for each thread, for as long as its [`Guard`] lives.
//!
//! Not part of the product: it is there under the feature `driven` only, which the crate `simulation` asks for.
//! Time itself is tokio's, paused by whoever drives; this makes its figures the same in every run.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;
use types::Timestamp;

use crate::Outgoing;

/// What time has passed before the beginning, so that nothing lies before the origin.
const BEFORE: Duration = Duration::from_secs(3600);
/// The wall clock at the beginning, in microseconds since the Unix epoch: 2026-01-01T00:00:00Z.
pub const WALL: i64 = 1_767_225_600_000_000;

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

struct World {
    origin: Instant,
    luck: u64,
    script: Arc<dyn Script>,
}

/// Leaves the driven world when dropped.
#[derive(Debug)]
#[must_use = "the world is driven as long as this lives"]
pub struct Guard(());

/// What the simulated providers do.
pub trait Script: Send + Sync {
    /// A request has arrived at the model that it names. Answers when the provider would send the answer's head;
    /// a dropped future is a caller who hung up.
    fn arrived<'a>(&'a self, request: &'a Outgoing) -> Pin<Box<dyn Future<Output = Act> + Send + 'a>>;
}

/// What a provider does with a request.
#[derive(Debug)]
pub enum Act {
    /// It takes no connection.
    Refuse,
    /// It breaks the connection before its answer.
    Reset,
    /// Nothing comes, ever.
    Hang,
    /// It answers.
    Answer(Box<Reply>),
}

/// An answer as it is sent.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Headers; the content type among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Where each event of the body ends, and the token that it waits for, 0 for what comes at once; the last event
    /// comes with the last token. Empty: all of it comes at once.
    pub marks: Vec<(usize, u32)>,
    /// From now to the first token.
    pub first: Duration,
    /// From one token to the next.
    pub each: Duration,
    /// The connection breaks after so many tokens.
    pub cut: Option<u32>,
    /// Given back once nobody reads the answer any more.
    pub held: Option<Held>,
}

/// Something that is given back by being dropped.
pub struct Held(pub Box<dyn Any + Send>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

/// Makes this thread's world a driven one, from now, which is its beginning.
pub fn enter(seed: u64, script: Arc<dyn Script>) -> Guard {
    let now = Instant::now();
    let world = World { origin: now.checked_sub(BEFORE).unwrap_or(now), luck: seed, script };
    WORLD.with_borrow_mut(|inside| *inside = Some(world));
    Guard(())
}

impl Drop for Guard {
    fn drop(&mut self) {
        WORLD.with_borrow_mut(|inside| *inside = None);
    }
}

/// The next number that luck brings (`SplitMix64`); `None` outside of a driven world.
pub fn number() -> Option<u64> {
    WORLD.with_borrow_mut(|inside| {
        let luck = &mut inside.as_mut()?.luck;
        *luck = luck.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (*luck ^ (*luck >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some(z ^ (z >> 31))
    })
}

pub(crate) fn origin() -> Option<Instant> {
    WORLD.with_borrow(|inside| Some(inside.as_ref()?.origin))
}

pub(crate) fn wall() -> Option<Timestamp> {
    let passed = (Instant::now() - origin()?).saturating_sub(BEFORE);
    Some(Timestamp::from_micros(WALL + i64::try_from(passed.as_micros()).ok()?))
}

pub(crate) fn script() -> Option<Arc<dyn Script>> {
    WORLD.with_borrow(|inside| Some(Arc::clone(&inside.as_ref()?.script)))
}
