//! What is learned over many calls: here, how token estimates compare with the truth. Pure.

pub mod calibration;

pub use calibration::Calibration;
