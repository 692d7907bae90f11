//! The breaker's locks and atomics: the standard library's, or `loom`'s in the test that tries every order in
//! which threads may meet (`RUSTFLAGS="--cfg loom"`).

#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
