//! The paths of a provider's endpoints, worked out once. Some name the model and whether a stream is wanted.

use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use types::{Dialect, Fault};

/// What stands in a path as it is; RFC 3986 §2.3.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Which paths a provider has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Endpoints {
    /// OpenAI's: `/chat/completions`, `/responses`, `/embeddings`.
    #[default]
    Openai,
    /// Anthropic's: `/v1/messages`.
    Anthropic,
    /// Azure's older ones, which name the deployment: `/openai/deployments/MODEL/…?api-version=…`.
    AzureDeployments {
        /// The API's version: `2024-10-21`.
        api_version: String,
    },
    /// Google's: `/models/MODEL:generateContent`.
    Gemini,
    /// Bedrock's: `/model/MODEL/converse`.
    Bedrock,
}

/// A path, or its parts around the model's name.
#[derive(Clone, Debug)]
enum Path {
    Fixed(Uri),
    OfModel { before: String, whole: String, stream: String },
}

/// A provider's paths.
#[derive(Clone, Debug)]
pub(crate) struct Paths(Vec<(Dialect, Path)>);

impl Paths {
    pub(crate) fn new(endpoints: &Endpoints, prefix: &str) -> Result<Self, Fault> {
        let fixed = |path: &str| uri(format!("{prefix}{path}")).map(Path::Fixed);
        let of_model = |before: &str, whole: &str, stream: &str| Path::OfModel {
            before: format!("{prefix}{before}"),
            whole: whole.to_owned(),
            stream: stream.to_owned(),
        };
        Ok(Self(match endpoints {
            // OpenAI's base URLs end in `/v1`, Anthropic's do not.
            Endpoints::Openai => vec![
                (Dialect::OpenaiChat, fixed("/chat/completions")?),
                (Dialect::OpenaiEmbeddings, fixed("/embeddings")?),
                (Dialect::OpenaiResponses, fixed("/responses")?),
            ],
            Endpoints::Anthropic => vec![(Dialect::AnthropicMessages, fixed("/v1/messages")?)],
            Endpoints::AzureDeployments { api_version } => {
                let version = utf8_percent_encode(api_version, KEPT).to_string();
                let at = |path: &str| {
                    let tail = format!("{path}?api-version={version}");
                    of_model("/openai/deployments/", &tail, &tail)
                };
                vec![
                    (Dialect::OpenaiChat, at("/chat/completions")),
                    (Dialect::OpenaiEmbeddings, at("/embeddings")),
                    (Dialect::OpenaiResponses, fixed(&format!("/openai/responses?api-version={version}"))?),
                ]
            }
            Endpoints::Gemini => vec![(
                Dialect::GeminiContent,
                of_model("/models/", ":generateContent", ":streamGenerateContent?alt=sse"),
            )],
            Endpoints::Bedrock => {
                vec![(Dialect::BedrockConverse, of_model("/model/", "/converse", "/converse-stream"))]
            }
        }))
    }

    /// Where a request of `dialect` for `model` goes.
    pub(crate) fn of(&self, dialect: Dialect, model: &str, stream: bool) -> Result<Uri, Fault> {
        let path = self.0.iter().find(|(known, _)| *known == dialect).map(|(_, path)| path);
        match path {
            Some(Path::Fixed(uri)) => Ok(uri.clone()),
            Some(Path::OfModel { before, whole, stream: streamed }) => {
                let model = utf8_percent_encode(model, KEPT);
                uri(format!("{before}{model}{}", if stream { streamed } else { whole }))
            }
            None => Err(Fault::internal(format!("the provider has no endpoint for {dialect}"))),
        }
    }
}

/// A path as a request's target.
pub(crate) fn uri(path: String) -> Result<Uri, Fault> {
    let path: PathAndQuery =
        path.try_into().map_err(|_| Fault::internal("the provider's base URL takes no path"))?;
    Ok(Uri::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_provider_has_its_own_paths() {
        let azure = Endpoints::AzureDeployments { api_version: "2024-10-21".to_owned() };
        for (endpoints, dialect, model, whole, stream) in [
            (Endpoints::Openai, Dialect::OpenaiResponses, "gpt-5", "/v1/responses", "/v1/responses"),
            (
                azure,
                Dialect::OpenaiChat,
                "my gpt",
                "/v1/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
                "/v1/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
            ),
            (
                Endpoints::Gemini,
                Dialect::GeminiContent,
                "gemini-2.5-pro",
                "/v1/models/gemini-2.5-pro:generateContent",
                "/v1/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
            ),
            (
                Endpoints::Bedrock,
                Dialect::BedrockConverse,
                "arn:aws:bedrock:us-east-1::x/y",
                "/v1/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Ax%2Fy/converse",
                "/v1/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Ax%2Fy/converse-stream",
            ),
        ] {
            let paths = Paths::new(&endpoints, "/v1").unwrap();
            assert_eq!(paths.of(dialect, model, false).unwrap(), whole);
            assert_eq!(paths.of(dialect, model, true).unwrap(), stream);
        }
        let openai = Paths::new(&Endpoints::Openai, "").unwrap();
        assert!(openai.of(Dialect::AnthropicMessages, "m", false).is_err());
    }
}
