//! What the tree, the readers and the diagnostics promise.

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod given;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod tree;
