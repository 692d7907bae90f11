//! The checked configuration: what everything else starts from. Whatever holds one may rely on it: names
//! exist, lists are not empty, durations are durations, and no default is left to fill in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use policy::profile::Table;
use types::Price;

use crate::route::Defaults;
use crate::{Key, Limits, Overload, Provider, Route, Server, Storage, Target, Telemetry};

/// A whole configuration. Immutable; a reload makes a new one.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The process itself.
    pub server: Server,
    /// Where things are kept.
    pub storage: Storage,
    /// What answers calls, in the file's order. Never empty.
    pub providers: Vec<Provider>,
    /// Names with several models behind them, in the file's order.
    pub routes: Vec<Route>,
    /// Other names for a model or a route.
    pub aliases: BTreeMap<String, Meaning>,
    /// Who may call. Empty: anybody who reaches the socket.
    pub keys: Vec<Key>,
    /// What may pass.
    pub limits: Limits,
    /// The operator's prices by `provider/model` or by a bare model name. They come before the price list.
    pub prices: BTreeMap<String, Price>,
    /// Chains to offer under `/api/v1/chains`, by name. Reading them is not this crate's business.
    pub chains: BTreeMap<String, PathBuf>,
    /// Logs and traces.
    pub telemetry: Telemetry,
    /// What holds for a call that names a model and no route.
    pub defaults: Defaults,
    /// What happens when there is too much to do.
    pub overload: Overload,
    /// Tasks and profiles, the built-in ones among them.
    pub profiles: Table,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// One model at one provider.
    Model(Target),
    /// The route of this name. It exists.
    Route(String),
}

impl Config {
    /// The provider called `name`.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// The route called `name`.
    pub fn route(&self, name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.name == name)
    }

    /// Must callers show a key?
    pub fn needs_key(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Could anybody call who reaches a process that listens at `address`, without the operator having said so?
    pub fn is_open_at(&self, address: SocketAddr) -> bool {
        !self.needs_key() && !address.ip().is_loopback() && !self.server.allow_open
    }

    /// The settings that differ from those of `began`, and of which a running process goes on with the ones that
    /// it was started with.
    pub fn waits_for_a_start(&self, began: &Self) -> Vec<&'static str> {
        let (server, storage, telemetry) = (&self.server, &self.storage, &self.telemetry);
        let changed = [
            ("server.listen", server.listen != began.server.listen),
            ("server.max_bodies", server.max_bodies != began.server.max_bodies),
            ("server.workers", server.workers != began.server.workers),
            ("storage.database", storage.database != began.storage.database),
            ("storage.spool", storage.spool != began.storage.spool),
            ("storage.spool_max", storage.spool_max != began.storage.spool_max),
            ("storage.redis", storage.redis != began.storage.redis),
            ("storage.redis_timeout", storage.redis_timeout != began.storage.redis_timeout),
            ("telemetry.otlp", telemetry.otlp != began.telemetry.otlp),
            ("telemetry.sample", telemetry.sample.to_bits() != began.telemetry.sample.to_bits()),
            ("telemetry.log_format", telemetry.log_format != began.telemetry.log_format),
        ];
        changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
    }
}
