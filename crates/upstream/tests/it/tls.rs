//! TLS against a server with a certificate of our own making.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use types::{Code, Progress};
use upstream::{Http, Settings};

use crate::calls::{call, settings, text};
use crate::http2::Echo;

/// A server for `localhost`, and its certificate in PEM.
async fn serve(echo: Arc<Echo>) -> (Settings, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, echo) = (acceptor.clone(), Arc::clone(&echo));
            tokio::spawn(async move {
                if let Ok(tls) = acceptor.accept(stream).await {
                    echo.serve(tls, 100).await;
                }
            });
        }
    });
    (settings(&format!("https://localhost:{port}/v1")), pem(cert.der()))
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[tokio::test]
async fn a_certificate_that_the_operator_trusts_is_trusted_and_http2_negotiated() {
    let echo = Echo::new(10);
    let (settings, pem) = serve(Arc::clone(&echo)).await;
    let http = Http::new(Settings { roots: Some(pem.into_bytes()), ..settings }, TaskTracker::new()).unwrap();
    let mut first = http.send(call()).await.unwrap();
    assert!(text(&mut first).await.starts_with("HTTP/2.0 https://localhost:"));
    assert!(first.timing.dns.is_some() && first.timing.connect.is_some() && first.timing.tls.is_some());
    let mut second = http.send(call()).await.unwrap();
    text(&mut second).await;
    assert_eq!((second.timing.dns, second.timing.connect, second.timing.tls), (None, None, None));
    assert_eq!(echo.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (settings, _) = serve(Echo::new(10)).await;
    let fault = Http::new(settings, TaskTracker::new()).unwrap().send(call()).await.unwrap_err();
    assert_eq!((fault.code, fault.progress), (Code::Unreachable, Progress::NothingSent));
    assert!(fault.message.contains("TLS failed"), "{fault}");
}

#[test]
fn roots_that_are_no_certificates_are_refused_at_once() {
    let settings = Settings { roots: Some(b"nothing".to_vec()), ..settings("https://localhost/v1") };
    assert_eq!(Http::new(settings, TaskTracker::new()).unwrap_err().code, Code::BadConfig);
}
