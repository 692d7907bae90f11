//! Scripted vendor, hand-driven clock, seeded randomness, builders. For tests only.
