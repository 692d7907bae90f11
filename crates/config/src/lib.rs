//! One YAML: raw to checked; JSON Schema; catalogue of models and prices. Pure.
