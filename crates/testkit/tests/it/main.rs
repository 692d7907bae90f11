//! Tests of the test kit itself.

#[cfg(test)]
mod vendor;
