//! The task that sends spans: collects them into batches and hands each to the OTLP library.
//!
//! The library's own batch processor has a thread without a reactor, where its asynchronous HTTP client
//! cannot run; so one task of ours drives the library's exporter directly.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry::KeyValue;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::exporter::StartError;
use super::names;
use crate::log;
use crate::metrics::Spans;

/// Spans of one request to the collector.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const WAIT: Duration = Duration::from_secs(1);
/// How long one request may take, with the library's own retries.
const REQUEST: Duration = Duration::from_secs(10);
/// Where OTLP/HTTP wants traces.
const PATH: &str = "/v1/traces";

pub(super) struct Worker {
    waiting: mpsc::Receiver<SpanData>,
    stop: Arc<Notify>,
    sender: SpanExporter,
    spans: Arc<Spans>,
    stopping: bool,
    away: bool,
}

impl Worker {
    pub(super) fn new(
        waiting: mpsc::Receiver<SpanData>,
        stop: Arc<Notify>,
        sender: SpanExporter,
        spans: Arc<Spans>,
    ) -> Self {
        Self { waiting, stop, sender, spans, stopping: false, away: false }
    }

    /// Sends until it is stopped and everything that waited is sent or failed.
    pub(super) async fn run(mut self) {
        while let Some(batch) = self.next_batch().await {
            self.send(batch).await;
        }
    }

    /// The next spans; `None` when it was stopped and none are left.
    async fn next_batch(&mut self) -> Option<Vec<SpanData>> {
        let mut batch = Vec::new();
        let mut until = None;
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                biased;
                () = self.stop.notified(), if !self.stopping => {
                    self.stopping = true;
                    self.waiting.close();
                }
                received = self.waiting.recv_many(&mut batch, room) => {
                    if received == 0 {
                        break;
                    }
                    until.get_or_insert_with(|| Instant::now() + WAIT);
                }
                () = wait(until), if until.is_some() => break,
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        match self.sender.export(batch).await {
            Ok(()) => {
                self.spans.exported.fetch_add(count, Relaxed);
                if std::mem::take(&mut self.away) {
                    log::collector_back();
                }
            }
            Err(error) => {
                self.spans.failed.fetch_add(count, Relaxed);
                if !std::mem::replace(&mut self.away, true) {
                    log::collector_away(&error);
                }
            }
        }
    }
}

async fn wait(until: Option<Instant>) {
    if let Some(until) = until {
        tokio::time::sleep_until(until).await;
    }
}

/// The library's exporter for a collector at `address`.
pub(super) fn sender(address: &str, version: &'static str) -> Result<SpanExporter, StartError> {
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint(address))
        .with_timeout(REQUEST)
        .with_http_client(HyperClient::new(connector()?, REQUEST, None))
        .build()?;
    let resource = Resource::builder_empty()
        .with_service_name("windlass")
        .with_attribute(KeyValue::new(names::SERVICE_VERSION, version))
        .with_detector(Box::new(EnvResourceDetector::new()))
        .build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

type Connector = hyper_rustls::HttpsConnector<hyper_util::client::legacy::connect::HttpConnector>;

/// Files of certificates to trust besides the public ones, the more particular first (OpenTelemetry, "OTLP
/// exporter configuration").
const CERTIFICATES: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];

/// Plain and TLS connections; certificates are checked against Mozilla's roots and the operator's own.
fn connector() -> Result<Connector, StartError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = CERTIFICATES.iter().find_map(std::env::var_os).filter(|path| !path.is_empty()) {
        trust(&mut roots, Path::new(&path))?;
    }
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build())
}

fn trust(roots: &mut rustls::RootCertStore, path: &Path) -> Result<(), StartError> {
    let fail = |why: String| StartError::Certificate { path: path.to_owned(), why };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| fail(error.to_string()))?;
    let before = roots.len();
    for certificate in found {
        let certificate = certificate.map_err(|error| fail(error.to_string()))?;
        roots.add(certificate).map_err(|error| fail(error.to_string()))?;
    }
    if roots.len() == before { Err(fail("there is no certificate in it".to_owned())) } else { Ok(()) }
}

fn endpoint(address: &str) -> String {
    let address = address.trim_end_matches('/');
    if address.ends_with(PATH) { address.to_owned() } else { format!("{address}{PATH}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_once() {
        for address in ["http://localhost:4318", "http://localhost:4318/", "http://localhost:4318/v1/traces"]
        {
            assert_eq!(endpoint(address), "http://localhost:4318/v1/traces");
        }
        assert_eq!(endpoint("https://collector.example/otlp"), "https://collector.example/otlp/v1/traces");
    }

    #[test]
    fn a_file_that_holds_no_certificate_is_told_by_its_name() {
        let mut roots = rustls::RootCertStore::empty();
        for path in ["/nowhere/at-all.pem", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
            let error = trust(&mut roots, Path::new(path)).unwrap_err();
            assert!(error.to_string().contains(path), "{error}");
        }
    }
}
