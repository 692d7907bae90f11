//! The drivers: call path, chain runner; telemetry; start and stop.
