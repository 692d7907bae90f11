//! The simulated providers' randomness: `SplitMix64`, small, seeded, and the same on every machine.

/// A stream of numbers that look random.
pub(super) struct Dice(u64);

impl Dice {
    /// A stream for `seed`, and for one of its many uses.
    pub(super) const fn new(seed: u64, salt: u64) -> Self {
        Self(mix(seed ^ mix(salt)))
    }

    /// The next 64 bits (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// From 0 up to but not including 1.
    #[expect(clippy::cast_precision_loss, reason = "the 53 bits fit a double exactly")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `choices`, which must not be empty.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let index = self.next() % u64::try_from(choices.len().max(1)).unwrap_or(1);
        choices.get(usize::try_from(index).unwrap_or(0))
    }
}

const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number for some bytes (FNV-1a): the same for the same bytes, on every machine.
pub(super) fn hash(bytes: &[u8], start: u64) -> u64 {
    let start = 0xCBF2_9CE4_8422_2325 ^ start;
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3))
}
