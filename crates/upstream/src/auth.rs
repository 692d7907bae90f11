//! What opens a provider's door where a fixed header does not: OAuth client credentials.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use types::{Blame, Code, Fault, Kind, Moment};

use crate::http::collect;
use crate::request::Ready;
use crate::{Http, Settings, clock};

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_mins(1);
/// What a token lives where the server does not say.
const USUAL_LIFE: u64 = 600;
/// The largest answer of a token server, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// OAuth 2.0 client credentials (RFC 6749 §4.4).
pub struct OauthSettings {
    /// The token server.
    pub server: Settings,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: String,
    /// What the token is for.
    pub scope: String,
}

/// Tokens, fetched when needed: by one call at a time, while the others wait for it.
pub(crate) struct Tokens {
    server: Http,
    form: Bytes,
    token: Mutex<Option<Token>>,
}

struct Token {
    header: HeaderValue,
    until: Moment,
}

impl Tokens {
    pub(crate) fn new(settings: OauthSettings, tasks: TaskTracker) -> Result<Self, Fault> {
        let OauthSettings { server, client_id, client_secret, scope } = settings;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &client_id)
            .append_pair("client_secret", &client_secret)
            .append_pair("scope", &scope)
            .finish();
        Ok(Self { server: Http::new(server, tasks)?, form: form.into(), token: Mutex::default() })
    }

    /// Puts a token that is good for now on the request.
    pub(crate) async fn authorize(&self, request: &mut Ready, by: Moment) -> Result<(), Fault> {
        let late = |_| refused("the token server did not answer in time");
        let token = tokio::time::timeout_at(clock::instant(by), self.token(by)).await.map_err(late)??;
        request.headers_mut().insert(AUTHORIZATION, token);
        Ok(())
    }

    async fn token(&self, by: Moment) -> Result<HeaderValue, Fault> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.until > clock::now()) {
            return Ok(token.header.clone());
        }
        let token = self.fetch(by).await?;
        Ok(kept.insert(token).header.clone())
    }

    async fn fetch(&self, by: Moment) -> Result<Token, Fault> {
        #[derive(Deserialize)]
        struct Answer {
            access_token: String,
            expires_in: Option<u64>,
        }
        let mut exchange = self.server.post_form(self.form.clone(), by).await?;
        let status = exchange.status;
        let body = collect(&mut exchange.body, MAX_ANSWER).await?;
        if !status.is_success() {
            return Err(refused(&format!("the token server refused our credentials (status {status})")));
        }
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| refused("the token server's answer cannot be read"))?;
        let mut header = HeaderValue::from_str(&format!("Bearer {}", answer.access_token))
            .map_err(|_| refused("the token server's token cannot be sent"))?;
        header.set_sensitive(true);
        let life = Duration::from_secs(answer.expires_in.unwrap_or(USUAL_LIFE));
        Ok(Token { header, until: clock::now() + life.saturating_sub(MARGIN) })
    }
}

fn refused(message: &str) -> Fault {
    Fault::new(Kind::Authentication, Code::ProviderKey, message)
        .with_blame(Blame::Operator)
        .with_hint("check this provider's oauth in the configuration")
}
