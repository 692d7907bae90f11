//! What the metrics, the traces and the log look like from outside.

#[cfg(test)]
mod collector;
#[cfg(test)]
mod context;
#[cfg(test)]
mod export;
#[cfg(test)]
mod log;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod sample;
