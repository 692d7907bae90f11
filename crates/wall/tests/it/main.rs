//! The vendor does what its script says, and the wall what its catalogue promises.

#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod vendor;
