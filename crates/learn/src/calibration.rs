//! How our token estimates compare with what providers report, by model.
//!
//! For each model the logarithm of `reported / estimated` is averaged with exponential forgetting, so that a
//! factor of two up and one of two down weigh the same and a vendor's new tokenizer is followed within some
//! tens of calls. One wild call moves little: what it says is clamped first. Estimates are corrected on the
//! slow road; the call path only reads a snapshot of the factors.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Models at most: the one that was seen longest ago makes room.
const MOST_MODELS: usize = 1_024;
/// Observations before a factor is believed.
const BELIEVED: u32 = 5;
/// The weight of a new observation, once there are enough for it to be less than an equal share.
const WEIGHT: f64 = 0.05;
/// No factor leaves `1 / LIMIT ..= LIMIT`, and no observation counts for more.
const LIMIT: f64 = 4.0;
/// Shorter texts say more about the markup around them than about the tokenizer.
const SHORTEST: u64 = 16;

/// What was learned about estimates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calibration {
    models: HashMap<String, Learned>,
    observations: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Learned {
    /// Mean logarithm of `reported / estimated`.
    log: f64,
    /// How many observations went in; stops at the top.
    count: u32,
    /// The number of the last one.
    last: u64,
}

impl Calibration {
    /// Notes that `estimated` tokens turned out to be `reported`. Both are of the same text.
    ///
    /// Very short texts and zeros teach nothing and are left out.
    #[expect(clippy::cast_precision_loss, reason = "a ratio of token counts")]
    pub fn observe(&mut self, model: &str, estimated: u64, reported: u64) {
        if estimated < SHORTEST || reported < SHORTEST {
            return;
        }
        self.observations = self.observations.saturating_add(1);
        if !self.models.contains_key(model) {
            self.make_room();
        }
        let bound = LIMIT.ln();
        let seen = (reported as f64 / estimated as f64).ln().clamp(-bound, bound);
        let learned = self.models.entry(model.to_owned()).or_default();
        learned.count = learned.count.saturating_add(1);
        learned.last = self.observations;
        // A plain mean at first, so that the first call does not weigh for ever.
        let weight = WEIGHT.max(1.0 / f64::from(learned.count));
        learned.log += weight * (seen - learned.log);
    }

    /// What an estimate for `model` is to be multiplied with: 1 until enough was seen, and always within
    /// a quarter and four.
    pub fn factor(&self, model: &str) -> f64 {
        match self.models.get(model) {
            Some(learned) if learned.count >= BELIEVED => learned.log.exp().clamp(1.0 / LIMIT, LIMIT),
            _ => 1.0,
        }
    }

    /// `estimated` corrected by what was learned, rounded up: an estimate is there to reserve enough.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive estimate; casts of floats saturate"
    )]
    pub fn correct(&self, model: &str, estimated: u64) -> u64 {
        let factor = self.factor(model);
        if (factor - 1.0).abs() < f64::EPSILON {
            estimated
        } else {
            (estimated as f64 * factor).ceil() as u64
        }
    }

    /// How many models something was learned about.
    pub fn models(&self) -> usize {
        self.models.len()
    }

    fn make_room(&mut self) {
        while self.models.len() >= MOST_MODELS {
            let oldest = self.models.iter().min_by_key(|(_, learned)| learned.last);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { return };
            self.models.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn little_evidence_changes_nothing() {
        let mut calibration = Calibration::default();
        for _ in 0..BELIEVED - 1 {
            calibration.observe("m", 100, 130);
        }
        assert_eq!(calibration.correct("m", 100), 100);
        calibration.observe("m", 100, 130);
        assert!((calibration.factor("m") - 1.3).abs() < 1e-9);
        assert_eq!(calibration.correct("m", 1_000), 1_300);
        assert_eq!(calibration.correct("other", 7), 7);
    }

    #[test]
    fn what_teaches_nothing_is_left_out() {
        let mut calibration = Calibration::default();
        for (estimated, reported) in [(0, 0), (0, 100), (100, 0), (3, 9)] {
            calibration.observe("m", estimated, reported);
        }
        assert_eq!(calibration.models(), 0);
    }

    #[test]
    fn one_wild_call_does_not_throw_it() {
        let mut calibration = Calibration::default();
        (0..50).for_each(|_| calibration.observe("m", 1_000, 1_200));
        calibration.observe("m", 20, 1_000_000);
        assert!((1.2..1.3).contains(&calibration.factor("m")), "{}", calibration.factor("m"));
    }

    #[test]
    fn the_number_of_models_is_bounded() {
        let mut calibration = Calibration::default();
        for model in 0..3 * MOST_MODELS {
            calibration.observe(&model.to_string(), 100, 200);
            calibration.observe("often", 100, 200);
        }
        assert_eq!(calibration.models(), MOST_MODELS);
        assert!((calibration.factor("often") - 2.0).abs() < 1e-6);
    }

    #[test]
    fn it_outlives_the_process() {
        let mut calibration = Calibration::default();
        (0..9).for_each(|_| calibration.observe("m", 100, 150));
        let text = serde_json::to_string(&calibration).unwrap();
        let back: Calibration = serde_json::from_str(&text).unwrap();
        assert_eq!(back, calibration);
        assert_eq!(serde_json::from_str::<Calibration>("{}").unwrap(), Calibration::default());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever was believed before, a few hundred calls of a true ratio (with noise that cancels out)
        /// bring the factor to within four percent of it.
        #[test]
        fn it_converges_to_the_truth(
            truth in 0.5_f64..2.0,
            before in prop::collection::vec((16_u64..10_000, 16_u64..10_000), 0..40),
            sizes in prop::collection::vec(500_u32..5_000, 300..400),
        ) {
            let mut calibration = Calibration::default();
            for (estimated, reported) in before {
                calibration.observe("m", estimated, reported);
            }
            for (turn, size) in sizes.iter().enumerate() {
                let noise = if turn % 2 == 0 { 1.05 } else { 1.0 / 1.05 };
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
                let reported = (f64::from(*size) * truth * noise) as u64;
                calibration.observe("m", u64::from(*size), reported);
            }
            prop_assert!((calibration.factor("m") / truth - 1.0).abs() < 0.04);
        }

        /// No input whatever makes it leave its bounds.
        #[test]
        fn it_stays_within_bounds(seen in prop::collection::vec((any::<u64>(), any::<u64>()), 0..200)) {
            let mut calibration = Calibration::default();
            for (estimated, reported) in seen {
                calibration.observe("m", estimated, reported);
                let factor = calibration.factor("m");
                prop_assert!((1.0 / LIMIT..=LIMIT).contains(&factor));
                prop_assert!(calibration.correct("m", u64::MAX) > 0);
            }
        }
    }
}
