//! HTTP clients, pools, provider adapters, simulated and local providers.
