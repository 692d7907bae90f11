//! The codecs from outside: properties, tables and reviewed snapshots.

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod transcripts;
