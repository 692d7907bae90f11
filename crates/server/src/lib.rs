//! HTTP: OpenAI and Anthropic dialects, native API, auth, health, metrics.
