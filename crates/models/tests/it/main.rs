//! Token counts against other people's.

#[cfg(test)]
mod counts;
