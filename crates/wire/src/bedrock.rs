//! AWS Bedrock's dialect: `Converse` and `ConverseStream`.

pub(crate) mod answer;
pub(crate) mod request_out;
pub(crate) mod stream;
