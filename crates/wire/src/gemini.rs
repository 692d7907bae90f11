//! Google Gemini's dialect: `generateContent` and `streamGenerateContent`.

pub(crate) mod answer;
pub(crate) mod request_out;
pub(crate) mod stream;
