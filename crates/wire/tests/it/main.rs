//! The codecs from outside: properties, tables and reviewed snapshots.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod bedrock;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod citations;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod gemini;
#[cfg(test)]
mod gemini_answers;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod quirks;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod signatures;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod transcripts;
