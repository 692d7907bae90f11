//! The bucket borders of our histograms, in seconds, and how a duration is put into one.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

/// From a cached answer to a long piece of reasoning.
pub(super) const WHOLE_CALL: [f64; 18] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];
/// From a local model to a hosted one under load.
pub(super) const FIRST_TOKEN: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
/// From 2,000 tokens a second to one in two seconds.
pub(super) const BETWEEN_TOKENS: [f64; 11] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 2.0];
/// From the next room to the other end of the world.
pub(super) const CONNECT: [f64; 11] = [0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// A histogram that takes memory, and lines in the exposition, only once something was observed.
#[derive(Debug)]
pub(super) struct Lazy {
    borders: &'static [f64],
    cell: OnceLock<Histogram>,
}

impl Lazy {
    pub(super) const fn new(borders: &'static [f64]) -> Self {
        Self { borders, cell: OnceLock::new() }
    }

    pub(super) fn observe(&self, duration: Duration) {
        self.cell
            .get_or_init(|| Histogram::new(self.borders.iter().copied()))
            .observe(duration.as_secs_f64());
    }

    pub(super) fn get(&self) -> Option<&Histogram> {
        self.cell.get()
    }
}
