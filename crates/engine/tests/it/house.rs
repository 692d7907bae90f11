//! An engine in a folder of its own, and its ledger after it has stopped.

use bytes::Bytes;
use engine::{Answered, Engine, Head, Inbound, Relay, Started, Whole};
use http_body_util::BodyExt as _;
use store::ledger::{Filter, Order};
use store::{Ledger as _, Sqlite};
use tempfile::TempDir;
use testkit::Vendor;
use types::Dialect;
use types::ledger::Row;

pub(crate) struct House {
    started: Started,
    folder: TempDir,
}

impl House {
    /// An engine with `providers` (YAML) and whatever else `more` says.
    pub(crate) async fn with(providers: &str, more: &str) -> Self {
        Self::storing("", providers, more).await
    }

    /// The same with more in its section `storage`: `, name: value`.
    pub(crate) async fn storing(storage: &str, providers: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "version: 1\nstorage: {{ database: 'sqlite:{}/w.db'{storage} }}\nproviders:\n{providers}\n{more}",
            folder.path().display()
        );
        let source = document::Source { name: "test", text: &text };
        let config =
            config::load(source, &|_| None, &config::Overrides::default()).unwrap_or_else(|e| panic!("{e}"));
        Self { started: Engine::start(config).await.unwrap(), folder }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.started.engine
    }

    /// Stops the engine and reads all rows, in the order in which their attempts began.
    pub(crate) async fn rows(self) -> Vec<Row> {
        self.started.stop(std::time::Duration::from_secs(5), std::future::ready(())).await;
        let path = self.folder.path().join("w.db");
        let ledger = Sqlite::open(&path, &store::sqlite::SqliteOptions::default()).await.unwrap();
        let mut rows = ledger.query(&Filter { order: Order::Oldest, ..Filter::default() }).await.unwrap();
        // The ledger's order is that of call ids: of those made in one millisecond, any comes first.
        rows.sort_by_key(|row| row.at);
        rows
    }
}

/// `NAME: { kind: openai, … }` for a vendor.
pub(crate) fn openai(name: &str, vendor: &Vendor) -> String {
    format!("  {name}: {{ kind: openai, base_url: '{}', api_key: sk-test }}\n", vendor.url("/v1"))
}

pub(crate) fn anthropic(name: &str, vendor: &Vendor) -> String {
    format!("  {name}: {{ kind: anthropic, base_url: '{}', api_key: sk-test }}\n", vendor.url(""))
}

pub(crate) fn chat(model: &str, stream: bool) -> Inbound {
    let body = format!(
        r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"hi"}}],"huge":123456789012345678901234567890,"odd":1.0e400}}"#
    );
    Inbound { dialect: Dialect::OpenaiChat, body: Bytes::from(body), head: Head::default() }
}

pub(crate) fn message(model: &str, stream: bool) -> Inbound {
    let body = format!(
        r#"{{"model":"{model}","max_tokens":50,"stream":{stream},"messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    Inbound { dialect: Dialect::AnthropicMessages, body: Bytes::from(body), head: Head::default() }
}

pub(crate) fn whole(answered: Answered) -> Whole {
    match answered {
        Answered::Whole(whole) => whole,
        Answered::Stream(_) => panic!("a stream"),
    }
}

pub(crate) fn stream(answered: Answered) -> Box<Relay> {
    match answered {
        Answered::Stream(relay) => relay,
        Answered::Whole(_) => panic!("a whole answer"),
    }
}

/// All that a caller would see of a stream.
pub(crate) async fn text(relay: Box<Relay>) -> String {
    String::from_utf8(relay.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Calls until it is known how long a call usually takes: that is worked out once a second, here of ten calls or more.
pub(crate) async fn until_usual_is_known(mut call: impl AsyncFnMut()) {
    for _ in 0..12 {
        call().await;
    }
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(1);
    while tokio::time::Instant::now() < until {
        call().await;
    }
}
