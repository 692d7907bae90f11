//! Where a provider lives: the parts of its base URL, checked once.

use http::Uri;
use http::uri::Scheme;

/// A provider's base URL, in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether connections are encrypted.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port, given or the scheme's own.
    pub port: u16,
    /// Path before the endpoint's own, without a trailing slash: `/v1`, or empty.
    pub prefix: String,
    /// What the `host` header says.
    pub authority: String,
}

/// Why a text is not a base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseOriginError {
    /// Not a URL at all.
    NotUrl,
    /// Neither `http` nor `https`.
    Scheme,
    /// No host.
    Host,
    /// A query has no place in a base URL.
    Query,
}

impl std::fmt::Display for ParseOriginError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotUrl => "not a URL: write it like https://api.example.com/v1",
            Self::Scheme => "the URL must begin with http:// or https://",
            Self::Host => "the URL has no host",
            Self::Query => "a base URL has no query",
        })
    }
}

impl std::error::Error for ParseOriginError {}

impl std::str::FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, ParseOriginError> {
        let uri: Uri = text.parse().map_err(|_| ParseOriginError::NotUrl)?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(ParseOriginError::Scheme),
        };
        if uri.query().is_some() {
            return Err(ParseOriginError::Query);
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(ParseOriginError::Host)?;
        let authority = match uri.port_u16() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self {
            tls,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            authority,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_base_urls_apart() {
        let origin: Origin = "https://api.example.com/v1/".parse().unwrap();
        assert_eq!((origin.port, origin.prefix.as_str(), origin.tls), (443, "/v1", true));
        let origin: Origin = "http://[::1]:8081".parse().unwrap();
        assert_eq!(
            (origin.host.as_str(), origin.authority.as_str(), origin.prefix.as_str()),
            ("::1", "[::1]:8081", "")
        );
    }

    #[test]
    fn refuses_what_is_not_a_base_url() {
        for (text, error) in [
            ("api.example.com/v1", ParseOriginError::NotUrl),
            ("ftp://x/", ParseOriginError::Scheme),
            ("https://x/v1?key=1", ParseOriginError::Query),
            ("not a url", ParseOriginError::NotUrl),
        ] {
            assert_eq!(text.parse::<Origin>(), Err(error), "{text}");
        }
    }
}
