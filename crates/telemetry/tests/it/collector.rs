//! A small OTLP/HTTP collector: takes what is posted to it, and answers as told.

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

pub(crate) struct Collector {
    pub(crate) address: String,
    requests: mpsc::Receiver<(String, ExportTraceServiceRequest)>,
}

impl Collector {
    /// Starts one that gives these statuses in turn, and 200 from then on.
    pub(crate) async fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (taken, requests) = mpsc::channel(64);
        tokio::spawn(async move {
            let mut statuses = statuses.iter().copied();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                serve(stream, &taken, &mut statuses).await;
            }
        });
        Self { address, requests }
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> ExportTraceServiceRequest {
        let (head, request) = self.requests.recv().await.unwrap();
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.to_lowercase().contains("content-type: application/x-protobuf\r\n"), "{head}");
        request
    }

    /// The spans of everything that was taken so far, by their names.
    pub(crate) fn spans(&mut self) -> HashMap<String, Span> {
        let mut spans = HashMap::new();
        while let Ok((_, request)) = self.requests.try_recv() {
            for span in request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans) {
                let before = spans.insert(span.name.clone(), span);
                assert!(before.is_none(), "two spans of one name");
            }
        }
        spans
    }
}

async fn serve(
    mut stream: TcpStream,
    taken: &mpsc::Sender<(String, ExportTraceServiceRequest)>,
    statuses: &mut impl Iterator<Item = u16>,
) {
    let mut bytes = Vec::new();
    loop {
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
        });
        let end = head_end + length.unwrap();
        while bytes.len() < end {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
        }
        let request = ExportTraceServiceRequest::decode(&bytes[head_end..end]).unwrap();
        bytes.drain(..end);
        taken.send((head, request)).await.unwrap();
        let status = statuses.next().unwrap_or(200);
        let answer = format!("HTTP/1.1 {status} Told\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// Attributes as text: numbers as they are written, lists in brackets.
pub(crate) fn attributes(list: &[KeyValue]) -> HashMap<String, String> {
    let show = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::BoolValue(value) => value.to_string(),
        Value::IntValue(value) => value.to_string(),
        Value::DoubleValue(value) => value.to_string(),
        other => format!("{other:?}"),
    };
    list.iter()
        .map(|pair| {
            let value = pair.value.as_ref().unwrap().value.as_ref().unwrap();
            let text = match value {
                Value::ArrayValue(array) => {
                    let items: Vec<_> =
                        array.values.iter().map(|v| show(v.value.as_ref().unwrap())).collect();
                    format!("[{}]", items.join(","))
                }
                value => show(value),
            };
            (pair.key.clone(), text)
        })
        .collect()
}
