//! A place in a script where it waits for the test.

use std::sync::Arc;

use tokio::sync::watch;

/// Stops a script until the test opens it. Copies are the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
    reached: Arc<watch::Sender<bool>>,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self { open: Arc::new(watch::Sender::new(false)), reached: Arc::new(watch::Sender::new(false)) }
    }

    /// Lets scripts through, now and from now on.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until a script stands before it.
    pub async fn reached(&self) {
        // We hold the other end, so this cannot fail.
        let _ = self.reached.subscribe().wait_for(|reached| *reached).await;
    }

    pub(super) async fn pass(&self) {
        self.reached.send_replace(true);
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
