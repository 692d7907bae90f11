//! What a caller's model name means (A5), and what that model costs and can do.
//!
//! In this order: an alias, a route, `provider/model`, a model that a provider lists, a model that the
//! catalogue lists for a provider without a list of its own.

use types::Price;

use crate::catalogue::{Catalogue, Entry};
use crate::provider::{Kind, Models};
use crate::{Allowed, Config, Meaning, Model, Provider, Route, Target};

/// What a name means.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved<'a> {
    /// A route.
    Route(&'a Route),
    /// One model at one provider.
    Model(Target),
}

/// Everything that is known about a model at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The name that the provider is asked for.
    pub id: String,
    /// What it costs; `None`: unknown, which is not the same as free.
    pub price: Option<Price>,
    /// Tokens that its context holds, if known.
    pub context_tokens: Option<u64>,
    /// Tokens that it writes at most, if known.
    pub max_output_tokens: Option<u64>,
    /// The catalogue's row, if there is one.
    pub entry: Option<Entry>,
}

impl Config {
    /// What `name` means; `None`: nothing that is configured.
    pub fn resolve(&self, name: &str) -> Option<Resolved<'_>> {
        match self.aliases.get(name) {
            Some(Meaning::Model(target)) => return Some(Resolved::Model(target.clone())),
            Some(Meaning::Route(route)) => return self.route(route).map(Resolved::Route),
            None => {}
        }
        if let Some(route) = self.route(name) {
            return Some(Resolved::Route(route));
        }
        resolve_model(&self.providers, name).map(Resolved::Model)
    }

    /// What is known about `target`; `None` if it is not configured.
    ///
    /// Decodes a row of the catalogue: keep the answer rather than asking for each call.
    pub fn known(&self, target: &Target) -> Option<Known> {
        let provider = self.provider(&target.provider)?;
        if !provider.models.offers(&target.model) {
            return None;
        }
        let listed = provider.models.find(&target.model);
        let id = listed.map_or(target.model.as_str(), |model| model.id.as_str());
        let entry = Catalogue::embedded().find(&provider.vendor, id);
        let price = self.price(provider, listed, &target.model, entry.as_ref());
        let from_entry = |field: fn(&Entry) -> Option<u64>| entry.as_ref().and_then(field);
        Some(Known {
            id: id.to_owned(),
            price,
            context_tokens: listed
                .and_then(|model| model.context_tokens)
                .or_else(|| from_entry(|entry| entry.context_tokens)),
            max_output_tokens: listed
                .and_then(|model| model.max_output_tokens)
                .or_else(|| from_entry(|entry| entry.max_output_tokens)),
            entry,
        })
    }

    /// The operator's price for the provider's model, then `prices`, then what the kind of provider says,
    /// then the price list.
    fn price(
        &self,
        provider: &Provider,
        listed: Option<&Model>,
        name: &str,
        entry: Option<&Entry>,
    ) -> Option<Price> {
        let own = listed
            .and_then(|model| model.price.as_ref())
            .or_else(|| self.prices.get(&format!("{}/{name}", provider.name)))
            .or_else(|| self.prices.get(name));
        if let Some(price) = own {
            return Some(price.clone());
        }
        match &provider.kind {
            // Nobody sends a bill for it: a known zero.
            Kind::Local(_) => Some(Price::default()),
            Kind::Simulated(simulated) => {
                simulated.models.iter().find(|model| model.name == name)?.price.clone()
            }
            Kind::Openai(_) | Kind::Anthropic(_) | Kind::Gemini(_) | Kind::Azure(_) | Kind::Bedrock(_) => {
                entry.and_then(|entry| entry.price.clone())
            }
        }
    }

    /// Whether the file itself names what a caller calls `name` and what was found to mean `meaning` (a route's name, or
    /// `provider/model`): a route, an alias, or a model that is listed or stands in a route.
    pub fn is_configured(&self, name: &str, meaning: &str) -> bool {
        let is = |target: &Target| {
            meaning.strip_prefix(&target.provider).and_then(|rest| rest.strip_prefix('/'))
                == Some(&*target.model)
        };
        let listed = |(provider, model): (&str, &str)| {
            self.provider(provider).is_some_and(|provider| provider.models.find(model).is_some())
        };
        self.aliases.contains_key(name)
            || self.route(name).is_some()
            || meaning.split_once('/').is_some_and(listed)
            || self.routes.iter().flat_map(|route| &route.targets).any(is)
            || self.aliases.values().any(|meaning| matches!(meaning, Meaning::Model(target) if is(target)))
    }

    /// All models that the file itself names, each with the name that its provider is asked for: those that a provider
    /// lists, and those of routes and aliases. Some come more than once.
    pub fn configured_targets(&self) -> impl Iterator<Item = (Target, String)> {
        let listed = self.providers.iter().flat_map(|provider| {
            let models = match &provider.models {
                Models::Listed(models) => models.as_slice(),
                Models::Any => &[],
            };
            let target =
                |model: &Model| Target { provider: provider.name.clone(), model: model.name.clone() };
            models.iter().map(move |model| (target(model), model.id.clone()))
        });
        let aliased = self.aliases.values().filter_map(|meaning| match meaning {
            Meaning::Model(target) => Some(target),
            Meaning::Route(_) => None,
        });
        let named = self.routes.iter().flat_map(|route| &route.targets).chain(aliased).map(|target| {
            let listed = self.provider(&target.provider).and_then(|at| at.models.find(&target.model));
            (target.clone(), listed.map_or_else(|| target.model.clone(), |model| model.id.clone()))
        });
        listed.chain(named)
    }

    /// All names that a caller can be told: routes, aliases, and `provider/model` of what is listed.
    pub fn model_names(&self) -> Vec<String> {
        let routes = self.routes.iter().map(|route| route.name.clone());
        let mut names: Vec<String> = routes.chain(self.aliases.keys().cloned()).collect();
        for provider in &self.providers {
            if let Models::Listed(models) = &provider.models {
                names.extend(models.iter().map(|model| format!("{}/{}", provider.name, model.name)));
            }
        }
        names
    }
}

impl Allowed {
    /// May a key with this list use what it called `written` and what was found to mean `meaning`?
    pub fn allows(&self, written: &str, meaning: &Resolved<'_>) -> bool {
        match meaning {
            Resolved::Route(route) => self.covers(written, &route.name),
            Resolved::Model(target) => self.covers(written, &target.to_string()),
        }
    }

    /// The same, with what it means in full: a route's name or `provider/model`.
    pub fn covers(&self, written: &str, full: &str) -> bool {
        let Self::These(names) = self else { return true };
        names.iter().any(|name| match name.strip_suffix('*') {
            Some(prefix) => full.starts_with(prefix) || written.starts_with(prefix),
            None => name == full || name == written,
        })
    }
}

/// `provider/model`, or a bare name that some provider offers.
pub(crate) fn resolve_model(providers: &[Provider], name: &str) -> Option<Target> {
    let target = |provider: &Provider, model: &str| Target {
        provider: provider.name.clone(),
        model: model.to_owned(),
    };
    if let Some((prefix, model)) = name.split_once('/')
        && let Some(provider) = providers.iter().find(|provider| provider.name == prefix)
        && !model.is_empty()
        && provider.models.offers(model)
    {
        return Some(target(provider, model));
    }
    if let Some(provider) = providers.iter().find(|provider| provider.models.find(name).is_some()) {
        return Some(target(provider, name));
    }
    let listed = |provider: &&Provider| {
        provider.models == Models::Any && Catalogue::embedded().lists(&provider.vendor, name)
    };
    providers.iter().find(listed).map(|provider| target(provider, name))
}
