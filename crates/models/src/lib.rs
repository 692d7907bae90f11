//! Models in the process: tokenizers.
