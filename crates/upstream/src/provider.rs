//! A provider as configured: a name, the family of its dialects, and the way to it.

use std::sync::Arc;

use bytes::Bytes;
use types::{Code, Dialect, Fault, Kind, Moment, Quirks};

use crate::{Exchange, Http, Local, Outgoing, Simulated};

/// Which vendor's dialects a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// OpenAI's, as most servers do.
    Openai(Api),
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Gemini,
    /// AWS Bedrock's.
    Bedrock,
}

/// Which of OpenAI's two APIs a server is asked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Chat Completions only.
    Chat,
    /// Each call by the API that it came in, other dialects by Chat Completions.
    Both,
    /// Responses only.
    Responses,
}

impl Family {
    /// The dialect in which this family takes a request that came in `inbound`.
    pub fn dialect(self, inbound: Dialect) -> Result<Dialect, Fault> {
        match (self, inbound) {
            (Self::Openai(_), Dialect::OpenaiEmbeddings) => Ok(Dialect::OpenaiEmbeddings),
            (_, Dialect::OpenaiEmbeddings) => {
                let message = "this provider has no embeddings";
                Err(Fault::invalid(Code::Unsupported, "model", message)
                    .with_hint("choose a model of another provider"))
            }
            (Self::Openai(Api::Responses), _) | (Self::Openai(Api::Both), Dialect::OpenaiResponses) => {
                Ok(Dialect::OpenaiResponses)
            }
            (Self::Openai(_), _) => Ok(Dialect::OpenaiChat),
            (Self::Anthropic, _) => Ok(Dialect::AnthropicMessages),
            (Self::Gemini, _) => Ok(Dialect::GeminiContent),
            (Self::Bedrock, _) => Ok(Dialect::BedrockConverse),
        }
    }
}

/// The way to a provider.
#[derive(Debug)]
pub enum Transport {
    /// Over HTTP.
    Http(Box<Http>),
    /// A real model on this machine, behind a server that is started when first needed.
    Local(Local),
    /// Made up in this process, and saying so.
    Simulated(Simulated),
}

/// A provider as configured.
#[derive(Debug)]
pub struct Provider {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The dialects that it speaks.
    pub family: Family,
    /// How it differs from OpenAI, where it is of OpenAI's family.
    pub quirks: Quirks,
    /// The way to it.
    pub transport: Transport,
}

impl Provider {
    /// Sends one request and waits for the answer's head. Every fault names the provider.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Exchange, Fault> {
        let result = match &self.transport {
            Transport::Http(http) => http.send(outgoing).await,
            Transport::Local(local) => Box::pin(local.send(outgoing)).await,
            Transport::Simulated(simulated) => Box::pin(simulated.send(outgoing)).await,
        };
        result.map_err(|fault| fault.with_provider(&*self.name))
    }

    /// Asks the provider how many tokens a request in Anthropic's dialect is; `None`: it does not know how to.
    pub async fn count_tokens(&self, body: Bytes, connect_by: Moment) -> Option<Result<Exchange, Fault>> {
        match (&self.transport, self.family) {
            (Transport::Http(http), Family::Anthropic) => {
                let answer = http.count_tokens(body, connect_by).await;
                Some(answer.map_err(|fault| fault.with_provider(&*self.name)))
            }
            _ => None,
        }
    }

    /// Whether its answers are made up.
    pub const fn is_simulated(&self) -> bool {
        matches!(self.transport, Transport::Simulated(_))
    }

    /// Housekeeping: closes connections that have been idle for too long. To be called now and then.
    pub fn sweep(&self) {
        match &self.transport {
            Transport::Http(http) => http.sweep(),
            Transport::Local(local) => local.sweep(),
            Transport::Simulated(_) => {}
        }
    }

    /// Stops what the provider runs on this machine, if anything.
    pub async fn stop(&self) {
        if let Transport::Local(local) = &self.transport {
            local.stop().await;
        }
    }

    /// A fault of this provider for a request that its family cannot take.
    pub fn refuse(&self, message: impl Into<String>) -> Fault {
        Fault::new(Kind::Validation, Code::Unsupported, message).with_provider(&*self.name)
    }
}
