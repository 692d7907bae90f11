//! One configuration, made ready: what the call path reads. A reload makes a new one and swaps it in; calls
//! that began with the old one end with it.

use std::collections::HashMap;
use std::sync::Arc;

use config::access::Digest;
use config::{Allowed, Config, Route};
use policy::retry;
use tokio_util::task::TaskTracker;
use types::Fault;
use upstream::{Provider, clock};

use crate::call::{Plans, Target};
use crate::health::{self, Deployments};
use crate::overload::Overload;
use crate::providers;

/// A configuration in force.
#[derive(Debug)]
pub(crate) struct Snapshot {
    config: Arc<Config>,
    providers: HashMap<String, Arc<Provider>>,
    keys: HashMap<Digest, Key>,
    plans: Plans,
    deployments: Arc<Deployments>,
    retry_budget: Arc<retry::Budget>,
    overload: Arc<Overload>,
    /// Whether anybody is limited.
    limits: bool,
    metrics: telemetry::Metrics,
}

/// A caller's key, as the call path needs it.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: Arc<str>,
    pub(crate) tenant: Arc<str>,
    pub(crate) allowed: Arc<Allowed>,
    pub(crate) admin: bool,
}

impl Snapshot {
    /// Makes `config` ready. A provider that is configured as it was before is kept, with its connections.
    pub(crate) fn new(
        config: Arc<Config>,
        metrics: telemetry::Metrics,
        tasks: &TaskTracker,
        before: Option<&Self>,
    ) -> Result<Self, Fault> {
        let mut made = HashMap::new();
        for provider in &config.providers {
            let kept = before.and_then(|before| {
                let same = before.config.provider(&provider.name) == Some(provider);
                same.then(|| before.providers.get(&provider.name).cloned()).flatten()
            });
            let ready = match kept {
                Some(kept) => kept,
                None => providers::make(provider, tasks)?,
            };
            made.insert(provider.name.clone(), ready);
        }
        let keys = config.keys.iter().map(|key| {
            let ready = Key {
                name: Arc::from(key.name.as_str()),
                tenant: Arc::from(key.tenant.as_str()),
                allowed: Arc::new(key.models.clone()),
                admin: key.admin,
            };
            (key.digest, ready)
        });
        let keys = keys.collect();
        let deployments = Deployments::new(
            config.defaults.breaker,
            &config.overload,
            before.map(|before| &before.deployments),
        );
        let configured = || config.configured_targets().map(|(target, id)| (target.provider, id));
        deployments.configure(configured());
        // Their figures come first: beyond so many the names of models are one.
        configured().for_each(|(provider, id)| drop(metrics.configured_target(&provider, &id)));
        deployments.prepare(config.routes.iter().map(|route| &route.breaker));
        let overload = Overload::new(&config.overload, before.map(|before| &before.overload));
        if let Some(before) = before {
            // What is known of a provider is not true of another one that has taken its name.
            let kept = |(name, old): &(&String, &Arc<Provider>)| {
                made.get(*name).is_some_and(|new| Arc::ptr_eq(new, old))
            };
            let gone = before.providers.iter().filter(|entry| !kept(entry));
            gone.for_each(|(name, _)| deployments.forget(name));
        }
        let share = config.defaults.retry_budget;
        let before = before.map(|before| (&before.retry_budget, before.config.defaults.retry_budget));
        let retry_budget = health::overall(share, before);
        Ok(Self {
            keys,
            providers: made,
            plans: Plans::default(),
            deployments,
            retry_budget,
            overload,
            limits: !config.limits.is_empty(),
            metrics,
            config,
        })
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(crate) fn needs_key(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The key with this digest. A hash table look-up does not take constant time, and need not: what it
    /// compares is a digest, which a caller cannot choose without knowing the key.
    pub(crate) fn key(&self, digest: &Digest) -> Option<&Key> {
        self.keys.get(digest)
    }

    pub(crate) fn plans(&self) -> &Plans {
        &self.plans
    }

    pub(crate) fn deployments(&self) -> &Deployments {
        &self.deployments
    }

    /// What all calls together may repeat.
    pub(crate) fn retry_budget(&self) -> &Arc<retry::Budget> {
        &self.retry_budget
    }

    /// Whether anybody's rate is limited.
    pub(crate) const fn limits(&self) -> bool {
        self.limits
    }

    /// What this process can take.
    pub(crate) fn overload(&self) -> &Arc<Overload> {
        &self.overload
    }

    pub(crate) fn providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }

    /// Whether `provider` is still in use here.
    pub(crate) fn has(&self, provider: &Arc<Provider>) -> bool {
        self.providers.get(&*provider.name).is_some_and(|own| Arc::ptr_eq(own, provider))
    }

    /// A configured target, ready to be asked on `route`.
    pub(crate) fn target(
        &self,
        target: &config::Target,
        route: Option<&Route>,
    ) -> Result<Arc<Target>, Fault> {
        let missing = || Fault::internal("a checked configuration names a model that is not there");
        let provider = self.providers.get(&target.provider).ok_or_else(missing)?;
        let known = self.config.known(target).ok_or_else(missing)?;
        let metrics = self.metrics.target(&target.provider, &known.id);
        let id = Arc::from(known.id);
        let deployment = self.deployments.get(&provider.name, &id, &metrics, clock::now());
        let numbers = route.map(|route| (route.name.as_str(), &route.breaker));
        Ok(Arc::new(Target {
            provider: Arc::clone(provider),
            switch: self.deployments.switch(&deployment, numbers),
            deployment,
            metrics,
            name: Arc::from(target.to_string()),
            id,
            price: known.price,
            context_tokens: known.context_tokens,
            max_output_tokens: known.max_output_tokens,
            prefill: known.entry.map(|entry| entry.capabilities.assistant_prefill),
        }))
    }
}
