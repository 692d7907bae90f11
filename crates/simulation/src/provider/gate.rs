//! A model's places, and the line before them: first come, first served.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::lock;

/// The places of one model.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    busy: usize,
    /// How many may be busy, as it was when last asked.
    most: usize,
    line: VecDeque<oneshot::Sender<Place>>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place(Option<Arc<Gate>>);

impl Gate {
    pub(super) fn busy(&self) -> usize {
        lock(&self.0).busy
    }

    /// How many have a place or wait for one.
    pub(super) fn in_flight(&self) -> usize {
        let state = lock(&self.0);
        state.busy + state.line.iter().filter(|waiting| !waiting.is_closed()).count()
    }

    /// A place among `most`, once it is this call's turn; `None`: `line` wait already.
    pub(super) async fn enter(self: &Arc<Self>, most: impl Fn() -> usize, line: usize) -> Option<Place> {
        let turn = {
            let mut state = lock(&self.0);
            state.most = most();
            if state.busy < state.most && state.line.is_empty() {
                state.busy += 1;
                return Some(Place(Some(Arc::clone(self))));
            }
            state.line.retain(|waiting| !waiting.is_closed());
            if state.line.len() >= line {
                return None;
            }
            let (sender, turn) = oneshot::channel();
            state.line.push_back(sender);
            turn
        };
        self.call_in();
        turn.await.ok()
    }

    /// Lets in who may come in.
    fn call_in(self: &Arc<Self>) {
        loop {
            let mut state = lock(&self.0);
            if state.busy >= state.most {
                return;
            }
            let Some(next) = state.line.pop_front() else { return };
            state.busy += 1;
            drop(state);
            if let Err(mut place) = next.send(Place(Some(Arc::clone(self)))) {
                // Whoever waited has gone: not by being dropped, which would call in again from here.
                place.0 = None;
                lock(&self.0).busy -= 1;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(gate) = self.0.take() else { return };
        lock(&gate.0).busy -= 1;
        gate.call_in();
    }
}
