//! Decisions about one call: route, attempts, retry, fallback. Pure.
