//! What is told about calls and runs: metrics, traces, logs.
