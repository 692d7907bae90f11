//! The address of a provider: `http` or `https`, host, port and a path prefix. Nothing is looked up.

use std::fmt;

/// Where a provider's API starts: `https://api.groq.com/openai/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    text: String,
    tls: bool,
    host: std::ops::Range<usize>,
    port: u16,
    path: usize,
}

/// Why a text is not a provider's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither `http://` nor `https://`.
    #[error("must start with http:// or https://")]
    Scheme,
    /// `user:password@` in it.
    #[error("must not carry a user or password: put them into `api_key` or `headers`")]
    UserInfo,
    /// `?` or `#` in it.
    #[error("must not have a query or fragment")]
    Query,
    /// No host, or letters that no host has.
    #[error("has no valid host")]
    Host,
    /// A port that is not 1 to 65535.
    #[error("has no valid port")]
    Port,
    /// A space, a control character, or a letter outside ASCII.
    #[error("has a character that an address cannot have")]
    Character,
}

impl BaseUrl {
    /// Reads an address; a slash at its end is dropped.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim_end_matches('/');
        let (tls, start) = match text.split_once("://") {
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => (true, 8),
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => (false, 7),
            _ => return Err(UrlError::Scheme),
        };
        if text.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'<' | b'>' | b'\\')) {
            return Err(UrlError::Character);
        }
        if text.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        let path = text[start..].find('/').map_or(text.len(), |at| start + at);
        let authority = &text[start..path];
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let host_len = match authority.strip_prefix('[') {
            Some(rest) => rest.find(']').map(|at| at + 2).ok_or(UrlError::Host)?,
            None => authority.find(':').unwrap_or(authority.len()),
        };
        let port = match &authority[host_len..] {
            "" if tls => 443,
            "" => 80,
            rest => rest
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .filter(|port| *port != 0)
                .ok_or(UrlError::Port)?,
        };
        if !valid_host(&authority[..host_len]) {
            return Err(UrlError::Host);
        }
        let mut text = text.to_owned();
        text[..path].make_ascii_lowercase();
        Ok(Self { text, tls, host: start..start + host_len, port, path })
    }

    /// Stands for an address that could not be read, in a configuration that is thrown away.
    pub(crate) fn nowhere() -> Self {
        Self { text: "http://invalid".to_owned(), tls: false, host: 7..14, port: 80, path: 14 }
    }

    /// The whole address, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Is it `https`?
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host in lower case, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.text[self.host.clone()].trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, the scheme's own where none is written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host[:port]` as the `host` header has it.
    pub fn authority(&self) -> &str {
        &self.text[self.host.start..self.path]
    }

    /// The path prefix: empty, or with a slash in front and none at its end.
    pub fn path(&self) -> &str {
        &self.text[self.path..]
    }
}

fn valid_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    host.len() <= 253 && host.split('.').all(label)
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_providers_have() {
        for (text, tls, host, port, authority, path) in [
            ("https://api.openai.com/v1", true, "api.openai.com", 443, "api.openai.com", "/v1"),
            ("https://API.Groq.com/openai/V1/", true, "api.groq.com", 443, "api.groq.com", "/openai/V1"),
            ("http://127.0.0.1:8080", false, "127.0.0.1", 8080, "127.0.0.1:8080", ""),
            ("http://[::1]:9/x/", false, "::1", 9, "[::1]:9", "/x"),
            ("http://localhost", false, "localhost", 80, "localhost", ""),
        ] {
            let url = BaseUrl::parse(text).unwrap();
            assert_eq!(
                (url.is_tls(), url.host(), url.port(), url.authority(), url.path()),
                (tls, host, port, authority, path),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_the_rest() {
        for (text, error) in [
            ("api.openai.com", UrlError::Scheme),
            ("ftp://x", UrlError::Scheme),
            ("https://", UrlError::Scheme),
            ("https://a b", UrlError::Character),
            ("https://user:pw@host", UrlError::UserInfo),
            ("https://host/?key=1", UrlError::Query),
            ("https://:80", UrlError::Host),
            ("https://a..b", UrlError::Host),
            ("https://[::g]", UrlError::Host),
            ("https://host:0", UrlError::Port),
            ("https://host:99999", UrlError::Port),
        ] {
            assert_eq!(BaseUrl::parse(text), Err(error), "{text}");
        }
    }
}
