//! Luck from a seed: the same on every machine.

use std::f64::consts::TAU;

/// A stream of numbers that look random (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// A stream for `seed`, and for one of its many uses.
    pub const fn new(seed: u64, salt: u64) -> Self {
        Self(mix(seed ^ mix(salt)))
    }

    /// The next 64 bits.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// From 0 up to but not including 1.
    #[expect(clippy::cast_precision_loss, reason = "the 53 bits fit a double exactly")]
    pub fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `from` up to but not including `to`.
    pub fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    /// One of `count` things.
    pub fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap_or(1);
        usize::try_from(self.number() % count).unwrap_or(0)
    }

    /// Log-normal around a median of 1.
    pub fn spread(&mut self, sigma: f64) -> f64 {
        let (one, two) = (1.0 - self.unit(), self.unit());
        ((-2.0 * one.ln()).sqrt() * (TAU * two).cos() * sigma).exp()
    }
}

const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
