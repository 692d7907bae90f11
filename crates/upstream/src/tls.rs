//! Whom TLS connections trust. The configurations are made when first asked for: a process that only speaks
//! to plain servers never holds one.

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use types::{Blame, Code, Fault, Kind};

use crate::HttpVersion;

/// The authorities that one provider's connections trust.
pub(crate) enum Trust {
    /// The public ones.
    Public,
    /// Those and the operator's own.
    Extra { roots: Vec<CertificateDer<'static>>, made: OnceLock<Option<Arc<ClientConfig>>> },
}

impl Trust {
    /// `extra`: certificates in PEM.
    pub(crate) fn new(extra: Option<&[u8]>) -> Result<Self, Fault> {
        let Some(pem) = extra else { return Ok(Self::Public) };
        let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match roots {
            Ok(roots) if !roots.is_empty() => Ok(Self::Extra { roots, made: OnceLock::new() }),
            Ok(_) => Err(bad_roots("there is no certificate in it")),
            Err(error) => Err(bad_roots(&error.to_string())),
        }
    }

    /// The configuration to connect with.
    pub(crate) fn client_config(&self, versions: HttpVersion) -> Result<Arc<ClientConfig>, Fault> {
        static BOTH: LazyLock<Option<Arc<ClientConfig>>> = LazyLock::new(|| public(HttpVersion::Auto));
        static ONE: LazyLock<Option<Arc<ClientConfig>>> = LazyLock::new(|| public(HttpVersion::Http1));
        static TWO: LazyLock<Option<Arc<ClientConfig>>> = LazyLock::new(|| public(HttpVersion::Http2));
        let config = match (self, versions) {
            (Self::Public, HttpVersion::Auto) => &*BOTH,
            (Self::Public, HttpVersion::Http1) => &*ONE,
            (Self::Public, HttpVersion::Http2) => &*TWO,
            // A provider speaks one choice of versions, so there is one configuration to keep.
            (Self::Extra { roots, made }, _) => made.get_or_init(|| client_config(versions, roots)),
        };
        config.clone().ok_or_else(|| Fault::internal("the TLS library refused its own defaults"))
    }
}

fn public(versions: HttpVersion) -> Option<Arc<ClientConfig>> {
    client_config(versions, &[])
}

/// `None` if the library refuses, which it does for certificates that it cannot use as roots.
fn client_config(versions: HttpVersion, extra: &[CertificateDer<'static>]) -> Option<Arc<ClientConfig>> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in extra {
        roots.add(root.clone()).ok()?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    let protocols: &[&[u8]] = match versions {
        HttpVersion::Auto => &[b"h2", b"http/1.1"],
        HttpVersion::Http1 => &[b"http/1.1"],
        HttpVersion::Http2 => &[b"h2"],
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Some(Arc::new(config))
}

fn bad_roots(why: &str) -> Fault {
    let message = format!("the provider's own root certificates are not usable: {why}");
    Fault::new(Kind::Permanent, Code::BadConfig, message).with_blame(Blame::Operator)
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("Public"),
            Self::Extra { roots, .. } => write!(f, "Extra({})", roots.len()),
        }
    }
}
