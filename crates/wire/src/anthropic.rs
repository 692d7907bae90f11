//! Anthropic's dialect: Messages.

pub(crate) mod frame;
pub(crate) mod stream;
pub(crate) mod usage;
